"""A graph means what NIR defines: graphs of other tools, read; ours and theirs, integrated.

NIR's own equations, in small steps, stand against `reference`. The steps are of first order: an
error is a number of steps, also at half the step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise
from math import comb
from typing import Any

import nir
import numpy as np
import pytest

from delayprop.reference import run
from delayprop.spec import Case, CrossEntropy, Network, SpecError, SpikeTrains
from delayprop.spec.nir_graph import UNITS, from_nir, to_nir
from tests.support.networks.nir_networks import bits, busy, ladder
from tests.support.networks.strategies import seeded_case

FAR = 40  # steps that a spike may be off: about one per earlier spike, more where a crossing is flat
VOLTAGE = 10  # steps of ms times thresholds that a largest voltage may be off
STEPS = (0.02, 0.01)


def lif() -> Any:
    """Two neurons in seconds; `w_in` is twice `tau_syn`, so a weight counts twice."""
    own, one = np.full(2, 0.005), np.ones(2)
    return nir.CubaLIF(tau_mem=4 * own, tau_syn=own, r=one, v_leak=0 * own, v_threshold=one, v_reset=0 * own,
                       w_in=2 * own)


def row(*nodes: Any) -> Any:
    """Input (2) -> the nodes -> Output; NIR names nodes by type."""
    return nir.NIRGraph.from_list(nir.Input(np.array([2])), *nodes)


def linear(*rows: list[float]) -> Any:
    return nir.Linear(np.array(rows))


def delay(*seconds: float) -> Any:
    return nir.Delay(np.array(seconds))


W = linear([1.0, 2.0], [3.0, 4.0])
TWICE, PAIRS = [[2.0, 6.0], [4.0, 8.0]], [[2.0, None], [None, 2.0]]
AT_ONCE = [[0.0, 0.0], [0.0, 0.0]]
TAPS = linear([1.0, 0.0], [1.0, 0.0], [0.0, 1.0])  # two channels of the first input, one of the second
PATHS: dict[str, tuple[list[Any], list[tuple[list, list]]]] = {
    "nothing between": ([], [(PAIRS, AT_ONCE)]),
    "Delay": ([delay(0.5, 0.25)], [(PAIRS, [[500.0, 0.0], [0.0, 250.0]])]),
    "Delay, Linear": ([delay(0.5, 0.25), W], [(TWICE, [[500.0, 500.0], [250.0, 250.0]])]),
    "Linear, Delay": ([W, delay(0.5, 0.25)], [(TWICE, [[500.0, 250.0], [500.0, 250.0]])]),
    "Delay on both sides": ([delay(0.5, 0.25), W, delay(1.0, 2.0)], [(TWICE, [[1500.0, 2500.0], [1250.0, 2250.0]])]),
    "Scale on both sides": ([nir.Scale(np.array([2.0, 1.0])), W, nir.Scale(np.array([1.0, 0.5]))],
                            [([[4.0, 6.0], [4.0, 4.0]], AT_ONCE)]),
    "one channel per synapse": (
        [TAPS, delay(0.5, 0.25, 1.0), linear([1.0, 0, 2.0], [0, 3.0, 0])],
        [([[2.0, 6.0], [4.0, None]], [[500.0, 250.0], [1000.0, 0.0]])],
    ),
    "two delays between two neurons": (
        [TAPS, delay(0.5, 0.25, 1.0), linear([1.0, 5.0, 2.0], [0, 3.0, 0])],
        [
            ([[10.0, 6.0], [4.0, None]], [[250.0, 250.0], [1000.0, 0.0]]),
            ([[2.0, None], [None, None]], [[500.0, 0.0], [0.0, 0.0]]),
        ],
    ),
    "two paths of one delay add up": ([W, W], [([[14.0, 30.0], [20.0, 44.0]], AT_ONCE)]),
}


@pytest.mark.parametrize("name", PATHS)
def test_paths_from_neurons_to_neurons(name: str) -> None:
    nodes, expected = PATHS[name]
    found = from_nir(row(*nodes, lif()), unit="s").connections
    weights = [[[w if there else None for w, there in zip(*row)] for row in zip(c.w, c.exists)] for c in found]
    assert list(zip(weights, [c.d.tolist() for c in found])) == expected


def test_signals_that_meet_or_part_before_a_matrix() -> None:
    """Two populations into one Linear, one Linear into two: a connection each; loops are legal."""
    nodes = {"i": nir.Input(np.array([2])), "a": lif(), "b": lif(), "w": W, "late": delay(1.0, 1.0)}
    edges = [("i", "w"), ("a", "late"), ("late", "w"), ("w", "a"), ("w", "b"), ("b", "o")]
    network = from_nir(nir.NIRGraph({**nodes, "o": nir.Output(np.array([2]))}, edges), unit="s")
    ends = [(c.source, c.target) for c in network.connections]
    assert ends == [("i", "a"), ("i", "b"), ("a", "a"), ("a", "b")]
    assert all(c.w.tolist() == TWICE for c in network.connections)
    assert [set(c.d.flatten()) for c in network.connections] == [{0.0}, {0.0}, {1000.0}, {1000.0}]


def test_ways_of_equal_delay_add_up() -> None:
    """2^30 ways, each late once per Delay that it takes."""
    one = nir.Scale(np.ones(2))
    found = from_nir(ladder(row(lif()), *[(delay(0.5, 0.5), one)] * 30), unit="s").connections
    per_delay = dict.fromkeys(500.0 * np.arange(31), 0.0)
    for c in found:
        assert np.array_equal(c.exists, np.eye(2)) and len(set(c.d[c.exists])) == len(set(c.w[c.exists])) == 1
        per_delay[c.d[0, 0]] += c.w[0, 0]
    assert len(found) == 60, "30 delays behind each of the two edges out of the input"
    assert per_delay == {500.0 * k: 2.0 * comb(30, k) for k in range(31)}


def test_a_chain_of_many_nodes_is_their_product() -> None:
    """Python's own recursion would end at 1000 nodes."""
    names = [f"scale{k}" for k in range(3000)]
    scales = {name: nir.Scale(np.array([-1.0, 1.0])) for name in names}
    scales["scale7"] = nir.Scale(np.array([3.0, 0.5]))
    nodes = {"input": nir.Input(np.array([2])), **scales, "lif": lif(), "out": nir.Output(np.array([2]))}
    (found,) = from_nir(nir.NIRGraph(nodes, list(pairwise(nodes)), type_check=False), unit="s").connections
    assert found.w[found.exists].tolist() == [-6.0, 1.0]


