"""A network passes through NIR and its files to the last bit, or is refused by name."""

import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given

from delayprop.spec import Case, Connection, Network, Population, SpecError, UnsupportedError
from delayprop.spec.nir_graph import from_nir, to_nir
from tests.support.networks.nir_networks import LIF, awkward, bits, busy, chain, numbers_of
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
