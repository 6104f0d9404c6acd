"""Recurrent networks in `fast`: delays below a bin, the end of a trial, realistic sizes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import delayprop.reference as reference
from delayprop.fast import LIF, Spikes
from delayprop.fast.run import run_case
from delayprop.spec import Case, Connection, CrossEntropy, Population, SpikeTimeMSE, SpikeTrains
from delayprop.spec import Network as NetworkSpec
from tests.support.commands import python
from tests.support.comparison import assert_same_results
from tests.support.float32 import counts
from tests.support.identities import identities
from tests.support.networks.documents import lif, read, wire
from tests.support.tolerances import U32, U64, identity


def loop(delay: float, populations: int = 1) -> Case:
    """Neurons in a loop of one or more populations, with delays from `delay` to twice `delay`."""
    rng = np.random.default_rng(0)
    names = [f"p{n}" for n in range(populations)]
    connections = [Connection("in", "p0", rng.normal(3.0, 1.0, (4, 3)), rng.uniform(0.0, 5.0, (4, 3)))]
    for name, target in zip(names, names[1:] + names[:1], strict=True):
        w, d = rng.normal(0.7, 0.8, (3, 3)), rng.uniform(delay, 2 * delay, (3, 3))
        connections.append(Connection(name, target, w, d))
    # a second connection between two populations, or of one onto itself
    connections.append(Connection("p0", names[-1], rng.normal(-0.3, 0.3, (3, 3)), rng.uniform(1.0, 6.0, (3, 3))))
    trains = tuple(np.sort(rng.uniform(0.0, 20.0, 4)) for _ in range(4))
    neurons = (Population(name, "lif", 3, 10.0, 4.0, 1.0, -0.2) for name in names)
    network = NetworkSpec((Population("in", "input", 4), *neurons), tuple(connections))
    targets = SpikeTrains(tuple(np.array([10.0, 15.0]) for _ in range(3)))
    return Case(network, 30.0, {"in": SpikeTrains(trains)}, SpikeTimeMSE(names[-1], targets))


@pytest.mark.parametrize("populations", [1, 2, 3])
@pytest.mark.parametrize("delay", [1e-3, 1e-2, 0.3, 2.0])
def test_delays_much_shorter_than_a_bin_are_exact(delay: float, populations: int) -> None:
    case = loop(delay, populations=populations)
    found, true = run_case(case), reference.run(case)
    assert sum(len(train) for trains in true.spikes.values() for train in trains) > 10
    assert_same_results(case, found, true)
    assert counts(run_case(case, "float32")) == counts(true)


def test_two_neurons_that_spike_at_the_same_instant() -> None:
    wires = [wire("in", "p", [[6.0, 6.0]], 1.0), wire("p", "p", [[0.0, 1.0], [1.0, 0.0]], [[1.0, 2.0], [2.0, 1.0]])]
    loss = {"kind": "spike_time_mse", "population": "p", "targets": [[5.0], [9.0]]}
    case = read(25.0, [[0.5, 4.0]], [lif("p", 2, tau_mem=10.0, tau_syn=4.0, reset=-0.2)], wires, loss)
    true = reference.run(case)
    assert len(true.spikes["p"][0]) > 1 and np.array_equal(true.spikes["p"][0], true.spikes["p"][1])
    assert_same_results(case, run_case(case), true)


def test_a_loop_that_feeds_itself_without_end_is_an_error() -> None:
    case = loop(1e-3)
    first, back, *others = case.network.connections
    back = Connection(back.source, back.target, np.full(back.w.shape, 1e9), back.d)
    case = replace(case, network=NetworkSpec(case.network.populations, (first, back, *others)))
    with pytest.raises(ArithmeticError, match="spikes too fast, or without end"):
        run_case(case)


def realistic(rng: np.random.Generator, recurrent: bool, hidden: int) -> Case:
    """700 inputs of 8000 spikes a second, busy hidden neurons, 20 readouts; delays up to 100 ms."""

    def onto(source: str, target: str, sources: int, size: int, mean: float, spread: float) -> Connection:
        w, d = rng.normal(mean, spread, (sources, size)), rng.uniform(0.0, 100.0, (sources, size))
        return Connection(source, target, w, d)

    names = "ab" if recurrent else "a"
    populations = [Population("in", "input", 700), *(Population(n, "lif", hidden, 20.0, 5.0, 1.0, 0.0) for n in names)]
    connections = [onto("in", "a", 700, hidden, 0.027, 0.05)]
    if recurrent:
        pairs = [(source, target) for source in names for target in names]
        connections += [onto(*pair, hidden, hidden, 0.05 if pair == ("a", "b") else 0.002, 0.05) for pair in pairs]
    connections.append(onto(names[-1], "out", hidden, 20, 0.0, 0.1))
    T, n = (200.0, 1600) if recurrent else (1000.0, 8000)
    source, times = rng.integers(0, 700, n), rng.uniform(0.0, T, n)
    network = NetworkSpec((*populations, Population("out", "li", 20, 20.0, 5.0)), tuple(connections))
    trains = SpikeTrains(tuple(np.sort(times[source == i]) for i in range(700)))
    return Case(network, T, {"in": trains}, CrossEntropy("max_voltage", "out", 3))


@pytest.mark.parametrize(("recurrent", "hidden", "dtype"), [
    pytest.param(False, 256, "float64", id="700-256-20 float64"),
    pytest.param(False, 256, "float32", id="700-256-20 float32"),
    pytest.param(True, 512, "float64", id="2x512 recurrent float64", marks=pytest.mark.full),
    pytest.param(True, 512, "float32", id="2x512 recurrent float32"),
])
def test_networks_of_realistic_size_obey_the_identities(recurrent: bool, hidden: int, dtype: str) -> None:
    """Identities A, B, C of the whole network, for which the reference would take minutes."""
    case, u = realistic(np.random.default_rng(1), recurrent, hidden), U64 if dtype == "float64" else U32
    result = run_case(case, dtype)
    assert all(sum(map(len, result.spikes[name])) > hidden for name in ("ab" if recurrent else "a"))
    for law, terms in identities(case, result).items():
        assert abs(math.fsum(terms)) <= identity(u) * math.fsum(map(abs, terms)), law


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


@pytest.mark.full
def test_memory_of_a_volley_within_one_bin() -> None:
    """384 neurons spike at almost one instant: lists copied at each arrival would take 200 MB."""
    spikes, added = python("-c", VOLLEY).stdout.split()
    assert int(spikes) >= 1 and float(added) < 80


def spikes_until_the_end(delay: float) -> list[list[float]]:
    """Spike times of two neurons; the first, from 10.1 ms on, drives the second after `delay`, in
    the bin in which the trial ends; there a weak input has the second solved event by event."""
    layer = LIF(2, 2, recurrent=True, dtype=torch.float64)
    with torch.no_grad():
        layer.w.copy_(torch.tensor([[1000.0, 0.0], [0.0, 1e-3]]))
        layer.d.zero_()
        layer.w_rec.copy_(torch.tensor([[0.0, 5000.0], [0.0, 0.0]]))
        layer.d_rec.fill_(delay)
    emitted = layer(Spikes.from_trains([[[10.08], [10.1]]], duration=10.9))
    return [emitted.train(0, neuron).tolist() for neuron in (0, 1)]


def test_own_spikes_that_arrive_after_the_end() -> None:
    first, second = spikes_until_the_end(0.85)
    assert first[:3] == sorted(first)[:3] and first[2] + 0.85 < 11.0  # three arrivals after T, in its bin
    assert second == []
    first, second = spikes_until_the_end(0.75)  # the control: they arrive before it
    assert second and first[0] + 0.75 < second[0] < second[-1] <= 10.9
