"""Refusals of layers and of `propagate`: each names the argument, the value and a remedy."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from delayprop.fast import LI, LIF, Spikes, Spiking
from delayprop.fast.nn.autograd import propagate_neurons
from delayprop.fast.nn.devices import check_device
from delayprop.fast.nn.interchange import network_of
from delayprop.fast.nn.loading import load_into
from delayprop.fast.nn.traces import membrane_traces
from delayprop.fast.run import run_case
from delayprop.spec import Connection, Network, UnsupportedError
from tests.support.networks.layers import (
    CURRENTS,
    HIDDEN,
    MODULES,
    found_by,
    given_spikes,
    propagated,
    two_currents,
    wired,
)
from tests.support.networks.strategies import seeded_case
from tests.support.refusals import Refusals, assert_refused
from tests.support.runs.reading import Patch

NAN, INF = float("nan"), float("inf")
SPIKES = given_spikes()


def full(*shape: int, value: float = 1.0, dtype: torch.dtype = torch.float64, device: str = "cpu") -> Tensor:
    return torch.full(shape, value, dtype=dtype, device=device)


def one_bad(value: float) -> Tensor:
    matrix = full(3, 2)
    matrix[2, 1] = value
    return matrix


PROPAGATE: list[tuple[dict[str, Any], str]] = [
    ({"readout": "first_spike_time"}, "`readout` must be one of max_voltage, .* choose one"),
    ({"w": full(2, 2)}, r"`w` must be of shape \[pre, post\] with pre = 3, .* got \[2, 2\]; one row per source neuron"),
    ({"w": full(3)}, r"`w` must be of shape \[pre, post\] .* got \[3\]"),
    ({"w": full(3, 2, 2)}, r"`w` must be of shape \[pre, post\] with pre = 3, .* got \[3, 2, 2\]"),
    ({"w": full(3, 0)}, r"`w` must be of shape \[pre, post\] with at least one neuron, got \[3, 0\]; give a neuron"),
    ({"d": full(2, 3)}, r"`d` must be of shape \[3, 2\], got \[2, 3\]; `w` is \[pre, post\]"),
    ({"tau_mem": full(3)}, r"`tau_mem` must be of shape \[2\], got \[3\]"),
    ({"tau_syn": full()}, r"`tau_syn` must be of shape \[2\], got \[\]"),
    ({"v_reset": None}, "`v_reset` is missing, and `v_th` is given; give both"),
    ({"v_th": None}, "`v_th` is missing, and `v_reset` is given; give both"),
    ({"w": full(3, 2, dtype=torch.float16)}, "`w` must be float32 or float64, got torch.float16; convert it"),
    ({"d": torch.ones(3, 2, dtype=torch.int64)}, "`d` must be float32 or float64, got torch.int64"),
    ({"d": full(3, 2, dtype=torch.float32)},
     "`d` must be of the dtype of `w`, torch.float64, got torch.float32; convert it"),
    ({"w": one_bad(NAN)}, "`w` must be finite, got 1 NaN or infinite entries; look for the step"),
    ({"d": one_bad(INF)}, "`d` must be finite, got 1 NaN or infinite entries"),
    ({"v_reset": full(2, value=NAN)}, "`v_reset` must be finite, got 2 NaN or infinite entries"),
    ({"d": one_bad(-0.25)}, r"`d` must be at least 0 \(ms\), got -0.25; .*`layer.project_\(\)`"),
    ({"tau_syn": full(2, value=0.0)}, "`tau_syn` must be above 0, got 0.0; constants are positive"),
    ({"tau_mem": full(2, value=-3.0)}, "`tau_mem` must be above 0, got -3.0"),
    ({"v_th": full(2, value=0.0)}, "`v_th` must be above 0, got 0.0"),
    ({"v_reset": full(2)}, r"`v_reset\[0\]` must be below `v_th`, 1.0, got 1.0; lower it"),
    ({"v_reset": full(2, value=1.5)}, r"`v_reset\[0\]` must be below `v_th`, 1.0, got 1.5"),
    ({"v_reset": full(2), "d": full(3, 2, value=0.0)}, r"`v_reset\[0\]` must be"),  # delays of 0 are allowed
    ({"exists": full(3, 2)}, r"`exists` must be boolean, of shape \[3, 2\], got torch.float64"),
    ({"exists": torch.ones(2, 3, dtype=torch.bool)}, r"`exists` .* got torch.bool \[2, 3\]"),
]


def of_linear(name: str) -> None:
    """Runs a layer whose matrix of this name has the shape `[post, pre]` of `torch.nn.Linear`."""
    layer = LIF(3, 2, recurrent=True)
    setattr(layer, name, torch.nn.Parameter(full(2, 5 if name.endswith("_rec") else 3)))
    layer(SPIKES)


def load(target: LIF, source: LIF, more: int = 0) -> Callable[[], None]:
    """Loads the network of one layer into another, with further connections onto itself."""
    network = network_of([source])
    again = Connection("out", "out", np.ones((2, 2)), np.ones((2, 2)))
    network = Network(network.populations, (*network.connections, *[again] * more))
    return lambda: load_into([target], network)


def all_into_the_first(network: Network) -> Network:
    """The network with a first connection in which each source has synapses."""
    first, *others = network.connections
    return Network(network.populations, (replace(first, exists=np.ones_like(first.exists)), *others))


def raising(into: object) -> object:
    layer = two_currents()[0]
    w, d, _ = layer.synapses
    return propagate_neurons(SPIKES, w, d, layer.equations, layer.constants, into=into, recurrent=True)  # type: ignore[arg-type]


TWO = {"exc": 3.0, "inh": 8.0}
REFUSED: Refusals = [
    *((partial(propagated, SPIKES, **change), words) for change, words in PROPAGATE),
    (lambda: LIF(0, 2), "`pre` must be a whole number from 1 to 2147483647, got 0; give the number of source"),
    (lambda: LIF(3, 2.5), "`post` must be a whole number from 1 to 2147483647, got 2.5; give"),  # type: ignore[arg-type]
    (lambda: LIF(3, 2, max_delay=-1.0), "`max_delay` must be a finite number of at least 0"),
    (lambda: LI(3, 2, readout="max"), "`readout` must be one of max_voltage, .* got 'max'"),
    (lambda: LIF(3, 2).initialise_(0.0, -0.5), "`w_std` must be at least 0, got -0.5; give a standard deviation"),
    (lambda: LIF(3, 2).initialise_for_(SPIKES, 0.0), "`rate` must be a finite number above 0"),
    (lambda: LIF(3, 2).initialise_for_(SPIKES[2], 1.0), "`spikes` has no spikes; give typical input"),
    (lambda: LIF(3, 2, max_delay=4.0).initialise_for_(SPIKES, 1.0, 5.0), "`d_max` must be at most max_delay"),
    (lambda: LIF(3, 2).initialise_for_(SPIKES, 17.0), "`rate` must be at most one spike per ms, 16, got 17.0"),
    (lambda: LIF(1, 2).initialise_for_(Spikes.from_trains([[[0.2]]], 1.5), 5.0),
     r"`rate` must be at most one spike per ms, 1.5, got 5.0; are the times in seconds\? `Spikes` takes ms"),
    (lambda: LIF(3, 4, recurrent=2), "`recurrent` must be True or False, got 2"),  # type: ignore[arg-type]
    (lambda: LIF(3, 2).initialise_recurrent_(0.0, 1.0, 2.0),
     "`recurrent` must be True, got False; make the layer with"),
    (lambda: LIF(2, 2, recurrent=True).initialise_recurrent_(0.0, 1.0, 0.05),
     r"`d_max` must be at least 0.1 \(ms\), got 0.05; a loop needs a delay"),
    *((partial(of_linear, name), rf"`{name}` must be of shape \[pre, post\], \[{rows}, 2\], got \[2, {columns}\]; "
       rf"{remedy}")
      for name, rows, columns, remedy in (
          *((name, 3, 3, r"`torch.nn.Linear` has \[post, pre\]: give its transpose, `weight.T`") for name in "wd"),
          *((name, 2, 5, "give one row per source") for name in ("w_rec", "d_rec")))),
    (lambda: LIF(2, 2, recurrent=True, max_delay=0.0), r"`max_delay` must be at least 0.1 \(ms\) for a recurrent"),
    (lambda: LIF(2, 2, recurrent=True, max_delay=8.0).initialise_recurrent_(0.0, 1.0, 9.0),
     "`d_max` must be at most max_delay, 8"),
    (load(LIF(3, 2), LIF(3, 2, recurrent=True)),
     r"must be with no connection onto itself, as layers\[0\], got 1; build"),
    (load(LIF(3, 2, recurrent=True), LIF(3, 2)), "`population out` must be with one connection onto itself"),
    (load(LIF(3, 2, recurrent=True), LIF(3, 2, recurrent=True), 1),
     r"`connections\[2\]` has source 0, as another connection of these populations; use `delayprop.Network`"),
    (lambda: LIF(3, 2, delays="row"), "`delays` must be one of synaptic, axonal, dendritic, got 'row'"),
    (lambda: LIF(3, 2, mask=torch.ones(3, 2)), r"`mask` must be bool, \[3, 2\], got float32, \[3, 2\]; give True"),
    (lambda: LIF(3, 2, mask=[[True, False]]), r"`mask` must be bool, \[3, 2\], got bool, \[1, 2\]"),
    (lambda: LIF(3, 2, mask="all"), r"`mask` must be bool, \[3, 2\], got 'all'"),  # type: ignore[arg-type]
    (lambda: LIF(3, 2, mask_rec=[[True] * 2] * 2),
     "`mask_rec` must be left out, got a mask; make the layer with `recurrent=True`"),
    (lambda: load_into(wired("synaptic"), network_of(wired("synaptic", masked=False))),
     r"`connections\[0\].w.* must be null, got a synapse; give layers\[0\]"),
    (lambda: load_into(wired("axonal", masked=False), network_of(wired("synaptic", masked=False))),
     r"`connections\[0\].d.* must be [0-9.]+, since delays of layers\[0\] are axonal, got .*synaptic delays"),
    (lambda: LIF(3, 2, tau_syn={"exc": 3.0}), "`tau_syn` must be one time constant .*, got a dict of exc; give both"),
    (lambda: LIF(3, 2, tau_syn={"exc": 3.0, "inh": -1.0}), "`tau_syn.inh` must be a finite number above 0"),
    (lambda: LIF(3, 2, tau_syn={"exc": [3.0], "inh": 1.0}), "`tau_syn.exc` must be a list of 2"),
    (lambda: LIF(3, 2, tau_rise=0.0), "`tau_rise` must be a finite number above 0"),
    (lambda: LIF(3, 2, tau_rise=1.0, tau_mem=-1.0), "`tau_mem` must be a finite number above 0"),
    (lambda: LIF(3, 2, tau_rise=1.0, v_reset=2.0), r"`v_reset\[0\]` must be below the threshold 1.0, got 2.0"),
    (lambda: LIF(3, 0, tau_rise=1.0), "`post` must be a whole number from 1"),
    (lambda: LIF(3, 2, tau_syn=TWO, tau_rise=1.0), "`tau_rise` must be left out where `tau_syn` is a dict, got 1.0"),
    (lambda: LIF(3, 2, tau_syn=TWO, into=["exc", "E", "inh"]), r"`into\[1\]` must be one of exc, inh, got 'E'"),
    (lambda: LIF(3, 2, tau_syn=TWO, into=["exc"]), "`into` must be a list of 3, one for each source neuron"),
    (lambda: LIF(3, 2, into="exc"), "`into` must be left out, got 'exc'; .* makes two currents"),
    (lambda: membrane_traces(LIF(3, 2, tau_rise=2.0), SPIKES, [1.0]), "`layer` has other equations than LIF and LI"),
    (lambda: two_currents(["E", "G"]), "`into` must be a list of 3, one for each source neuron"),
    (lambda: two_currents("I"), "`into` must be one of E, G, got 'I'"),
    (lambda: two_currents(HIDDEN, ["E", "G", "E", "J"]), r"`into_rec\[3\]` must be one of E, G, got 'J'"),
    (lambda: Spiking(3, 4, neuron="two-synapses", into_rec="G", **CURRENTS),  # type: ignore[arg-type]
     "`into_rec` must be left out, got states; make the layer with `recurrent=True`"),
    (lambda: Spiking(3, 4, neuron="lif", into="V"), "`into` must be one of I, got 'V'"),
    (lambda: raising([0] * 7), "`into` must be a tensor of whole numbers, got"),
    (lambda: raising(torch.zeros(7)), r"`into` must be int64, \[7\], got float32, \[7\]; give a number per row"),
    (lambda: raising(torch.zeros(3, dtype=torch.int64)), r"`into` must be int64, \[7\], got int64, \[3\]"),
    (lambda: raising(torch.full((7,), 2)), "`into` must be from 0 to 1, got 2; count the states of `arrivals`"),
    (lambda: raising(torch.full((7,), -1)), "`into` must be from 0 to 1, got -1"),
    (lambda: load_into(two_currents("E"), network_of(two_currents())),
     r"`connections\[1\].into` must be E from source 1, as layers\[0\], got 'G'; build the layer for this network"),
    (lambda: load_into(two_currents(), all_into_the_first(network_of(two_currents()))),
     r"`connections\[0\].into` must be G from source 1, as layers\[0\], got 'E'"),
    (lambda: load_into([Spiking(1, 4, neuron="rise", tau_rise=2.0), two_currents()[1]],
                       network_of(two_currents(into_rec=None))),
     "`population hidden1` must be with no connection onto itself"),
    (lambda: load_into([Spiking(1, 4, neuron="two-synapses", recurrent=True, **CURRENTS),  # type: ignore[arg-type]
                        two_currents()[1]], network_of(two_currents())),
     r"`connections\[0\]` must be 1 -> 4 neuron neurons, as layers\[0\], got 3 ->"),
    *((lambda name=name, dtype=dtype: found_by(MODULES[name](torch.float64).to(dtype)),
       f"`w` must be float32 or float64, got {dtype}; convert it")  # torch casts to any dtype
      for name in MODULES for dtype in (torch.float16, torch.bfloat16)),
    (lambda: run_case(seeded_case(0, "layers"), dtype="float16"),
     "`dtype` must be one of float64, float32, got 'float16'"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_a_refusal_names_argument_value_and_remedy(call: Callable[[], object], words: str) -> None:
    assert_refused(call, words)


def test_a_matrix_of_linear_is_not_loaded() -> None:
    """The error of torch for other shapes, with the order of a layer."""
    target = torch.nn.Sequential(LIF(3, 2))
    with pytest.raises(RuntimeError, match=r'"0\.w", expected torch\.Tensor'):
        target.load_state_dict({**target.state_dict(), "0.w": 3.0})
    for shape in ((2, 3), (4, 2)):
        with pytest.raises(RuntimeError, match=r"size mismatch for 0\.w:") as caught:
            target.load_state_dict({**target.state_dict(), "0.w": full(*shape)})
        named = "`0.w` must be [pre, post]; `torch.nn.Linear` has [post, pre]: give its transpose" in str(caught.value)
        assert named == (shape == (2, 3))


def test_delays_that_synapses_share_have_rows_or_columns_of_one() -> None:
    layer = LIF(3, 2)
    for shape in ((1, 1), (3, 1), (1, 2), (3, 2)):
        layer.d = torch.nn.Parameter(torch.ones(shape))
        layer(SPIKES)


@pytest.mark.parametrize("name", ["w", "d", "tau_mem", "tau_syn", "v_th", "v_reset"])
def test_a_tensor_that_is_not_on_the_cpu_is_unsupported(name: str) -> None:
    """No silent copy and no fallback. torch's `meta` device stands for any other device."""
    shape = (3, 2) if name in ("w", "d") else (2,)
    elsewhere: dict[str, Any] = {name: full(*shape, device="meta")}
    words = f"`{name}` must be on the CPU or on a GPU of CUDA, got meta; use `.to"
    assert_refused(partial(propagated, SPIKES, **elsewhere), words, UnsupportedError)


