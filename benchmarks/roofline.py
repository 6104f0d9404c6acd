"""A lower bound for any implementation: loops that only touch each arrival's weight and delay.

Forward, each spike adds the weights and delays of its synapses to two sums per target. Backward,
each spike adds to the gradients of its weights and delays. Python threads run trials in parallel,
as many as torch has. Each thread has gradients of its own, which are summed at the end. Arrivals
after the trial are touched as well. The loops run on the CPU.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit

from benchmarks.arrivals import neurons_of, sources
from benchmarks.step import timed
from benchmarks.workloads import Workload
from fast import Spikes


@dataclass(frozen=True)
class Roofline:
    """Median times of the loops, s."""

    what: str
    touched: int
    seconds: float
    seconds_forward: float
    seconds_backward: float


@njit(cache=True, nogil=True)
def touch_forward(
    neurons: np.ndarray, w: np.ndarray, d: np.ndarray, sum_w: np.ndarray, sum_d: np.ndarray
) -> None:
    """Add each synapse's weight and delay, for every spike, to the sums `[post]` of its target."""
    for n in range(len(neurons)):
        i = neurons[n]
        for j in range(w.shape[1]):
            sum_w[j] += w[i, j]
            sum_d[j] += d[i, j]


@njit(cache=True, nogil=True)
def touch_backward(
    neurons: np.ndarray, w: np.ndarray, d: np.ndarray, of_w: np.ndarray, of_d: np.ndarray, dL_dw: np.ndarray,
    dL_dd: np.ndarray,
) -> None:
    """Add the sums `of_w`, `of_d` `[post]` to the gradients of every synapse, for every spike."""
    for n in range(len(neurons)):
        i = neurons[n]
        for j in range(w.shape[1]):
            dL_dw[i, j] += of_w[j]
            dL_dd[i, j] += w[i, j] * of_d[j] + d[i, j]


@dataclass(frozen=True, eq=False)
class _Part:
    """Spikes of some trials through one connection, and the arrays of one thread."""

    neurons: np.ndarray
    w: np.ndarray
    d: np.ndarray
    sums: np.ndarray
    dL: np.ndarray

    def forward(self) -> None:
        touch_forward(self.neurons, self.w, self.d, self.sums[0], self.sums[1])

    def backward(self) -> None:
        touch_backward(self.neurons, self.w, self.d, self.sums[0], self.sums[1], self.dL[0], self.dL[1])


def roofline(workload: Workload, trains: list[Spikes], repeats: int) -> Roofline:
    """Time the loops over the spikes of a step.

    Args:
        trains: spikes of each stage that spikes.
    """
    threads, connections = torch.get_num_threads(), []
    for spikes, link in sources(workload, trains):
        w, d = (parameter.detach().cpu().numpy() for parameter in (link.w, link.d))
        starts = spikes.offsets[:: spikes.size].cpu().numpy()  # of each trial, and the end
        edges = starts[np.linspace(0, spikes.trials, threads + 1).astype(int)]
        parts = [
            _Part(neurons, w, d, np.zeros((2, w.shape[1]), w.dtype), np.zeros((2, *w.shape), w.dtype))
            for neurons in np.split(neurons_of(spikes), edges[1:-1])
        ]
        connections.append(parts)

    with ThreadPoolExecutor(threads) as pool:

        def forward() -> None:
            for parts in connections:
                list(pool.map(_Part.forward, parts))

        def backward() -> None:
            for parts in reversed(connections):
                list(pool.map(_Part.backward, parts))
                np.sum([part.dL for part in parts], axis=0)

        found = timed(repeats, lambda: (forward, backward))
    touched = sum(len(part.neurons) * part.w.shape[1] for parts in connections for part in parts)
    what = "numba loops that only touch the weight and delay of each arrival, once forward and once backward"
    return Roofline(what, touched, found.step, found.forward, found.backward)
