"""Forward kernel of a recurrent layer: all blocks of neurons together, whose spikes reach each other.

A bin is short, but no delay is long enough to be sure that the spikes of a bin do not matter in it. So the lanes in
which something can happen are candidates (`fast.candidates`). The earliest of their next spikes is final. It is
deposited like a spike from outside; its arrivals in the same bin may make other lanes candidates, or change what they
do later. So any delay is exact, however small.
"""

from __future__ import annotations

import math

import numpy as np

from fast.bins import SLOT
from fast.candidates import (
    I,
    V,
    X,
    add_candidate,
    collect_anew,
    earliest,
    foresee,
    is_false_alarm,
    settle,
)
from fast.cells import CELL, CELL_I, CELL_UP, CELL_V, link_of
from fast.compiling import allocating, compiled, inlined
from fast.deposit import clear_ring, deposit, deposit_in_bin, deposit_integral, ring_places
from fast.forward import new_level, start_trial
from fast.lanes import across, advance, integrate, may_pass, step
from fast.pointers import lowest_bit, pointer
from fast.polynomials import LANES
from fast.recurrent_work import NO_ARRIVALS, NO_LINKS, NO_SPIKES, with_more, work_for
from fast.solve import FULL, INTEGRAL, NONE, REACHED_END, STUCK, USUAL, no_spikes, with_room


@compiled
def deposit_everywhere(here, size, first, last, layer, at, work):
    """Deposit spikes `first..last-1` in every block."""
    spikes, places, mask = work.spikes, ring_places(layer.slots) // 2, work.spikes.next.shape[1] - 1
    rest, source, place, amount = (
        pointer(spikes.rest), pointer(spikes.source), pointer(work.place), pointer(work.amount)
    )  # fmt: skip
    for b in range(layer.rows.shape[0]):
        rows, coefficients = pointer(layer.rows[b]), pointer(layer.coefficients[b])
        cells = pointer(work.ring.cells[b * places * CELL :])
        deposit(
            here, size, first, last, rest, source, pointer(spikes.next[b]), mask, rows, coefficients, at, cells, place,
            amount,
        )  # fmt: skip
        if layer.rate >= 0.0:
            integral = pointer(work.ring.integral[b * places :])
            deposit_integral(here, size, first, last, rest, source, rows, coefficients, at, integral)


