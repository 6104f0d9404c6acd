"""Graphs of other tools are read with the meaning that NIR defines."""

from typing import Any

import nir
import numpy as np
import pytest

from delayprop.spec import SpecError
from delayprop.spec.nir_graph import from_nir, to_nir
from tests.support.networks.nir_networks import bits, busy


def lif(size: int = 2) -> Any:
    """Neurons in seconds; `w_in` is twice `tau_syn`, so a weight counts twice."""
    own = np.full(size, 0.005)
    one = np.ones(size)
    return nir.CubaLIF(
        tau_mem=4 * own, tau_syn=own, r=one, v_leak=0 * own, v_threshold=one, v_reset=0 * own, w_in=2 * own
    )


def li(size: int = 2) -> Any:
    own = np.full(size, 0.005)
    return nir.CubaLI(tau_mem=4 * own, tau_syn=own, r=np.ones(size), v_leak=0 * own, w_in=own.copy())


def row(*nodes: Any) -> Any:
    """Input (2) -> the nodes -> Output; NIR names nodes by type."""
    return nir.NIRGraph.from_list(nir.Input(np.array([2])), *nodes)


def linear(*rows: list[float]) -> Any:
    return nir.Linear(np.array(rows))


def delay(*seconds: float) -> Any:
    return nir.Delay(np.array(seconds))


def test_layers_of_another_tool() -> None:
    """Input -> Affine -> CubaLIF -> Linear -> CubaLI, in float32 and seconds."""
    w = np.array([[1.5, -0.1], [0.7, 0.0]], dtype=np.float32)
    graph = row(nir.Affine(w, np.zeros(2, np.float32)), lif(), nir.Linear(np.array([[3, 4]])), li(1))
    network = from_nir(graph, unit="s")
    assert [(p.name, p.kind, p.size) for p in network.populations] == [
        ("input", "input", 2), ("cubalif", "lif", 2), ("cubali", "li", 1)
    ]
    first, second = network.connections
    assert (first.source, first.target, second.source, second.target) == ("input", "cubalif", "cubalif", "cubali")
    assert first.w.tolist() == np.multiply(w.T, 2.0, dtype=np.float64).tolist()
    assert first.exists.tolist() == [[True, True], [True, False]] and not first.d.any()
    assert second.w.tolist() == [[3.0], [4.0]] and second.exists.all()
    out, hidden = network.population("cubali"), network.population("cubalif")
    assert (hidden.tau_mem.tolist(), hidden.tau_syn.tolist()) == ([20.0, 20.0], [5.0, 5.0])
    assert (hidden.v_th.tolist(), hidden.v_reset.tolist()) == ([1.0, 1.0], [0.0, 0.0])
    assert (out.tau_mem.tolist(), out.tau_syn.tolist(), out.v_th) == ([20.0], [5.0], None)


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
    "Scale on both sides": (
        [nir.Scale(np.array([2.0, 1.0])), W, nir.Scale(np.array([1.0, 0.5]))], [([[4.0, 6.0], [4.0, 4.0]], AT_ONCE)]
    ),
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
