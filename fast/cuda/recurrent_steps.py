"""The steps of the forward kernel of a recurrent layer; each thread handles some neurons."""

import math

from delayprop.fast.compiling.compiler import compiled
from delayprop.fast.cuda.forward import (
    clear_bin,
    cross_in_one_step,
    deposit_in_lane,
    integrate_bin,
    passes_level,
    write_spike,
)
from delayprop.fast.layout.arrays import LANES, pack_of, reads_integral
from delayprop.fast.layout.instants import time_of
from delayprop.fast.layout.neuron_record import MAX_BIN, RECENT_BIN, RECENT_SLOPE
from delayprop.fast.layout.rows import V_TH
from delayprop.fast.physics.bin_step import level_for_next_bin
from delayprop.fast.physics.others import after_reset, others_of
from delayprop.fast.physics.within_bin import CROSSED, NONE, REACHED_END, arrivals_in_order, to_next_crossing

NO_ROOM, NO_RING = 1, 2  # the buffer that is too small, as bits


@compiled
def start_trial(thread, threads, here, trial, sweep):
    """Set every neuron of a thread to rest, before the first bin of a trial."""
    layer, together = sweep.layer, sweep.together
    for number in range(thread, layer.post, threads):
        pack_number, lane = number // LANES, number % LANES
        record = sweep.found.neuron_record[trial, pack_number]
        record[RECENT_BIN, lane], record[MAX_BIN, lane] = -1.0, -1.0
        together.V[here, number], together.I[here, number] = 0.0, 0.0
        for k in range(len(layer.others.states)):
            together.others[here, number, k] = 0.0
        v_th = layer.constants[pack_number, V_TH, lane]
        together.level[here, number] = level_for_next_bin(record, lane, 0, v_th, layer.read_maximum)


@compiled
def end_of_arrivals(s, s_last, bin_, bins):
    """The end, as an index, of the spikes from outside emitted in a bin; `s`: the first."""
    while s < s_last and bins[s] == bin_:
        s += 1
    return s


@compiled
def oldest_under_way(oldest, n, bin_, span, bins):
    """The index of the first spike that may still arrive, from `oldest` on; `span`: of the layer;
    `bins`: of the emission of each spike."""
    while oldest < n and bins[oldest] <= bin_ - span:
        oldest += 1
    return oldest


@compiled
def take_arrivals(thread, threads, here, s, s_next, n, arriving, together):
    """Copy spikes from outside into the spikes of the trial, from index `n` on."""
    for k in range(thread, s_next - s, threads):
        together.time[here, n + k] = arriving.time[s + k]
        together.source[here, n + k], together.bin[here, n + k] = arriving.source[s + k], arriving.bin[s + k]


@compiled
def deposit_all(number, here, first, last, sweep):
    """Deposit spikes `first..last-1` at one neuron."""
    together = sweep.together
    for n in range(first, last):
        deposit_in_lane(
            n, together.time[here, n], together.source[here, n], number % LANES, sweep.layer, sweep.clock, sweep.ahead,
            here, number // LANES,
        )


@compiled
def predict(number, here, trial, bin_, slot, sweep, final):
    """Follow a neuron from where it is settled to its next spike, or to the end of the bin.

    A `final` prediction is recorded, and the neuron is settled up to it. Returns the rest of the
    spike, or of the end, `I` and the other states there, and the status of `to_next_crossing`.
    """
    layer, clock, ahead, t = sweep.layer, sweep.clock, sweep.ahead, sweep.together
    pack_number, lane = number // LANES, number % LANES
    pack, chain = pack_of(layer, pack_number), ahead.chain[here, pack_number]
    rest, weight = ahead.rest[here, pack_number, :, lane], ahead.weight[here, pack_number, :, lane]
    arrivals = arrivals_in_order(
        chain[slot * LANES + lane], lane, t.time[here], t.source[here], ahead.next[here, pack_number], pack, clock,
        bin_ == clock.last, rest, weight,
    )
    V, I, O, x, n, status = to_next_crossing(
        t.V_settled[here, number], t.I_settled[here, number], others_of(t.others_settled[here, number], layer.others),
        t.x_settled[here, number], t.n_settled[here, number], arrivals, bin_, lane, pack, clock,
        sweep.found.neuron_record[trial, pack_number], final,
    )
    if final:
        V_next, I_next, O_next = V, I, O
        if status == CROSSED:
            V_next, I_next, O_next = after_reset(V, I, O, lane, pack.constants, layer.others)
        t.V_settled[here, number], t.I_settled[here, number] = V_next, I_next
        for k in range(len(layer.others.states)):
            t.others_settled[here, number, k] = O_next[k]
        t.x_settled[here, number], t.n_settled[here, number] = x, n
    else:
        t.when[here, number] = math.inf if status == REACHED_END else x
    return x, I, O, status


@compiled
def start_pending(number, here, others, together):
    """Make a neuron pending, settled up to the start of the bin."""
    together.needs_solve[here, number] = 1
    together.V_settled[here, number] = together.V[here, number]
    together.I_settled[here, number] = together.I[here, number]
    for k in range(len(others.states)):
        together.others_settled[here, number, k] = together.others[here, number, k]
    together.x_settled[here, number], together.n_settled[here, number] = 0.0, 0