@pytest.mark.parametrize(("unit", "other"), [("ms", "s"), ("s", "ms")])
def test_a_graph_with_a_unit_needs_none_and_takes_no_other(unit: str, other: str) -> None:
    graph = to_nir(busy().network, unit=unit)
    assert bits(from_nir(graph)) == bits(from_nir(graph, unit=unit))
    for wrong, words in (
        (other, f"`unit` must be {unit}, as in the graph's metadata, got '{other}'"),
        ("minutes", "`unit` must be one of ms, s, got 'minutes'; choose one of these"),
    ):
        with pytest.raises(SpecError, match=words):
            from_nir(graph, unit=wrong)


def test_without_our_metadata_the_physics_is_kept() -> None:
    """Readers of NIR must not need metadata. Lost: order of populations, synapses of weight 0."""
    graph = to_nir(busy().network)
    for node in (graph, *graph.nodes.values()):
        node.metadata = {}
    network = from_nir(graph, unit="ms")
    assert [p.name for p in network.populations] == ["in", "hid", "out"]
    for ours, theirs in zip(network.connections, busy().network.connections, strict=True):
        assert np.array_equal(ours.w, theirs.w)
        assert np.array_equal(ours.exists, theirs.w != 0)
        assert np.array_equal(ours.d, np.where(ours.exists, theirs.d, 0.0))


NEURONS = ("CubaLIF", "CubaLI")


@dataclass
class Activity:
    """Spike times and largest voltage of each neuron of each CubaLIF and CubaLI."""

    spikes: dict[str, list[list[float]]]
    highest: dict[str, np.ndarray]


