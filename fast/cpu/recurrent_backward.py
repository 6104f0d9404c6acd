"""Backward kernel of a recurrent layer: all blocks of neurons together.

In each bin the lanes with own events are marked. Its own spikes look the adjoint up at their arrivals, a group at once;
where an arrival needs it exactly, that waits until all later events are known: the spikes are then taken from the last
to the first, and each jumps once what it is worth is complete.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.cpu.backward import back_to, mark, take_maxima
from fast.cpu.deposit import SIDE_BY_SIDE, ring_places
from fast.cpu.lookup import Scratch, look_up_plain, look_up_special
from fast.cpu.pointers import pointer
from fast.cpu.vector_step import publish, publish_full, retreat, retreat_full
from fast.physics.adjoint import ADJOINT, Events, drive_at, jump_at_spike, note_event
from fast.physics.clock import SLOT
from fast.physics.compiling import allocating, compiled, inlined
from fast.physics.polynomials import LANES


class Own(NamedTuple):
    """The layer's own spikes as they arrive, `copies` for each, in order: `rest, source, dL_dt_pre [spikes * copies]`."""

    rest: np.ndarray
    source: np.ndarray
    dL_dt_pre: np.ndarray


class Work(NamedTuple):
    """What the sweep works in, of every block, `[blocks, ...]`; see `fast.cpu.backward.Work`.

    `scratch`: of a group, `[blocks, group, ...]`. `first_event [blocks, slots * LANES], at_T`: as `fast.physics.adjoint.Events`
    has them.
    """

    ring: np.ndarray
    full_adjoint_ring: np.ndarray
    scratch: Scratch
    adjoint: np.ndarray
    solved: np.ndarray
    other: np.ndarray
    marked: np.ndarray
    position: np.ndarray
    drive: np.ndarray
    events: Events
    first_event: np.ndarray
    at_T: np.ndarray


