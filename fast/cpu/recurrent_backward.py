"""Backward kernel of a recurrent layer: all blocks of neurons together.

In each bin the lanes with own events are marked. The layer's own spikes look the adjoint up at
their arrivals, a group at once. An arrival that needs an exact look-up waits until all later events
are solved: the spikes are then taken from the last to the first, and each jumps once its total
derivative is complete.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.cpu.backward import Found, enter_bin, leave_bin, most_in_a_trial
from fast.cpu.deposit import SIDE_BY_SIDE, ring_places
from fast.cpu.lookup import LookupScratch, look_up_plain, look_up_special
from fast.physics.adjoint import ADJOINT, BlockAdjoint, Events, end_of
from fast.physics.clock import SLOT
from fast.physics.compiling import allocating, compiled, inlined
from fast.physics.layout import block_of
from fast.physics.own_events import mark, note_event, take_spike
from fast.physics.polynomials import LANES


class Own(NamedTuple):
    """Own spikes of the layer, `copies` of each: `rest, source, dL_dt [spikes * copies]`."""

    rest: np.ndarray
    source: np.ndarray
    dL_dt: np.ndarray


class Work(NamedTuple):
    """Arrays of the sweep of every block, `[blocks, ...]`, reused by every trial.

    See `fast.cpu.backward.Work`. `scratch`: of a group of spikes, `[blocks, group, ...]`. `events`:
    of all blocks, but for `first_event [blocks, slots * LANES]` and `at_T [blocks, ADJOINT,
    LANES]`. `own`: own spikes.
    """

    ring: np.ndarray
    full_adjoint_ring: np.ndarray
    scratch: LookupScratch
    adjoint: np.ndarray
    solved: np.ndarray
    other: np.ndarray
    marked: np.ndarray
    position: np.ndarray
    drive: np.ndarray
    events: Events
    first_event: np.ndarray
    at_T: np.ndarray
    own: Own


@allocating
def work_for(layer, full, most, own):
    """Arrays for trials of at most `most` own spikes."""
    blocks, places = layer.packed_synapses.shape[0], ring_places(layer.slots)
    size = 2 * most + blocks * LANES
    group, number_type = max(SIDE_BY_SIDE, layer.copies), layer.packed_synapses.dtype
    scratch = LookupScratch(
        np.empty((blocks, group, LANES), np.int32), np.empty((blocks, group, 2 * LANES), number_type),
        np.empty((blocks, group, LANES)), np.empty((blocks, group), np.int64),
    )
    events = Events(
        np.empty(size), np.empty(size, np.int64), np.empty((size, ADJOINT)), np.empty((size, ADJOINT)),
        np.empty(0, np.int64), np.empty((0, LANES)),
    )
    return Work(
        np.zeros((blocks, places), number_type), np.zeros((blocks, places // 2 if full else 0, ADJOINT + 1)), scratch,
        np.zeros((blocks, ADJOINT, LANES)), np.zeros((blocks, ADJOINT, LANES)), np.zeros((ADJOINT, LANES)),
        np.zeros((blocks, LANES), np.uint8), np.zeros((blocks, LANES)), np.zeros((blocks, LANES)), events,
        np.empty((blocks, layer.slots * LANES), np.int64), np.zeros((blocks, ADJOINT, LANES)), own,
    )


@inlined
def adjoint_of(number, trial, given, layer, work, found):
    """The adjoint of one block: its part of every array, its chains, its adjoint at `T`."""
    e = work.events
    events = Events(e.rest, e.later, e.before, e.end, work.first_event[number], work.at_T[number])
    return BlockAdjoint(
        block_of(layer, number), work.ring[number], work.full_adjoint_ring[number], work.adjoint[number],
        work.solved[number], work.other, work.drive[number], work.position[number], work.marked[number], events,
        given.neuron_record[trial, number], given.dL_dy[trial, number], found.sums[number],
        found.dL_dconstants[number],
    )


@inlined
def scratch_of(number, scratch):
    """The scratch of one block."""
    return LookupScratch(
        scratch.ring_offset[number], scratch.found[number], scratch.driven[number], scratch.special[number]
    )


@compiled
def look_up_everywhere(trial, here, size, first, last, spikes, given, layer, clock, work, found, dL_dt):
    """`look_up_plain` in every block; `spikes` has `rest, source`; `dL_dt`: empty unless wanted."""
    for number in range(layer.packed_synapses.shape[0]):
        b = adjoint_of(number, trial, given, layer, work, found)
        look_up_plain(
            here, size, first, last, spikes.rest, spikes.source, clock, given.want_tau,
            scratch_of(number, work.scratch), b, dL_dt,
        )


@compiled
def look_up_special_everywhere(trial, bin_, base, first, last, spikes, given, layer, clock, work, found, dL_dt):
    """`look_up_special` in every block, of spikes `first..last-1` of the group from `base` on."""
    for number in range(layer.packed_synapses.shape[0]):
        b = adjoint_of(number, trial, given, layer, work, found)
        look_up_special(
            bin_, base, first, last, spikes.rest, spikes.source, clock, given.want_tau,
            scratch_of(number, work.scratch), b, dL_dt,
        )


@inlined
def mark_spikes(trial, bin_, slot, e, e_first, e_last, given, layer, clock, work, found):
    """Mark the lanes of the own spikes of a bin, the last of which is `e - 1`; returns the first.

    Until its events are solved, the events of such a lane end with the bin.
    """
    emitted, after_maxima = given.emitted, e_last - 2 * e_first + layer.packed_synapses.shape[0] * LANES
    while e > e_first and emitted.bin[e - 1] == bin_:
        e -= 1
        number, lane = emitted.neuron[e] // LANES, emitted.neuron[e] % LANES
        b = adjoint_of(number, trial, given, layer, work, found)
        mark(lane, bin_, slot, clock, b)
        if b.events.first[slot + lane] < 0:
            note_event(after_maxima + e, lane, slot, end_of(bin_, clock), b.adjoint, b)
    return e


@inlined
def take_spikes(trial, bin_, ring_index, e, later, e_first, given, layer, clock, work, found):
    """Let the own spikes `e..later-1` of a bin look their arrivals up, and jump."""
    number_type, slot = layer.packed_synapses.dtype.type, ring_index * LANES
    here, size = number_type(ring_index * SLOT), number_type(layer.slots * SLOT)
    emitted, own, copies = given.emitted, work.own, layer.copies
    at_once = max(1, SIDE_BY_SIDE // copies)
    while later > e:
        base = max(e, later - at_once)
        look_up_everywhere(
            trial, here, size, base * copies, later * copies, own, given, layer, clock, work, found, own.dL_dt
        )
        for spike in range(later - 1, base - 1, -1):
            first, dL_dt = spike * copies, given.dL_dt[spike]
            look_up_special_everywhere(
                trial, bin_, base * copies, first, first + copies, own, given, layer, clock, work, found, own.dL_dt
            )
            for copy in range(copies):
                dL_dt += own.dL_dt[first + copy]
            number, lane = emitted.neuron[spike] // LANES, emitted.neuron[spike] % LANES
            b = adjoint_of(number, trial, given, layer, work, found)
            x = float(emitted.rest[spike])
            take_spike(spike - e_first, lane, bin_, slot, x, emitted.I[spike], dL_dt, clock, given.want_tau, b)
        later = base


@compiled
def recurrent_backward_trial(trial, e_first, e_last, given, layer, clock, work, found):
    """All blocks in one trial, whose spikes are `e_first..e_last-1`; adds to `found`."""
    arriving, slots, rate = given.arriving, layer.slots, layer.rate
    number_type, blocks = layer.packed_synapses.dtype.type, layer.packed_synapses.shape[0]
    size, T = number_type(slots * SLOT), clock.last + float(clock.end)
    work.ring[:], work.full_adjoint_ring[:], work.adjoint[:], work.at_T[:] = clock.zero, 0.0, 0.0, 0.0
    for number in range(blocks):
        for lane in range(LANES):
            work.drive[number, lane] = given.dL_dy[trial, number, lane] / T if rate >= 0.0 else 0.0
    n, n_first, e = arriving.offsets[trial + 1], arriving.offsets[trial], e_last
    ring_index = clock.last % slots
    for bin_ in range(clock.last, -1, -1):
        here, slot = number_type(ring_index * SLOT), ring_index * LANES
        damping = math.exp(-rate * (bin_ + 1)) if rate >= 0.0 else 0.0
        for number in range(blocks):
            b = adjoint_of(number, trial, given, layer, work, found)
            enter_bin(bin_, slot, damping, e_last - e_first + number * LANES, clock, given.want_tau, b)
        later = e
        e = mark_spikes(trial, bin_, slot, e, e_first, e_last, given, layer, clock, work, found)
        take_spikes(trial, bin_, ring_index, e, later, e_first, given, layer, clock, work, found)
        for number in range(blocks):
            b = adjoint_of(number, trial, given, layer, work, found)
            leave_bin(bin_, damping, True, clock, given.want_tau, b)
        last = n
        while n > n_first and arriving.bin[n - 1] == bin_:
            n -= 1
        for first in range(n, last, SIDE_BY_SIDE):
            stop = min(first + SIDE_BY_SIDE, last)
            look_up_everywhere(
                trial, here, size, first, stop, arriving, given, layer, clock, work, found, found.dL_dt_pre
            )
            look_up_special_everywhere(
                trial, bin_, first, first, stop, arriving, given, layer, clock, work, found, found.dL_dt_pre
            )
        ring_index = ring_index - 1 if ring_index > 0 else slots - 1


@allocating
def recurrent_backward_sweep(first_trial, last_trial, given, layer, clock):
    """All blocks of a recurrent layer in trials `first_trial..last_trial-1`; `Found`, by block."""
    blocks, copies, dtype = layer.packed_synapses.shape[0], layer.copies, layer.packed_synapses.dtype
    found = Found(
        np.zeros((blocks, layer.packed_synapses.shape[1], 2 * LANES), dtype),
        np.zeros(given.arriving.rest.size if given.want_dt else 0), np.zeros((blocks, 4, LANES)),
    )
    spikes = given.dL_dt.size
    own = Own(
        np.empty(spikes * copies, dtype), np.empty(spikes * copies, np.int32), np.zeros(max(1, spikes * copies))
    )
    for e in range(spikes):
        for copy in range(copies):
            own.rest[e * copies + copy] = given.emitted.rest[e]
            own.source[e * copies + copy] = layer.external + copy * layer.post + given.emitted.neuron[e]
    work = work_for(layer, layer.rate >= 0.0 or given.want_tau, most_in_a_trial(given.ends), own)
    e_first = 0
    for trial in range(first_trial, last_trial):
        e_last = given.ends[trial - first_trial]
        recurrent_backward_trial(trial, e_first, e_last, given, layer, clock, work, found)
        e_first = e_last
    return found