@compiled
def enter_bin(thread, threads, here, trial, bin_, slot, first, last, sweep):
    """Deposit the spikes from outside, and find the pending neurons of a thread.

    Returns when the earliest of them spikes, and its number.
    """
    layer, clock, ahead, together = sweep.layer, sweep.clock, sweep.ahead, sweep.together
    when, best, place0 = math.inf, NONE, slot * LANES
    for number in range(thread, layer.post, threads):
        pack_number, lane = number // LANES, number % LANES
        deposit_all(number, here, first, last, sweep)
        needs_solve = passes_level(
            together.V[here, number], together.I[here, number], others_of(together.others[here, number], layer.others),
            place0, lane, ahead.deposits[here, pack_number], pack_of(layer, pack_number), together.level[here, number],
            clock.slack,
        )
        if bin_ == clock.last and (reads_integral(layer) or ahead.chain[here, pack_number, place0 + lane] >= 0):
            needs_solve = True  # the last bin ends at T
        together.needs_solve[here, number] = 0
        if needs_solve:
            start_pending(number, here, sweep.layer.others, together)
            predict(number, here, trial, bin_, slot, sweep, False)
            if together.when[here, number] < when:
                when, best = together.when[here, number], number
    return when, best


@compiled
def settle(number, here, trial, bin_, slot, n, count, sweep):
    """Make the next spike of a neuron final, and write it: as spike `count` of the layer, and from
    index `n` on among the spikes of the trial. Returns the status of `to_next_crossing`."""
    found, together, layer = sweep.found, sweep.together, sweep.layer
    x, I, O, status = predict(number, here, trial, bin_, slot, sweep, True)
    slope = found.neuron_record[trial, number // LANES, RECENT_SLOPE, number % LANES]
    found.neuron[trial, count] = number
    write_spike(found.spikes, trial * found.neuron.shape[1] + count, bin_, x, I, O, slope, layer.others)
    for copy in range(layer.copies):
        together.time[here, n + copy], together.bin[here, n + copy] = time_of(bin_, x, layer.ticks), bin_
        together.source[here, n + copy] = layer.external + copy * layer.post + number
    return status


@compiled
def spread(thread, threads, winner, here, trial, bin_, slot, first, last, sweep):
    """Deposit a spike of `winner` at the neurons of a thread.

    Returns when the earliest of them spikes next, and its number.
    """
    ahead, together = sweep.ahead, sweep.together
    when, best, place0 = math.inf, NONE, slot * LANES
    for number in range(thread, sweep.layer.post, threads):
        pack_number, lane = number // LANES, number % LANES
        deposit_all(number, here, first, last, sweep)
        # The chain begins with the latest spike: a new one is there if it arrives in this bin.
        if number == winner or ahead.chain[here, pack_number, place0 + lane] >= first:
            if not together.needs_solve[here, number]:
                start_pending(number, here, sweep.layer.others, together)
            predict(number, here, trial, bin_, slot, sweep, False)
        if together.needs_solve[here, number] and together.when[here, number] < when:
            when, best = together.when[here, number], number
    return when, best


@compiled
def leave_bin(thread, threads, here, trial, bin_, slot, sweep):
    """Take the neurons of a thread to the end of a bin."""
    layer, ahead, together, place0 = sweep.layer, sweep.ahead, sweep.together, slot * LANES
    for number in range(thread, layer.post, threads):
        pack_number, lane = number // LANES, number % LANES
        pack, record = pack_of(layer, pack_number), sweep.found.neuron_record[trial, pack_number]
        V, I = together.V[here, number], together.I[here, number]
        O = others_of(together.others[here, number], layer.others)
        if together.needs_solve[here, number]:
            predict(number, here, trial, bin_, slot, sweep, True)
            V, I = together.V_settled[here, number], together.I_settled[here, number]
            O = others_of(together.others_settled[here, number], layer.others)
            v_th = pack.constants[V_TH, lane]
            together.level[here, number] = level_for_next_bin(record, lane, bin_, v_th, layer.read_maximum)
        else:
            integrate_bin(V, I, bin_, place0, lane, pack, ahead.integral[here, pack_number], record)
            V, I, O = cross_in_one_step(V, I, O, place0, lane, ahead.deposits[here, pack_number], pack)
        together.V[here, number], together.I[here, number] = V, I
        for k in range(len(layer.others.states)):
            together.others[here, number, k] = O[k]
        clear_bin(place0, lane, sweep.clock, layer, ahead, here, pack_number)


@compiled
def end_trial(thread, threads, here, sweep):
    """Empty the rings of the neurons of a thread, since arrivals after T are left in them."""
    layer = sweep.layer
    for number in range(thread, layer.post, threads):
        for later in range(layer.ticks.bins):
            clear_bin(later * LANES, number % LANES, sweep.clock, layer, sweep.ahead, here, number // LANES)
