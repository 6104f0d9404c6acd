"""Networks that are no row of layers, or do not fit one, are refused by name."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from delayprop.fast import LI, LIF, Spikes
from delayprop.fast.nn.interchange import Layer, case_of, load_into, network_of
from delayprop.spec import Connection, Network, Population
from tests.support.networks.layers import given_spikes, row
from tests.support.networks.nir_networks import bits, busy
from tests.support.refusals import Refusals, assert_refused

DTYPES = (torch.float32, torch.float64)


def changed(layer: int, name: str, value: float) -> list[Layer]:
    made = row()
    with torch.no_grad():
        getattr(made[layer], name).view(-1)[2] = value
    return made


def loading(change: Callable[[list[Layer]], Network], dtype: torch.dtype = torch.float64) -> Callable[[], object]:
    """Loads a network into layers; a refusal must leave them unchanged."""

    def call() -> None:
        made = row(dtype, seed=4)
        before, network = bits(network_of(made)), change(row(dtype))
        try:
            load_into(made, network)
        finally:
            assert bits(network_of(made)) == before

    return call


def with_last(w: object = 1.0, d: object = 1.0, **constants: object) -> Callable[[list[Layer]], Network]:
    """The network of the layers, with other numbers in the last layer."""

    def change(made: list[Layer]) -> Network:
        network = network_of(made)
        out = Population("out", "li", 3, **{"tau_mem": 20.0, "tau_syn": 5.0, **constants})
        last = Connection("hidden2", "out", np.full((4, 3), w, object), np.full((4, 3), d, object))
        return Network((*network.populations[:3], out), (*network.connections[:2], last))

    return change


def bounded() -> None:
    load_into([LIF(3, 2, max_delay=5.0)], network_of([LIF(3, 2).initialise_(0.0, 1.0, 50.0)]))


LOOP = Connection("hidden2", "hidden1", np.ones((4, 6)), 1.0)
SPIKES = given_spikes()
REFUSED: Refusals = {
    "none": (lambda: network_of([]), "`layers` must be a list of at least one layer, got none; give LIF and LI layers"),
    "no layer": (
        lambda: network_of([LIF(1, 1), nn.ReLU()]),  # type: ignore[list-item]
        r"`layers\[1\]` must be an LIF or LI layer, got ReLU; leave it out",
    ),
    "LI before the end": (
        lambda: network_of(row()[::-1]), r"`layers\[0\]` must be an LIF layer, as it is not the last",
    ),
    "not in a row": (lambda: network_of(row()[::2]), r"`layers\[1\].pre` must be 6, as layers\[0\].post, got 4; give"),
    "names": (lambda: network_of(row(), ["a"]), "`names` must be a list of 4, one for each layer, and the input first"),
    "name": (lambda: network_of([LIF(1, 1)], ["a", ""]), r"`names\[1\]` must be a string that is not empty, got ''"),
    "a name twice": (
        lambda: network_of([LIF(1, 1)], ["a", "a"]), r"`populations\[1\].name` must be a name that no other",
    ),
    "delay": (
        lambda: network_of(changed(1, "d", -0.5)), r"`layers\[1\].d\[0\]\[2\]` must be a finite number of at least 0",
    ),
    "weight": (
        lambda: network_of(changed(0, "w", np.nan)), r"`layers\[0\].w\[0\]\[2\]` must be a finite number, got nan",
    ),
    "reset": (
        lambda: network_of(changed(1, "v_reset", 0.9)), r"`layers\[1\].v_reset\[2\]` must be below the threshold 0.8",
    ),
    "case of a LIF": (lambda: case_of(row()[:2], SPIKES, 0, 0), r"`layers\[1\]` must be an LI layer, .*, got an LIF"),
    "trial": (lambda: case_of(row(), SPIKES, 3, 0), "`trial` must be a whole number from 0 to 2, got 3; count from 0"),
    "label": (
        lambda: case_of(row(), SPIKES, 0, 3), "`loss.label` must be a whole number from 0 to 2, got 3; `out` has",
    ),
    "inputs": (
        lambda: case_of(row(), Spikes.from_trains([[[1.0]]], 5.0), 0, 0),
        r"`spikes` must be of 3 neurons, as layers\[0\].pre, got 1; give the input of the first layer",
    ),
    "shape": (
        loading(lambda made: busy().network),
        "`network` must be an input and 3 populations in a chain, got 1 inputs, 2 others, 4 connections; "
        "use `delayprop.Network`",
    ),
    "a loop": (
        loading(lambda made: Network(network_of(made).populations, (*network_of(made).connections[:2], LOOP))),
        "`network` must be an input and 3 populations in a chain, got 1 inputs, 3 others, 3 connections",
    ),
    "size": (
        loading(lambda made: network_of([made[0], LIF(6, 5), LI(5, 3, readout="max_voltage")])),
        r"`connections\[1\]` must be 6 -> 4 lif neurons, as layers\[1\], got 6 -> 5 lif neurons; build the layer",
    ),
    "kind": (
        loading(lambda made: network_of([*made[:2], LIF(4, 3)])),
        r"`connections\[2\]` must be 4 -> 3 li neurons, as layers\[2\], got 4 -> 3 lif neurons; build the layer",
    ),
    "absent": (
        loading(with_last(w=None)),
        r"`connections\[2\].w\[0\]\[0\]` must be a synapse, got null; a layer has every synapse; use `delayprop.N",
    ),
    "beyond the bound": (
        bounded, r"`connections\[0\].d\[.\]\[.\]` must be at most max_delay of layers\[0\], 5.0 \(ms\), got",
    ),
    "weight beyond float32": (
        loading(with_last(w=0.1), torch.float32),
        r"`connections\[2\].w\[0\]\[0\]` must be a number that float32 holds, got 0.1; use float64 layers",
    ),
    "delay beyond float32": (
        loading(with_last(d=1 / 3), torch.float32),
        r"`connections\[2\].d\[0\]\[0\]` must be a number that float32 holds, got 0.333.*; use float64 layers",
    ),
    "too large for float32": (
        loading(with_last(w=1e300), torch.float32),
        r"`connections\[2\].w\[0\]\[0\]` must be a number that float32 holds, got 1e\+300; use float64 layers",
    ),
    "constant beyond float32": (
        loading(with_last(tau_mem=[1.0, 2.0, 0.7]), torch.float32),
        r"`out.tau_mem\[2\]` must be a number that float32 holds, got 0.7; use float64 layers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_networks_that_do_not_fit_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])


def test_control_a_last_layer_that_fits_is_loaded() -> None:
    for dtype in DTYPES:
        load_into(made := row(dtype, seed=4), with_last()(row(dtype)))
        assert made[-1].w.unique().tolist() == [1.0]