@allocating
def work_for(layer, whole, most):
    """Room to work in, for trials of at most so many spikes."""
    blocks, places, size = layer.packed_synapses.shape[0], ring_places(layer.slots), 2 * most + layer.packed_synapses.shape[0] * LANES
    group, number_type = max(SIDE_BY_SIDE, layer.copies), layer.packed_synapses.dtype
    scratch = Scratch(
        np.empty((blocks, group, LANES), np.int32), np.empty((blocks, group, 2 * LANES), number_type),
        np.empty((blocks, group, LANES)), np.empty((blocks, group), np.int64),
    )
    events = Events(
        np.empty(size), np.empty(size, np.int64), np.empty((size, ADJOINT)), np.empty((size, ADJOINT)),
        np.empty(0, np.int64), np.empty((0, LANES)),
    )
    return Work(
        np.zeros((blocks, places), number_type), np.zeros((blocks, places // 2 if whole else 0, ADJOINT + 1)), scratch,
        np.zeros((blocks, ADJOINT, LANES)), np.zeros((blocks, ADJOINT, LANES)), np.zeros((ADJOINT, LANES)),
        np.zeros((blocks, LANES), np.uint8), np.zeros((blocks, LANES)), np.zeros((blocks, LANES)), events,
        np.empty((blocks, layer.slots * LANES), np.int64), np.zeros((blocks, ADJOINT, LANES)),
    )


@inlined
def scratch_of(block, scratch):
    """That of one block."""
    return Scratch(scratch.ring_offset[block], scratch.found[block], scratch.driven[block], scratch.special[block])


@inlined
def events_of(block, work):
    """The events of all blocks as one block sees them: with its own chains, and its own adjoint at `T`."""
    e = work.events
    return Events(e.rest, e.later, e.before, e.end, work.first_event[block], work.at_T[block])


@compiled
def look_up_everywhere(here, size, first, last, rest, source, layer, clock, want_tau, work, sums, dL_dconstants, dL_dt_pre):
    """`look_up_plain` in every block; `dL_dt_pre`: of the spikes, empty: not wanted."""
    for b in range(layer.packed_synapses.shape[0]):
        look_up_plain(
            here, size, first, last, rest, source, layer.packed_synapses[b], layer.flow[b], layer.constants[b],
            layer.coefficients[b], clock, layer.rate, want_tau, work.ring[b], work.full_adjoint_ring[b],
            scratch_of(b, work.scratch), work.other, sums[b], dL_dconstants[b], dL_dt_pre,
        )


@compiled
def look_up_special_everywhere(
    bin_, base, first, last, rest, source, layer, clock, want_tau, neuron_record, dL_dy, work, sums, dL_dconstants, dL_dt_pre
):
    """`look_up_special` in every block, of spikes `first..last-1` of the group that began with `base`."""
    for b in range(layer.packed_synapses.shape[0]):
        look_up_special(
            bin_, base, first, last, rest, source, layer.packed_synapses[b], layer.constants[b], layer.coefficients[b], clock,
            layer.rate, scratch_of(b, work.scratch), neuron_record[b], events_of(b, work), dL_dy[b], work.drive[b], work.other,
            want_tau, sums[b], dL_dconstants[b], dL_dt_pre,
        )


@inlined
def enter_bin(slot, bin_, end, damping, first_maximum, neuron_record, dL_dy, layer, clock, want_tau, work):
    """Publish the adjoint at the end of a bin, and take the maxima in it."""
    rate = layer.rate
    for b in range(layer.packed_synapses.shape[0]):
        publish(slot, pointer(work.adjoint[b]), pointer(work.ring[b]), pointer(work.first_event[b]))
        if rate >= 0.0 or want_tau:
            publish_full(slot, work.adjoint[b], work.drive[b], damping, work.full_adjoint_ring[b])
        if rate >= 0.0 and bin_ == clock.last:  # it ends at T, and not at the end of the bin
            for lane in range(LANES):
                mark(lane, slot, end, work.adjoint[b], work.ring[b], work.marked[b], work.position[b], work.solved[b])
        if layer.read_maximum:
            take_maxima(
                bin_, slot, end, neuron_record[b], dL_dy[b], work.adjoint[b], work.drive[b], layer.constants[b],
                layer.coefficients[b], clock, rate, want_tau, work.ring[b], work.marked[b], work.position[b],
                work.solved[b], events_of(b, work), first_maximum + b * LANES,
            )


@inlined
def leave_bin(bin_, damping, layer, clock, want_tau, work):
    """Take every lane to the start of a bin."""
    for b in range(layer.packed_synapses.shape[0]):
        for lane in range(LANES):
            if work.marked[b, lane]:
                back_to(
                    0.0, lane, bin_, work.position[b], work.drive[b], layer.constants[b], layer.coefficients[b], clock,
                    layer.rate, want_tau, work.solved[b],
                )
        if layer.rate >= 0.0 or want_tau:
            retreat_full(
                work.adjoint[b], layer.flow[b], work.drive[b], damping, layer.rate, work.marked[b], work.solved[b]
            )
        else:
            retreat(pointer(work.adjoint[b]), pointer(layer.flow[b]), pointer(work.marked[b]), pointer(work.solved[b]))
    work.marked[:] = 0


@compiled
def recurrent_backward_trial(
    trial, arriving, emitted, e_first, e_last, dL_dt, dL_dy, neuron_record, layer, clock, want_tau, work, own, sums, dL_dt_pre,
    dL_dconstants,
):
    """All blocks in one trial, whose spikes are `e_first..e_last-1`; adds to `sums`, `dL_dt_pre` and `dL_dconstants`."""
    slots, rate, copies, number_type = layer.slots, layer.rate, layer.copies, layer.packed_synapses.dtype.type
    size, T, spikes, blocks = number_type(slots * SLOT), clock.last + float(clock.end), e_last - e_first, layer.packed_synapses.shape[0]
    work.ring[:], work.full_adjoint_ring[:], work.adjoint[:], work.at_T[:] = clock.zero, 0.0, 0.0, 0.0
    for b in range(layer.packed_synapses.shape[0]):
        for lane in range(LANES):
            work.drive[b, lane] = dL_dy[b, lane] / T if rate >= 0.0 else 0.0
    n, n_first, ring_index, e = arriving.offsets[trial + 1], arriving.offsets[trial], clock.last % slots, e_last
    for bin_ in range(clock.last, -1, -1):
        here, slot, end = number_type(ring_index * SLOT), ring_index * LANES, float(clock.end) if bin_ == clock.last else 1.0
        damping = math.exp(-rate * (bin_ + 1)) if rate >= 0.0 else 0.0
        enter_bin(slot, bin_, end, damping, spikes, neuron_record, dL_dy, layer, clock, want_tau, work)
        later = e
        while e > e_first and emitted.bin[e - 1] == bin_:
            e -= 1
            b, lane = emitted.neuron[e] // LANES, emitted.neuron[e] % LANES
            mark(lane, slot, end, work.adjoint[b], work.ring[b], work.marked[b], work.position[b], work.solved[b])
            if work.first_event[b, slot + lane] < 0:  # until its events are known, they end with the bin
                note_event(
                    spikes + blocks * LANES + e - e_first, lane, slot, end, work.adjoint[b], work.adjoint[b],
                    events_of(b, work),
                )
        at_once = max(1, SIDE_BY_SIDE // copies)
        while later > e:
            base = max(e, later - at_once)
            look_up_everywhere(
                here, size, base * copies, later * copies, own.rest, own.source, layer, clock, want_tau, work, sums,
                dL_dconstants, own.dL_dt_pre,
            )
            for spike in range(later - 1, base - 1, -1):
                first, dL_dt_here = spike * copies, dL_dt[spike]
                look_up_special_everywhere(
                    bin_, base * copies, first, first + copies, own.rest, own.source, layer, clock, want_tau, neuron_record, dL_dy,
                    work, sums, dL_dconstants, own.dL_dt_pre,
                )
                for copy in range(copies):
                    dL_dt_here += own.dL_dt_pre[first + copy]
                b, lane = emitted.neuron[spike] // LANES, emitted.neuron[spike] % LANES
                x, constants, coefficients = float(emitted.rest[spike]), layer.constants[b], layer.coefficients[b]
                position, drive, solved = work.position[b], work.drive[b], work.solved[b]
                back_to(x, lane, bin_, position, drive, constants, coefficients, clock, rate, want_tau, solved)
                g = drive_at(drive, lane, bin_, x, rate)
                jump_at_spike(solved, lane, emitted.I[spike], dL_dt_here, g, constants, dL_dconstants[b], want_tau)
                note_event(spike - e_first, lane, slot, x, solved, work.adjoint[b], events_of(b, work))
            later = base
        leave_bin(bin_, damping, layer, clock, want_tau, work)
        last = n
        while n > n_first and arriving.bin[n - 1] == bin_:
            n -= 1
        for first in range(n, last, SIDE_BY_SIDE):
            stop = min(first + SIDE_BY_SIDE, last)
            look_up_everywhere(
                here, size, first, stop, arriving.rest, arriving.source, layer, clock, want_tau, work, sums, dL_dconstants,
                dL_dt_pre,
            )
            look_up_special_everywhere(
                bin_, first, first, stop, arriving.rest, arriving.source, layer, clock, want_tau, neuron_record, dL_dy, work, sums,
                dL_dconstants, dL_dt_pre,
            )
        ring_index = ring_index - 1 if ring_index > 0 else slots - 1


@allocating
def recurrent_backward_sweep(
    first_trial, last_trial, arriving, emitted, ends, dL_dt, dL_dy, neuron_record, layer, clock, want_dt, want_tau
):
    """All blocks of a recurrent layer in trials `first_trial..last_trial-1`; as `backward.backward_sweep`.

    Returns the same, for every block: `[blocks, ...]`.
    """
    blocks, copies = layer.packed_synapses.shape[0], layer.copies
    sums = np.zeros((blocks, layer.packed_synapses.shape[1], 2 * LANES), layer.packed_synapses.dtype)
    dL_dconstants, dL_dt_pre = np.zeros((blocks, 4, LANES)), np.zeros(arriving.rest.size if want_dt else 0)
    most, e_first = 0, 0
    for e_last in ends:
        most, e_first = max(most, e_last - e_first), e_last
    own = Own(
        np.empty(dL_dt.size * copies, layer.packed_synapses.dtype), np.empty(dL_dt.size * copies, np.int32),
        np.zeros(max(1, dL_dt.size * copies)),
    )
    for e in range(dL_dt.size):
        for copy in range(copies):
            own.rest[e * copies + copy] = emitted.rest[e]
            own.source[e * copies + copy] = layer.external + copy * layer.post + emitted.neuron[e]
    work, e_first = work_for(layer, layer.rate >= 0.0 or want_tau, most), 0
    for trial in range(first_trial, last_trial):
        e_last = ends[trial - first_trial]
        recurrent_backward_trial(
            trial, arriving, emitted, e_first, e_last, dL_dt, dL_dy[trial], neuron_record[trial], layer, clock, want_tau, work, own,
            sums, dL_dt_pre, dL_dconstants,
        )
        e_first = e_last
    return sums, dL_dt_pre, dL_dconstants
