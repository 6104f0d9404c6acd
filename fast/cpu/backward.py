"""Backward kernel: one sweep back through time, for one block of neurons side by side.

In each bin, from the last to the first,
1. the adjoint at its end is published in the ring; where a lane has an own event (a spike, or the maximum that is read)
   it is NaN, and the events are taken one by one (`fast.physics.adjoint`);
2. all lanes go back to the start of the bin, in one step where there was no event;
3. the spikes from outside that are emitted in it look the adjoint up at their arrivals (`fast.cpu.lookup`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.cpu.deposit import SIDE_BY_SIDE, ring_places
from fast.cpu.lookup import Scratch, look_up_plain, look_up_special, scratch_for
from fast.cpu.pointers import pointer
from fast.cpu.vector_step import publish, publish_full, retreat, retreat_full
from fast.physics.adjoint import (
    ADJOINT,
    LAMBDA_V,
    Events,
    drive_at,
    flow_back,
    jump_at_spike,
    note_event,
)
from fast.physics.clock import SLOT
from fast.physics.compiling import allocating, compiled, inlined
from fast.physics.polynomials import LANES
from fast.physics.within_bin import MAX_BIN, MAX_GROUP, MAX_REST


@inlined
def mark(lane, slot, end, adjoint, ring, marked, position, solved):
    """Mark a lane that is to be solved in this bin: from its `end`, and what is looked up in it exactly."""
    if not marked[lane]:
        marked[lane], position[lane] = 1, end
        ring[2 * (slot + lane)] = math.nan
        for k in range(ADJOINT):
            solved[k, lane] = adjoint[k, lane]


@inlined
def back_to(x, lane, bin_, position, drive, constants, coefficients, clock, rate, want_tau, solved):
    """Take the solved adjoint of a lane back from its `position` in the bin to `x`."""
    h, g = position[lane] - x, drive_at(drive, lane, bin_, position[lane], rate)
    flow_back(solved, lane, h, g, constants, coefficients, clock.terms, rate, want_tau)
    position[lane] = x


@compiled
def take_maxima(
    bin_, slot, end, neuron_record, dL_dy, adjoint, drive, constants, coefficients, clock, rate, want_tau, ring, marked, position,
    solved, events, first_event,
):
    """Let the largest voltages that are reached in this bin kick the adjoint; returns whether there are any."""
    found = False
    for lane in range(LANES):
        if neuron_record[MAX_BIN, lane] != bin_:
            continue
        found, kick = True, -dL_dy[lane] * constants[0, lane]
        mark(lane, slot, end, adjoint, ring, marked, position, solved)
        if bin_ == clock.last and neuron_record[MAX_REST, lane] == clock.end and neuron_record[MAX_GROUP, lane] == 0.0:
            # at T, after the arrivals there
            solved[LAMBDA_V, lane] += kick
            events.at_T[LAMBDA_V, lane] = solved[LAMBDA_V, lane]
        else:
            back_to(
                neuron_record[MAX_REST, lane], lane, bin_, position, drive, constants, coefficients, clock, rate, want_tau, solved
            )
            solved[LAMBDA_V, lane] += kick
            note_event(first_event + lane, lane, slot, neuron_record[MAX_REST, lane], solved, adjoint, events)
    return found


class Work(NamedTuple):
    """What the sweep of one block needs to work in; nothing of it outlasts a trial.

    `ring [places]`: `lambda_V, lambda_I` at the ends of the bins ahead. `full_adjoint_ring [places / 2, ADJOINT + 1]`: all of
    the adjoint and what drives it, if that is needed. `adjoint, solved, other [ADJOINT, LANES]`: that of every lane,
    what was found where `marked [LANES]`, from which `position` in the bin on; scratch. `drive [LANES]`: of an integral
    readout.
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


