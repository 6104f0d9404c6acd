"""Forward kernel: one sweep through time, for blocks of neurons side by side.

In each bin
1. the spikes that come from outside and are emitted in it are deposited in the bins ahead (`fast.deposit`);
2. in a recurrent layer the earliest spike of all is final, so it is deposited in its turn, and so on
   (`fast.recurrence`);
3. lanes whose voltage provably stays below what matters (the threshold; the largest voltage so far, if that is read)
   cross the bin in one step; the few others are solved event by event (`fast.solve`).
"""

from __future__ import annotations

import math

import numpy as np

from fast.bins import SLOT
from fast.compiling import allocating, compiled, inlined, vectorised
from fast.deposit import deposit, deposit_integral, empty_ring, scratch_for
from fast.polynomials import LANES
from fast.solve import (
    CROSSED,
    INTEGRAL,
    MAX_BIN,
    MAX_V,
    NONE,
    RECENT_BIN,
    RECENT_REST,
    STUCK,
    Emitted,
    collect,
    emit,
    stays_below,
    to_next_crossing,
)
from fast.synapses import FLOW_A, FLOW_B, FLOW_GROWTH, FLOW_K, FLOW_PM, FLOW_RA, FLOW_RAB


@vectorised
def find_risky(slot, state, flow, level, deposits, slack, risky):
    """Mark the lanes whose voltage may pass `level` in this bin; returns whether there are any.

    `V` moves at most towards the largest current there can be: that of the start and all that excites in the bin.
    """
    found, here = 0, deposits[4 * slot : 4 * (slot + LANES)]
    for lane in range(LANES):
        V, I = state[lane], state[LANES + lane]
        I_max = max(I, 0.0) + here[4 * lane + 1] * flow[FLOW_GROWTH + lane]
        V_max = V + (1.0 - flow[FLOW_A + lane]) * max(I_max - V, 0.0) + slack * (abs(V) + I_max)
        risky[lane] = V_max > level[lane]
        found |= V_max > level[lane]
    return found


@vectorised
def advance(slot, state, flow, deposits, chain, risky, solved):
    """Take every lane to the end of its bin, in one step unless it is solved, and clear the bin."""
    here, chain_here = deposits[4 * slot : 4 * (slot + LANES)], chain[slot : slot + LANES]
    for lane in range(LANES):
        V, I, d = state[lane], state[LANES + lane], 4 * lane
        dV, dI = here[d] + here[d + 2], here[d + 1] + here[d + 3]
        V_end = V * flow[FLOW_A + lane] + I * flow[FLOW_K + lane] + flow[FLOW_PM + lane] * dV
        I_end = I * flow[FLOW_B + lane] + dI
        state[lane] = solved[lane] if risky[lane] else V_end
        state[LANES + lane] = solved[LANES + lane] if risky[lane] else I_end
    for d in range(4 * LANES):
        here[d] = 0.0
    for lane in range(LANES):
        chain_here[lane] = -1


@vectorised
def integrate(slot, state, flow, integral, weight_end, risky, kept):
    """Add the voltage of this bin to the integral readout of the lanes that are not solved, and clear the bin."""
    here = integral[slot : slot + LANES]
    for lane in range(LANES):
        added = (
            state[lane] * flow[FLOW_RA + lane]
            + state[LANES + lane] * flow[FLOW_PM + lane] * flow[FLOW_RAB + lane]
            + flow[FLOW_PM + lane] * here[lane]
        )
        if not risky[lane]:
            kept[INTEGRAL, lane] += weight_end * added
        here[lane] = 0.0


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