def integrate(graph: Any, inputs: Mapping[str, Sequence[Sequence[float]]], duration: float, step: float) -> Activity:
    """The activity of a graph, given the spikes of its Input nodes.

    The equations are those of NIR's docstrings, in time steps; no code is shared with `spec`.
    Forward Euler, first order: spike times are off by some steps, and by half of that with half
    the step. A spike is a Dirac: a signal of 1/step during one step. Times are in the unit of the
    graph.
    """
    steps = round(duration / step)
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    before = {name: [a for a, b in graph.edges if b == name] for name in graph.nodes}
    width = {name: int(next(iter(node.output_type.values()))[0]) for name, node in graph.nodes.items()}
    out = {name: np.zeros((steps + 1, width[name])) for name in graph.nodes if kinds[name] != "Output"}
    into = {name: np.zeros_like(out[name]) for name in out if kinds[name] == "Delay"}
    for name, trains in inputs.items():
        for i, train in enumerate(trains):
            np.add.at(out[name][:, i], [round(t / step) for t in train if t <= duration], 1 / step)
    state = {name: (np.zeros(out[name].shape[1]),) * 2 for name in out if kinds[name] in NEURONS}
    found = Activity({n: [[] for _ in I] for n, (I, _) in state.items()}, {n: 0 * I for n, (I, _) in state.items()})
    stateless = {name: before[name] for name in out if kinds[name] not in (*NEURONS, "Input")}
    order = [name for name in TopologicalSorter(stateless).static_order() if name in stateless]
    for k in range(steps):
        for name in order:
            node, x = graph.nodes[name], sum(out[source][k] for source in before[name])
            match kinds[name]:
                case "Linear" | "Affine":
                    out[name][k] = node.weight @ x + getattr(node, "bias", 0.0)
                case "Scale":
                    out[name][k] = node.scale * x
                case "Delay":
                    into[name][k] = x
                    then = k - np.round(node.delay / step).astype(int)
                    out[name][k] = np.where(then < 0, 0.0, into[name][np.maximum(then, 0), np.arange(len(then))])
        for name, (I, v) in state.items():
            node, S = graph.nodes[name], sum(out[source][k] for source in before[name])
            I_dot, v_dot = (-I + node.w_in * S) / node.tau_syn, (node.v_leak - v + node.r * I) / node.tau_mem
            I, v = I + step * I_dot, v + step * v_dot
            found.highest[name] = np.maximum(found.highest[name], v)
            if kinds[name] == "CubaLIF":
                z = v > node.v_threshold
                v = np.where(z, node.v_reset, v)
                out[name][k + 1] = z / step
                for j in np.flatnonzero(z):
                    found.spikes[name][j].append((k + 1) * step)
            state[name] = I, v
    return found


def off(graph: Any, case: Case, unit: str, step: float, exact: Case | None = None) -> tuple[float, float]:
    """Largest error of a spike (ms; infinite if spike counts differ) and of a largest voltage.

    Args:
        graph: integrated with the inputs of `case`, in steps of `step` ms.
        exact: the case that `reference` runs, if not `case`.
    """
    ms, expected = UNITS[unit], run(exact or case)
    inputs = {name: [(train / ms).tolist() for train in trains] for name, trains in case.inputs.items()}
    found = integrate(graph, inputs, case.duration / ms, step / ms)
    pairs = [pair for name in found.spikes for pair in zip(found.spikes[name], expected.spikes[name], strict=True)]
    assert any(len(right) for _, right in pairs)
    late = [
        float(np.max(np.abs(np.array(own) * ms - right), initial=0.0)) if len(own) == len(right) else np.inf
        for own, right in pairs
    ]
    read = expected.readout is not None and case.loss.readout == "max_voltage"  # type: ignore[union-attr]
    voltages = np.abs(found.highest[case.loss.population] - np.array(expected.readout)).max() if read else np.nan
    return max(late), float(voltages)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("unit", UNITS)
def test_the_graph_spikes_when_the_network_does(unit: str, step: float) -> None:
    case = busy()
    exact, (late, voltage) = run(case), off(to_nir(case.network, unit=unit), case, unit, step)
    assert all(len(train) > 4 for train in exact.spikes["hid"]) and exact.readout is not None
    assert late < FAR * step
    assert voltage < VOLTAGE * step < 0.1 * abs(exact.readout).min()


@pytest.mark.parametrize("seed", [1, 5, 10, *(pytest.param(n, marks=pytest.mark.full) for n in (14, 15, 27, 29, 31))])
def test_drawn_graphs_spike_when_their_networks_do(seed: int) -> None:
    """Graphs with long delays, loops and feedback; none is silent."""
    case = seeded_case(seed)
    assert off(to_nir(case.network), case, "ms", STEPS[1])[0] < FAR * STEPS[1]


