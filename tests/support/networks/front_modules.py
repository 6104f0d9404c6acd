"""A small module of each kind of the torch front, and its outputs for the given spikes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from delayprop.fast import LI, LIF, Network
from delayprop.spec import SpikeTimeMSE
from tests.support.networks.layers import TRIALS, case_of, first_layer, given_spikes, second_layer, trains

TARGETS = trains([6.0, 9.0], [8.0])


def reader(dtype: torch.dtype = torch.float64) -> LI:
    layer = LI(2, 2, readout="max_voltage", dtype=dtype)
    return layer.initialise_(1.0, 0.1, 3.0, torch.Generator().manual_seed(0))


def network(dtype: torch.dtype = torch.float64) -> Network:
    return Network(case_of([first_layer(), second_layer()], TRIALS[0], SpikeTimeMSE("layer1", TARGETS)).network, dtype)


MODULES: dict[str, Callable[[torch.dtype], nn.Module]] = {"LIF": first_layer, "LI": reader, "Network": network}


def found_by(module: nn.Module) -> Tensor:
    """Spike times or readout for the given spikes; the first layer feeds an LI layer."""
    if isinstance(module, Network):
        return module({"in": given_spikes()}).spikes["layer1"].times
    if isinstance(module, LIF):
        return module(given_spikes()).times
    return module(first_layer()(given_spikes()))
