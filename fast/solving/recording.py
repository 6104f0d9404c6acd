"""Trials of a recording: each begins with the state at which the one before it ended.

Its instants are whole ticks, also that of its end, and so are the spikes under way. A tick depends
on delays and constants alone. So both trials decide alike whether a spike arrives before a cut, and
no arrival is lost or counted twice.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.layout.arrays import LANES, Arriving, Layer
from delayprop.fast.layout.instants import ABSENT, Ticks
from delayprop.fast.physics.clock import Clock


class UnderWay(NamedTuple):
    """Spikes emitted before a trial that arrive in it.

    `ticks [n]`, int64: when, in units of `tick` (ms), at most 0; `trial, source [n]`, int64: a
    source is a row of the weights. `origin [n]`, at the end of a trial: the number of the spike
    among those under way at the start, the input spikes, and those emitted.
    """

    ticks: Tensor
    trial: Tensor
    source: Tensor
    tick: float
    origin: Tensor | None = None

    def in_ticks(self, width: float, bits: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
        """`ticks` of which a bin of `width` ms has `2**bits`, of the spikes that may still arrive
        by delays of `longest` whole bins; and their numbers."""
        ticks, tick = self.ticks.numpy(), width * 2.0**-bits
        kept = np.flatnonzero(ticks * (self.tick / width) >= -(longest + 2.0))
        # Both ticks are powers of two; another one has come with other delays or constants.
        return ticks[kept] if tick == self.tick else np.rint(ticks[kept] * (self.tick / tick)).astype(np.int64), kept


class Start(NamedTuple):
    """The state with which the trials begin: `x [trials, post, states]`, float64, the states in the
    order of the kernels."""

    x: Tensor
    under_way: UnderWay


def with_under_way(
    arriving: Arriving, order: np.ndarray, under_way: UnderWay, division: Ticks, width: float, longest: int
) -> tuple[Arriving, np.ndarray]:
    """Arriving spikes with those under way before them, trial by trial; and the number of each
    among those under way, followed by the others, of which `order` has the numbers.

    `longest`: the longest delay, in whole bins of `width` ms.
    """
    trials = len(arriving.offsets) - 1
    ticks, kept = under_way.in_ticks(width, division.bits, longest)
    bins = ticks >> division.bits
    instants = ((bins << division.bits) & division.slot) | (ticks & division.rest)
    before = under_way.trial.numpy()[kept]
    trial = np.concatenate([before, np.repeat(np.arange(trials), np.diff(arriving.offsets))])
    all_bins = np.concatenate([bins.astype(np.int32), arriving.bin])
    sorted_ = np.lexsort((all_bins, trial))  # stable
    sources = under_way.source.numpy()[kept].astype(np.int32)
    time, source = np.concatenate([instants, arriving.time]), np.concatenate([sources, arriving.source])
    offsets = np.searchsorted(trial[sorted_], np.arange(trials + 1))
    numbers = np.concatenate([kept, len(under_way.ticks) + order])
    return Arriving(offsets, all_bins[sorted_], time[sorted_], source[sorted_]), numbers[sorted_]


def under_way_at_end(
    arriving: Arriving, numbers: np.ndarray, given: int, trains: tuple[np.ndarray, ...], layer: Layer, clock: Clock,
    width: float,
) -> UnderWay:
    """The spikes up to `T` that arrive at `T` or later, their ticks counted from `T`.

    `numbers`: of the arriving spikes among `given`; `trains`: trial, neuron, bin and rest of each
    emitted one.
    """
    ticks, longest = layer.ticks, layer.synapses.delay.max(axis=(0, 2), initial=ABSENT)
    trial = np.repeat(np.arange(len(arriving.offsets) - 1), np.diff(arriving.offsets))
    found = [(arriving.bin, arriving.time & ticks.rest, trial, arriving.source, numbers)]
    of_emitted, neuron, bin_, rest = trains
    for copy in range(layer.copies):
        source, origin = layer.external + copy * layer.post + neuron, given + np.arange(len(neuron))
        found.append((bin_, (rest * 2.0**ticks.bits).astype(np.int64), of_emitted, source, origin))
    bins, rests, trials, sources, origins = (
        np.concatenate(parts).astype(np.int64) for parts in zip(*found, strict=True)
    )
    # Earlier ones have arrived; their ticks from `T` may be more than 63 bits count.
    near = np.flatnonzero(bins - clock.last >= -layer.span)
    from_end = ((bins[near] - clock.last) << ticks.bits) + (rests[near] - round(clock.end * 2.0**ticks.bits))
    later = (from_end <= 0) & (longest[sources[near]] >= -from_end)
    chosen = near[later]
    in_trial, of_source, number = (torch.from_numpy(one[chosen]) for one in (trials, sources, origins))
    return UnderWay(torch.from_numpy(from_end[later]), in_trial, of_source, width * 2.0**-ticks.bits, number)


def states_in_lanes(x: Tensor) -> np.ndarray:
    """`[trials, post, states]` as kernels read it, `[trials, packs, states * LANES]`."""
    trials, post, states = x.shape
    padded = np.zeros((trials, -(-post // LANES) * LANES, states))
    padded[:, :post] = x.numpy()
    return np.ascontiguousarray(padded.reshape(trials, -1, LANES, states).swapaxes(2, 3)).reshape(
        trials, -1, states * LANES
    )


def states_by_neuron(x: np.ndarray, post: int) -> Tensor:
    """The inverse of `states_in_lanes`."""
    trials, packs, _ = x.shape
    by_lane = x.reshape(trials, packs, -1, LANES).swapaxes(2, 3)
    return torch.from_numpy(np.ascontiguousarray(by_lane.reshape(trials, packs * LANES, -1)[:, :post]))