FAULTS: dict[str, Callable[[Any], object]] = {
    "w_in left at 1": lambda nodes: [nodes[name].w_in.fill(1.0) for name in ("hid", "out")],
    "half w_in": lambda nodes: np.multiply(nodes["out"].w_in, 0.5, out=nodes["out"].w_in),
    "taus exchanged": lambda nodes: vars(nodes["hid"]).update(
        tau_mem=nodes["hid"].tau_syn, tau_syn=nodes["hid"].tau_mem
    ),
    "no delay": lambda nodes: nodes["connection0_delays"].delay.fill(0.0),
    "weights transposed": lambda nodes: vars(nodes["connection1_weights"]).update(
        weight=nodes["connection1_weights"].weight.T
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_control_a_fault_of_the_graph_is_found(fault: Callable[[Any], object]) -> None:
    """Above all in `w_in`: a spike raises the current by `w_in / tau_syn`."""
    case = busy()
    graph = to_nir(case.network)
    fault(graph.nodes)
    late, voltage = off(graph, case, "ms", STEPS[0])
    assert late > FAR * STEPS[0] or voltage > VOLTAGE * STEPS[0]


def foreign() -> Any:
    """Seconds, float32, `w_in` other than `tau_syn`, a Scale, a Delay on each side, a bias of 0."""
    def f(numbers: object) -> np.ndarray:
        return np.array(numbers, dtype=np.float32)

    lif = nir.CubaLIF(
        tau_mem=f([0.012, 0.009, 0.015]), tau_syn=f([0.004, 0.005, 0.003]), r=f([1, 1, 1]), v_leak=f([0, 0, 0]),
        v_threshold=f([1, 0.8, 1.2]), v_reset=f([0, -0.2, 0.1]), w_in=f([0.004, 0.01, 0.002]),
    )
    li = nir.CubaLI(tau_mem=f([0.02]), tau_syn=f([0.006]), r=f([1]), v_leak=f([0]), w_in=f(0.003))
    return nir.NIRGraph.from_list(
        nir.Input(np.array([2])), nir.Delay(f([0.0013, 0.0004])),
        nir.Affine(f([[4, 3], [2, 1.5], [8, -3]]), f([0, 0, 0])), nir.Scale(f([1.1, 1.3, 1.2])), lif,
        nir.Delay(f([0.002, 0.003, 0.001])), nir.Linear(f([[1.5, -0.5, 0.9]])), nir.Delay(f([0.0007])), li,
    )


def case_of(network: Network) -> Case:
    trains = SpikeTrains(([0.7, 4.1, 9.0, 15.5, 17.0], [1.9, 6.0, 20.0]))  # type: ignore[arg-type]
    return Case(network, 40.0, {"input": trains}, CrossEntropy("max_voltage", "cubali", 0))


def test_a_graph_of_another_tool_spikes_when_its_network_does() -> None:
    case = case_of(from_nir(foreign(), unit="s"))
    late, voltage = off(foreign(), case, "s", STEPS[1])
    assert all(len(train) > 1 for train in run(case).spikes["cubalif"])
    assert late < FAR * STEPS[1] and voltage < VOLTAGE * STEPS[1]


def test_a_graph_with_many_ways_spikes_when_its_network_does() -> None:
    """Ways that share nodes: 30 steps without delays, and two that give three delays."""
    def scale(factor: float) -> Any:
        return nir.Scale(np.full(2, factor))

    late_or_not = (delay(0.0021, 0.0034), scale(0.25))
    graph = ladder(foreign(), (scale(0.2), scale(0.3)), *[(scale(0.3), scale(0.7))] * 29, *[late_or_not] * 2)
    case = case_of(from_nir(graph, unit="s"))
    assert len([c for c in case.network.connections if c.source == "input"]) == 2 * 3
    late, voltage = off(graph, case, "s", STEPS[1])
    assert all(len(train) > 1 for train in run(case).spikes["cubalif"])
    assert late < FAR * STEPS[1] and voltage < VOLTAGE * STEPS[1]


def test_control_another_unit_is_another_network() -> None:
    case, other = (case_of(from_nir(foreign(), unit=unit)) for unit in ("s", "ms"))
    assert off(foreign(), case, "s", STEPS[1], exact=other)[0] == np.inf
