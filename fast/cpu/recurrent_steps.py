"""One bin of a recurrent layer: packs enter it, spikes in it reach lanes, packs leave it."""

import math

from delayprop.fast.compiling.compiler import compiled, inlined
from delayprop.fast.cpu.arrivals import pointers_of, ring_places, spike_pointers
from delayprop.fast.cpu.bin_ahead import any_arrival, arrived, clear_bin, unzip
from delayprop.fast.cpu.deposit import (
    Links,
    deposit,
    deposit_in_bin,
    deposit_integral,
    scratch_pointers,
)
from delayprop.fast.cpu.in_step import NO_SPIKE, add_in_step, add_in_step_at, in_step_of
from delayprop.fast.cpu.intrinsics import CELL, CELL_I, CELL_UP, CELL_V, lowest_bit, pointer
from delayprop.fast.cpu.pending import (
    CHOSEN,
    TAKEN,
    I,
    O,
    V,
    insert_arrival,
    predict,
    start_pending,
    take_arrivals,
    touch,
)
from delayprop.fast.cpu.reached import deposit_reached, deposit_reached_in_bin
from delayprop.fast.cpu.vector_step import advance, clear_integral, integrate, step
from delayprop.fast.layout.arrays import LANES, lane_of, pack_of, reaches_others, reads_integral
from delayprop.fast.layout.instants import arrival_of, in_bins
from delayprop.fast.layout.neuron_record import INTEGRAL
from delayprop.fast.layout.rows import V_TH
from delayprop.fast.physics.bin_step import level_for_next_bin, level_may_pass, state_across_bin
from delayprop.fast.physics.currents import currents
from delayprop.fast.physics.others import others_at, set_others
from delayprop.fast.physics.within_bin import weight_is_source


@inlined
def cells_of(pack_number, layer, work):
    """Pointer to the cells of a pack, of all its currents."""
    size = currents(layer.others) * ring_places(layer.ticks) * CELL
    return pointer(work.ring.cells[pack_number * size : (pack_number + 1) * size])


@inlined
def integral_of(pack_number, layer, work):
    """Pointer to the deposits of a pack for an integral readout."""
    places = ring_places(layer.ticks)
    return pointer(work.ring.integral[pack_number * places : (pack_number + 1) * places])


@inlined
def more_of(pack_number, layer, work):
    """Pointer to the deposits of other states of a pack."""
    size = ring_places(layer.ticks) * len(layer.others.reached)
    return pointer(work.ring.more[pack_number * size : (pack_number + 1) * size])


@inlined
def unzip_lane(cells, place0, lane, places, others, rows):
    """Write the numbers `V, I, up` of the cells of one lane in a bin to its entries of `rows`, as
    `fast.cpu.bin_ahead.unzip` does for all lanes. Pointers."""
    for current in range(currents(others)):
        cell, row = CELL * (current * places + place0 + lane), current * 3 * LANES + lane
        rows[row], rows[row + LANES], rows[row + 2 * LANES] = (
            cells[cell + CELL_V], cells[cell + CELL_I], cells[cell + CELL_UP]
        )


@inlined
def deposit_everywhere(first, last, layer, clock, work):
    """Deposit spikes `first..last-1` in every pack."""
    spikes, mask = spike_pointers(work.spikes.time, work.spikes.source), work.spikes.next.shape[1] - 1
    scratch = scratch_pointers(work.scratch)
    for pack_number in range(layer.constants.shape[0]):
        pack = pointers_of(pack_of(layer, pack_number), clock)
        links, places = Links(pointer(work.spikes.next[pack_number]), mask), ring_places(layer.ticks)
        cells, more = cells_of(pack_number, layer, work), more_of(pack_number, layer, work)
        if reaches_others(layer.others):
            deposit_reached(first, last, spikes, pack, links, cells, more, places, scratch)
        else:
            deposit(first, last, spikes, pack, links, cells, in_step_of(pack_number, work.in_step), scratch)
        if reads_integral(layer):
            deposit_integral(first, last, spikes, pack, integral_of(pack_number, layer, work))


