"""What a graph of NIR says and our model does not have is refused, by node and property, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import pytest

from spec import SpecError, nir_synapses
from spec.nir_graph import from_nir, to_nir
from tests.support.networks.nir_networks import busy

Edge = tuple[str, str]


def graph() -> Any:
    """`in`, `hid` (3) and `out`, as `to_nir` writes them; without NIR's own checks, which refuse some of it first."""
    made = to_nir(busy().network)
    return nir.NIRGraph(made.nodes, made.edges, metadata=made.metadata, type_check=False)


def setting(node: str, key: str, value: object) -> Callable[[], Any]:
    """The graph with one property of a node replaced."""

    def changed() -> Any:
        made = graph()
        setattr(made.nodes[node], key, np.array(value) if isinstance(value, list) else value)
        return made

    return changed


def joined(nodes: dict[str, Any], *edges: Edge, without: tuple[Edge, ...] = ()) -> Callable[[], Any]:
    """The graph with more nodes and edges, and some edges removed."""

    def changed() -> Any:
        made = graph()
        return nir.NIRGraph(
            {**made.nodes, **nodes}, [e for e in made.edges if e not in without] + list(edges), made.metadata, False
        )

    return changed


def saying(metadata: dict[str, object], node: str | None = None) -> Callable[[], Any]:
    def changed() -> Any:
        made = graph()
        (made if node is None else made.nodes[node]).metadata = metadata
        return made

    return changed


def between(node: Any) -> Callable[[], Any]:
    """One more node, `x`, on the way from `in` to `hid`."""
    return joined({"x": node}, ("in", "x"), ("x", "connection0_spread"), without=(("in", "connection0_spread"),))


