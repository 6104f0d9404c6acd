"""Small networks: layers, alone and in stacks, as modules and as a case."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from delayprop.fast import ALIF, LI, LIF, Network, Spikes, Spiking, propagate
from delayprop.fast.nn.autograd import Record
from delayprop.fast.nn.interchange import network_of
from delayprop.fast.nn.spiking_layer import SpikingLayer
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.fast.nn.wiring import DELAYS, Into
from delayprop.spec import Case, Loss, Neuron, SpikeTimeMSE, SpikeTrains

Layer = TypeVar("Layer", bound=SpikingLayer)
DURATION = 16.0
TRIALS: list[list[list[float]]] = [[[0.7, 4.1], [1.9], [2.6, 3.3]], [[], [0.4, 6.0], []], [[], [], []]]
"""Three trials of different numbers of spikes, the last one silent."""


def trains(*times: list[float]) -> SpikeTrains:
    """One list of times per neuron."""
    return SpikeTrains(tuple(np.array(train, dtype=np.float64) for train in times))


def given_spikes(trials: list = TRIALS) -> Spikes:
    return Spikes.from_trains(trials, DURATION)


def learned_spikes() -> Spikes:
    """The given spikes, with a gradient by their times."""
    spikes = given_spikes()
    spikes.times.requires_grad_()
    return spikes


def first_layer(dtype: torch.dtype = torch.float64) -> LIF:
    """Three sources, two neurons; both spike in the first two trials, repeatedly in the first."""
    return filled_first(LIF(3, 2, tau_mem=9.0, tau_syn=4.0, v_reset=-0.3, dtype=dtype))


TAKEN = {"w": 9.0, "d": 4.0, "pre": 1.25, "mask": 0.25, "half": 0.5, "type": -0.5, "into": 0.05}
"""Constants whose names are those of attributes of layers, and their values."""


def named_layer(dtype: torch.dtype = torch.float64) -> Spiking:
    """The first layer by equations with the constants `TAKEN`."""
    neuron = Neuron(
        {"V": "(-V + I) / w", "I": "-I / d"}, spike="V - pre + mask", reset={"V": "half * type - into"},
    )
    return filled_first(Spiking(3, 2, neuron=neuron, constants=TAKEN, dtype=dtype))


def second_layer(dtype: torch.dtype = torch.float64) -> LIF:
    """Two sources, two neurons."""
    made = LIF(2, 2, tau_mem=12.0, tau_syn=6.0, dtype=dtype)
    return filled(made, [[2.4, 1.3], [1.1, 1.9]], [[1.3, 2.8], [4.6, 0.7]])


def propagated(
    spikes: Spikes, dtype: torch.dtype = torch.float64, **changed: Any
) -> tuple[Spikes, Tensor | None, Record]:
    """`propagate` with the parameters of the first layer, some of them changed."""
    given = {name: parameter.detach() for name, parameter in first_layer(dtype).named_parameters()}
    return propagate(spikes, **{**given, **changed})


def filled_first(layer: Layer) -> Layer:
    return filled(layer, [[5.6, 3.0], [2.4, 5.1], [-1.7, 3.4]], [[0.6, 2.3], [1.7, 0.9], [3.2, 1.4]])


@torch.no_grad()
def filled(layer: Layer, w: list[list[float]], d: list[list[float]]) -> Layer:
    layer.w.copy_(torch.tensor(w))
    layer.d.copy_(torch.tensor(d))
    return layer


def case_of(layers: Sequence[SpikingLayer], trial: list[list[float]], loss: Loss) -> Case:
    """The network of the layers as a case: populations `in`, `layer0`, `layer1`, ..."""
    network = network_of(layers, ["in", *(f"layer{n}" for n in range(len(layers)))])
    return Case(network, DURATION, {"in": trains(*trial)}, loss)


TARGETS = trains([6.0, 9.0, 15.5], [8.0])


def reader(dtype: torch.dtype = torch.float64) -> LI:
    layer = LI(2, 2, readout="max_voltage", dtype=dtype)
    return layer.initialise_(1.0, 0.1, 3.0, torch.Generator().manual_seed(0))


def network(dtype: torch.dtype = torch.float64) -> Network:
    return Network(case_of([first_layer(), second_layer()], TRIALS[0], SpikeTimeMSE("layer1", TARGETS)).network, dtype)


def row(dtype: torch.dtype = torch.float64, seed: int = 0) -> list[SynapticLayer]:
    """3 -> 6 -> 4 -> 3, delays per synapse, constants per neuron, busy hidden layers."""
    random = torch.Generator().manual_seed(seed)
    first = LIF(3, 6, tau_mem=[9.0, 9.5, 10.1, 8.3, 7.7, 12.0], tau_syn=4.0, v_reset=-0.3, dtype=dtype)
    second = LIF(6, 4, tau_mem=12.0, tau_syn=[6.0, 5.5, 4.9, 6.1], v_th=[1.0, 0.9, 0.8, 1.1], dtype=dtype)
    out = LI(4, 3, readout="max_voltage", tau_syn=3.3, dtype=dtype)
    return [
        first.initialise_(3.5, 1.5, 4.0, random), second.initialise_(1.6, 0.8, 3.0, random),
        out.initialise_(0.5, 0.5, 2.0, random),
    ]


RANDOM = torch.Generator().manual_seed(3)
MASK, MASK_REC, MASK_OUT = (torch.rand(shape, generator=RANDOM) < 0.6 for shape in ((3, 40), (40, 40), (40, 2)))
LONG = Spikes.from_trains([[[1.0, 4.0], [2.0, 2.5, 30.0], [3.0]], [[], [0.0, 7.0], [1.0, 1.0]]], 40.0)


def wired(delays: str, kind: Any = LIF, masked: bool = True, **more: Any) -> list[Any]:
    """A recurrent layer, and one that is read; `delays`: which synapses share one."""
    masks = (MASK, MASK_REC, MASK_OUT) if masked else (None, None, None)
    random, wiring = torch.Generator().manual_seed(4), {"delays": delays, "dtype": torch.float64, **more}
    hidden = kind(3, 40, recurrent=True, mask=masks[0], mask_rec=masks[1], **wiring)
    out = LI(40, 2, readout="mean_voltage", mask=masks[2], **wiring)
    hidden.initialise_(3.0, 1.0, 9.0, random).initialise_recurrent_(0.1, 0.2, 5.0, random)
    return [hidden, out.initialise_(0.5, 1.0, 9.0, random)]


CURRENTS = {"tau_mem": 15.0, "tau_exc": 4.0, "tau_inh": 9.0}
HIDDEN, OWN = ["E", "G", "E"], ["G", "E", "E", "G"]


def two_currents(into: Into = HIDDEN, into_rec: Into = OWN, dtype: torch.dtype = torch.float64) -> list[SynapticLayer]:
    """A recurrent layer of two synapses, and an output."""
    random = torch.Generator().manual_seed(1)
    hidden = Spiking(
        3, 4, neuron="two-synapses", recurrent=True, into=into, into_rec=into_rec, dtype=dtype,
        **CURRENTS,  # type: ignore[arg-type]
    )
    hidden.initialise_(3.0, 1.0, 5.0, random).initialise_recurrent_(0.0, 0.3, 5.0, random)
    out = LI(4, 2, readout="mean_voltage", dtype=dtype).initialise_(0.5, 0.5, 3.0, random)
    return [hidden, out]


STACKS: dict[str, Callable[[], list[SynapticLayer]]] = {
    "constants per neuron": row, "float32": partial(row, torch.float32),
    **{delays: partial(wired, delays) for delays in DELAYS}, "every synapse": partial(wired, "axonal", masked=False),
    "alif": partial(wired, "dendritic", ALIF), "two currents": two_currents,
    "second current": partial(two_currents, "G"), "first current": partial(two_currents, None),
}
"""Layers in order, the last one read; three inputs."""
MODULES: dict[str, Callable[[torch.dtype], nn.Module]] = {
    "LIF": first_layer, "LI": reader, "Network": network, "names of attributes": named_layer,
    "axonal": lambda dtype: nn.Sequential(*wired("axonal", dtype=dtype)),
    "two currents": lambda dtype: nn.Sequential(*two_currents(dtype=dtype)),
}
OTHER_KERNELS = {"alif", "two currents", "second current", "first current"}
"""Of these: compiled by no test of the core."""


def names_of(table: Mapping[str, object]) -> list[Any]:
    """The names of a table as parameters of a test; the core leaves out those of other kernels."""
    return [pytest.param(name, marks=[pytest.mark.full] * (name in OTHER_KERNELS)) for name in table]


def found_by(module: nn.Module) -> Tensor:
    """Spike times or readout for the given spikes; the first layer feeds an LI layer."""
    if isinstance(module, Network):
        return module({"in": given_spikes()}).spikes["layer1"].times
    if isinstance(module, SpikingLayer):
        return module(given_spikes()).times
    return module(given_spikes() if isinstance(module, nn.Sequential) else first_layer()(given_spikes()))
