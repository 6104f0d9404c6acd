"""Forward kernel: one sweep through time, for blocks of neurons side by side.

In each bin
1. the spikes that come from outside and are emitted in it are deposited in the bins ahead (`fast.cpu.deposit`);
2. lanes whose voltage provably stays below what matters (the threshold; the largest voltage so far, if that is read)
   cross the bin in one step (`fast.cpu.vector_step`); the few others are solved event by event (`fast.physics.within_bin`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.cpu.cells import link_of
from fast.cpu.deposit import Ring, clear_ring, deposit, deposit_integral, empty_ring, scratch_for
from fast.cpu.pointers import pointer
from fast.cpu.vector_step import advance, integrate, step
from fast.physics.clock import SLOT
from fast.physics.compiling import allocating, compiled, inlined
from fast.physics.polynomials import LANES
from fast.physics.within_bin import (
    CROSSED,
    FULL,
    INTEGRAL,
    MAX_BIN,
    MAX_V,
    NONE,
    REACHED_END,
    RECENT_BIN,
    RECENT_REST,
    STUCK,
    USUAL,
    collect,
    no_spikes,
    stays_below,
    to_next_crossing,
    with_room,
)


@compiled
def new_level(neuron_record, lane, bin_, v_th, read_maximum):
    """What a lane's voltage must not pass unseen in the next bin.

    After a crossing at the end of this bin an arrival at the start of the next may be at the same instant: it is
    looked at in any case.
    """
    if neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] * 1.001 >= 1.0:
        return -math.inf
    if read_maximum and neuron_record[RECENT_BIN, lane] < 0.0:
        return min(v_th, neuron_record[MAX_V, lane])
    return v_th


@compiled
def start_trial(neuron_record, level, constants, read_maximum):
    """What is kept of each lane, and its level, before the first bin."""
    for lane in range(LANES):
        neuron_record[RECENT_BIN, lane], neuron_record[MAX_BIN, lane] = -1.0, -1.0
        level[lane] = new_level(neuron_record, lane, 0, constants[2, lane], read_maximum)


class Work(NamedTuple):
    """What the sweep of one block needs to work in; nothing of it outlasts a trial.

    `ring`: the bins ahead. `ring_offset, amount`: scratch of `deposit`. `next [spikes under way, LANES]`: links of the
    chains. `rest, weight`: arrivals of a bin that is solved. `state, ahead [2 * LANES]`: V and I of each lane,
    at the start and at the end of a bin. `level [LANES]`: what V may not pass unseen; `needs_solve [LANES]`: where it may.
    """

    ring: Ring
    ring_offset: np.ndarray
    amount: np.ndarray
    next: np.ndarray
    rest: np.ndarray
    weight: np.ndarray
    state: np.ndarray
    ahead: np.ndarray
    level: np.ndarray
    needs_solve: np.ndarray


@allocating
def work_for(packed_synapses, most, slots, integral_read, clock):
    """Room to work in, for so many spikes under way and bins ahead."""
    ring, scratch = empty_ring(slots, integral_read, clock), scratch_for(packed_synapses)
    return Work(
        ring, scratch.ring_offset, scratch.amount, np.empty((most, LANES), np.int32), np.empty(most, packed_synapses.dtype),
        np.empty(most, packed_synapses.dtype), np.empty(2 * LANES), np.empty(2 * LANES), np.empty(LANES),
        np.empty(LANES, np.uint8),
    )


@inlined
def solve_needed(
    slot, bin_, block, rest_of, source, packed_synapses, constants, coefficients, rate, read_maximum, clock, neuron_record, work, emitted, n
):
    """Solve the marked lanes of a block event by event, or find that they need not be; spikes are added to `n`.

    Returns:
        The number of spikes; and REACHED_END, or STUCK, or FULL if `emitted` has no more room.
    """
    is_last = bin_ == clock.last
    for lane in range(LANES):
        if not work.needs_solve[lane]:
            continue
        V, I, x, k = work.state[lane], work.state[LANES + lane], 0.0, 0
        count = collect(
            link_of(pointer(work.ring.cells), slot + lane),
            lane,
            rest_of,
            source,
            work.next,
            packed_synapses,
            clock,
            is_last,
            work.rest,
            work.weight,
        )
        if not is_last and stays_below(
            V, I, work.rest, work.weight, count, constants[0, lane], work.level[lane], 64 * clock.u
        ):
            work.needs_solve[lane] = 0
            continue
        four = (constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane])
        while True:
            V, I, x, k, status = to_next_crossing(
                V, I, x, k, work.rest, work.weight, count, bin_, four, clock, coefficients, lane, rate, read_maximum, neuron_record,
                True,
            )
            if status != CROSSED:
                break
            if n == emitted.bin.size:
                return n, FULL
            emitted.neuron[n], emitted.bin[n] = block * LANES + lane, bin_
            emitted.rest[n], emitted.I[n] = x, I
            n += 1
        if status == STUCK:
            return block * LANES + lane, STUCK
        work.ahead[lane], work.ahead[LANES + lane] = V, I
        work.level[lane] = new_level(neuron_record, lane, bin_, four[2], read_maximum)
    return n, REACHED_END


@compiled
def forward_trial(trial, block, arriving, layer, clock, neuron_record, work, emitted, n_emitted):
    """One block in one trial; fills `neuron_record [NEURON_RECORD, LANES]`. Returns the same as `solve_needed`."""
    slots, integral_read = layer.slots, layer.rate >= 0.0
    packed_synapses, flow, constants = layer.packed_synapses[block], layer.flow[block], layer.constants[block]
    coefficients, ring, mask = layer.coefficients[block], work.ring, work.next.shape[0] - 1
    rest_, source_, packed_, coefficients_ = (
        pointer(arriving.rest), pointer(arriving.source), pointer(packed_synapses), pointer(coefficients)
    )
    cells, integral, state, ahead = (
        pointer(ring.cells),
        pointer(ring.integral),
        pointer(work.state),
        pointer(work.ahead),
    )
    flow_, level, needs_solve = pointer(flow), pointer(work.level), pointer(work.needs_solve)
    number_type = packed_synapses.dtype.type
    size, slack = number_type(slots * SLOT), 64 * clock.u
    clear_ring(ring, clock)
    work.state[:] = 0.0
    start_trial(neuron_record, work.level, constants, layer.read_maximum)
    n, n_last, ring_index = arriving.offsets[trial], arriving.offsets[trial + 1], 0
    for bin_ in range(clock.last + 1):
        here, slot, first = number_type(ring_index * SLOT), ring_index * LANES, n
        while n < n_last and arriving.bin[n] == bin_:
            n += 1
        deposit(
            here, size, first, n, rest_, source_, pointer(work.next), mask, packed_, coefficients_, clock, cells,
            pointer(work.ring_offset), pointer(work.amount),
        )
        if integral_read:
            deposit_integral(here, size, first, n, rest_, source_, packed_, coefficients_, clock, integral)
        any_needs_solve = step(slot, state, flow_, level, cells, slack, needs_solve, ahead)
        if bin_ == clock.last:  # it ends at T, and not at the end of the bin
            for lane in range(LANES):
                if integral_read or link_of(cells, slot + lane) >= 0:
                    work.needs_solve[lane], any_needs_solve = 1, 1
        if any_needs_solve:
            n_emitted, status = solve_needed(
                slot, bin_, block, arriving.rest, arriving.source, packed_synapses, constants, coefficients, layer.rate,
                layer.read_maximum, clock, neuron_record, work, emitted, n_emitted,
            )
            if status != REACHED_END:
                return n_emitted, status
        if integral_read:
            weight_end = math.exp(-layer.rate * (bin_ + 1))
            integrate(slot, state, flow_, integral, weight_end, needs_solve, pointer(neuron_record[INTEGRAL]))
        advance(slot, state, ahead, cells)
        ring_index = ring_index + 1 if ring_index + 1 < slots else 0
    return n_emitted, REACHED_END


@allocating
def forward_sweep(block, first_trial, last_trial, arriving, most, layer, clock, neuron_record):
    """One block of a layer that is not recurrent, in trials `first_trial..last_trial-1`.

    `most`: see `most_under_way`. Fills `neuron_record [trial, block, NEURON_RECORD, LANES]`.

    Returns:
        The spikes; where those of each trial end `[trials]`; and the neuron that spikes faster than can be resolved, or
        NONE.
    """
    work = work_for(layer.packed_synapses, most, layer.slots, layer.rate >= 0.0, clock)
    emitted, ends, n = no_spikes(layer.packed_synapses), np.empty(last_trial - first_trial, np.int64), 0
    for trial in range(first_trial, last_trial):
        emitted = with_room(emitted, n + USUAL * LANES)
        while True:
            kept_here = neuron_record[trial, block]
            kept_here[:] = 0.0
            end, status = forward_trial(trial, block, arriving, layer, clock, kept_here, work, emitted, n)
            if status != FULL:
                break
            emitted = with_room(emitted, 2 * emitted.bin.size)
        if status == STUCK:
            return emitted, ends, end
        n = end
        ends[trial - first_trial] = n
    return emitted, ends, NONE
