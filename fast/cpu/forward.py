"""Forward kernel: one sweep through time, for one pack of neurons side by side.

1. Every BATCH bins, the spikes from outside that are emitted in them are deposited in the bins
   ahead (`fast.cpu.deposit`), or listed there if they arrive in step (`fast.cpu.in_step`).
2. In each bin, lanes whose voltage provably stays below their level (the threshold; the largest
   voltage so far, if that is read) cross the bin in one step (`fast.cpu.vector_step`); the few
   others are solved event by event (`fast.physics.within_bin`).
"""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, compiled, inlined, outermost
from delayprop.fast.cpu.arrivals import pointers_of, ring_places, spike_pointers
from delayprop.fast.cpu.bin_ahead import any_arrival, clear_bin, clear_rows, collect_all, unzip
from delayprop.fast.cpu.carried import keep_state, set_state
from delayprop.fast.cpu.deposit import (
    DepositScratch,
    Links,
    Ring,
    clear_ring,
    deposit,
    deposit_integral,
    deposit_scratch,
    empty_ring,
    scratch_pointers,
)
from delayprop.fast.cpu.emitted import TOO_MANY, USUAL, emit, no_spikes, with_room
from delayprop.fast.cpu.gaps import GapScratch, arrivals_with_gaps, gap_scratch, put_in_order
from delayprop.fast.cpu.in_step import NO_SPIKE, InStep, add_in_step, all_in_step, empty_in_step, in_step_of
from delayprop.fast.cpu.intrinsics import pointer
from delayprop.fast.cpu.reached import deposit_reached
from delayprop.fast.cpu.vector_step import advance, clear_integral, integrate, step
from delayprop.fast.layout.arrays import LANES, pack_of, reaches_others, reads_integral
from delayprop.fast.layout.instants import BATCH
from delayprop.fast.layout.neuron_record import INTEGRAL, MAX_BIN, MAX_V, RECENT_BIN, RECENT_SLOPE
from delayprop.fast.layout.rows import V_TH
from delayprop.fast.physics.bin_step import level_for_next_bin
from delayprop.fast.physics.others import after_reset, others_at
from delayprop.fast.physics.within_bin import (
    CROSSED,
    FULL,
    NONE,
    REACHED_END,
    STUCK,
    to_next_crossing,
)


@compiled
def start_trial(neuron_record, state, level, constants, read_maximum):
    """The record of each lane, and its level, before the first bin."""
    for lane in range(LANES):
        neuron_record[RECENT_BIN, lane], neuron_record[MAX_BIN, lane] = -1.0, -1.0
        neuron_record[MAX_V, lane] = state[lane]
        level[lane] = level_for_next_bin(neuron_record, lane, 0, constants[V_TH, lane], read_maximum)


class ForwardWork(NamedTuple):
    """Arrays of the sweep of one pack, reused by every trial.

    `ring`: the bins ahead. `in_step`: see `fast.cpu.in_step`. `next [spikes under way, LANES]`:
    links of the chains. `rest, weight`: arrivals of a bin that is solved; `gaps`: see
    `fast.cpu.gaps`. `state, ahead [states * LANES]`: the state of each lane, at the start and at
    the end of a bin. `level [LANES]`: that above which a lane is solved event by event;
    `needs_solve [LANES]`: whether it may pass.
    """

    ring: Ring
    in_step: InStep
    scratch: DepositScratch
    next: np.ndarray
    rest: np.ndarray
    weight: np.ndarray
    gaps: GapScratch
    state: np.ndarray
    ahead: np.ndarray
    level: np.ndarray
    needs_solve: np.ndarray


@allocating
def forward_work(layer, most, clock):
    """Arrays for `most` spikes under way."""
    w, states = layer.synapses.w, 2 + len(layer.others.states)
    return ForwardWork(
        empty_ring(layer, 1, clock), empty_in_step(1, most, layer), deposit_scratch(w, layer.others),
        np.empty((most, LANES), np.int32),
        np.empty(most, w.dtype), np.empty(most, w.dtype), gap_scratch(most, w, layer.others), np.empty(states * LANES),
        np.empty(states * LANES), np.empty(LANES), np.empty(LANES, np.uint8),
    )


@inlined
def solve_needed(place0, bin_, number, arriving, pack, clock, neuron_record, work, emitted, n):
    """Solve the marked lanes of pack `number` event by event, in bin `bin_`, whose lane 0 has place
    `place0`. Their spikes are written to `emitted` from index `n` on, their states to `work.ahead`.

    Returns:
        The number of spikes, and REACHED_END; or the neuron, and STUCK; or the number, and FULL if
        `emitted` is.
    """
    is_last, others = bin_ == clock.last, pack.others
    for lane in range(LANES):
        if not work.needs_solve[lane]:
            continue
        V, I, O = work.state[lane], work.state[LANES + lane], others_at(work.state, 2, lane, others)
        x, k = 0.0, np.int64(0)
        count = collect_all(
            pointer(work.ring.cells), place0 + lane, ring_places(pack.ticks), lane, arriving.time, arriving.source,
            work.next, in_step_of(0, work.in_step), pack, clock, is_last, work.gaps,
        )
        put_in_order(count, work.gaps, work.rest, work.weight)
        arrivals = arrivals_with_gaps(work.rest, work.weight, 0, count, bin_, lane, pack, clock, work.gaps)
        while True:
            V, I, O, x, k, status = to_next_crossing(
                V, I, O, x, k, arrivals, bin_, lane, pack, clock, neuron_record, True
            )
            if status != CROSSED:
                break
            if n == emitted.bin.size:
                return n, FULL
            emit(emitted, n, number * LANES + lane, bin_, x, I, O, neuron_record[RECENT_SLOPE, lane])
            n += 1
            V, I, O = after_reset(V, I, O, lane, pack.constants, others)
        if status == STUCK:
            return number * LANES + lane, STUCK
        work.ahead[lane], work.ahead[LANES + lane] = V, I
        for other in range(len(others.states)):
            work.ahead[(2 + other) * LANES + lane] = O[other]
        v_th = pack.constants[V_TH, lane]
        work.level[lane] = level_for_next_bin(neuron_record, lane, bin_, v_th, pack.read_maximum)
    return n, REACHED_END


