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
    insert_arrival,
    is_false_alarm,
    predict,
    start_pending,
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
def deposit_everywhere(here, size, first, last, layer, clock, work):
    """Deposit spikes `first..last-1` in every block."""
    spikes, mask = work.spikes, work.spikes.next.shape[1] - 1
    rest, source, ring_offset, amount = (
        pointer(spikes.rest), pointer(spikes.source), pointer(work.ring_offset), pointer(work.amount)
    )
    for b in range(layer.packed_synapses.shape[0]):
        begin, end = places_of(b, layer)
        packed_synapses, coefficients = pointer(layer.packed_synapses[b]), pointer(layer.coefficients[b])
        cells = pointer(work.ring.cells[begin * CELL : end * CELL])
        deposit(
            here, size, first, last, rest, source, pointer(spikes.next[b]), mask, packed_synapses, coefficients, clock, cells, ring_offset,
            amount,
        )
        if layer.rate >= 0.0:
            integral = pointer(work.ring.integral[begin:end])
            deposit_integral(here, size, first, last, rest, source, packed_synapses, coefficients, clock, integral)


@compiled
def add_pending(number, slot, bin_, layer, clock, neuron_record, work):
    """Make a lane a candidate, with all arrivals in the bin. Returns whether there is room."""
    b, lane, pending = number // LANES, number % LANES, work.pending
    if pending.rest.size - pending.how_many[TAKEN] < work.spikes.next.shape[1]:
        return False
    begin, end = places_of(b, layer)
    link = link_of(pointer(work.ring.cells[begin * CELL : end * CELL]), slot + lane)
    start_pending(pending, number, work.state[b], lane, neuron_record[b])
    take_arrivals(pending, number, link, work.spikes, work.spikes.next[b], layer.packed_synapses[b], clock, bin_ == clock.last)
    work.needs_solve[b, lane] = 1
    return True


@compiled
def look_ahead(number, bin_, layer, clock, neuron_record, work):
    """Foresee what a candidate does next."""
    b = number // LANES
    predict(
        work.pending, number, layer.constants[b], layer.coefficients[b], bin_, clock, layer.rate, layer.read_maximum,
        neuron_record[b],
    )


@compiled
def deliver_same_bin(n, slot, bin_, layer, clock, neuron_record, work):
    """Let spike `n` of the layer matter where it arrives in the bin it is emitted in: candidates are touched.

    Only there: it is deposited everywhere when the bin is left. Returns whether there is room.
    """
    spikes, pending, mask = work.spikes, work.pending, work.spikes.next.shape[1] - 1
    source, q = spikes.source[n], spikes.rest[n]
    for b in range(layer.packed_synapses.shape[0]):
        begin, end = places_of(b, layer)
        bits, cells = work.near[b, source - layer.external], pointer(work.ring.cells[begin * CELL : end * CELL])
        row, next_, coefficients = (
            pointer(layer.packed_synapses[b, source]), pointer(spikes.next[b]), pointer(layer.coefficients[b])
        )
        while bits:
            lane = lowest_bit(bits)
            bits &= bits - 1
            if not deposit_in_bin(
                slot, n, q, row, lane, next_, mask, coefficients, clock, cells, pointer(work.amount)
            ):
                continue
            number, c, r = b * LANES + lane, CELL * (slot + lane), q + row[2 * LANES + lane]
            if work.needs_solve[b, lane]:
                if bin_ == clock.last and r > clock.end:
                    continue
                if not insert_arrival(pending, number, r, row[lane]):
                    return False
                touch(pending, number)
                continue
            V_here, I_here, flow = work.state[b, lane], work.state[b, LANES + lane], layer.flow[b]
            passes = may_pass(V_here, I_here, cells[c + CELL_UP], lane, flow, work.level[b, lane], 64 * clock.u)
            if not passes and bin_ < clock.last:
                work.ahead[b, lane], work.ahead[b, LANES + lane] = across(
                    V_here, I_here, cells[c + CELL_V], cells[c + CELL_I], lane, flow
                )
            elif add_pending(number, slot, bin_, layer, clock, neuron_record, work):
                touch(pending, number)
            else:
                return False
    return True


@inlined
def leave_bin(slot, bin_, layer, clock, neuron_record, work):
    """Settle every candidate at the end of the bin, and take all lanes there."""
    pending = work.pending
    for c in range(pending.how_many[CHOSEN]):
        number = pending.lanes[c]
        b, lane, then = number // LANES, number % LANES, pending.predicted[number]
        work.ahead[b, lane], work.ahead[b, LANES + lane] = then[V], then[I]
        work.level[b, lane] = new_level(neuron_record[b], lane, bin_, layer.constants[b, 2, lane], layer.read_maximum)
    for b in range(layer.packed_synapses.shape[0]):
        begin, end = places_of(b, layer)
        state, flow = pointer(work.state[b]), pointer(layer.flow[b])
        if layer.rate >= 0.0:
            integral, weight_end = pointer(work.ring.integral[begin:end]), math.exp(-layer.rate * (bin_ + 1))
            integrate(slot, state, flow, integral, weight_end, pointer(work.needs_solve[b]), pointer(neuron_record[b, INTEGRAL]))
        advance(slot, state, pointer(work.ahead[b]), pointer(work.ring.cells[begin * CELL : end * CELL]))


@inlined
def enter_bin(slot, bin_, layer, clock, neuron_record, work):
    """Step over the bin, and find the candidates in it. Returns whether there is room."""
    pending, is_last = work.pending, bin_ == clock.last
    pending.how_many[:] = 0
    for b in range(layer.packed_synapses.shape[0]):
        begin, end = places_of(b, layer)
        cells, needs_solve = pointer(work.ring.cells[begin * CELL : end * CELL]), work.needs_solve[b]
        any_needs_solve = step(
            slot, pointer(work.state[b]), pointer(layer.flow[b]), pointer(work.level[b]), cells, 64 * clock.u,
            pointer(needs_solve), pointer(work.ahead[b]),
        )
        if not (any_needs_solve or is_last):
            continue
        for lane in range(LANES):
            if not (needs_solve[lane] or (is_last and (layer.rate >= 0.0 or link_of(cells, slot + lane) >= 0))):
                continue  # the last ends at T, and not at the end of the bin
            number = b * LANES + lane
            if not add_pending(number, slot, bin_, layer, clock, neuron_record, work):
                return False
            level = work.level[b, lane]
            if not is_last and is_false_alarm(pending, number, layer.constants[b], level, 64 * clock.u):
                pending.how_many[CHOSEN] -= 1
                needs_solve[lane] = 0
            else:
                look_ahead(number, bin_, layer, clock, neuron_record, work)
    return True
