"""Backward kernel of a recurrent layer: all blocks of neurons together.

In each bin its own spikes are taken from the last to the first: a spike looks up what it is worth at its arrivals,
those in this same bin among them, for which all later events are known by then; and then it jumps.
"""

from __future__ import annotations

import math

import numpy as np

from fast.adjoint import ADJOINT, Events, drive_at, jump_at_spike, note_event
from fast.backward import back_to, mark, take_maxima
from fast.bins import SLOT
from fast.compiling import allocating, compiled, inlined
from fast.deposit import SIDE_BY_SIDE, ring_places
from fast.gather import look_up_arrivals, scratch_for
from fast.lanes import publish, publish_whole, retreat, retreat_whole
from fast.pointers import pointer
from fast.polynomials import LANES


@inlined
def events_of(block, events, first_event, at_T):
    """The events of all blocks as one block sees them: with its own chains, and its own adjoint at `T`."""
    return Events(events.rest, events.later, events.before, events.end, first_event[block], at_T[block])


@compiled
def look_up_everywhere(
    here, size, bin_, first, last, rest, source, layer, at, want_tau, ring, whole_ring, kept, events, first_event,
    at_T, dL_dy, drive, scratch, other, sums, of_constants, worth,
):  # fmt: skip
    """`look_up_arrivals` in every block, and what the spikes are worth, into `worth` (empty: not wanted)."""
    for b in range(layer.rows.shape[0]):
        look_up_arrivals(
            here, size, bin_, first, last, rest, source, layer.rows[b], layer.flow[b], layer.constants[b],
            layer.coefficients[b], at, layer.rate, want_tau, ring[b], whole_ring[b], kept[b],
            events_of(b, events, first_event, at_T), dL_dy[b], drive[b], scratch, other, sums[b], of_constants[b],
            worth,
        )  # fmt: skip