@compiled
def forward_trial(trial, number, arriving, layer, clock, neuron_record, carried, work, emitted, n_emitted):
    """Sweep pack `number` forward through one trial; fills `neuron_record [NEURON_RECORD, LANES]`.

    Spikes are written to `emitted` from index `n_emitted` on. Returns the number of spikes and
    REACHED_END, the neuron and STUCK, or the number and FULL, as `solve_needed`.
    """
    ticks, integral_read, pack = layer.ticks, reads_integral(layer), pack_of(layer, number)
    pointers, spikes = pointers_of(pack, clock), spike_pointers(arriving.time, arriving.source)
    cells, integral, more = pointer(work.ring.cells), pointer(work.ring.integral), pointer(work.ring.more)
    places = ring_places(ticks)
    links, scratch = Links(pointer(work.next), work.next.shape[0] - 1), scratch_pointers(work.scratch)
    state, ahead, level, needs_solve = (
        pointer(work.state), pointer(work.ahead), pointer(work.level), pointer(work.needs_solve)
    )
    in_step, rows = in_step_of(0, work.in_step), scratch.amount
    # Then the cells stay empty, and are neither read nor cleared.
    none_deposited = all_in_step(pack.synapses.w.shape[0], pointers)
    clear_ring(work.ring, clock)
    set_state(trial, number, carried, work.state)
    work.in_step.last[:] = NO_SPIKE
    start_trial(neuron_record, work.state, work.level, pack.constants, layer.read_maximum)
    n, n_last = arriving.offsets[trial], arriving.offsets[trial + 1]
    for bin_ in range(clock.first, clock.last + 1):
        place0 = (bin_ & (ticks.bins - 1)) * LANES
        if bin_ % BATCH == 0:
            first = n
            while n < n_last and arriving.bin[n] < bin_ + BATCH:
                n += 1
            if reaches_others(layer.others):
                deposit_reached(first, n, spikes, pointers, links, cells, more, places, scratch)
            else:
                deposit(first, n, spikes, pointers, links, cells, in_step, scratch)
            if integral_read:
                deposit_integral(first, n, spikes, pointers, integral)
        if bin_ < 0:
            clear_bin(place0, cells, more, places, pack.others)
            clear_integral(place0, integral, integral_read)
            in_step.last[place0 // LANES] = NO_SPIKE
            continue
        if none_deposited:
            clear_rows(pack.others, rows)
        else:
            unzip(cells, place0, places, pack.others, rows)
        add_in_step(place0 // LANES, spikes.source, links.mask, pointers, in_step, rows)
        any_needs_solve = step(
            place0, state, pointers.flow, pack.others, level, rows, more, places, clock.slack, needs_solve, ahead
        )
        if bin_ == clock.last:  # the last bin ends at T
            for lane in range(LANES):
                if integral_read or clock.goes_on or any_arrival(cells, in_step, place0 + lane, places, layer.others):
                    work.needs_solve[lane], any_needs_solve = 1, 1
        if any_needs_solve:
            n_emitted, status = solve_needed(
                place0, bin_, number, arriving, pack, clock, neuron_record, work, emitted, n_emitted
            )
            if status != REACHED_END:
                return n_emitted, status
        if integral_read:  # before `advance`: the integral is of the state at the start of the bin
            weight_end = math.exp(-layer.rate * (bin_ + 1))
            integrate(place0, state, pointers.flow, integral, weight_end, needs_solve, pointer(neuron_record[INTEGRAL]))
        advance(state, pack.others, ahead)
        if not none_deposited:
            clear_bin(place0, cells, more, places, pack.others)
        clear_integral(place0, integral, integral_read)
        in_step.last[place0 // LANES] = NO_SPIKE
    if clock.goes_on:
        keep_state(trial, number, work.state, carried)
    return n_emitted, REACHED_END


@outermost
def forward_sweep(
    number, first_trial, last_trial, arriving, most, layer, clock, neuron_record, carried, most_spikes
):
    """Sweep pack `number` of a layer that is not recurrent through trials
    `first_trial..last_trial-1`.

    `most`: see `most_under_way`. `most_spikes`: of the pack in a trial. Fills `neuron_record
    [trial, pack, NEURON_RECORD, LANES]`, and the end of `carried`.

    Returns:
        The spikes; the end of each trial's spikes `[trials]`; and the neuron that spikes too fast,
        TOO_MANY, or NONE.
    """
    work = forward_work(layer, most, clock)
    emitted, n = no_spikes(layer.synapses.w, layer.others), np.int64(0)
    ends = np.empty(last_trial - first_trial, np.int64)
    for trial in range(first_trial, last_trial):
        emitted = with_room(emitted, n + USUAL * LANES)
        while True:
            record = neuron_record[trial, number]
            record[:] = 0.0
            end, status = forward_trial(trial, number, arriving, layer, clock, record, carried, work, emitted, n)
            if status != FULL or end - n > most_spikes:
                break
            # The trial begins anew: its rings and its record have been written to.
            emitted = with_room(emitted, 2 * emitted.bin.size)
        if status == STUCK:
            return emitted, ends, end
        if end - n > most_spikes:
            return emitted, ends, TOO_MANY
        n = end
        ends[trial - first_trial] = n
    return emitted, ends, NONE
