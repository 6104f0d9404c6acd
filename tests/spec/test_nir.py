"""A network passes through NIR and its files to the last bit, or is refused by name; so is a graph
beyond our model, by node and property."""

import re
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given

from delayprop.spec import Case, Connection, Network, Population, SpecError, UnsupportedError
from delayprop.spec.nir_graph import from_nir, to_nir
from tests.support.networks.nir_networks import LIF, awkward, bits, busy, chain, ladder, numbers_of
from tests.support.networks.strategies import cases


def through_a_file(graph: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.nir"
        nir.write(path, graph)
        return nir.read(path)


@given(cases())
def test_a_round_trip_keeps_every_bit(case: Case) -> None:
    graph = to_nir(case.network)
    assert bits(from_nir(graph)) == bits(case.network)
    assert bits(from_nir(through_a_file(graph))) == bits(case.network)


@pytest.mark.parametrize("network", [awkward(), busy().network], ids=["awkward", "busy"])
def test_awkward_networks_keep_every_bit(network: Network) -> None:
    """Signed zeros, smallest numbers, thirds, order, Unicode names; NIR infers no more nodes."""
    graph = to_nir(network)
    again = from_nir(through_a_file(through_a_file(graph)))
    assert bits(again) == bits(network)
    assert bits(from_nir(to_nir(again), unit="ms")) == bits(network)
    names, edges = set(graph.nodes), list(graph.edges)
    graph.infer_types()
    assert graph.check_types() and (set(graph.nodes), graph.edges) == (names, edges)
    outputs = {source for source, target in edges if isinstance(graph.nodes[target], nir.Output)}
    assert outputs == {"z out", "unread"} & names | {"out"} & names


def test_control_every_bit_counts() -> None:
    """The sign of a zero, a weight of 0 instead of no synapse, the last bit of any number."""
    for name, values in numbers_of(awkward()).items():
        for index in np.ndindex(values.shape):
            changed = awkward()
            numbers = numbers_of(changed)[name]
            numbers.setflags(write=True)
            numbers[index] = np.nextafter(numbers[index], np.inf)
            assert bits(changed) != bits(awkward()), (name, index)
    assert bits(chain([[0.0]], 0.0, (1, 1))) != bits(chain([[-0.0]], 0.0, (1, 1)))
    assert bits(chain([[0.0]], 0.0, (1, 1))) != bits(chain([[None]], 0.0, (1, 1)))


FORMS: dict[str, tuple[object, object, list[str]]] = {
    "no delays": ([[1.0, 2.0], [3.0, None]], 0.0, ["Linear 2 -> 2"]),
    "no synapse": ([[None, None], [None, None]], 1.0, ["Linear 2 -> 2"]),
    "one delay": ([[1.0, 2.0], [3.0, None]], 0.5, ["Delay 2", "Linear 2 -> 2"]),
    "one per source": ([[1.0, 2.0], [3.0, None]], [[0.5, 0.5], [0.0, None]], ["Delay 2", "Linear 2 -> 2"]),
    "one per target": ([[1.0, 2.0], [3.0, None]], [[0.5, 1.5], [0.5, None]], ["Linear 2 -> 2", "Delay 2"]),
    "all different": ([[1, 2], [3, 4]], [[0.5, 1.5], [2.5, 0.0]], ["Linear 2 -> 4", "Delay 4", "Linear 4 -> 2"]),
    "one absent": ([[1, 2], [3, None]], [[0.5, 1.5], [2.5, None]], ["Linear 2 -> 3", "Delay 3", "Linear 3 -> 2"]),
    "one shared": ([[1, 2], [3, 0.0]], [[0.5, 1.5], [2.5, 2.5]], ["Linear 2 -> 3", "Delay 3", "Linear 3 -> 2"]),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_connection_takes_its_smallest_form(name: str) -> None:
    w, d, expected = FORMS[name]
    graph = to_nir(chain(w, d))
    found, at = [], "in"
    while at != "out":
        (at,) = [target for source, target in graph.edges if source == at]
        node = graph.nodes[at]
        if isinstance(node, nir.Delay):
            found.append(f"Delay {len(node.delay)}")
        elif isinstance(node, nir.Linear):
            found.append(f"Linear {node.weight.shape[1]} -> {node.weight.shape[0]}")
    assert found == expected
    assert bits(from_nir(graph)) == bits(chain(w, d))


def test_the_numbers_stand_where_nir_puts_them() -> None:
    """`[post, pre]`, ms or s, `w_in = tau_syn`; metadata hold the unit, the order, weights of 0."""
    w, d = [[1.0, 2.0, 3.0], [4.0, 5.0, 0.0]], [[0.5] * 3, [1.5] * 3]
    for unit, factor in (("ms", 1.0), ("s", 1000.0)):
        graph = to_nir(chain(w, d, (2, 3)), unit=unit)
        linear, delays, out = (graph.nodes[name] for name in ("connection0_weights", "connection0_delays", "out"))
        assert linear.weight.tolist() == [[1.0, 4.0], [2.0, 5.0], [3.0, 0.0]]
        assert delays.delay.tolist() == [0.5 / factor, 1.5 / factor]
        assert (out.tau_mem * factor).tolist() == [20.0] * 3 and out.tau_syn.tolist() == [5.0 / factor] * 3
        assert out.w_in.tolist() == out.tau_syn.tolist()
        assert (out.r.tolist(), out.v_leak.tolist()) == ([1.0] * 3, [0.0] * 3)
        assert (out.v_threshold.tolist(), out.v_reset.tolist()) == ([1.0] * 3, [0.0] * 3)
        assert graph.metadata == {"time_unit": unit, "populations": "in\nout"}
        assert linear.metadata["exists"].all() and not delays.metadata


def test_seconds_round_times_and_no_other_number() -> None:
    network = busy().network
    again = numbers_of(from_nir(through_a_file(to_nir(network, unit="s"))))
    for name, values in numbers_of(network).items():
        if name.endswith((".d", "tau_mem", "tau_syn")):
            assert np.all(abs(again[name] - values) <= np.spacing(values)), name
        else:
            assert np.array_equal(again[name], values), name
    x = np.random.default_rng(0).uniform(0.0, 30.0, 1000)
    lossy = from_nir(to_nir(chain(np.ones((1, 1000)), x[None], (1, 1000)), unit="s")).connections[0].d
    assert (lossy != x).any() and np.all(abs(lossy - x) <= np.spacing(x))


def renamed(name: str) -> Network:
    populations = (Population("in", "input", 1), Population(name, "lif", 1, **LIF))
    return Network(populations, (Connection("in", name, [[1.0]], 1.0),))


ALONE = replace(chain([[1.0]], 1.0, (1, 1)), populations=(*renamed("out").populations, Population("x", "li", 1, 20, 5)))
NO_INPUTS = Network((Population("a", "lif", 1, **LIF),), (Connection("a", "a", [[1.0]], 1.0),))
REFUSED: list[tuple[Network, dict[str, Any], str]] = [
    (busy().network, {"unit": "us"}, "`unit` must be one of ms, s, got 'us'; choose one"),
    (busy().network, {"limit": 0}, "`limit` must be a whole number from 1 .*, got 0; give a"),
    (busy().network, {"limit": 24}, r"`connections\[0\]` must be of at most 24 entries in NIR's matrices, got 5 "
     r"channels from 2 to 3 neurons, 25 entries; raise `limit` \(8 bytes per entry\), or round the delays"),
    (renamed("a/b"), {}, r"`populations\[1\].name` must be printable and without a slash, got 'a/b'; rename it"),
    (renamed("."), {}, r"`populations\[1\].name` must be printable and without a slash, got '.'"),
    (renamed("a\nb"), {}, r"`populations\[1\].name` must be printable .*, got 'a\\nb'"),
    (renamed("a\0"), {}, r"`populations\[1\].name` must be printable .*, got 'a\\x00'"),
    (ALONE, {}, r"`populations\[2\]` must be the target of a connection, got none onto `x`; leave it out, or connect"),
    (NO_INPUTS, {}, "`populations` must be with an input, got none; add one"),
]


@pytest.mark.parametrize(("network", "options", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_a_network_beyond_nir_is_refused(network: Network, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        to_nir(network, **options)
    assert isinstance(caught.value, UnsupportedError) == message.startswith(("`connections", "`populations"))


def test_the_limit_is_on_the_entries_of_both_matrices() -> None:
    assert bits(from_nir(to_nir(busy().network, limit=25))) == bits(busy().network)


@pytest.mark.parametrize("call", [lambda: to_nir(busy().network), lambda: from_nir(None)], ids=["to", "from"])
def test_without_nir_the_error_names_the_package(call: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    expected = "`nir` must be an installed package, got none of this name; it is optional: `pip install nir`"
    with pytest.raises(UnsupportedError, match=re.escape(expected)):
        call()


def test_a_broken_nir_raises_its_own_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NIR is installed, but lacks a package; the remedy above would be wrong."""
    (tmp_path / "nir.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.delitem(sys.modules, "nir")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        to_nir(busy().network)


Edge = tuple[str, str]
Made = Callable[[], Any]


def graph() -> Any:
    """`in`, `hid` (3) and `out` (2); without NIR's own checks, which refuse some cases first."""
    made = to_nir(busy().network)
    return nir.NIRGraph(made.nodes, made.edges, metadata=made.metadata, type_check=False)


def setting(node: str, key: str, value: object) -> Made:
    """The graph with one property of a node replaced (of the graph, if `node` is "")."""

    def changed() -> Any:
        made = graph()
        setattr(made.nodes[node] if node else made, key, np.array(value) if isinstance(value, list) else value)
        return made

    return changed


def joined(nodes: dict[str, Any], *edges: Edge, without: tuple[Edge, ...] = ()) -> Made:
    """The graph with more nodes and edges, and without some edges."""

    def changed() -> Any:
        made = graph()
        kept = [edge for edge in made.edges if edge not in without]
        return nir.NIRGraph({**made.nodes, **nodes}, kept + list(edges), made.metadata, False)

    return changed


def between(node: Any) -> Made:
    return joined({"x": node}, ("in", "x"), ("x", "connection0_spread"), without=(("in", "connection0_spread"),))


KINDS = "one of Input, CubaLIF, CubaLI, Linear, Affine, Scale, Delay, Output"
TWO, THREE, NONE = np.ones(2), np.ones(3), np.ones(0)
UNKNOWN = (nir.LIF(TWO, TWO, 0 * TWO, TWO), nir.Conv2d(None, np.ones((1, 1, 1, 1)), 1, 0, 1, 1, np.ones(1)))
OF_3 = "must be for 2 channels, as the node before it, got for 3; connect nodes"
GRAPHS: list[tuple[Made, str]] = [
    *((between(node), f"`nodes.x` must be {KINDS}, got {type(node).__name__}; our model has no") for node in UNKNOWN),
    (between(nir.NIRGraph.from_list(nir.Linear(np.eye(2)))), f"`nodes.x` must be {KINDS}, got NIRGraph; put its nodes"),
    (setting("hid", "r", [1, 2, 1]), "`nodes.hid.r[1]` must be 1.0, got 2.0; multiply it into `w_in`"),
    (setting("out", "v_leak", [0, -0.1]), "`nodes.out.v_leak[1]` must be 0.0, got -0.1; measure voltages"),
    (setting("hid", "v_reset", [0, 0.8, 0]), "hid.v_reset[1]` must be below the threshold 0.8, got 0.8; lower it"),
    (setting("hid", "v_threshold", [1, 1, 0]), "`nodes.hid.v_threshold[2]` must be a finite number above 0, got 0.0"),
    (setting("hid", "tau_mem", [1, 0, 1]), "`nodes.hid.tau_mem[1]` must be a finite number above 0 (ms)"),
    (setting("out", "tau_syn", [1, -1]), "`nodes.out.tau_syn[1]` must be a finite number above 0 (ms)"),
    (setting("hid", "tau_syn", [1, 1, np.nan]), "`nodes.hid.tau_syn[2]` must be finite, got nan; find the"),
    (setting("hid", "w_in", [1, np.inf, 1]), "`nodes.hid.w_in[1]` must be finite, got inf"),
    (setting("hid", "w_in", [1, 1]), "`nodes.hid.w_in` must be 3 numbers, as `tau_mem`, got 2; one number per neuron"),
    (setting("hid", "tau_mem", np.ones((3, 1))),
     "hid.tau_mem` must be an array of numbers of 1 dimension, got float64 of shape [3, 1]; give one of"),
    (setting("hid", "r", np.array(1.0)), "`nodes.hid.r` must be an array ..., got float64 of shape"),
    (setting("hid", "r", ["a"] * 3), "`nodes.hid.r` must be an array of numbers ..., got <U1 of shape"),
    (setting("hid", "r", [True] * 3), "`nodes.hid.r` must be an array of numbers ..., got bool of shape"),
    (joined({"none": nir.CubaLI(NONE, NONE, NONE, NONE)}), "`nodes.none.size` must be a whole number ..., got 0"),
    (joined({"image": nir.Input(np.array([2, 34, 34]))}),
     "`nodes.image.input_type` must be one whole number above 0, got [ 2 34 34]; flatten the input"),
    (between(nir.Affine(np.eye(2), np.array([0, 0.5]))),
     "`nodes.x.bias[1]` must be 0, got 0.5; our neurons have no constant input; remove it"),
    (setting("connection0_delays", "delay", [0, 0, -1.5, 0, 0]),
     "`nodes.connection0_delays.delay[2]` must be at least 0, got -1.5; no signal comes before its cause"),
    (setting("connection2_weights", "weight", [[1, 2], [3, np.inf]]),
     "`nodes.connection2_weights.weight[1][1]` must be finite, got inf"),
    (setting("connection2_weights", "weight", np.ones((2, 2, 2))),
     "connection2_weights.weight` must be an array of numbers of 2 dimensions, got float64 of shape [2, 2, 2]"),
    (setting("connection2_weights", "weight", np.ones((2, 3))), f"`nodes.connection2_weights.weight` {OF_3}"),
    (between(nir.Delay(THREE)), f"`nodes.x.delay` {OF_3}"),
    (setting("connection1_weights", "weight", np.ones((2, 3))), f"`nodes.hid` {OF_3}"),
    (between(nir.Scale(np.array([1e308, 1]))), "`connections.in -> hid.w[0][0]` must be a finite number, got inf"),
    (joined({}, ("out", "connection1_weights")), "`edges` must be from neurons that spike, or into an Output, got "
     "out -> connection1_weights; a CubaLI is read"),
    (joined({"w": nir.Linear(np.ones((2, 3))), "o": nir.Output(np.array([2]))}, ("hid", "w"), ("w", "o")),
     "`edges` must be into an Output from neurons, got w -> o; end in a CubaLI"),
    (joined({}, ("hid", "in")), "`edges` must be none into an Input or out of an Output, got hid -> in"),
    (joined({}, ("output_out", "out")), "`edges` must be none into ..., got output_out -> out; remove"),
    (joined({}, ("hid", "x")), "`edges` has the end 'x', which is no node; add the node"),
    (joined({"a": nir.Delay(THREE), "b": nir.Scale(THREE)}, ("hid", "a"), ("a", "b"), ("b", "a")),
     "`edges` must be without a loop that passes no neuron, got a -> b -> a; put neurons into it"),
    (joined({}, ("hid", "hid")),
     "`connections` must be without a loop of zero total delay, got hid[0] -> hid[0]; delay one of them"),
    (joined({"x": nir.Scale(THREE)}, ("hid", "x")),
     "`nodes.x` must be on a path from neurons to neurons, got on none; remove it, or connect it"),
    (joined({"x": nir.Scale(THREE)}, ("x", "hid")), "`nodes.x` must be on a path from neurons to neurons"),
    (setting("", "metadata", {"time_unit": "us"}), "`metadata.time_unit` must be one of ms, s, got 'us'; choose one"),
    (setting("", "metadata", {}), "`unit` must be one of ms, s, got nothing; the graph does not name the unit"),
    (setting("connection2_weights", "metadata", {"exists": np.ones((2, 3), bool)}),
     "metadata.exists` must be true or false for each weight, [2, 2], got bool of shape [2, 3]; remove it"),
    (setting("connection2_weights", "metadata", {"exists": np.zeros((2, 2), bool)}),
     "metadata.exists[0][0]` must be true where the weight is not 0, got 0.8; remove it"),
    (setting("connection2_weights", "metadata", {"exists": np.ones((2, 2))}),
     "metadata.exists` must be true or false for each weight, ..., got float64 of shape [2, 2]; remove it"),
    (lambda: nir.Linear(np.eye(2)), "`graph` must be a nir.NIRGraph, got Linear; give a result of `nir.read`"),
]
"""Graphs and words of their refusals; `...` stands for any words."""


@pytest.mark.parametrize(("made", "message"), GRAPHS, ids=[message for _, message in GRAPHS])
def test_a_graph_beyond_our_model_is_refused(made: Made, message: str) -> None:
    with pytest.raises(SpecError, match=".*".join(map(re.escape, message.split("...")))):
        from_nir(made())


def test_control_the_unchanged_graph_and_lawful_nodes_are_read() -> None:
    for node in (nir.Scale(TWO), nir.Linear(np.eye(2)), nir.Affine(np.eye(2), 0 * TWO), nir.Delay(TWO)):
        assert len(from_nir(between(node)()).connections) == len(from_nir(graph()).connections) == 4


def bottleneck(*sizes: int, weight: float = 1.0) -> Any:
    """An input, matrices of ones between sizes, and neurons; `weight` of all entries but the first
    of each matrix."""
    matrices = [np.full((post, pre), weight) for pre, post in pairwise(sizes)]
    for matrix in matrices:
        matrix[0, 0] = 1.0
    one = np.ones(sizes[-1])
    lif = nir.CubaLIF(tau_mem=one, tau_syn=one, r=one, v_leak=0 * one, v_threshold=one, v_reset=0 * one, w_in=one)
    return nir.NIRGraph.from_list(nir.Input(np.array(sizes[:1])), *map(nir.Linear, matrices), lif)


@pytest.mark.parametrize(("sizes", "weight", "limit", "message"), [
    ((100, 1, 100), 1.0, 9799, "`nodes.linear_1` must be the end of at most 9999 paths, got 10000; raise `limit` (ab"),
    ((100, 1, 100), 0.0, 9799, "`connections.input -> cubalif` must be of at most 9999 entries, got 10000 (0.00017 GB);"
     " raise `limit`, or connect fewer neurons: a connection holds every pair of them, once per delay"),
    ((100, 1, 100, 1), 1.0, 9699, "`nodes.linear_1` must be the end of at most 9999 paths, got 10000; raise"),
])
def test_more_than_the_graph_itself_holds_needs_a_limit(
    sizes: tuple[int, ...], weight: float, limit: int, message: str
) -> None:
    """The graph's own entries, 200 or 300, do not count."""
    graph = bottleneck(*sizes, weight=weight)
    with pytest.raises(SpecError, match=re.escape(message)):
        from_nir(graph, unit="ms", limit=limit)
    (found,) = from_nir(graph, unit="ms", limit=limit + 1).connections
    middle = 100.0 if sizes[-1] == 1 else 1.0
    assert np.unique(found.w[found.exists]).tolist() == [middle] and found.w.shape == (100, sizes[-1])


def test_the_usual_limit_comes_before_the_memory() -> None:
    """16 million entries and paths, whatever the sizes of populations."""
    tracemalloc.start()
    try:
        for weight, words in ((1.0, "of at most 16797216 paths, got 100000000;"), (0.0, "got 100000000 (1.7 GB);")):
            with pytest.raises(SpecError, match=re.escape(words)):
                from_nir(bottleneck(10_000, 1, 10_000, weight=weight), unit="ms")
        assert tracemalloc.get_traced_memory()[1] < 1e8
    finally:
        tracemalloc.stop()


def test_ways_with_too_many_delays_are_refused() -> None:
    """Each step doubles the delays."""
    steps = [(nir.Delay(np.full(2, 2.0**k)), nir.Scale(TWO)) for k in range(12)]
    plain = bottleneck(2, 2)
    assert len(from_nir(ladder(plain, *steps[:8]), unit="ms", limit=1024).connections) == 256
    with pytest.raises(SpecError, match=r"`nodes.step\d+_0` must be the end of at most 1028 paths, got .* share a"):
        from_nir(ladder(plain, *steps), unit="ms", limit=1024)


def test_signals_that_meet_have_one_size() -> None:
    made = joined({"s": nir.Scale(TWO), "a": nir.Linear(np.ones((3, 2))), "b": nir.Linear(np.ones((4, 2)))},
                  ("in", "s"), ("s", "a"), ("s", "b"), ("a", "hid"), ("b", "hid"))
    with pytest.raises(SpecError, match=r"`nodes.hid` must be behind nodes of one size, got 3 and 4 channels; connect"):
        from_nir(made())


def test_a_limit_is_a_number() -> None:
    with pytest.raises(SpecError, match=r"`limit` must be a whole number from 1 .*, got 0; give a"):
        from_nir(graph(), limit=0)
