"""The plain rung equals `reference`, and the kernels of `fast`, on single neurons and layers."""

import inspect
import re
from itertools import groupby
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
from tests.support.networks.neurons import ALL, EACH_OF_FAST, RANGES, network

T = 45.0
TARGETS = SpikeTimeMSE("out", SpikeTrains((np.array([8.0, 15.0, 22.0, 30.0]),)))
SEEDS = many(10)


def plain(case: Case) -> Result:
    """The result of a case, solved neuron by neuron: connections from one population onto the next,
    in order, and a loss of the spikes of the last one, `SpikeTimeMSE`. Ties are not flagged."""
    assert isinstance(case.loss, SpikeTimeMSE)
    network, trains, layers = case.network, dict(case.inputs), []
    for (source, name), group in groupby(network.connections, lambda c: (c.source, c.target)):
        target, onto = network.population(name), list(group)
        given = SpikeTrains(tuple(trains[source]) * len(onto))
        lanes = [forward.Lane(target, j, onto, given, case.duration) for j in range(target.size)]
        own = [forward.forward_lane(lane) for lane in lanes]
        trains[name] = SpikeTrains(tuple(np.array([spike.t for spike in one]) for one in own))
        layers.append((onto, lanes, own))
    c = layers[-1][0][-1]
    assert len(trains) == 1 + len(layers) and c.target == case.loss.population
    off = [compared(t, targets, case.duration) for t, targets in zip(trains[c.target], case.loss.targets, strict=True)]
    dL_dt, constants = {c.target: [dL_dt for _, dL_dt in off]}, {}
    synapses: list[ConnectionGradient] = []
    for onto, lanes, own in reversed(layers):
        c = onto[0]
        found = [backward.backward_lane(*one) for one in zip(lanes, own, dL_dt[c.target], strict=True)]
        by_source = [np.sum(parts, axis=0) for parts in zip(*(one.dL_dt_pre for one in found), strict=True)]
        dL_dt[c.source] = [sum(by_source[i :: len(c.w)]) for i in range(len(c.w))]
        columns = (np.stack([getattr(one, name) for one in found], axis=1) for name in ("dL_dw", "dL_dd"))
        parts = zip(*(np.split(column, len(onto)) for column in columns), strict=True)
        synapses += reversed([ConnectionGradient(*part) for part in parts])
        rows = np.stack([one.dL_dconstants for one in found], axis=1)
        constants[c.target] = by_constant(network.population(c.target), rows)
    gradients = Gradients(tuple(reversed(synapses)), constants, {name: dL_dt[name] for name in case.inputs})
    kappa = {onto[0].target: [np.array([kappa_of(n, s) for s in one]) for n, one in zip(lanes, own, strict=True)]
             for onto, lanes, own in layers}
    spikes = {onto[0].target: list(trains[onto[0].target]) for onto, _, _ in layers}
    return Result(sum(loss for loss, _ in off), spikes, kappa, None, gradients, ())


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


def single(name: str, seed: int = 0) -> Case:
    """One neuron: sources that excite and inhibit, of which two arrive together; delays of 0, of
    half a trial and beyond it; a synapse that is missing, and spikes after the end."""
    rng = np.random.default_rng([seed, list(ALL).index(name)])
    constants = {constant: rng.uniform(*RANGES[constant], 1) for constant in ALL[name].constants}
    trains = [np.sort(rng.uniform(0.0, 1.2 * T, 5)) for _ in range(8)]
    trains[0] = np.ceil(trains[0]) + 2.0
    trains[1] = trains[0] - 2.0
    w = [[weight] for weight in abs(rng.normal(3.0, 1.5, 8))]
    w[1][0] *= -0.5
    w[5][0] *= -0.7
    w[7][0] = None
    d = [[0.0], [2.0], [0.0], [T / 2], [1.5 * T], *([delay] for delay in rng.uniform(0.2, 8.0, 3))]
    return case_of(Population("out", "neuron", 1, neuron=ALL[name], constants=constants), trains, w, d)


def case_of(out: Population, trains: list, w: list, d: list | float, duration: float = T) -> Case:
    populations = Population("in", "input", len(trains)), out
    net = Network(populations, (Connection("in", "out", w, d),))
    return Case(net, duration, {"in": SpikeTrains(tuple(trains))}, TARGETS)


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
def test_single_neurons(name: str) -> None:
    assert sum(agrees(single(name, seed)) for seed in range(SEEDS)) >= 2 * SEEDS


@EACH_OF_FAST
def test_layers_in_a_row(name: str) -> None:
    """Each neuron on the rung, with the spikes of the layer before it."""
    assert agrees(network(name, 1, "spike_time_mse", recurrent=False)) > 2


LIF = Population("out", "lif", 1, tau_mem=20.0, tau_syn=5.0, v_th=1.0, v_reset=0.0)


def of_lif(*arrivals: tuple[float, float], duration: float = T) -> Case:
    """A LIF neuron with arrivals `(time, weight)`."""
    return case_of(LIF, [[t] for t, _ in arrivals], [[w] for _, w in arrivals], 0.0, duration)


def test_no_input_and_input_after_the_end() -> None:
    assert agrees(of_lif((T + 1.0, 9.0))) == 0
    assert agrees(case_of(LIF, [[], [T - 1.0]], [[9.0], [9.0]], [[0.0], [2.0]])) == 0


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
        agrees(single("lif"))
        test_ties()


def test_errors() -> None:
    with pytest.raises(SpecError, match="`spikes` has 2 trains for 1 sources; give one train per source"):
        forward.Lane(LIF, 0, [Connection("in", "out", [[1.0]], 0.0)], SpikeTrains((np.zeros(0),) * 2), T)
    alone = Population("out", "neuron", 1, neuron=Neuron({"V": "-V / 9", "I": "-I / 5"}), constants={
        "v_th": 1.0, "v_reset": 0.0})
    with pytest.raises(UnsupportedError, match="`neuron` has arrivals at I that reach no other state"):
        plain(case_of(alone, [[1.0]], [[1.0]], 0.0))
    high = Population("out", "neuron", 1, neuron="lif", constants={**LIF.values, "v_reset": 2.0})
    with pytest.raises(ArithmeticError, match="the neuron spikes too fast, or without end"):
        plain(case_of(high, [[1.0]], [[8.0]], 0.0))
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