@pytest.mark.parametrize(("name", "d", "duration"), [("duration", 0.0, 1e9), ("d", 2e6, 3e6)])
def test_too_many_bins_are_unsupported(name: str, d: float, duration: float) -> None:
    """Bins of a trial, and places in the ring, are counted in 32 bits."""
    layer = LI(3, 2, readout="max_voltage", tau_mem=20.0, tau_syn=0.5)
    torch.nn.init.constant_(layer.d, d)
    words = rf"`{name}` must be at most \d+ bins long, .* `python -m reference`"
    assert_refused(lambda: layer(replace(SPIKES, duration=duration)), words, UnsupportedError)


@pytest.mark.parametrize(("missing", "absent", "got"), [
    ("delayprop.fast.nn.devices.find_spec", lambda name: None, "cuda needs numba-cuda; install it by"),
    ("torch.version.cuda", None, "cuda needs a torch that is built for CUDA; install one of CUDA 13"),
    ("torch.cuda.is_available", lambda: False, "cuda needs a GPU, and torch finds none; run where"),
])
def test_a_missing_part_of_cuda_is_named(missing: str, absent: object, got: str, monkeypatch: Patch) -> None:
    """All three parts are simulated as present, then one as missing, so no GPU is needed."""
    monkeypatch.setattr("delayprop.fast.nn.devices.find_spec", lambda name: name)
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    check_device("cuda")
    monkeypatch.setattr(missing, absent)
    words = f"`device` {got}.*, or use the CPU"
    for call in (lambda: run_case(seeded_case(0, "layers"), device="cuda"), lambda: SPIKES.to("cuda")):
        assert_refused(call, words, UnsupportedError)
