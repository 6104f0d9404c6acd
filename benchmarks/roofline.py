"""A lower bound for any implementation: loops that only touch each arrival's weight and delay.

Forward, each spike adds the weights and delays of its synapses to two sums per target. Backward,
each spike adds to the gradients of its weights and delays. Python threads run trials in parallel,
as many as torch has. Each thread has gradients of its own, which are summed at the end. Arrivals
after the trial are touched as well. The loops run on the CPU.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from numba import njit

from benchmarks.arrivals import neurons_of, sources
from benchmarks.step import timed
from benchmarks.workloads import Workload
from delayprop.fast import Spikes


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


class _Part(NamedTuple):
    """Spikes of some trials through one connection, and the arrays of one thread."""

    neurons: np.ndarray
    w: np.ndarray
    d: np.ndarray
    sums: np.ndarray
    dL: np.ndarray


def roofline(workload: Workload, trains: list[Spikes], repeats: int) -> dict:
    """Time the loops over the spikes of a step; medians, s, as a JSON object.

    Args:
        trains: spikes of each stage that spikes.
    """
    threads, connections = torch.get_num_threads(), []
    for spikes, link in sources(workload, trains):
        w, d = (parameter.detach().cpu().numpy() for parameter in (link.w, link.d))
        starts = spikes.offsets[:: spikes.size].cpu().numpy()  # of each trial, and the end
        edges = starts[np.linspace(0, spikes.trials, threads + 1).astype(int)]
        connections.append([
            _Part(neurons, w, d, np.zeros((2, w.shape[1]), w.dtype), np.zeros((2, *w.shape), w.dtype))
            for neurons in np.split(neurons_of(spikes), edges[1:-1])
        ])

    with ThreadPoolExecutor(threads) as pool:

        def forward() -> None:
            for parts in connections:
                list(pool.map(lambda part: touch_forward(*part[:3], *part.sums), parts))

        def backward() -> None:
            for parts in reversed(connections):
                list(pool.map(lambda part: touch_backward(*part[:3], *part.sums, *part.dL), parts))
                np.sum([part.dL for part in parts], axis=0)

        found = timed(repeats, lambda: (forward, backward))
    touched = sum(len(part.neurons) * part.w.shape[1] for parts in connections for part in parts)
    what = "numba loops that only touch the weight and delay of each arrival, once forward and once backward"
    seconds = {"seconds": found.step, "seconds_forward": found.forward, "seconds_backward": found.backward}
    return {"what": what, "touched": touched, **seconds}
