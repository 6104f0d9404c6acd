"""A small network, as layers of `fast` and as a case of the specification, for tests of the torch front."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fast import LIF, Spikes
from spec import Case, Connection, Loss, Network, Population, SpikeTrains

DURATION = 16.0
TRIALS: list[list[list[float]]] = [[[0.7, 4.1], [1.9], [2.6, 3.3]], [[], [0.4, 6.0], []], [[], [], []]]
"""Three trials of different numbers of spikes, the last one silent."""


def trains(*times: list[float]) -> SpikeTrains:
    """One list of times a neuron."""
    return SpikeTrains(tuple(np.array(train, dtype=np.float64) for train in times))


def given_spikes(trials: list = TRIALS) -> Spikes:
    """Spikes of three neurons."""
    return Spikes.from_trains(trials, DURATION)


def first_layer(dtype: torch.dtype = torch.float64) -> LIF:
    """Three sources, two neurons; in the first two trials both spike, in the first several times."""
    made = LIF(3, 2, tau_mem=9.0, tau_syn=4.0, v_reset=-0.3, dtype=dtype)
    return filled(made, [[5.6, 3.0], [2.4, 5.1], [-1.7, 3.4]], [[0.6, 2.3], [1.7, 0.9], [3.2, 1.4]])


def second_layer(dtype: torch.dtype = torch.float64) -> LIF:
    """Two sources, two neurons."""
    made = LIF(2, 2, tau_mem=12.0, tau_syn=6.0, dtype=dtype)
    return filled(made, [[2.4, 1.3], [1.1, 1.9]], [[1.3, 2.8], [4.6, 0.7]])


@torch.no_grad()
def filled(layer: LIF, w: list[list[float]], d: list[list[float]]) -> LIF:
    """The layer with these weights and delays."""
    layer.w.copy_(torch.tensor(w))
    layer.d.copy_(torch.tensor(d))
    return layer


def case_of(layers: list[LIF], trial: list[list[float]], loss: Loss) -> Case:
    """The same network in the terms of the specification: populations `in`, `layer0`, `layer1`, ..."""

    def numbers(tensor: Tensor | None) -> np.ndarray:
        assert tensor is not None
        return tensor.detach().double().numpy()

    populations = [Population("in", "input", layers[0].pre)]
    connections = []
    for n, layer in enumerate(layers):
        constants = (numbers(c) for c in (layer.tau_mem, layer.tau_syn, layer.v_th, layer.v_reset))
        populations.append(Population(f"layer{n}", "lif", layer.post, *constants))
        connections.append(Connection(populations[n].name, f"layer{n}", numbers(layer.w), numbers(layer.d)))
    network = Network(tuple(populations), tuple(connections))
    return Case(network, DURATION, {"in": trains(*trial)}, loss)