@inlined
def solve_risky(
    slot, bin_, state, chain, rest_of, source, next_, rows, constants, coefficients, rate, read_maximum, at, kept,
    rest, weight, risky, solved, level, block, emitted, n_emitted,
):  # fmt: skip
    """Solve the marked lanes of one block, whose arrays are given, event by event.

    Returns:
        The spikes and their number; the neuron that spikes too fast, or NONE.
    """
    is_last = bin_ == at.last
    for lane in range(LANES):
        if not risky[lane]:
            continue
        V, I, x, n = state[lane], state[LANES + lane], 0.0, 0
        count = collect(chain[slot + lane], lane, rest_of, source, next_, rows, at, is_last, rest, weight)
        four = (constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane])
        if not is_last and stays_below(V, I, rest, weight, count, four[0], level[lane], 64 * at.u):
            risky[lane] = 0
            continue
        while True:
            V, I, x, n, status = to_next_crossing(
                V, I, x, n, rest, weight, count, bin_, four, at, coefficients, lane, rate, read_maximum, kept, True,
            )  # fmt: skip
            if status != CROSSED:
                break
            emitted = emit(emitted, n_emitted, block * LANES + lane, bin_, x, I)
            n_emitted += 1
        if status == STUCK:
            return emitted, n_emitted, block * LANES + lane
        solved[lane], solved[LANES + lane] = V, I
        level[lane] = new_level(kept, lane, bin_, four[2], read_maximum)
    return emitted, n_emitted, NONE


@allocating
def forward_sweep(block, first_trial, last_trial, arriving, most, layer, at, kept_of_all):
    """One block of a layer that is not recurrent, in trials `first_trial..last_trial-1`.

    `most`: see `most_under_way`. Fills `kept_of_all [trial, block, KEPT, LANES]`.

    Returns:
        The spikes; where those of each trial end `[trials]`; and the neuron that spikes faster than can be resolved, or
        NONE.
    """
    slots, integral_read = layer.slots, layer.rate >= 0.0
    rows, flow, constants = layer.rows[block], layer.flow[block], layer.constants[block]
    coefficients = layer.coefficients[block]
    number_type = rows.dtype.type
    size, slack = number_type(slots * SLOT), 64 * at.u
    whole = empty_ring(1, slots, integral_read, at)
    deposits, integral, chain = whole.deposits[0], whole.integral[0], whole.chain[0]
    scratch = scratch_for(rows)
    place, amount = scratch.place, scratch.amount
    next_ = np.empty((most, LANES), np.int32)
    rest, weight = np.empty(most, rows.dtype), np.empty(most, rows.dtype)
    state, solved, level = np.empty(2 * LANES), np.empty(2 * LANES), np.empty(LANES)
    risky = np.empty(LANES, np.uint8)
    emitted = Emitted(np.empty(1024, np.int32), np.empty(1024, np.int32), np.empty(1024, rest.dtype), np.empty(1024))
    ends, n_emitted = np.empty(last_trial - first_trial, np.int64), 0
    for trial in range(first_trial, last_trial):
        kept = kept_of_all[trial, block]
        deposits[:], integral[:], chain[:] = at.zero, at.zero, -1
        state[:] = 0.0
        start_trial(kept, level, constants, layer.read_maximum)
        n, n_last, turn = arriving.offsets[trial], arriving.offsets[trial + 1], 0
        for bin_ in range(at.last + 1):
            here, slot, first = number_type(turn * SLOT), turn * LANES, n
            while n < n_last and arriving.bin[n] == bin_:
                n += 1
            deposit(
                here, size, first, n, arriving.rest, arriving.source, next_, rows, coefficients, at, deposits, chain,
                place, amount,
            )  # fmt: skip
            if integral_read:
                deposit_integral(
                    here, size, first, n, arriving.rest, arriving.source, rows, coefficients, at, integral
                )
            any_risky = find_risky(slot, state, flow, level, deposits, slack, risky)
            if bin_ == at.last:  # it ends at T, and not at the end of the bin
                for lane in range(LANES):
                    if integral_read or chain[slot + lane] >= 0:
                        risky[lane], any_risky = 1, 1
            if any_risky:
                emitted, n_emitted, stuck = solve_risky(
                    slot, bin_, state, chain, arriving.rest, arriving.source, next_, rows, constants, coefficients,
                    layer.rate, layer.read_maximum, at, kept, rest, weight, risky, solved, level, block, emitted,
                    n_emitted,
                )  # fmt: skip
                if stuck != NONE:
                    return emitted, ends, stuck
            if integral_read:
                weight_end = math.exp(-layer.rate * (bin_ + 1))
                integrate(slot, state, flow, integral, weight_end, risky, kept)
            advance(slot, state, flow, deposits, chain, risky, solved)
            turn += 1
            if turn == slots:
                turn = 0
        ends[trial - first_trial] = n_emitted
    return emitted, ends, NONE