@compiled
def add_pending(number, place0, bin_, layer, clock, neuron_record, work):
    """Make a lane pending, with all arrivals in the bin. Returns whether there is room."""
    pack_number, lane, pending = number // LANES, lane_of(number), work.pending
    # No more spikes can be under way than there are links, so no chain is longer.
    if pending.rest.size - pending.how_many[TAKEN] < work.spikes.next.shape[1]:
        return False
    start_pending(pending, number, work.state[pack_number], lane, neuron_record[pack_number])
    take_arrivals(
        pending, number, cells_of(pack_number, layer, work), place0 + lane, work.spikes, work.spikes.next[pack_number],
        in_step_of(pack_number, work.in_step), pack_of(layer, pack_number), clock, bin_ == clock.last,
    )
    work.needs_solve[pack_number, lane] = 1
    return True


@compiled
def deliver_same_bin(n, place0, bin_, layer, clock, neuron_record, work):
    """Deliver spike `n` of the layer to lanes that it reaches in its own bin; they become pending.

    It is deposited everywhere else when the bin is left. Returns whether there is room.
    """
    spikes, pending, mask = work.spikes, work.pending, work.spikes.next.shape[1] - 1
    source, time = spikes.source[n], spikes.time[n]
    for pack_number in range(layer.constants.shape[0]):
        bits, pack = work.near[pack_number, source - layer.external], pack_of(layer, pack_number)
        cells = cells_of(pack_number, layer, work)
        pointers, links = pointers_of(pack, clock), Links(pointer(spikes.next[pack_number]), mask)
        more, places = more_of(pack_number, layer, work), ring_places(layer.ticks)
        while bits:
            lane = lowest_bit(bits)
            bits &= bits - 1  # without its lowest bit
            if reaches_others(layer.others):
                arrives = deposit_reached_in_bin(place0, n, time, source, lane, pointers, links, cells, more, places)
            else:
                arrives = deposit_in_bin(place0, n, time, source, lane, pointers, links, cells)
            if not arrives:
                continue
            number = pack_number * LANES + lane
            # A pending lane has its arrivals in order: this one is inserted.
            if work.needs_solve[pack_number, lane]:
                _, ticks_after, _ = arrival_of(pack.synapses.delay[source, lane], time, layer.ticks)
                r = in_bins(ticks_after, layer.ticks)
                if bin_ == clock.last and r > clock.until:
                    continue
                weight = source if weight_is_source(layer.others) else pack.synapses.w[source, lane]
                if not insert_arrival(pending, number, r, weight):
                    return False
                touch(pending, number)
                continue
            # Any other lane asks the bound again: it steps over the bin anew, or becomes pending.
            V_here, I_here = work.state[pack_number, lane], work.state[pack_number, LANES + lane]
            flow = layer.flow[pack_number]
            others, O_here = layer.others, others_at(work.state[pack_number], 2, lane, layer.others)
            V_end, I_end, O_end = state_across_bin(V_here, I_here, O_here, lane, flow, others)
            rows = pointer(work.scratch.amount)
            unzip_lane(cells, place0, lane, places, others, rows)
            if layer.any_shared:
                in_step = in_step_of(pack_number, work.in_step)
                add_in_step_at(lane, place0 // LANES, spikes.source, mask, pointers, in_step, rows)
            dV, dI, dO, up = arrived(rows, more, place0, lane, places, others)
            passes = level_may_pass(
                (V_here, I_here, O_here), (V_end, I_end, O_end), up, lane, flow, others, work.level[pack_number, lane],
                clock.slack,
            )
            if not passes and bin_ < clock.last:
                work.ahead[pack_number, lane], work.ahead[pack_number, LANES + lane] = V_end + dV, I_end + dI
                set_others(pointer(work.ahead[pack_number]), 2, lane, (O_end[0] + dO[0], O_end[1] + dO[1]), others)
            elif add_pending(number, place0, bin_, layer, clock, neuron_record, work):
                touch(pending, number)
            else:
                return False
    return True


@inlined
def leave_bin(place0, bin_, layer, neuron_record, work):
    """Settle every pending lane at the end of the bin, and take all lanes there."""
    pending = work.pending
    for c in range(pending.how_many[CHOSEN]):
        number = pending.lanes[c]
        pack_number, lane, then = number // LANES, lane_of(number), pending.predicted[number]
        work.ahead[pack_number, lane], work.ahead[pack_number, LANES + lane] = then[V], then[I]
        for k in range(len(layer.others.states)):
            work.ahead[pack_number, (2 + k) * LANES + lane] = then[O + k]
        v_th = layer.constants[pack_number, V_TH, lane]
        record = neuron_record[pack_number]
        work.level[pack_number, lane] = level_for_next_bin(record, lane, bin_, v_th, layer.read_maximum)
    for pack_number in range(layer.constants.shape[0]):
        state, flow = pointer(work.state[pack_number]), pointer(layer.flow[pack_number])
        if reads_integral(layer):
            integral, weight_end = integral_of(pack_number, layer, work), math.exp(-layer.rate * (bin_ + 1))
            integrals = pointer(neuron_record[pack_number, INTEGRAL])
            integrate(place0, state, flow, integral, weight_end, pointer(work.needs_solve[pack_number]), integrals)
        advance(state, layer.others, pointer(work.ahead[pack_number]))
    empty_bin(place0, layer, work)


@inlined
def empty_bin(place0, layer, work):
    """Empty a bin of the rings of every pack."""
    for pack_number in range(layer.constants.shape[0]):
        cells, more = cells_of(pack_number, layer, work), more_of(pack_number, layer, work)
        clear_bin(place0, cells, more, ring_places(layer.ticks), layer.others)
        clear_integral(place0, integral_of(pack_number, layer, work), reads_integral(layer))
        if layer.any_shared:
            work.in_step.last[pack_number, place0 // LANES] = NO_SPIKE


@inlined
def enter_bin(place0, bin_, layer, clock, neuron_record, work):
    """Step over the bin, and find the pending lanes in it. Returns whether there is room."""
    pending, is_last = work.pending, bin_ == clock.last
    pending.how_many[:] = 0
    source, mask, rows = pointer(work.spikes.source), work.spikes.next.shape[1] - 1, pointer(work.scratch.amount)
    for pack_number in range(layer.constants.shape[0]):
        cells, needs_solve = cells_of(pack_number, layer, work), work.needs_solve[pack_number]
        in_step = in_step_of(pack_number, work.in_step)
        unzip(cells, place0, ring_places(layer.ticks), layer.others, rows)
        if layer.any_shared:
            add_in_step(place0 // LANES, source, mask, pointers_of(pack_of(layer, pack_number), clock), in_step, rows)
        any_needs_solve = step(
            place0, pointer(work.state[pack_number]), pointer(layer.flow[pack_number]), layer.others,
            pointer(work.level[pack_number]), rows, more_of(pack_number, layer, work), ring_places(layer.ticks),
            clock.slack, pointer(needs_solve),
            pointer(work.ahead[pack_number]),
        )
        if not (any_needs_solve or is_last):
            continue
        for lane in range(LANES):
            arrives = any_arrival(cells, in_step, place0 + lane, ring_places(layer.ticks), layer.others)
            at_T = is_last and (reads_integral(layer) or clock.goes_on or arrives)  # the last bin ends there
            if not (needs_solve[lane] or at_T):
                continue
            number = pack_number * LANES + lane
            if not add_pending(number, place0, bin_, layer, clock, neuron_record, work):
                return False
            predict(pending, number, bin_, layer, clock, neuron_record)
    return True
