"""The steps of the forward kernel of a recurrent layer; each thread handles some neurons."""

import math
from typing import NamedTuple

from delayprop.fast.compiling.compiler import compiled
from delayprop.fast.cuda.compiling import Array
from delayprop.fast.cuda.forward import (
    Ahead,
    clear_bin,
    cross_in_one_step,
    deposit_in_lane,
    integrate_bin,
    passes_level,
)
from delayprop.fast.layout.arrays import LANES, Layer, pack_of
from delayprop.fast.layout.instants import time_of
from delayprop.fast.layout.neuron_record import MAX_BIN, RECENT_BIN
from delayprop.fast.physics.bin_step import level_for_next_bin
from delayprop.fast.physics.clock import Clock
from delayprop.fast.physics.within_bin import NONE, REACHED_END, arrivals_in_order, to_next_crossing

NO_ROOM, NO_RING = 1, 2  # the buffer that is too small, as bits


class Together(NamedTuple):
    """Arrays that the threads of a block share, `[trials at once, ...]`.

    `time, source, bin [size]`: spikes of the trial in the order they are deposited. `V, I, level,
    needs_solve [lanes]`: of each neuron, at the start of the bin. Of pending neurons: `V, I, x, n`
    as settled: the state just after the last final spike, its instant, and the number of arrivals
    before it; `when`: rest of the next spike, infinite without one.
    """

    time: Array
    source: Array
    bin: Array
    V: Array
    I: Array
    level: Array
    needs_solve: Array
    V_settled: Array
    I_settled: Array
    x_settled: Array
    n_settled: Array
    when: Array


class EmissionInOrder(NamedTuple):
    """Emitted spikes of each trial, in order of time: `neuron, bin, rest, I [trials, room]`.

    `counts [trials]`: number of spikes; or, below 0, -1 minus the neuron that spikes too fast.
    `lacks [trials]`: NO_ROOM, NO_RING. `neuron_record`: as in `fast.cuda.forward.Emission`.
    """

    counts: Array
    lacks: Array
    neuron: Array
    bin: Array
    rest: Array
    I: Array
    neuron_record: Array


class RecurrentSweep(NamedTuple):
    """Everything that the threads of the kernel share."""

    layer: Layer
    clock: Clock
    ahead: Ahead
    together: Together
    found: EmissionInOrder


@compiled
def start_trial(thread, threads, here, trial, sweep):
    """Every neuron of a thread at rest."""
    layer, together = sweep.layer, sweep.together
    for number in range(thread, layer.post, threads):
        pack, lane = number // LANES, number % LANES
        record = sweep.found.neuron_record[trial, pack]
        record[RECENT_BIN, lane], record[MAX_BIN, lane] = -1.0, -1.0
        together.V[here, number], together.I[here, number] = 0.0, 0.0
        v_th = layer.constants[pack, 2, lane]
        together.level[here, number] = level_for_next_bin(record, lane, 0, v_th, layer.read_maximum)


@compiled
def end_of_arrivals(s, s_last, bin_, bins):
    """End of the spikes from outside that are emitted in a bin."""
    while s < s_last and bins[s] == bin_:
        s += 1
    return s


@compiled
def oldest_under_way(oldest, n, bin_, slots, bins):
    """The first spike that may still arrive."""
    while oldest < n and bins[oldest] <= bin_ - slots:
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
def predict(number, here, trial, bin_, ring_index, sweep, final):
    """Follow a neuron from where it is settled to its next spike, or to the end of the bin.

    A `final` prediction is recorded, and the neuron is settled up to it. Returns the rest of the
    spike, or of the end, the current there, and the status of `to_next_crossing`.
    """
    layer, clock, ahead, t = sweep.layer, sweep.clock, sweep.ahead, sweep.together
    b, lane = number // LANES, number % LANES
    pack, rest, weight = pack_of(layer, b), ahead.rest[here, b, :, lane], ahead.weight[here, b, :, lane]
    arrivals = arrivals_in_order(
        ahead.chain[here, b, ring_index * LANES + lane], lane, t.time[here], t.source[here], ahead.next[here, b],
        pack, clock, bin_ == clock.last, rest, weight,
    )
    V, I, x, n, status = to_next_crossing(
        t.V_settled[here, number], t.I_settled[here, number], t.x_settled[here, number], t.n_settled[here, number],
        arrivals, bin_, lane, pack, clock, sweep.found.neuron_record[trial, b], final,
    )
    if final:
        t.V_settled[here, number], t.I_settled[here, number] = V, I
        t.x_settled[here, number], t.n_settled[here, number] = x, n
    else:
        t.when[here, number] = math.inf if status == REACHED_END else x
    return x, I, status


