"""Pointers, places and factors of arrivals, for deposits and look-ups alike."""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, compiled, inlined
from delayprop.fast.cpu.intrinsics import moved, pointer
from delayprop.fast.layout.arrays import LANES, Others
from delayprop.fast.layout.instants import Ticks, carries
from delayprop.fast.physics.clock import Clock
from delayprop.fast.physics.currents import currents
from delayprop.fast.physics.factors import both_factors

SIDE_BY_SIDE = 16  # spikes whose arrivals are computed before any is deposited, or looked up
FACTORS = 6  # rows of factors of a spike: `both_factors`


class SpikePointers(NamedTuple):
    """`time, source` of spikes, as pointers."""

    time: np.ndarray
    source: np.ndarray


class PackPointers(NamedTuple):
    """The arrays of a pack that each arrival reads, as pointers: of its synapses, and of its
    neurons; and the division of instants."""

    delay: np.ndarray
    w: np.ndarray
    w_I: np.ndarray
    w_V: np.ndarray
    w_y: np.ndarray
    shared_delay: np.ndarray
    of_shared: np.ndarray
    coefficients: np.ndarray
    exact: np.ndarray
    flow: np.ndarray
    into: np.ndarray
    ticks: Ticks
    clock: Clock
    others: Others
    learned: tuple[int, ...]
    alike: bool
    any_shared: bool
    rate: float


@inlined
def spike_pointers(time, source):
    """Pointers to spikes."""
    return SpikePointers(pointer(time), pointer(source))


@inlined
def pointers_of(pack, clock):
    """Pointers to the arrays of a pack."""
    s = pack.synapses
    return PackPointers(
        pointer(s.delay), pointer(s.w), pointer(s.w_I), pointer(s.w_V), pointer(s.w_y), pointer(s.shared_delay),
        pointer(s.of_shared), pointer(pack.coefficients), pointer(pack.exact), pointer(pack.flow), pointer(pack.into),
        pack.ticks, clock, pack.others, pack.learned, pack.alike, pack.any_shared, pack.rate,
    )


@inlined
def ring_at(current, ring, size):
    """The ring of a current, of `size` numbers each. Pointers."""
    return moved(ring, current * size)


@compiled
def ring_places(ticks):
    """Places of a ring: `LANES` per bin, and as many for synapses that do not exist."""
    return (ticks.bins + 1) * LANES


@allocating
def aligned(rows, columns, like):
    """An empty array of the type of `like` that begins at a cache line."""
    raw = np.empty(rows * columns + 64 // like.itemsize, like.dtype)
    start = (-raw.ctypes.data % 64) // like.itemsize
    return raw[start : start + rows * columns].reshape((rows, columns))


@inlined
def set_factors(first, last, spikes, pack, factors):
    """Set the factors of spikes `first..last-1`, at most SIDE_BY_SIDE, for neurons that are alike.

    `factors [currents, FACTORS, SIDE_BY_SIDE]`: those of each spike for every current.
    """
    # For all currents, though each spike needs one: to choose it would gather coefficients, which
    # is slower (LOG, 11-30).
    for current in range(currents(pack.others)):
        for n in range(first, last):
            vv, vi, ii, vv_more, vi_more, ii_more = both_factors(spikes.time[n], current, 0, pack, pack.clock.terms)
            own = moved(factors, current * FACTORS * SIDE_BY_SIDE + n - first)
            own[0], own[SIDE_BY_SIDE], own[2 * SIDE_BY_SIDE] = vv, vi, ii
            own[3 * SIDE_BY_SIDE], own[4 * SIDE_BY_SIDE], own[5 * SIDE_BY_SIDE] = vv_more, vi_more, ii_more


@inlined
def factors_at(k, current, factors):
    """The factors of spike `k` of a group, for arrivals at a current, as `both_factors` returns
    them."""
    own = moved(factors, current * FACTORS * SIDE_BY_SIDE + k)
    return (
        own[0], own[SIDE_BY_SIDE], own[2 * SIDE_BY_SIDE], own[3 * SIDE_BY_SIDE], own[4 * SIDE_BY_SIDE],
        own[5 * SIDE_BY_SIDE],
    )


@inlined
def address_of(delay, time, lane, ticks, size):
    """The address of an arrival at a lane, in a ring with `size` numbers per place; and whether the
    rests of spike and delay carry into the next bin.

    `delay, time`: ticks. `size`: a literal power of two. An ABSENT synapse gets the bin behind the
    ring, which nothing reads.
    """
    instant = delay + time
    # 32 bits are enough (`MOST_RING_BITS`), and twice as many fit into a vector.
    here = np.int32((instant & ticks.slot) >> ticks.bits) * np.int32(LANES)
    address = np.int32(size * ((np.int32(ticks.bins * LANES) if delay < 0 else here) + lane))
    return address, carries(instant, time, ticks)
