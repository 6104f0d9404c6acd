"""Voltages over time, for pictures, from their closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fast.nn.layers import LI
from fast.nn.spikes import Spikes


def arrivals(layer: LI, spikes: Spikes, neuron: int) -> list[tuple[float, float]]:
    """`(t_arr, w)` of every arrival at one neuron in trial 0."""
    w, d = layer.w.detach().double(), layer.d.detach().double()
    return [
        (t + float(d[i, neuron]), float(w[i, neuron])) for i in range(spikes.size) for t in spikes.train(0, i).tolist()
    ]


def voltage(layer: LI, spikes: Spikes, neuron: int, times: np.ndarray) -> np.ndarray:
    """`V(t)` of one neuron without threshold, in trial 0, at the given times (ms)."""
    tau_mem, tau_syn = (float(tau[neuron]) for tau in (layer.tau_mem.detach(), layer.tau_syn.detach()))
    return voltage_of(arrivals(layer, spikes, neuron), tau_mem, tau_syn, times)


def voltage_of(
    arrivals: Sequence[tuple[float, float]], tau_mem: float, tau_syn: float, times: np.ndarray
) -> np.ndarray:
    """`V(t)` of a neuron without threshold from its arrivals `(t_arr, w)`; all times in ms."""
    pm, ps = 1 / tau_mem, 1 / tau_syn
    total = np.zeros_like(times)
    for t_arr, w in arrivals:
        x = np.maximum(times - t_arr, 0.0)
        z = np.abs(ps - pm) * x
        shape = np.divide(-np.expm1(-z), z, out=np.ones_like(z), where=z > 0)
        total += w * pm * x * np.exp(-min(pm, ps) * x) * shape
    return total
