"""What happens in one bin of a recurrent layer: all blocks enter it, spikes in it reach lanes, all blocks leave it."""

from __future__ import annotations

import math

from fast.cpu.cells import CELL, CELL_I, CELL_UP, CELL_V, link_of
from fast.cpu.deposit import deposit, deposit_in_bin, deposit_integral, ring_places
from fast.cpu.forward import new_level
from fast.cpu.pending import (
    CHOSEN,
    TAKEN,
    I,
    V,
    add_candidate,
    foresee,
    insert_arrival,
    is_false_alarm,
    take_arrivals,
    touch,
)
from fast.cpu.pointers import lowest_bit, pointer
from fast.cpu.vector_step import across, advance, integrate, may_pass, step
from fast.physics.compiling import compiled, inlined
from fast.physics.polynomials import LANES
from fast.physics.within_bin import INTEGRAL


@inlined
def places_of(b, layer):
    """Where the cells of a block begin and end among those of all."""
    places = ring_places(layer.slots) // 2
    return b * places, (b + 1) * places


@compiled
def deposit_everywhere(here, size, first, last, layer, at, work):
    """Deposit spikes `first..last-1` in every block."""
    spikes, mask = work.spikes, work.spikes.next.shape[1] - 1
    rest, source, place, amount = (
        pointer(spikes.rest), pointer(spikes.source), pointer(work.place), pointer(work.amount)
    )
    for b in range(layer.rows.shape[0]):
        begin, end = places_of(b, layer)
        rows, coefficients = pointer(layer.rows[b]), pointer(layer.coefficients[b])
        cells = pointer(work.ring.cells[begin * CELL : end * CELL])
        deposit(
            here, size, first, last, rest, source, pointer(spikes.next[b]), mask, rows, coefficients, at, cells, place,
            amount,
        )
        if layer.rate >= 0.0:
            integral = pointer(work.ring.integral[begin:end])
            deposit_integral(here, size, first, last, rest, source, rows, coefficients, at, integral)


@compiled
def meet(number, slot, bin_, layer, at, kept, work):
    """Make a lane a candidate, with all arrivals in the bin. Returns whether there is room."""
    b, lane, candidates = number // LANES, number % LANES, work.candidates
    if candidates.rest.size - candidates.how_many[TAKEN] < work.spikes.next.shape[1]:
        return False
    begin, end = places_of(b, layer)
    link = link_of(pointer(work.ring.cells[begin * CELL : end * CELL]), slot + lane)
    add_candidate(candidates, number, work.state[b], lane, kept[b])
    take_arrivals(candidates, number, link, work.spikes, work.spikes.next[b], layer.rows[b], at, bin_ == at.last)
    work.risky[b, lane] = 1
    return True


@compiled
def look_ahead(number, bin_, layer, at, kept, work):
    """Foresee what a candidate does next."""
    b = number // LANES
    foresee(
        work.candidates, number, layer.constants[b], layer.coefficients[b], bin_, at, layer.rate, layer.read_maximum,
        kept[b],
    )


@compiled
def reach(n, slot, bin_, layer, at, kept, work):
    """Let spike `n` of the layer matter where it arrives in the bin it is emitted in: candidates are touched.

    Only there: it is deposited everywhere when the bin is left. Returns whether there is room.
    """
    spikes, candidates, mask = work.spikes, work.candidates, work.spikes.next.shape[1] - 1
    source, q = spikes.source[n], spikes.rest[n]
    for b in range(layer.rows.shape[0]):
        begin, end = places_of(b, layer)
        bits, cells = work.near[b, source - layer.external], pointer(work.ring.cells[begin * CELL : end * CELL])
        row, next_, coefficients = (
            pointer(layer.rows[b, source]), pointer(spikes.next[b]), pointer(layer.coefficients[b])
        )
        while bits:
            lane = lowest_bit(bits)
            bits &= bits - 1
            if not deposit_in_bin(
                slot, n, q, row, lane, next_, mask, coefficients, at, cells, pointer(work.amount)
            ):
                continue
            number, c, r = b * LANES + lane, CELL * (slot + lane), q + row[2 * LANES + lane]
            if work.risky[b, lane]:
                if bin_ == at.last and r > at.end:
                    continue
                if not insert_arrival(candidates, number, r, row[lane]):
                    return False
                touch(candidates, number)
                continue
            V_here, I_here, flow = work.state[b, lane], work.state[b, LANES + lane], layer.flow[b]
            passes = may_pass(V_here, I_here, cells[c + CELL_UP], lane, flow, work.level[b, lane], 64 * at.u)
            if not passes and bin_ < at.last:
                work.ahead[b, lane], work.ahead[b, LANES + lane] = across(
                    V_here, I_here, cells[c + CELL_V], cells[c + CELL_I], lane, flow
                )
            elif meet(number, slot, bin_, layer, at, kept, work):
                touch(candidates, number)
            else:
                return False
    return True


@inlined
def leave_bin(slot, bin_, layer, at, kept, work):
    """Settle every candidate at the end of the bin, and take all lanes there."""
    candidates = work.candidates
    for c in range(candidates.how_many[CHOSEN]):
        number = candidates.lanes[c]
        b, lane, then = number // LANES, number % LANES, candidates.foreseen[number]
        work.ahead[b, lane], work.ahead[b, LANES + lane] = then[V], then[I]
        work.level[b, lane] = new_level(kept[b], lane, bin_, layer.constants[b, 2, lane], layer.read_maximum)
    for b in range(layer.rows.shape[0]):
        begin, end = places_of(b, layer)
        state, flow = pointer(work.state[b]), pointer(layer.flow[b])
        if layer.rate >= 0.0:
            integral, weight_end = pointer(work.ring.integral[begin:end]), math.exp(-layer.rate * (bin_ + 1))
            integrate(slot, state, flow, integral, weight_end, pointer(work.risky[b]), pointer(kept[b, INTEGRAL]))
        advance(slot, state, pointer(work.ahead[b]), pointer(work.ring.cells[begin * CELL : end * CELL]))


@inlined
def enter_bin(slot, bin_, layer, at, kept, work):
    """Step over the bin, and find the candidates in it. Returns whether there is room."""
    candidates, is_last = work.candidates, bin_ == at.last
    candidates.how_many[:] = 0
    for b in range(layer.rows.shape[0]):
        begin, end = places_of(b, layer)
        cells, risky = pointer(work.ring.cells[begin * CELL : end * CELL]), work.risky[b]
        any_risky = step(
            slot, pointer(work.state[b]), pointer(layer.flow[b]), pointer(work.level[b]), cells, 64 * at.u,
            pointer(risky), pointer(work.ahead[b]),
        )
        if not (any_risky or is_last):
            continue
        for lane in range(LANES):
            if not (risky[lane] or (is_last and (layer.rate >= 0.0 or link_of(cells, slot + lane) >= 0))):
                continue  # the last ends at T, and not at the end of the bin
            number = b * LANES + lane
            if not meet(number, slot, bin_, layer, at, kept, work):
                return False
            level = work.level[b, lane]
            if not is_last and is_false_alarm(candidates, number, layer.constants[b], level, 64 * at.u):
                candidates.how_many[CHOSEN] -= 1
                risky[lane] = 0
            else:
                look_ahead(number, bin_, layer, at, kept, work)
    return True