@allocating
def recurrent_backward_sweep(
    first_trial, last_trial, arriving, emitted, ends, dL_dt, dL_dy, kept_of_all, layer, at, want_dt, want_tau
):
    """All blocks of a recurrent layer in trials `first_trial..last_trial-1`; as `backward.backward_sweep`.

    Returns the same, for every block: `[blocks, ...]`.
    """
    blocks, slots, rate = layer.rows.shape[0], layer.slots, layer.rate
    integral_read, whole = rate >= 0.0, rate >= 0.0 or want_tau
    number_type = layer.rows.dtype.type
    size, T = number_type(slots * SLOT), at.last + float(at.end)
    places = ring_places(slots)
    ring = np.zeros((blocks, places), layer.rows.dtype)
    whole_ring = np.zeros((blocks, places // 2 if whole else 0, ADJOINT + 1))
    scratch, other = scratch_for(layer.rows), np.zeros((ADJOINT, LANES))
    adjoint, solved = np.zeros((blocks, ADJOINT, LANES)), np.zeros((blocks, ADJOINT, LANES))
    marked, position = np.zeros((blocks, LANES), np.uint8), np.zeros((blocks, LANES))
    drive = np.zeros((blocks, LANES))
    sums = np.zeros((blocks, layer.rows.shape[1], 2 * LANES), layer.rows.dtype)
    of_constants = np.zeros((blocks, 4, LANES))
    worth = np.zeros(arriving.rest.size if want_dt else 0)
    worth_of_own, source = dL_dt.copy(), np.empty(dL_dt.size, np.int32)
    most = 0
    for trial in range(last_trial - first_trial):
        most = max(most, ends[trial] - (ends[trial - 1] if trial > 0 else 0))
    n_events = most + blocks * LANES
    events = Events(
        np.empty(n_events), np.empty(n_events, np.int64), np.empty((n_events, ADJOINT)), np.empty((n_events, ADJOINT)),
        np.empty(0, np.int64), np.empty((0, LANES)),
    )  # fmt: skip
    first_event, at_T = np.empty((blocks, slots * LANES), np.int64), np.zeros((blocks, ADJOINT, LANES))
    for trial in range(first_trial, last_trial):
        kept, dL_dy_here = kept_of_all[trial], dL_dy[trial]
        e_first = ends[trial - first_trial - 1] if trial > first_trial else 0
        e = ends[trial - first_trial] - 1
        ring[:], adjoint[:], at_T[:] = at.zero, 0.0, 0.0
        whole_ring[:] = 0.0
        for b in range(blocks):
            for lane in range(LANES):
                drive[b, lane] = dL_dy_here[b, lane] / T if integral_read else 0.0
        n, n_first, turn = arriving.offsets[trial + 1], arriving.offsets[trial], at.last % slots
        for bin_ in range(at.last, -1, -1):
            here, slot, end = number_type(turn * SLOT), turn * LANES, float(at.end) if bin_ == at.last else 1.0
            damping = math.exp(-rate * (bin_ + 1)) if integral_read else 0.0
            for b in range(blocks):
                publish(slot, pointer(adjoint[b]), pointer(ring[b]), pointer(first_event[b]))
                if whole:
                    publish_whole(slot, adjoint[b], drive[b], damping, whole_ring[b])
                if integral_read and bin_ == at.last:  # it ends at T, and not at the end of the bin
                    for lane in range(LANES):
                        mark(lane, slot, end, adjoint[b], ring[b], marked[b], position[b], solved[b])
                if layer.read_maximum:
                    of_block = events_of(b, events, first_event, at_T)
                    take_maxima(
                        bin_, slot, end, kept[b], dL_dy_here[b], adjoint[b], drive[b], layer.constants[b],
                        layer.coefficients[b], at, rate, want_tau, ring[b], marked[b], position[b], solved[b], of_block,
                        most + b * LANES,
                    )  # fmt: skip
            while e >= e_first and emitted.bin[e] == bin_:
                for copy in range(layer.copies):
                    source[e] = layer.external + copy * layer.post + emitted.neuron[e]
                    look_up_everywhere(
                        here, size, bin_, e, e + 1, emitted.rest, source, layer, at, want_tau, ring, whole_ring, kept,
                        events, first_event, at_T, dL_dy_here, drive, scratch, other, sums, of_constants, worth_of_own,
                    )  # fmt: skip
                b, lane = emitted.neuron[e] // LANES, emitted.neuron[e] % LANES
                x, constants, coefficients = float(emitted.rest[e]), layer.constants[b], layer.coefficients[b]
                mark(lane, slot, end, adjoint[b], ring[b], marked[b], position[b], solved[b])
                back_to(x, lane, bin_, position[b], drive[b], constants, coefficients, at, rate, want_tau, solved[b])
                g = drive_at(drive[b], lane, bin_, x, rate)
                jump_at_spike(solved[b], lane, emitted.I[e], worth_of_own[e], g, constants, of_constants[b], want_tau)
                of_block = events_of(b, events, first_event, at_T)
                note_event(e - e_first, lane, slot, x, solved[b], adjoint[b], of_block)
                e -= 1
            for b in range(blocks):
                for lane in range(LANES):
                    if marked[b, lane]:
                        back_to(
                            0.0, lane, bin_, position[b], drive[b], layer.constants[b], layer.coefficients[b], at, rate,
                            want_tau, solved[b],
                        )  # fmt: skip
                if whole:
                    retreat_whole(adjoint[b], layer.flow[b], drive[b], damping, rate, marked[b], solved[b])
                else:
                    retreat(pointer(adjoint[b]), pointer(layer.flow[b]), pointer(marked[b]), pointer(solved[b]))
            marked[:] = 0
            last = n
            while n > n_first and arriving.bin[n - 1] == bin_:
                n -= 1
            for first in range(n, last, SIDE_BY_SIDE):
                stop = min(first + SIDE_BY_SIDE, last)
                look_up_everywhere(
                    here, size, bin_, first, stop, arriving.rest, arriving.source, layer, at, want_tau, ring,
                    whole_ring, kept, events, first_event, at_T, dL_dy_here, drive, scratch, other, sums, of_constants,
                    worth,
                )  # fmt: skip
            turn = turn - 1 if turn > 0 else slots - 1
    return sums, worth, of_constants
