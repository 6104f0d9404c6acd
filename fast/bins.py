"""Bins of time: bookkeeping, not a grid.

An instant `t` is kept as `(bin, rest)` with `t = bin * width + rest`, so that float32 keeps its full precision at any
`t`. Nothing is rounded to a bin: results do not depend on the width, beyond rounding (a test).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.compiling import compiled, inlined
from fast.flow import compose, factors
from spec import UnsupportedError
from spec.errors import Verbatim

MOST_BINS = 2**24  # 0.5 GB of scratch a thread


class Clock(NamedTuple):
    """The bins of a trial: `[0, T]` with `T = last * width + end`."""

    width: float
    last: int
    end: float
    u: float


class Trains(NamedTuple):
    """Spikes grouped by (trial, neuron): `bin, rest [n]`, and `offsets [trials * neurons + 1]`."""

    offsets: np.ndarray
    bin: np.ndarray
    rest: np.ndarray


class Factors(NamedTuple):
    """Flow factors of many times."""

    a: np.ndarray
    k: np.ndarray
    b: np.ndarray


def width(shortest: float, duration: float) -> float:
    """The width: a power of two, so splitting a time is exact; at most a quarter of the shortest time constant."""
    return 2.0 ** math.floor(math.log2(min(shortest / 4, duration)))


def clock(bin_width: float, duration: float, dtype: type) -> Clock:
    """The bins of a trial of that duration.

    Raises:
        UnsupportedError: there are more bins than a trial's scratch arrays should hold.
    """
    last = math.floor(duration / bin_width)
    if last > MOST_BINS:
        got = Verbatim(f"{duration} ms in bins of {bin_width} ms")
        raise UnsupportedError("duration", f"at most {MOST_BINS} bins long", got, "`python -m reference` needs no bins")
    end = duration - last * bin_width
    return Clock(dtype(bin_width), last, dtype(end), float(np.finfo(dtype).eps) / 2)


def split(times: np.ndarray, at: Clock, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """`(bin, rest)` of times or delays in ms; what lies beyond the trial gets a bin beyond it."""
    bins = np.floor(np.minimum(times, (at.last + 2) * float(at.width)) / float(at.width))
    beyond = bins > at.last
    rest: np.ndarray = np.where(beyond, 0.0, times - bins * float(at.width)).astype(dtype)
    return np.where(beyond, at.last + 1, bins).astype(np.int32), rest


@compiled
def fill_factors(rest, pm, ps, out):
    """Factors at `-rest`: what takes an arrival back to the start of its bin."""
    for k in range(rest.size):
        out.a[k], out.k[k], out.b[k] = factors(-rest[k], pm, ps)


@inlined
def arrival(spike_bin, spike_rest, delay_bin, delay_rest, at):
    """`(bin, rest, wrapped)` of an arrival; `wrapped` if the rests add up to a further bin."""
    rest = spike_rest + delay_rest
    if rest >= at.width:
        return spike_bin + delay_bin + 1, rest - at.width, True
    return spike_bin + delay_bin, rest, False


@inlined
def arrival_factors(spike, s, synapse, i, wrapped, a_bin, k_bin, b_bin):
    """Factors at `-rest` of an arrival, from those of its spike and its synapse."""
    a, k, b = compose(spike.a[s], spike.k[s], spike.b[s], synapse.a[i], synapse.k[i], synapse.b[i])
    if wrapped:
        return compose(a, k, b, a_bin, k_bin, b_bin)
    return a, k, b


@inlined
def beyond(bin_, rest, at):
    """Whether an instant lies after `T`."""
    return bin_ > at.last or (bin_ == at.last and rest > at.end)


@inlined
def to_end(bin_, rest, at):
    """The time from an instant to `T`."""
    return (at.last - bin_) * at.width + (at.end - rest)


@compiled
def sort_by_bin(trains, first, n_pre, w, exists, delay_bin, delay_rest, at, start, rest, weight):
    """Group the arrivals at one neuron in one trial by bin.

    `first`: index of the trial's first train. Fills `start [bins + 1]`, and `rest`, `weight` in the order of the bins.
    """
    start[:] = 0
    for i in range(n_pre):
        if exists[i]:
            for s in range(trains.offsets[first + i], trains.offsets[first + i + 1]):
                bin_, r, _ = arrival(trains.bin[s], trains.rest[s], delay_bin[i], delay_rest[i], at)
                if beyond(bin_, r, at):
                    break
                start[bin_ + 1] += 1
    for bin_ in range(at.last + 1):
        start[bin_ + 1] += start[bin_]
    for i in range(n_pre):
        if exists[i]:
            for s in range(trains.offsets[first + i], trains.offsets[first + i + 1]):
                bin_, r, _ = arrival(trains.bin[s], trains.rest[s], delay_bin[i], delay_rest[i], at)
                if beyond(bin_, r, at):
                    break
                rest[start[bin_]] = r
                weight[start[bin_]] = w[i]
                start[bin_] += 1
    for bin_ in range(at.last + 1, 0, -1):
        start[bin_] = start[bin_ - 1]
    start[0] = 0


@compiled
def sort_within_bin(rest, weight, first, last):
    """Order the arrivals `first..last-1` of one bin by time, in place."""
    if last - first > 64:
        order = np.argsort(rest[first:last])
        rest[first:last] = rest[first:last][order]
        weight[first:last] = weight[first:last][order]
        return
    for n in range(first + 1, last):
        r, w = rest[n], weight[n]
        k = n
        while k > first and rest[k - 1] > r:
            rest[k], weight[k] = rest[k - 1], weight[k - 1]
            k -= 1
        rest[k], weight[k] = r, w