KINDS = "one of Input, CubaLIF, CubaLI, Linear, Affine, Scale, Delay, Output"
ONE, TWO, THREE = np.ones(1), np.ones(2), np.ones(3)
ZEROS = np.zeros(3)
NODES: dict[str, tuple[Callable[[], Any], str]] = {
    "IF": (between(nir.IF(TWO, TWO)), f"`nodes.x` must be {KINDS}, got IF; our model has no such node"),
    "LIF": (between(nir.LIF(TWO, TWO, 0 * TWO, TWO)), f"`nodes.x` must be {KINDS}, got LIF"),
    "LI": (between(nir.LI(TWO, TWO, TWO)), f"`nodes.x` must be {KINDS}, got LI"),
    "I": (between(nir.I(TWO)), f"`nodes.x` must be {KINDS}, got I;"),
    "Threshold": (between(nir.Threshold(TWO)), f"`nodes.x` must be {KINDS}, got Threshold"),
    "Conv2d": (
        between(nir.Conv2d(None, np.ones((1, 1, 1, 1)), 1, 0, 1, 1, ONE)),
        f"`nodes.x` must be {KINDS}, got Conv2d",
    ),
    "SumPool2d": (between(nir.SumPool2d(TWO, TWO, TWO)), f"`nodes.x` must be {KINDS}, got SumPool2d"),
    "Flatten": (between(nir.Flatten({"input": np.array([1, 2])})), f"`nodes.x` must be {KINDS}, got Flatten"),
    "a graph": (
        between(nir.NIRGraph.from_list(nir.Linear(np.eye(2)))),
        f"`nodes.x` must be {KINDS}, got NIRGraph; put its nodes into the graph itself",
    ),
    "r": (setting("hid", "r", [1, 2, 1]), r"`nodes.hid.r\[1\]` must be 1.0, got 2.0; multiply it into `w_in`"),
    "v_leak": (setting("out", "v_leak", [0, -0.1]), r"`nodes.out.v_leak\[1\]` must be 0.0, got -0.1; measure voltages"),
    "v_reset": (
        setting("hid", "v_reset", [0, 0.8, 0]),
        r"`nodes.hid.v_reset\[1\]` must be below the threshold 0.8, got 0.8; lower it",
    ),
    "threshold": (
        setting("hid", "v_threshold", [1, 1, 0]),
        r"`nodes.hid.v_threshold\[2\]` must be a finite number above 0, got 0.0",
    ),
    "tau_mem": (
        setting("hid", "tau_mem", [1, 0, 1]),
        r"`nodes.hid.tau_mem\[1\]` must be a finite number above 0 \(ms\)",
    ),
    "tau_syn": (setting("out", "tau_syn", [1, -1]), r"`nodes.out.tau_syn\[1\]` must be a finite number above 0 \(ms\)"),
    "NaN": (setting("hid", "tau_syn", [1, 1, np.nan]), r"`nodes.hid.tau_syn\[2\]` must be finite, got nan; find the"),
    "w_in": (setting("hid", "w_in", [1, np.inf, 1]), r"`nodes.hid.w_in\[1\]` must be finite, got inf"),
    "w_in of another size": (
        setting("hid", "w_in", [1, 1]),
        "`nodes.hid.w_in` must be 3 numbers, as `tau_mem`, got 2; one number per neuron",
    ),
    "neurons on a plane": (
        setting("hid", "tau_mem", np.ones((3, 1))),
        r"`nodes.hid.tau_mem` must be an array of numbers of 1 dimension, got float64 of shape \[3, 1\]; give one of",
    ),
    "one number for all": (
        setting("hid", "r", np.array(1.0)),
        r"`nodes.hid.r` must be an array .*, got float64 of shape",
    ),
    "no numbers": (setting("hid", "r", ["a"] * 3), r"`nodes.hid.r` must be an array of numbers .*, got <U1 of shape"),
    "truth values": (
        setting("hid", "r", [True] * 3),
        r"`nodes.hid.r` must be an array of numbers .*, got bool of shape",
    ),
    "no neurons": (
        joined({"none": nir.CubaLI(ZEROS[:0], ZEROS[:0], ZEROS[:0], ZEROS[:0])}),
        "`nodes.none.size` must be a whole number from 1 to .*, got 0",
    ),
    "an image": (
        joined({"image": nir.Input(np.array([2, 34, 34]))}),
        r"`nodes.image.input_type` must be one whole number above 0, got \[ 2 34 34\]; flatten the input",
    ),
    "bias": (
        between(nir.Affine(np.eye(2), np.array([0, 0.5]))),
        r"`nodes.x.bias\[1\]` must be 0, got 0.5; our neurons have no constant input; remove it",
    ),
    "negative delay": (
        setting("connection0_delays", "delay", [0, 0, -1.5, 0, 0]),
        r"`nodes.connection0_delays.delay\[2\]` must be at least 0, got -1.5; no signal comes before its cause",
    ),
    "infinite weight": (
        setting("connection2_weights", "weight", [[1, 2], [3, np.inf]]),
        r"`nodes.connection2_weights.weight\[1\]\[1\]` must be finite, got inf",
    ),
    "weights of too many dimensions": (
        setting("connection2_weights", "weight", np.ones((2, 2, 2))),
        r"connection2_weights.weight` must be an array of numbers of 2 dimensions, got float64 of shape \[2, 2, 2\]",
    ),
    "channels": (
        setting("connection2_weights", "weight", np.ones((2, 3))),
        "`nodes.connection2_weights.weight` must be for 2 channels, as the node before it, got for 3; connect nodes",
    ),
    "delays of other channels": (
        between(nir.Delay(THREE)),
        "`nodes.x.delay` must be for 2 channels, as the node before it, got for 3; connect nodes of one size",
    ),
    "targets": (
        setting("connection1_weights", "weight", np.ones((2, 3))),
        "`nodes.hid` must be for 2 channels, as the node before it, got for 3; connect nodes of one size",
    ),
    "weights that multiply to infinity": (
        between(nir.Scale(np.array([1e308, 1]))),
        r"`connections.in -> hid.w\[0\]\[0\]` must be a finite number, got inf",
    ),
}
WIRING: dict[str, tuple[Callable[[], Any], str]] = {
    "from a readout": (
        joined({}, ("out", "connection1_weights")),
        "`edges` must be from neurons that spike, or into an Output, got out -> connection1_weights; a CubaLI is read",
    ),
    "a matrix at the end": (
        joined({"w": nir.Linear(np.ones((2, 3))), "o": nir.Output(np.array([2]))}, ("hid", "w"), ("w", "o")),
        "`edges` must be into an Output from neurons, got w -> o; end in a CubaLI",
    ),
    "into an input": (
        joined({}, ("hid", "in")),
        "`edges` must be none into an Input or out of an Output, got hid -> in",
    ),
    "out of an output": (
        joined({}, ("output_out", "out")),
        "`edges` must be none into .*, got output_out -> out; remove",
    ),
    "an edge to nothing": (
        joined({}, ("hid", "x")),
        "`edges` must be between nodes of the graph, got 'x'; add the node",
    ),
    "a loop without neurons": (
        joined({"a": nir.Delay(THREE), "b": nir.Scale(THREE)}, ("hid", "a"), ("a", "b"), ("b", "a")),
        "`edges` must be without a loop that passes no neuron, got a -> b -> a; put neurons into it",
    ),
    "a loop without time": (
        joined({}, ("hid", "hid")),
        r"`connections` must be without a loop of zero total delay, got hid\[0\] -> hid\[0\]; delay one of them",
    ),
    "to nowhere": (
        joined({"x": nir.Scale(THREE)}, ("hid", "x")),
        "`nodes.x` must be on a path from neurons to neurons, got on none; remove it, or connect it",
    ),
    "from nowhere": (
        joined({"x": nir.Scale(THREE)}, ("x", "hid")),
        "`nodes.x` must be on a path from neurons to neurons",
    ),
    "unit in the metadata": (
        saying({"time_unit": "us"}),
        "`metadata.time_unit` must be one of ms, s, got 'us'; choose one of these",
    ),
    "no unit": (saying({}), "`unit` must be one of ms, s, got nothing; the graph does not name the unit of its times"),
    "mark of another shape": (
        saying({"exists": np.ones((2, 3), bool)}, "connection2_weights"),
        r"metadata.exists` must be true or false for each weight, \[2, 2\], got bool of shape \[2, 3\]; remove it",
    ),
    "mark against a weight": (
        saying({"exists": np.zeros((2, 2), bool)}, "connection2_weights"),
        r"metadata.exists\[0\]\[0\]` must be true where the weight is not 0, got 0.8; remove it",
    ),
    "mark that is no truth": (
        saying({"exists": np.ones((2, 2))}, "connection2_weights"),
        r"metadata.exists` must be true or false for each weight, .*, got float64 of shape \[2, 2\]; remove it",
    ),
    "no graph": (
        lambda: nir.Linear(np.eye(2)),
        "`graph` must be a nir.NIRGraph, got Linear; give what `nir.read` returns",
    ),
}
REFUSED = {**NODES, **WIRING}


@pytest.mark.parametrize("name", REFUSED)
def test_what_our_model_does_not_have_is_refused(name: str) -> None:
    made, message = REFUSED[name]
    with pytest.raises(SpecError, match=message):
        from_nir(made())


def test_control_what_is_changed_above_is_legal_as_it_was() -> None:
    for node in (nir.Scale(TWO), nir.Linear(np.eye(2)), nir.Affine(np.eye(2), 0 * TWO), nir.Delay(TWO)):
        assert len(from_nir(between(node)()).connections) == len(from_nir(graph()).connections) == 4


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(SpecError, match="`unit` must be one of ms, s, got 'minutes'; choose one of these"):
        from_nir(graph(), unit="minutes")


def test_paths_without_number_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nir_synapses, "LIMIT", 6)
    assert len(from_nir(graph()).connections[0].w) == 2
    message = "`nodes.x` must be the end of at most 6 paths, got 8 from 2 neurons; split the population before it"
    made = joined({"x": nir.Linear(np.ones((4, 2)))}, ("in", "x"), ("x", "hid"))()
    with pytest.raises(SpecError, match=message):
        from_nir(made)
