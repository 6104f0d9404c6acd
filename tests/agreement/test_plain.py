"""The plain rung equals `reference`, and the kernels of `fast`, neuron by neuron."""

import inspect
import re
from types import ModuleType
from unittest import mock

import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.fast.plain import backward, forward
from delayprop.fast.run import run_case
from delayprop.fast.solving.matrices import matrices
from delayprop.spec import (
    Case,
    Connection,
    ConnectionGradient,
    Gradients,
    Network,
    Neuron,
    Population,
    Result,
    SpecError,
    SpikeTimeMSE,
    SpikeTrains,
    UnsupportedError,
)
from tests import ROOT
from tests.support.comparison import assert_not_all_zero, assert_same_results
from tests.support.effort import many
from tests.support.networks.neurons import ALL, EACH_OF_FAST, OFTEN, RANGES, STRENGTH

T = 45.0
TARGETS = np.array([8.0, 15.0, 22.0, 30.0])
SEEDS = many(10)


def plain(case: Case) -> Result:
    """The result of a case, solved neuron by neuron: connections from the inputs onto one
    population, and a loss of its spikes, `SpikeTimeMSE`. Ties are not flagged."""
    assert isinstance(case.loss, SpikeTimeMSE)
    (_, out), onto, given = case.network.populations, case.network.connections, tuple(case.inputs["in"])
    arriving = SpikeTrains(given * len(onto))
    lanes = [forward.Lane(out, j, onto, arriving, case.duration) for j in range(out.size)]
    own = [forward.forward_lane(lane) for lane in lanes]
    trains = [np.array([spike.t for spike in one]) for one in own]
    off = [compared(t, targets, case.duration) for t, targets in zip(trains, case.loss.targets, strict=True)]
    found = [backward.backward_lane(n, spikes, dL_dt) for n, spikes, (_, dL_dt) in zip(lanes, own, off, strict=True)]
    by_source = [np.sum(parts, axis=0) for parts in zip(*(one.dL_dt_pre for one in found), strict=True)]
    columns = (np.stack([getattr(one, name) for one in found], axis=1) for name in ("dL_dw", "dL_dd"))
    parts = zip(*(np.split(column, len(onto)) for column in columns), strict=True)
    gradients = Gradients(
        tuple(ConnectionGradient(*part) for part in parts),
        {"out": by_constant(out, np.stack([one.dL_dconstants for one in found], axis=1))},
        {"in": [sum(by_source[i :: len(given)]) for i in range(len(given))]},
    )
    kappa = [np.array([kappa_of(n, spike) for spike in one]) for n, one in zip(lanes, own, strict=True)]
    return Result(sum(loss for loss, _ in off), {"out": trains}, {"out": kappa}, None, gradients, ())


def compared(t: np.ndarray, targets: np.ndarray, duration: float) -> tuple[float, np.ndarray]:
    """The loss of a train, and its derivative by each spike."""
    dL_dt, both = np.zeros(len(t)), min(len(t), len(targets))
    dL_dt[:both] = t[:both] - targets[:both]
    return float(np.sum(dL_dt**2) + np.sum((duration - targets[both:]) ** 2)) / 2, dL_dt