@compiled
def start_pending(number, here, together):
    """Make a neuron pending, settled up to the start of the bin."""
    together.needs_solve[here, number] = 1
    together.V_settled[here, number] = together.V[here, number]
    together.I_settled[here, number] = together.I[here, number]
    together.x_settled[here, number], together.n_settled[here, number] = 0.0, 0


@compiled
def enter_bin(thread, threads, here, trial, bin_, ring_index, first, last, sweep):
    """Deposit the spikes from outside, and find the pending neurons of a thread.

    Returns when the earliest of them spikes, and its number.
    """
    layer, clock, ahead, together = sweep.layer, sweep.clock, sweep.ahead, sweep.together
    when, best, slot = math.inf, NONE, ring_index * LANES
    for number in range(thread, layer.post, threads):
        pack, lane = number // LANES, number % LANES
        deposit_all(number, here, first, last, sweep)
        needs_solve = passes_level(
            together.V[here, number], together.I[here, number], slot, lane, ahead.deposits[here, pack],
            layer.flow[pack], together.level[here, number], 64 * clock.u,
        )
        if bin_ == clock.last and (layer.rate >= 0.0 or ahead.chain[here, pack, slot + lane] >= 0):
            needs_solve = True  # the last bin ends at T
        together.needs_solve[here, number] = 0
        if needs_solve:
            start_pending(number, here, together)
            predict(number, here, trial, bin_, ring_index, sweep, False)
            if together.when[here, number] < when:
                when, best = together.when[here, number], number
    return when, best


@compiled
def settle(number, here, trial, bin_, ring_index, n, count, sweep):
    """Make the next spike of a neuron final: spike `count` of the layer, and `n` of all."""
    found, together, layer = sweep.found, sweep.together, sweep.layer
    x, I, status = predict(number, here, trial, bin_, ring_index, sweep, True)
    found.neuron[trial, count], found.bin[trial, count] = number, bin_
    found.rest[trial, count], found.I[trial, count] = x, I
    for copy in range(layer.copies):
        together.time[here, n + copy], together.bin[here, n + copy] = time_of(bin_, x, layer.ticks), bin_
        together.source[here, n + copy] = layer.external + copy * layer.post + number
    return status


@compiled
def spread(thread, threads, winner, here, trial, bin_, ring_index, first, last, sweep):
    """Deposit a spike of `winner` at the neurons of a thread.

    Returns when the earliest of them spikes next, and its number.
    """
    ahead, together = sweep.ahead, sweep.together
    when, best, slot = math.inf, NONE, ring_index * LANES
    for number in range(thread, sweep.layer.post, threads):
        pack, lane = number // LANES, number % LANES
        deposit_all(number, here, first, last, sweep)
        if number == winner or ahead.chain[here, pack, slot + lane] >= first:
            if not together.needs_solve[here, number]:
                start_pending(number, here, together)
            predict(number, here, trial, bin_, ring_index, sweep, False)
        if together.needs_solve[here, number] and together.when[here, number] < when:
            when, best = together.when[here, number], number
    return when, best


@compiled
def leave_bin(thread, threads, here, trial, bin_, ring_index, sweep):
    """Take the neurons of a thread to the end of a bin."""
    layer, ahead, together, slot = sweep.layer, sweep.ahead, sweep.together, ring_index * LANES
    for number in range(thread, layer.post, threads):
        b, lane = number // LANES, number % LANES
        pack, record = pack_of(layer, b), sweep.found.neuron_record[trial, b]
        V, I = together.V[here, number], together.I[here, number]
        if together.needs_solve[here, number]:
            predict(number, here, trial, bin_, ring_index, sweep, True)
            V, I = together.V_settled[here, number], together.I_settled[here, number]
            v_th = pack.constants[2, lane]
            together.level[here, number] = level_for_next_bin(record, lane, bin_, v_th, layer.read_maximum)
        else:
            integrate_bin(V, I, bin_, slot, lane, pack, ahead.integral[here, b], record)
            V, I = cross_in_one_step(V, I, slot, lane, ahead.deposits[here, b], pack.flow)
        together.V[here, number], together.I[here, number] = V, I
        clear_bin(slot, lane, sweep.clock, layer.rate >= 0.0, ahead, here, b)


@compiled
def end_trial(thread, threads, here, sweep):
    """Empty the bins of arrivals after T."""
    layer = sweep.layer
    for number in range(thread, layer.post, threads):
        for later in range(layer.ticks.bins):
            clear_bin(later * LANES, number % LANES, sweep.clock, layer.rate >= 0.0, sweep.ahead, here, number // LANES)
