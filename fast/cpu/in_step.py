"""Spikes that arrive in step: at all neurons of a pack at one instant.

So it is where the synapses of a source have one delay, as along an axon, which may be 0, and the
neurons are alike (`fast.layout.arrays.Layer`). Such a spike is not deposited neuron by neuron. It
is listed in the bin ahead in which it arrives, with the part of `V` and of its current that an
arrival of weight 1 has at the end of that bin; there its weights, times these, are added at once.
It is chosen per source and pack, from the delays. Deposits in rows of cells, without a list, take
1.6 times as long (benchmarks/LOG.md, 12-01).
"""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, inlined, vectorised
from delayprop.fast.cpu.intrinsics import moved, pointer
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.layout.instants import arrival_of, in_bins
from delayprop.fast.physics.currents import current_of
from delayprop.fast.physics.factors import arrival_amounts, one_of
from delayprop.fast.physics.within_bin import weight_is_source

NO_SPIKE = -1


class InStep(NamedTuple):
    """The spikes under way that arrive in step, by pack. `last [packs, bins]`: the last of each bin
    ahead, NO_SPIKE: none. By spike number, modulo `room`: `before [packs, room]`, the one before in
    its bin; `of_one [packs, 2 * room]`: its part of `V` and of its current, per unit of weight;
    `rest [packs, room]`: the instant of its arrival in the bin.
    """

    last: np.ndarray
    before: np.ndarray
    of_one: np.ndarray
    rest: np.ndarray


@allocating
def empty_in_step(packs, room, layer):
    """Room for `room` spikes under way, a power of two."""
    like = layer.synapses.w.dtype
    return InStep(
        np.full((packs, layer.ticks.bins), NO_SPIKE, np.int32), np.empty((packs, room), np.int32),
        np.empty((packs, 2 * room), like), np.empty((packs, room), like),
    )


@inlined
def in_step_of(number, in_step):
    """Pointers to the lists of a pack."""
    return InStep(
        pointer(in_step.last[number]), pointer(in_step.before[number]), pointer(in_step.of_one[number]),
        pointer(in_step.rest[number]),
    )


@inlined
def list_in_step(n, time, source, both, mask, pack, in_step):
    """List spike `n` in the bin in which it arrives at all neurons of the pack.

    `time`: its instant, ticks; `both`: its six factors (`both_factors`); `mask`: of numbers of
    spikes. Pointers.
    """
    slot, rest, carried = arrival_of(pack.shared_delay[source], time, pack.ticks)
    vv, vi, ii = one_of(carried, both)
    shared, of_one, k = moved(pack.of_shared, 2 * source), moved(in_step.of_one, 2 * (n & mask)), n & mask
    of_one[0], of_one[1] = arrival_amounts(vv, vi, ii, shared[0], shared[1])
    in_step.rest[k], in_step.before[k], in_step.last[slot] = in_bins(rest, pack.ticks), in_step.last[slot], n


@vectorised
def add_in_step(slot, source, mask, pack, in_step, rows):
    """Add the arrivals in step of a bin to its rows, see `fast.cpu.bin_ahead.unzip`. Pointers."""
    n = in_step.last[slot]
    while n >= 0:
        w, of_one = moved(pack.w, source[n] * LANES), moved(in_step.of_one, 2 * (n & mask))
        row, of_V, of_I = moved(rows, current_of(source[n], pack) * (3 * LANES)), of_one[0], of_one[1]
        for lane in range(LANES):
            dV = of_V * w[lane]
            row[lane] += dV
            row[LANES + lane] += of_I * w[lane]
            row[2 * LANES + lane] += max(dV, pack.clock.zero)
        n = in_step.before[n & mask]


@inlined
def add_in_step_at(lane, slot, source, mask, pack, in_step, rows):
    """Add the arrivals in step of a bin to the rows of one lane, as `add_in_step` does for all.
    Pointers."""
    n = in_step.last[slot]
    while n >= 0:
        w, of_one = pack.w[source[n] * LANES + lane], moved(in_step.of_one, 2 * (n & mask))
        row, dV = moved(rows, current_of(source[n], pack) * (3 * LANES) + lane), of_one[0] * w
        row[0], row[LANES] = row[0] + dV, row[LANES] + of_one[1] * w
        row[2 * LANES] += max(dV, pack.clock.zero)
        n = in_step.before[n & mask]


@inlined
def collect_in_step(slot, lane, source, mask, in_step, pack, clock, is_last, rest, weight):
    """Write the arrivals in step of a bin at one lane into `rest, weight` from index 0 on, the
    latest spike first, and return their count. Those after `T` are left out.

    `slot`: of the bin; `mask`: of numbers of spikes. `in_step`: pointers.
    """
    count, n = 0, in_step.last[slot]
    while n >= 0:
        r, w = in_step.rest[n & mask], pack.synapses.w[source[n], lane]
        if not (is_last and r > clock.until):
            rest[count], weight[count] = r, source[n] if weight_is_source(pack.others) else w
            count += 1
        n = in_step.before[n & mask]
    return count


@inlined
def all_in_step(sources, pack):
    """Whether all spikes arrive in step, so that nothing is ever deposited. Pointers."""
    found = True
    for source in range(sources):
        found &= pack.shared_delay[source] >= 0
    return found
