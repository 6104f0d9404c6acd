"""Layers in a row, at the start and after training, for the tests of interchange."""

from __future__ import annotations

import torch
from torch import nn

from delayprop.fast import LI, LIF, cross_entropy
from delayprop.fast.nn.interchange import Layer
from tests.support.networks.layers import given_spikes

LABELS = torch.tensor([0, 2, 1])


def row(dtype: torch.dtype = torch.float64, seed: int = 0) -> list[Layer]:
    """3 -> 6 -> 4 -> 3, delays per synapse, constants per neuron, busy hidden layers."""
    random = torch.Generator().manual_seed(seed)
    first = LIF(3, 6, tau_mem=[9.0, 9.5, 10.1, 8.3, 7.7, 12.0], tau_syn=4.0, v_reset=-0.3, dtype=dtype)
    second = LIF(6, 4, tau_mem=12.0, tau_syn=[6.0, 5.5, 4.9, 6.1], v_th=[1.0, 0.9, 0.8, 1.1], dtype=dtype)
    out = LI(4, 3, readout="max_voltage", tau_syn=3.3, dtype=dtype)
    return [
        first.initialise_(3.5, 1.5, 4.0, random), second.initialise_(1.6, 0.8, 3.0, random),
        out.initialise_(0.5, 0.5, 2.0, random),
    ]


def trained(dtype: torch.dtype) -> list[Layer]:
    """The row after two steps, in which constants learn too."""
    made = row(dtype)
    stack = nn.Sequential(*made).requires_grad_()
    optimiser = torch.optim.Adam(stack.parameters(), lr=0.01)
    for _ in range(2):
        optimiser.zero_grad()
        cross_entropy(stack(given_spikes()), LABELS).backward()
        optimiser.step()
        for layer in made:
            layer.project_()
    return made