@allocating
def work_for(packed_synapses, slots, whole, most):
    """Room to work in, for trials of at most so many spikes."""
    size, places = most + LANES, ring_places(slots)
    events = Events(
        np.empty(size), np.empty(size, np.int64), np.empty((size, ADJOINT)), np.empty((size, ADJOINT)),
        np.empty(slots * LANES, np.int64), np.zeros((ADJOINT, LANES)),
    )
    return Work(
        np.zeros(places, packed_synapses.dtype), np.zeros((places // 2 if whole else 0, ADJOINT + 1)),
        scratch_for(packed_synapses), np.zeros((ADJOINT, LANES)), np.zeros((ADJOINT, LANES)), np.zeros((ADJOINT, LANES)),
        np.zeros(LANES, np.uint8), np.zeros(LANES), np.zeros(LANES), events,
    )


@compiled
def backward_trial(
    trial, block, arriving, emitted, e_first, e_last, dL_dt, dL_dy, neuron_record, layer, clock, want_tau, work, sums, dL_dt_pre,
    dL_dconstants,
):
    """One block in one trial, whose spikes are `e_first..e_last-1`; adds to `sums`, `dL_dt_pre` and `dL_dconstants`."""
    slots, rate = layer.slots, layer.rate
    integral_read, whole = rate >= 0.0, rate >= 0.0 or want_tau
    packed_synapses, flow, constants = layer.packed_synapses[block], layer.flow[block], layer.constants[block]
    coefficients, number_type = layer.coefficients[block], packed_synapses.dtype.type
    size, T = number_type(slots * SLOT), clock.last + float(clock.end)
    ring, full_adjoint_ring, drive, events = work.ring, work.full_adjoint_ring, work.drive, work.events
    adjoint, solved, marked, position = work.adjoint, work.solved, work.marked, work.position
    ring[:], adjoint[:], events.at_T[:] = clock.zero, 0.0, 0.0
    if whole:
        full_adjoint_ring[:] = 0.0
    for lane in range(LANES):
        drive[lane] = dL_dy[lane] / T if integral_read else 0.0
    n, n_first, ring_index, e = arriving.offsets[trial + 1], arriving.offsets[trial], clock.last % slots, e_last - 1
    for bin_ in range(clock.last, -1, -1):
        here, slot, end = number_type(ring_index * SLOT), ring_index * LANES, float(clock.end) if bin_ == clock.last else 1.0
        damping = math.exp(-rate * (bin_ + 1)) if integral_read else 0.0
        publish(slot, pointer(adjoint), pointer(ring), pointer(events.first))
        if whole:
            publish_full(slot, adjoint, drive, damping, full_adjoint_ring)
        any_marked = False
        if integral_read and bin_ == clock.last:  # it ends at T, and not at the end of the bin
            any_marked = True
            for lane in range(LANES):
                mark(lane, slot, end, adjoint, ring, marked, position, solved)
        if layer.read_maximum:
            any_marked |= take_maxima(
                bin_, slot, end, neuron_record, dL_dy, adjoint, drive, constants, coefficients, clock, rate, want_tau, ring,
                marked, position, solved, events, e_last - e_first,
            )
        while e >= e_first and emitted.bin[e] == bin_:
            lane, x, any_marked = emitted.neuron[e] - block * LANES, float(emitted.rest[e]), True
            mark(lane, slot, end, adjoint, ring, marked, position, solved)
            back_to(x, lane, bin_, position, drive, constants, coefficients, clock, rate, want_tau, solved)
            g = drive_at(drive, lane, bin_, x, rate)
            jump_at_spike(solved, lane, emitted.I[e], dL_dt[e], g, constants, dL_dconstants, want_tau)
            note_event(e - e_first, lane, slot, x, solved, adjoint, events)
            e -= 1
        if any_marked:
            for lane in range(LANES):
                if marked[lane]:
                    back_to(0.0, lane, bin_, position, drive, constants, coefficients, clock, rate, want_tau, solved)
        if whole:
            retreat_full(adjoint, flow, drive, damping, rate, marked, solved)
        else:
            retreat(pointer(adjoint), pointer(flow), pointer(marked), pointer(solved))
        if any_marked:
            marked[:] = 0
        last = n
        while n > n_first and arriving.bin[n - 1] == bin_:
            n -= 1
        for first in range(n, last, SIDE_BY_SIDE):
            stop = min(first + SIDE_BY_SIDE, last)
            any_special = look_up_plain(
                here, size, first, stop, arriving.rest, arriving.source, packed_synapses, flow, constants, coefficients, clock, rate,
                want_tau, ring, full_adjoint_ring, work.scratch, work.other, sums, dL_dconstants, dL_dt_pre,
            )
            if any_special:
                look_up_special(
                    bin_, first, first, stop, arriving.rest, arriving.source, packed_synapses, constants, coefficients, clock, rate,
                    work.scratch, neuron_record, events, dL_dy, drive, work.other, want_tau, sums, dL_dconstants, dL_dt_pre,
                )
        ring_index = ring_index - 1 if ring_index > 0 else slots - 1


@allocating
def backward_sweep(
    block, first_trial, last_trial, arriving, emitted, ends, dL_dt, dL_dy, neuron_record, layer, clock, want_dt, want_tau
):
    """One block of a layer that is not recurrent, in trials `first_trial..last_trial-1`.

    `emitted, ends`: its spikes as `forward_sweep` left them, `dL_dt` in the same order; `dL_dy [trial, block, LANES]`.

    Returns, added up over the trials:
        `[sources, 2 * LANES]`: sums of `lambda_I` and of `lambda_V - lambda_I` over the arrivals of each synapse;
        `[spikes]`: what the time of each spike from outside is worth (empty unless wanted);
        `[4, LANES]`: gradients of `tau_mem`, `tau_syn` (zeros unless wanted), `v_th`, `v_reset`.
    """
    packed_synapses = layer.packed_synapses[block]
    sums, dL_dconstants = np.zeros((packed_synapses.shape[0], 2 * LANES), packed_synapses.dtype), np.zeros((4, LANES))
    dL_dt_pre = np.zeros(arriving.rest.size if want_dt else 0)
    most, e_first = 0, 0
    for e_last in ends:
        most, e_first = max(most, e_last - e_first), e_last
    work, e_first = work_for(packed_synapses, layer.slots, layer.rate >= 0.0 or want_tau, most), 0
    for trial in range(first_trial, last_trial):
        e_last = ends[trial - first_trial]
        backward_trial(
            trial, block, arriving, emitted, e_first, e_last, dL_dt, dL_dy[trial, block], neuron_record[trial, block], layer, clock,
            want_tau, work, sums, dL_dt_pre, dL_dconstants,
        )
        e_first = e_last
    return sums, dL_dt_pre, dL_dconstants