@compiled
def meet(number, slot, bin_, layer, at, kept, work, filtered):
    """Make a lane a candidate, unless it is one, and foresee what it does with the arrivals there are now.

    If `filtered`, it is no candidate if it stays below its level after all. Returns whether there is room.
    """
    b, lane, candidates = number // LANES, number % LANES, work.candidates
    link = link_of(pointer(work.ring.cells), b * (ring_places(layer.slots) // 2) + slot + lane)
    if candidates.rest.size - candidates.how_many[1] < work.spikes.next.shape[1]:
        return False
    if filtered or not work.risky[b, lane]:
        add_candidate(candidates, number, work.state[b], lane, kept[b])
        work.risky[b, lane] = 1
    collect_anew(candidates, number, link, work.spikes, work.spikes.next[b], layer.rows[b], at, bin_ == at.last)
    if filtered and is_false_alarm(candidates, number, layer.constants[b], work.level[b, lane], 64 * at.u):
        candidates.how_many[0] -= 1
        work.risky[b, lane] = 0
        return True
    foresee(
        candidates, number, layer.constants[b], layer.coefficients[b], bin_, at, layer.rate, layer.read_maximum, kept[b]
    )
    return True


@compiled
def reach(n, winner, slot, bin_, layer, at, kept, work):
    """Let spike `n`, of neuron `winner`, matter where it arrives in the bin it is emitted in.

    Only there: it is deposited everywhere when the bin is left. Returns whether there is room.
    """
    spikes, places, mask = work.spikes, ring_places(layer.slots) // 2, work.spikes.next.shape[1] - 1
    source, q = spikes.source[n], spikes.rest[n]
    for b in range(layer.rows.shape[0]):
        bits, cells = work.near[b, source - layer.external], pointer(work.ring.cells[b * places * CELL :])
        row, next_, coefficients = (
            pointer(layer.rows[b, source]),
            pointer(spikes.next[b]),
            pointer(layer.coefficients[b]),
        )
        while bits:
            lane = lowest_bit(bits)
            bits &= bits - 1
            if not deposit_in_bin(slot, n, q, row, lane, next_, mask, coefficients, at, cells):
                continue
            number, c = b * LANES + lane, CELL * (slot + lane)
            if not work.risky[b, lane] and bin_ < at.last:
                V_here, I_here, flow = work.state[b, lane], work.state[b, LANES + lane], layer.flow[b]
                if not may_pass(V_here, I_here, cells[c + CELL_UP], lane, flow, work.level[b, lane], 64 * at.u):
                    work.ahead[b, lane], work.ahead[b, LANES + lane] = across(
                        V_here, I_here, cells[c + CELL_V], cells[c + CELL_I], lane, flow
                    )
                    continue
            if number != winner and not meet(number, slot, bin_, layer, at, kept, work, False):
                return False
    return True


@inlined
def leave_bin(slot, bin_, layer, at, kept, work):
    """Settle every candidate at the end of the bin, and take all lanes there."""
    candidates, places = work.candidates, ring_places(layer.slots) // 2
    for c in range(candidates.how_many[0]):
        number = candidates.lanes[c]
        b, lane, then = number // LANES, number % LANES, candidates.foreseen[number]
        work.ahead[b, lane], work.ahead[b, LANES + lane] = then[V], then[I]
        work.level[b, lane] = new_level(kept[b], lane, bin_, layer.constants[b, 2, lane], layer.read_maximum)
    for b in range(layer.rows.shape[0]):
        state, flow = pointer(work.state[b]), pointer(layer.flow[b])
        if layer.rate >= 0.0:
            integral, weight_end = pointer(work.ring.integral[b * places :]), math.exp(-layer.rate * (bin_ + 1))
            integrate(slot, state, flow, integral, weight_end, pointer(work.risky[b]), pointer(kept[b, INTEGRAL]))
        advance(slot, state, pointer(work.ahead[b]), pointer(work.ring.cells[b * places * CELL :]))


@compiled
def recurrent_trial(trial, arriving, layer, at, kept, work, emitted, n_emitted):
    """All blocks in one trial; fills `kept [block, KEPT, LANES]`.

    Returns:
        The number of spikes; and REACHED_END, or STUCK with the neuron instead, or FULL if `emitted` has no more room,
        or what `work` has too little room for.
    """
    blocks, slots, places, number_type = (
        layer.rows.shape[0],
        layer.slots,
        ring_places(layer.slots) // 2,
        layer.rows.dtype.type,
    )
    size, slack, candidates, spikes = number_type(slots * SLOT), 64 * at.u, work.candidates, work.spikes
    cells, links = pointer(work.ring.cells), spikes.next.shape[1]
    clear_ring(work.ring, at)
    work.state[:], work.oldest_at[:] = 0.0, 0
    for b in range(blocks):
        start_trial(kept[b], work.level[b], layer.constants[b], layer.read_maximum)
    s, s_last, n, turn = arriving.offsets[trial], arriving.offsets[trial + 1], 0, 0
    for bin_ in range(at.last + 1):
        here, slot, first = number_type(turn * SLOT), turn * LANES, n
        work.oldest_at[turn] = n
        oldest = work.oldest_at[turn + 1 if turn + 1 < slots else 0]
        while s < s_last and arriving.bin[s] == bin_:
            if n == spikes.rest.size:
                return n_emitted, NO_SPIKES
            spikes.rest[n], spikes.source[n] = arriving.rest[s], arriving.source[s]
            s, n = s + 1, n + 1
        if n - oldest > links:
            return n_emitted, NO_LINKS
        deposit_everywhere(here, size, first, n, layer, at, work)
        own = n
        candidates.how_many[0], candidates.how_many[1] = 0, 0
        for b in range(blocks):
            any_risky = step(
                slot, pointer(work.state[b]), pointer(layer.flow[b]), pointer(work.level[b]),
                pointer(work.ring.cells[b * places * CELL :]), slack, pointer(work.risky[b]), pointer(work.ahead[b]),
            )  # fmt: skip
            if not (any_risky or bin_ == at.last):
                continue
            for lane in range(LANES):
                if bin_ == at.last and (layer.rate >= 0.0 or link_of(cells, b * places + slot + lane) >= 0):
                    work.risky[b, lane] = 1  # it ends at T, and not at the end of the bin
                if work.risky[b, lane]:
                    work.risky[b, lane] = 0
                    if not meet(b * LANES + lane, slot, bin_, layer, at, kept, work, bin_ < at.last):
                        return n_emitted, NO_ARRIVALS
        while True:
            number = earliest(candidates)
            if number == NONE:
                break
            if candidates.status[number] == STUCK:
                return number, STUCK
            if n_emitted == emitted.bin.size:
                return n_emitted, FULL
            if n + layer.copies > spikes.rest.size:
                return n_emitted, NO_SPIKES
            if n + layer.copies - oldest > links:
                return n_emitted, NO_LINKS
            x, I_cross = candidates.foreseen[number, X], candidates.foreseen[number, I]
            emitted.neuron[n_emitted], emitted.bin[n_emitted] = number, bin_
            emitted.rest[n_emitted], emitted.I[n_emitted] = x, I_cross
            n_emitted += 1
            settle(candidates, number, kept[number // LANES])
            for copy in range(layer.copies):
                spikes.rest[n], spikes.source[n] = x, layer.external + copy * layer.post + number
                if not reach(n, number, slot, bin_, layer, at, kept, work):
                    return n_emitted, NO_ARRIVALS
                n += 1
            if not meet(number, slot, bin_, layer, at, kept, work, False):
                return n_emitted, NO_ARRIVALS
        deposit_everywhere(here, size, own, n, layer, at, work)
        leave_bin(slot, bin_, layer, at, kept, work)
        turn = turn + 1 if turn + 1 < slots else 0
    return n_emitted, REACHED_END


@allocating
def recurrent_sweep(first_trial, last_trial, arriving, most, layer, at, kept):
    """All blocks of a recurrent layer in trials `first_trial..last_trial-1`; as `forward.forward_sweep`."""
    longest = 0
    for trial in range(first_trial, last_trial):
        longest = max(longest, arriving.offsets[trial + 1] - arriving.offsets[trial])
    work, emitted = work_for(layer, most, longest, at), no_spikes(layer.rows)
    ends, n = np.empty(last_trial - first_trial, np.int64), 0
    for trial in range(first_trial, last_trial):
        emitted = with_room(emitted, n + USUAL * layer.post)
        while True:
            kept[trial] = 0.0
            end, status = recurrent_trial(trial, arriving, layer, at, kept[trial], work, emitted, n)
            if status == FULL:
                emitted = with_room(emitted, 2 * emitted.bin.size)
            elif status >= NO_SPIKES:
                work = with_more(work, status, layer.rows)
            else:
                break
        if status == STUCK:
            return emitted, ends, end
        n = end
        ends[trial - first_trial] = n
    return emitted, ends, NONE
