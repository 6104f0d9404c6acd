"""Recurrent networks in `fast`: delays below a bin, loops of populations, realistic sizes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import delayprop.reference as reference
from delayprop.fast import Network, Spikes
from delayprop.fast.run import run_case
from delayprop.spec import Case, Connection, CrossEntropy, Population, SpikeTimeMSE, SpikeTrains
from delayprop.spec import Network as NetworkSpec
from tests.support.comparison import assert_same_results
from tests.support.tolerances import U32, U64, identity, relative


def population(name: str, size: int) -> Population:
    return Population(name, "lif", size, np.full(size, 10.0), np.full(size, 4.0), np.ones(size), np.full(size, -0.2))


def random(rng: np.random.Generator, shape: tuple[int, int], mean: float, spread: float) -> np.ndarray:
    return rng.normal(mean, spread, shape)


def loop(delay: float, seed: int = 0, populations: int = 1) -> Case:
    """Neurons in a loop of one or more populations, with delays from `delay` to twice `delay`."""
    rng = np.random.default_rng(seed)
    names = [f"p{n}" for n in range(populations)]
    connections = [Connection("in", "p0", random(rng, (4, 3), 3.0, 1.0), rng.uniform(0.0, 5.0, (4, 3)))]
    for n, name in enumerate(names):
        target = names[(n + 1) % populations]
        connections.append(
            Connection(name, target, random(rng, (3, 3), 0.7, 0.8), rng.uniform(delay, 2 * delay, (3, 3)))
        )
    # a second connection between two populations, or of one onto itself
    connections.append(Connection("p0", names[-1], random(rng, (3, 3), -0.3, 0.3), rng.uniform(1.0, 6.0, (3, 3))))
    trains = tuple(np.sort(rng.uniform(0.0, 20.0, 4)) for _ in range(4))
    network = NetworkSpec((Population("in", "input", 4), *(population(name, 3) for name in names)), tuple(connections))
    targets = SpikeTrains(tuple(np.array([10.0, 15.0]) for _ in range(3)))
    return Case(network, 30.0, {"in": SpikeTrains(trains)}, SpikeTimeMSE(names[-1], targets))


@pytest.mark.parametrize("populations", [1, 2, 3])
@pytest.mark.parametrize("delay", [1e-3, 1e-2, 0.3, 2.0])
def test_delays_much_shorter_than_a_bin_are_exact(delay: float, populations: int) -> None:
    case = loop(delay, populations=populations)
    found, true = run_case(case), reference.run(case)
    assert sum(len(train) for trains in true.spikes.values() for train in trains) > 10
    assert_same_results(case, found, true)
    single = run_case(case, "float32")
    assert {n: [len(t) for t in ts] for n, ts in single.spikes.items()} == {
        n: [len(t) for t in ts] for n, ts in true.spikes.items()
    }


def test_zero_delays_within_a_loop_that_takes_time() -> None:
    """A spike may arrive at its own instant and cause the next spike within the bin."""
    case = loop(0.5, populations=2)
    first, forth, back, *others = case.network.connections
    forth = Connection(forth.source, forth.target, forth.w + 2.0, np.zeros(forth.w.shape))
    network = NetworkSpec(case.network.populations, (first, forth, back, *others))
    case = Case(network, case.duration, case.inputs, case.loss)
    assert_same_results(case, run_case(case), reference.run(case))


def test_two_neurons_that_spike_at_the_same_instant() -> None:
    """Equal neurons excite each other: the order of equal times does not matter."""
    w, d = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 2.0], [2.0, 1.0]])
    network = NetworkSpec(
        (Population("in", "input", 1), population("p", 2)),
        (Connection("in", "p", np.full((1, 2), 6.0), np.ones((1, 2))), Connection("p", "p", w, d)),
    )
    targets = SpikeTrains((np.array([5.0]), np.array([9.0])))
    case = Case(network, 25.0, {"in": SpikeTrains((np.array([0.5, 4.0]),))}, SpikeTimeMSE("p", targets))
    true = reference.run(case)
    assert len(true.spikes["p"][0]) > 1 and np.array_equal(true.spikes["p"][0], true.spikes["p"][1])
    assert_same_results(case, run_case(case), true)


def test_a_loop_that_feeds_itself_without_end_is_an_error() -> None:
    case = loop(1e-3)
    first, back, *others = case.network.connections
    back = Connection(back.source, back.target, np.full(back.w.shape, 1e9), back.d)
    case = Case(
        NetworkSpec(case.network.populations, (first, back, *others)), case.duration, case.inputs, case.loss
    )
    with pytest.raises(ArithmeticError, match="spikes too fast, or without end"):
        run_case(case)


def realistic(rng: np.random.Generator, recurrent: bool, hidden: int) -> tuple[NetworkSpec, dict[str, Spikes]]:
    """700 inputs of 8000 spikes a second, busy hidden neurons, 20 readouts; delays up to 100 ms."""

    def across(sources: int, size: int, mean: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
        return random(rng, (sources, size), mean, spread), rng.uniform(0.0, 100.0, (sources, size))

    def lif(name: str) -> Population:
        full = (np.full(hidden, value) for value in (20.0, 5.0, 1.0, 0.0))
        return Population(name, "lif", hidden, *full)

    out = Population("out", "li", 20, np.full(20, 20.0), np.full(20, 5.0))
    populations = [Population("in", "input", 700), lif("a")] + ([lif("b")] if recurrent else []) + [out]
    connections = [Connection("in", "a", *across(700, hidden, 0.027, 0.05))]
    if recurrent:
        connections += [
            Connection(source, target, *across(hidden, hidden, 0.05 if source + target == "ab" else 0.002, 0.05))
            for source in "ab"
            for target in "ab"
        ]
    connections.append(Connection("b" if recurrent else "a", "out", *across(hidden, 20, 0.0, 0.1)))
    T, n = (200.0, 1600) if recurrent else (1000.0, 8000)
    source = rng.integers(0, 700, n)
    times = rng.uniform(0.0, T, n)
    trains = [np.sort(times[source == i]) for i in range(700)]
    return NetworkSpec(tuple(populations), tuple(connections)), {"in": Spikes.from_trains([trains], T)}


@pytest.mark.parametrize(("recurrent", "hidden", "dtype"), [
    pytest.param(False, 256, torch.float64, id="700-256-20 float64"),
    pytest.param(False, 256, torch.float32, id="700-256-20 float32"),
    pytest.param(True, 512, torch.float64, id="2x512 recurrent float64", marks=pytest.mark.full),
    pytest.param(True, 512, torch.float32, id="2x512 recurrent float32"),
])
def test_networks_of_realistic_size_obey_the_identities(recurrent: bool, hidden: int, dtype: torch.dtype) -> None:
    """Identities A, B, C of the whole network, for which the reference would take minutes."""
    described, inputs = realistic(np.random.default_rng(1), recurrent, hidden)
    network = Network(described, dtype).requires_grad_()
    inputs["in"].times.requires_grad_()
    activity = network(inputs, ("out", "max_voltage"))
    assert activity.y is not None
    for name in ("a", "b") if recurrent else ("a",):
        assert len(activity.spikes[name].times) > hidden
    y = activity.y.detach().double().requires_grad_()
    torch.nn.functional.cross_entropy(y, torch.tensor([3])).backward()
    dL_dy = y.grad
    assert dL_dy is not None
    activity.y.backward(dL_dy.to(dtype))

    def product(parameter: torch.Tensor | None) -> list[torch.Tensor]:
        if parameter is None:
            return []
        assert parameter.grad is not None
        return [(parameter.detach().double() * parameter.grad.double()).flatten()]

    A, B = [-(y.detach() * dL_dy).flatten()], product(inputs["in"].times)
    for synapses in network.synapses:
        A, B = A + product(synapses.w), B + product(synapses.d)
    for constants in network.constants:
        A += product(constants.v_th) + product(constants.v_reset)
        B += product(constants.tau_mem) + product(constants.tau_syn)
    dL_dT = (dL_dy * torch.from_numpy(activity.records["out"].dy_dT)).flatten()
    assert inputs["in"].times.grad is not None
    C = [inputs["in"].times.grad, dL_dT]
    sums = {"A": A, "B": [*B, inputs["in"].duration * dL_dT], "C": C}
    u = U64 if dtype == torch.float64 else U32
    kappa_min = min(record.kappa_min or 1.0 for record in activity.records.values())
    for name, terms in sums.items():
        flat = torch.cat(terms)
        residual = abs(float(flat.sum())) / float(flat.abs().sum())
        assert residual <= max(identity(u), relative(u, kappa_min)), name


def test_readout_of_a_population_within_a_loop() -> None:
    """Several populations are solved together; one of them is read."""
    case = loop(0.4, populations=2)
    for readout in ("max_voltage", "mean_voltage", "exp_weighted_voltage"):
        read = Case(case.network, case.duration, case.inputs, CrossEntropy(readout, "p1", 1))
        assert_same_results(read, run_case(read), reference.run(read))


VOLLEY = """
import resource, torch
from delayprop.fast import Spikes, propagate
torch.manual_seed(0)
def volley(size):
    w = torch.cat([torch.full((1, size), 8.5), torch.randn(size, size) * 0.3 / size]).double()
    d = torch.cat([torch.zeros(1, size), 1e-3 + 1e-3 * torch.rand(size, size)]).double()
    constants = [torch.full((size,), value, dtype=torch.float64) for value in (20.0, 5.0, 1.0, 0.0)]
    return propagate(Spikes.from_trains([[[1.0]]], 10.0), w, d, *constants, recurrent=True)[0].counts()
volley(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
counts = volley(384)
print(int(counts.min()), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_a_volley_within_one_bin_takes_memory_with_its_spikes() -> None:
    """384 neurons spike at almost one instant: lists copied at each arrival would take 200 MB."""
    done = subprocess.run([sys.executable, "-c", VOLLEY], capture_output=True, text=True, check=True)
    spikes, added = done.stdout.split()
    assert int(spikes) >= 1 and float(added) < 80
