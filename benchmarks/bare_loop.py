"""A plain scatter and gather of arrivals, without a neuron: how fast this machine could be.

Forward an arrival adds four numbers, 16 bytes, at its place in a ring of bins; back it reads two of
them there, and adds them to its synapse. Nothing is solved, read out or published. Numba compiles
both loops; C is as fast (LOG.md).
"""

import statistics
import time

import numpy as np
from numba import njit

from benchmarks.step import in_turn
from benchmarks.workloads import Workload
from delayprop.fast.nn.traces import neurons_of

SIDE_BY_SIDE = 32  # neurons of one ring
BIN = np.uint32(16)  # bits of an instant below its bin; a bin is 1 ms, and 2^16 of them are counted


def bare_loop(workload: Workload, repeats: int) -> float:
    """Nanoseconds per arrival, forward and back, of the input spikes of a workload, in float32 and
    on one thread; the median of `repeats` turns."""
    link, spikes = workload.model.links()[0], workload.spikes
    pre, post = link.w.shape
    packs = -(-post // SIDE_BY_SIDE)
    delay = np.zeros((packs * SIDE_BY_SIDE, pre), np.uint32)
    delay[:post] = _ticks(link.delays.T.numpy())
    delay = np.ascontiguousarray(delay.reshape(packs, SIDE_BY_SIDE, pre).transpose(0, 2, 1))
    bins = 1 << (int(delay.max() >> BIN) + 2).bit_length()
    w = np.full(delay.shape, 0.01, np.float32)
    ring, sums = np.zeros((packs, bins * SIDE_BY_SIDE, 4), np.float32), np.zeros((*delay.shape, 2), np.float32)
    sent, source = _ticks(spikes.times.detach().numpy()), neurons_of(spikes).astype(np.int32)

    def turn() -> float:
        began = time.perf_counter()
        for pack in range(packs):
            scatter(sent, source, delay[pack], w[pack], ring[pack], np.uint32(bins - 1))
            gather(sent, source, delay[pack], sums[pack], ring[pack], np.uint32(bins - 1))
        return time.perf_counter() - began

    turn()  # compiles
    (took,) = in_turn([turn], repeats)
    return 1e9 * statistics.median(took) / (len(sent) * packs * SIDE_BY_SIDE)


def _ticks(ms: np.ndarray) -> np.ndarray:
    """Times, in ms, as instants: in units of 2^-16 ms."""
    return (ms.astype(np.float64) * 2.0**16).astype(np.uint64).astype(np.uint32)


@njit(nogil=True)
def scatter(
    sent: np.ndarray, source: np.ndarray, delay: np.ndarray, w: np.ndarray, ring: np.ndarray, mask: np.uint32
) -> None:
    """Forward: the arrivals of all spikes at the neurons of a pack. `sent, source [spikes]`;
    `delay, w [inputs, SIDE_BY_SIDE]`; `ring [places, 4]`; `mask`: its bins, less one."""
    for n in range(len(sent)):
        of_spike, weight = delay[source[n]], w[source[n]]
        for lane in range(SIDE_BY_SIDE):
            cell, amount = ring[(((sent[n] + of_spike[lane]) >> BIN) & mask) * SIDE_BY_SIDE + lane], weight[lane]
            cell[0] += amount
            cell[1] += amount * np.float32(0.5)
            cell[2] += amount * np.float32(0.25)
            cell[3] += np.float32(1.0)


@njit(nogil=True)
def gather(
    sent: np.ndarray, source: np.ndarray, delay: np.ndarray, sums: np.ndarray, ring: np.ndarray, mask: np.uint32
) -> None:
    """Back: the same arrivals; `sums [inputs, SIDE_BY_SIDE, 2]`."""
    for n in range(len(sent)):
        of_spike, total = delay[source[n]], sums[source[n]]
        for lane in range(SIDE_BY_SIDE):
            cell = ring[(((sent[n] + of_spike[lane]) >> BIN) & mask) * SIDE_BY_SIDE + lane]
            total[lane, 0] += cell[0]
            total[lane, 1] += cell[1]
