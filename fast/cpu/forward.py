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
def new_level(kept, lane, bin_, v_th, read_maximum):
    """What a lane's voltage must not pass unseen in the next bin.

    After a crossing at the end of this bin an arrival at the start of the next may be at the same instant: it is
    looked at in any case.
    """
    if kept[RECENT_BIN, lane] == bin_ and kept[RECENT_REST, lane] * 1.001 >= 1.0:
        return -math.inf
    if read_maximum and kept[RECENT_BIN, lane] < 0.0:
        return min(v_th, kept[MAX_V, lane])
    return v_th


@compiled
def start_trial(kept, level, constants, read_maximum):
    """What is kept of each lane, and its level, before the first bin."""
    for lane in range(LANES):
        kept[RECENT_BIN, lane], kept[MAX_BIN, lane] = -1.0, -1.0
        level[lane] = new_level(kept, lane, 0, constants[2, lane], read_maximum)


class Work(NamedTuple):
    """What the sweep of one block needs to work in; nothing of it outlasts a trial.

    `ring`: the bins ahead. `place, amount`: scratch of `deposit`. `next [spikes under way, LANES]`: links of the
    chains. `rest, weight`: arrivals of a bin that is solved. `state, ahead [2 * LANES]`: V and I of each lane,
    at the start and at the end of a bin. `level [LANES]`: what V may not pass unseen; `risky [LANES]`: where it may.
    """

    ring: Ring
    place: np.ndarray
    amount: np.ndarray
    next: np.ndarray
    rest: np.ndarray
    weight: np.ndarray
    state: np.ndarray
    ahead: np.ndarray
    level: np.ndarray
    risky: np.ndarray


@allocating
def work_for(rows, most, slots, integral_read, at):
    """Room to work in, for so many spikes under way and bins ahead."""
    ring, scratch = empty_ring(slots, integral_read, at), scratch_for(rows)
    return Work(
        ring, scratch.place, scratch.amount, np.empty((most, LANES), np.int32), np.empty(most, rows.dtype),
        np.empty(most, rows.dtype), np.empty(2 * LANES), np.empty(2 * LANES), np.empty(LANES),
        np.empty(LANES, np.uint8),
    )


@inlined
def solve_risky(
    slot, bin_, block, rest_of, source, rows, constants, coefficients, rate, read_maximum, at, kept, work, emitted, n
):
    """Solve the marked lanes of a block event by event, or find that they need not be; spikes are added to `n`.

    Returns:
        The number of spikes; and REACHED_END, or STUCK, or FULL if `emitted` has no more room.
    """
    is_last = bin_ == at.last
    for lane in range(LANES):
        if not work.risky[lane]:
            continue
        V, I, x, k = work.state[lane], work.state[LANES + lane], 0.0, 0
        count = collect(
            link_of(pointer(work.ring.cells), slot + lane),
            lane,
            rest_of,
            source,
            work.next,
            rows,
            at,
            is_last,
            work.rest,
            work.weight,
        )
        if not is_last and stays_below(
            V, I, work.rest, work.weight, count, constants[0, lane], work.level[lane], 64 * at.u
        ):
            work.risky[lane] = 0
            continue
        four = (constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane])
        while True:
            V, I, x, k, status = to_next_crossing(
                V, I, x, k, work.rest, work.weight, count, bin_, four, at, coefficients, lane, rate, read_maximum, kept,
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
        work.level[lane] = new_level(kept, lane, bin_, four[2], read_maximum)
    return n, REACHED_END


@compiled
def forward_trial(trial, block, arriving, layer, at, kept, work, emitted, n_emitted):
    """One block in one trial; fills `kept [KEPT, LANES]`. Returns the same as `solve_risky`."""
    slots, integral_read = layer.slots, layer.rate >= 0.0
    rows, flow, constants = layer.rows[block], layer.flow[block], layer.constants[block]
    coefficients, ring, mask = layer.coefficients[block], work.ring, work.next.shape[0] - 1
    rest_, source_, rows_, coefficients_ = (
        pointer(arriving.rest), pointer(arriving.source), pointer(rows), pointer(coefficients)
    )
    cells, integral, state, ahead = (
        pointer(ring.cells),
        pointer(ring.integral),
        pointer(work.state),
        pointer(work.ahead),
    )
    flow_, level, risky = pointer(flow), pointer(work.level), pointer(work.risky)
    number_type = rows.dtype.type
    size, slack = number_type(slots * SLOT), 64 * at.u
    clear_ring(ring, at)
    work.state[:] = 0.0
    start_trial(kept, work.level, constants, layer.read_maximum)
    n, n_last, turn = arriving.offsets[trial], arriving.offsets[trial + 1], 0
    for bin_ in range(at.last + 1):
        here, slot, first = number_type(turn * SLOT), turn * LANES, n
        while n < n_last and arriving.bin[n] == bin_:
            n += 1
        deposit(
            here, size, first, n, rest_, source_, pointer(work.next), mask, rows_, coefficients_, at, cells,
            pointer(work.place), pointer(work.amount),
        )
        if integral_read:
            deposit_integral(here, size, first, n, rest_, source_, rows_, coefficients_, at, integral)
        any_risky = step(slot, state, flow_, level, cells, slack, risky, ahead)
        if bin_ == at.last:  # it ends at T, and not at the end of the bin
            for lane in range(LANES):
                if integral_read or link_of(cells, slot + lane) >= 0:
                    work.risky[lane], any_risky = 1, 1
        if any_risky:
            n_emitted, status = solve_risky(
                slot, bin_, block, arriving.rest, arriving.source, rows, constants, coefficients, layer.rate,
                layer.read_maximum, at, kept, work, emitted, n_emitted,
            )
            if status != REACHED_END:
                return n_emitted, status
        if integral_read:
            weight_end = math.exp(-layer.rate * (bin_ + 1))
            integrate(slot, state, flow_, integral, weight_end, risky, pointer(kept[INTEGRAL]))
        advance(slot, state, ahead, cells)
        turn = turn + 1 if turn + 1 < slots else 0
    return n_emitted, REACHED_END


@allocating
def forward_sweep(block, first_trial, last_trial, arriving, most, layer, at, kept):
    """One block of a layer that is not recurrent, in trials `first_trial..last_trial-1`.

    `most`: see `most_under_way`. Fills `kept [trial, block, KEPT, LANES]`.

    Returns:
        The spikes; where those of each trial end `[trials]`; and the neuron that spikes faster than can be resolved, or
        NONE.
    """
    work = work_for(layer.rows, most, layer.slots, layer.rate >= 0.0, at)
    emitted, ends, n = no_spikes(layer.rows), np.empty(last_trial - first_trial, np.int64), 0
    for trial in range(first_trial, last_trial):
        emitted = with_room(emitted, n + USUAL * LANES)
        while True:
            kept_here = kept[trial, block]
            kept_here[:] = 0.0
            end, status = forward_trial(trial, block, arriving, layer, at, kept_here, work, emitted, n)
            if status != FULL:
                break
            emitted = with_room(emitted, 2 * emitted.bin.size)
        if status == STUCK:
            return emitted, ends, end
        n = end
        ends[trial - first_trial] = n
    return emitted, ends, NONE