def by_constant(population: Population, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The gradient by each constant: through `A`, and through the level and the reset."""
    n = matrices(population.equations, np.array(list(population.values.values())))
    learned = len(n.learned)
    found = {name: np.zeros(population.size) for name in population.values}
    for name in found:
        if name in n.learned:
            found[name] += rows[n.learned.index(name)]
        if name in n.by:
            found[name] += (rows[learned:] * n.by[name]).sum(axis=0)
    return found


def kappa_of(lane: forward.Lane, spike: forward.Spike) -> float:
    """[spike-grazing] The conditioning of an own spike."""
    return float(lane.rise @ spike.state / lane.unit_rate / lane.v_th) ** 2


def layer(name: str, seed: int = 0) -> Case:
    """Two neurons: sources that excite and inhibit, of which two arrive together; delays of 0, of
    half a trial and beyond it; a synapse that is missing, and spikes after the end. Onto a second
    state they arrive with the other sign."""
    rng = np.random.default_rng([seed, list(ALL).index(name)])
    constants = {constant: rng.uniform(*RANGES[constant], 2) for constant in ALL[name].constants}
    trains = [np.sort(rng.uniform(0.0, 1.2 * T, 5)) for _ in range(8)]
    trains[0] = np.ceil(trains[0]) + 2.0
    trains[1] = trains[0] - 2.0
    w = abs(rng.normal(3.0, 1.5, (8, 2))) * STRENGTH.get(name, 1.0)
    w[1], w[5] = -0.5 * w[1], -0.7 * w[5]
    missing = np.array([[n == 7] * 2 for n in range(8)])
    delays = [0.0, 2.0, 0.0, T / 2, 1.5 * T, *rng.uniform(0.2, 8.0, 3)]
    d = np.stack([delays, delays], axis=1)
    onto = [Connection("in", "out", np.where(missing, None, w * share), d, into=state)
            for state, share in zip(ALL[name].arrivals, (1.0, -1.0 / OFTEN, -1.0 / OFTEN))]
    return case_of(Population("out", "neuron", 2, neuron=ALL[name], constants=constants), trains, onto)


def case_of(out: Population, trains: list, onto: list[Connection], duration: float = T) -> Case:
    net = Network((Population("in", "input", len(trains)), out), tuple(onto))
    loss = SpikeTimeMSE("out", SpikeTrains((TARGETS,) * out.size))
    return Case(net, duration, {"in": SpikeTrains(tuple(trains))}, loss)


def agrees(case: Case) -> int:
    """Asserts that spikes and all gradients are those of both implementations; number of spikes."""
    found = plain(case)
    for run in (reference.run, run_case):
        assert_same_results(case, found, run(case))
    count = sum(len(train) for trains in found.spikes.values() for train in trains)
    if count > 0:
        assert_not_all_zero(case, found.gradients)
    return count


@EACH_OF_FAST
def test_each_neuron(name: str) -> None:
    assert sum(agrees(layer(name, seed)) for seed in range(SEEDS)) >= 2 * SEEDS


LIF = Population("out", "lif", 1, tau_mem=20.0, tau_syn=5.0, v_th=1.0, v_reset=0.0)


def of_lif(*arrivals: tuple[float, float], duration: float = T) -> Case:
    """A LIF neuron with arrivals `(time, weight)`."""
    onto = Connection("in", "out", [[w] for _, w in arrivals], 0.0)
    return case_of(LIF, [[t] for t, _ in arrivals], [onto], duration)


def test_no_input_and_input_after_the_end() -> None:
    assert agrees(of_lif((T + 1.0, 9.0))) == 0
    assert agrees(case_of(LIF, [[], [T - 1.0]], [Connection("in", "out", [[9.0], [9.0]], [[0.0], [2.0]])])) == 0


def test_ties() -> None:
    """An arrival at a crossing, a spike at `T`, and an arrival at `T`."""
    strong = (1.0, 8.0)
    t_post = float(reference.run(of_lif(strong)).spikes["out"][0][0])
    assert agrees(of_lif(strong, (t_post, -60.0))) == 1
    assert agrees(of_lif(strong, duration=t_post)) == 1
    assert agrees(of_lif(strong, (t_post, 5.0), duration=t_post)) == 1


PLANTED: dict[str, tuple[ModuleType, str, str]] = {
    "an arrival is taken to the wrong end of its bin": (forward, "flow(lane.A, 1.0 - rest)", "flow(lane.A, rest)"),
    "no bin is solved but the last": (forward, "== lane.last or level", "== lane.last and level"),
    "the ring is a bin too short": (forward, "max(self.bins, 1 + bin_", "max(self.bins, bin_"),
    "inhibition lowers the bound": (forward, "max(lane.c @ amount, 0.0)", "lane.c @ amount"),
    "an arrival comes before a crossing at its instant": (forward, "x_end if at_event and", "None if at_event and"),
    "own spikes are passed over in the look-up": (backward, "if event[0] > rest", "if event[0] == 1.0"),
    "sensitivities do not jump": (backward, "before = adjoint @ lane.R", "before = np.vstack([p @ lane.R, m])"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_control_a_planted_mistake_is_found(name: str) -> None:
    module, text, wrong = PLANTED[name]
    source = inspect.getsource(module)
    assert source.count(text) == 1
    with mock.patch.dict(vars(module)), pytest.raises(AssertionError):
        exec(compile(source.replace(text, wrong), name, "exec"), vars(module))
        agrees(layer("lif", 1))
        test_ties()


def test_errors() -> None:
    with pytest.raises(SpecError, match="`spikes` has 2 trains for 1 sources; give one train per source"):
        forward.Lane(LIF, 0, [Connection("in", "out", [[1.0]], 0.0)], SpikeTrains((np.zeros(0),) * 2), T)
    alone = Population("out", "neuron", 1, neuron=Neuron({"V": "-V / 9", "I": "-I / 5"}), constants={
        "v_th": 1.0, "v_reset": 0.0})
    with pytest.raises(UnsupportedError, match="`neuron` has arrivals at I that reach no other state"):
        plain(case_of(alone, [[1.0]], [Connection("in", "out", [[1.0]], 0.0)]))
    high = Population("out", "neuron", 1, neuron="lif", constants={**LIF.values, "v_reset": 2.0})
    with pytest.raises(ArithmeticError, match="the neuron spikes too fast, or without end"):
        plain(case_of(high, [[1.0]], [Connection("in", "out", [[8.0]], 0.0)]))
    lane = forward.Lane(LIF, 0, [Connection("in", "out", [[1.0]], 0.0)], SpikeTrains((np.zeros(0),)), T)
    with pytest.raises(ArithmeticError, match="a spike grazes its threshold"):
        backward.backward_lane(lane, [forward.Spike(1, 0.5, 1.5, np.array([1.0, 1.0]))], np.ones(1))


@pytest.mark.parametrize("module", [forward, backward], ids=["forward", "backward"])
def test_kernels_have_the_functions_that_the_rung_names(module: ModuleType) -> None:
    names = re.findall(r"`fast\.([\w.]+)`", inspect.getsource(module))
    assert len(names) >= 3
    for name in names:
        folder, _, function = name.rpartition(".")
        path = (ROOT / "fast" / name.replace(".", "/")).with_suffix(".py")
        if not path.exists():
            path = (ROOT / "fast" / folder.replace(".", "/")).with_suffix(".py")
            assert f"\ndef {function}(" in path.read_text(encoding="utf-8"), name
