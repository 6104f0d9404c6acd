"""Layers of `fast` to networks and cases of the specification, and back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from delayprop.fast import LI, LIF, Spikes
from delayprop.fast.nn.interchange import case_of, network_of
from delayprop.fast.nn.loading import load_into
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.spec import Connection, Network, Population, load_case, save_case
from tests.support.networks.layers import DURATION, given_spikes, row
from tests.support.networks.nir_networks import bits, busy
from tests.support.refusals import Refusals, assert_refused

Change = Callable[[list[SynapticLayer]], Network]


def test_contents_of_network_and_case(tmp_path: Path) -> None:
    """float32 numbers become equal float64 numbers; kinds, names, inputs and loss stay."""
    made = row(torch.float32)
    network = network_of(made)
    assert [(p.name, p.kind, p.size) for p in network.populations] == [
        ("in", "input", 3), ("hidden1", "lif", 6), ("hidden2", "lif", 4), ("out", "li", 3)
    ]
    for layer, connection, population in zip(made, network.connections, network.populations[1:]):
        assert connection.exists.all() and connection.w.dtype == np.float64
        assert connection.w.tolist() == layer.w.tolist() and connection.d.tolist() == layer.d.tolist()
        for name in ("tau_mem", "tau_syn", "v_th", "v_reset"):
            ours, theirs = getattr(layer, name), getattr(population, name)
            assert (ours is None) == (theirs is None) and (ours is None or ours.tolist() == theirs.tolist())
    case = case_of(made, given_spikes(), 1, 2, ["eye", "a", "b", "say"])
    save_case(case, tmp_path / "case.json")
    for found in (case, load_case(tmp_path / "case.json")):
        assert [train.tolist() for train in found.inputs["eye"]] == given_spikes().to_lists()[1]
        assert found.duration == DURATION and found.loss == case.loss
        assert bits(found.network) == bits(network_of(made, ["eye", "a", "b", "say"]))
    alone = network_of([LIF(2, 1)])
    assert [p.name for p in alone.populations] == ["in", "out"] and alone.populations[1].kind == "lif"


def changed(layer: int, name: str, value: float) -> list[SynapticLayer]:
    made = row()
    with torch.no_grad():
        getattr(made[layer], name).view(-1)[2] = value
    return made


def loading(change: Change, dtype: torch.dtype = torch.float64) -> Callable[[], object]:
    """Loads a network into layers; a refusal must leave them unchanged."""

    def call() -> None:
        made = row(dtype, seed=4)
        before, network = bits(network_of(made)), change(row(dtype))
        try:
            load_into(made, network)
        finally:
            assert bits(network_of(made)) == before

    return call


def with_last(w: object = 1.0, d: object = 1.0, **constants: object) -> Change:
    """The network of the layers, with other numbers in the last layer."""

    def change(made: list[SynapticLayer]) -> Network:
        network = network_of(made)
        out = Population("out", "li", 3, **{"tau_mem": 20.0, "tau_syn": 5.0, **constants})
        last = Connection("hidden2", "out", np.full((4, 3), w, object), np.full((4, 3), d, object))
        return Network((*network.populations[:3], out), (*network.connections[:2], last))

    return change


LOOP = Connection("hidden2", "hidden1", np.ones((4, 6)), 1.0)
REFUSED: Refusals = [
    (lambda: network_of([]), "`layers` must be a list of at least one layer, got none; give layers that spike"),
    (lambda: network_of([LIF(1, 1), nn.ReLU()]),  # type: ignore[list-item]
     r"`layers\[1\]` must be a layer that spikes, or an LI layer, got ReLU; leave it out"),
    (lambda: network_of(row()[::-1]), r"`layers\[0\]` must be a layer that spikes, as it is not the last"),
    (lambda: network_of(row()[::2]), r"`layers\[1\].pre` must be 6, as layers\[0\].post, got 4; give"),
    (lambda: network_of(row(), ["a"]), "`names` must be a list of 4, one for each layer, and the input first"),
    (lambda: network_of([LIF(1, 1)], ["a", ""]), r"`names\[1\]` must be a string that is not empty, got ''"),
    (lambda: network_of([LIF(1, 1)], ["a", "a"]), r"`populations\[1\].name` must be a name that no other"),
    (lambda: network_of(changed(1, "d", -0.5)), r"`layers\[1\].d\[0\]\[2\]` must be a finite number of at least 0"),
    (lambda: network_of(changed(0, "w", np.nan)), r"`layers\[0\].w\[0\]\[2\]` must be a finite number, got nan"),
    (lambda: network_of(changed(1, "v_reset", 0.9)), r"`layers\[1\].v_reset\[2\]` must be below the threshold 0.8"),
    (lambda: case_of(row()[:2], given_spikes(), 0, 0), r"`layers\[1\]` must be an LI layer, .*, got LIF"),
    (lambda: case_of(row(), given_spikes(), 3, 0), "`trial` must be a whole number from 0 to 2, got 3; count from 0"),
    (lambda: case_of(row(), given_spikes(), 0, 3), "`loss.label` must be a whole number from 0 to 2, got 3; `out` has"),
    (lambda: case_of(row(), Spikes.from_trains([[[1.0]]], 5.0), 0, 0),
     r"`spikes` must be of 3 neurons, as layers\[0\].pre, got 1; give the input of the first layer"),
    (loading(lambda made: busy().network),
     "`network` must be an input and 3 populations in a chain, got 1 inputs, 2 others, 4 connections; "
     "use `delayprop.Network`"),
    (loading(lambda made: Network(network_of(made).populations, (*network_of(made).connections[:2], LOOP))),
     "`network` must be an input and 3 populations in a chain, got 1 inputs, 3 others, 3 connections"),
    (loading(lambda made: network_of([made[0], LIF(6, 5), LI(5, 3, readout="max_voltage")])),
     r"`connections\[1\]` must be 6 -> 4 lif neurons, as layers\[1\], got 6 -> 5 lif neurons; build the layer"),
    (loading(lambda made: network_of([*made[:2], LIF(4, 3)])),
     r"`connections\[2\]` must be 4 -> 3 li neurons, as layers\[2\], got 4 -> 3 lif neurons; build the layer"),
    (loading(with_last(w=None)),
     r"`connections\[2\].w\[0\]\[0\]` must be a synapse, got null; give layers\[2\] the mask of this "
     "network, or use `delayprop.Network`"),
    (lambda: load_into([LIF(3, 2, max_delay=5.0)], network_of([LIF(3, 2).initialise_(0.0, 1.0, 50.0)])),
     r"`connections\[0\].d\[.\]\[.\]` must be at most max_delay of layers\[0\], 5.0 \(ms\), got"),
    (loading(with_last(w=0.1), torch.float32),
     r"`connections\[2\].w\[0\]\[0\]` must be a number that float32 holds, got 0.1; use float64 layers"),
    (loading(with_last(d=1 / 3), torch.float32),
     r"`connections\[2\].d\[0\]\[0\]` must be a number that float32 holds, got 0.333.*; use float64 layers"),
    (loading(with_last(w=1e300), torch.float32),
     r"`connections\[2\].w\[0\]\[0\]` must be a number that float32 holds, got 1e\+300; use float64 layers"),
    (loading(with_last(tau_mem=[1.0, 2.0, 0.7]), torch.float32),
     r"`out.tau_mem\[2\]` must be a number that float32 holds, got 0.7; use float64 layers"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_networks_that_do_not_fit_are_refused(call: Callable[[], object], words: str) -> None:
    assert_refused(call, words)


def test_control_a_last_layer_that_fits_is_loaded() -> None:
    for dtype in (torch.float32, torch.float64):
        load_into(made := row(dtype, seed=4), with_last()(row(dtype)))
        assert made[-1].w.unique().tolist() == [1.0]
