"""What the threads of a recurrent layer do with the neurons that each has, in the forward pass."""

from __future__ import annotations

import math
from typing import NamedTuple

from fast.cpu.forward import new_level
from fast.cuda.compiling import Array
from fast.cuda.forward import clear_bin, cross_in_one_step, deposit_in_lane, integrate_in_lane, voltage_may_pass
from fast.physics.compiling import compiled
from fast.physics.polynomials import LANES
from fast.physics.within_bin import MAX_BIN, NONE, REACHED_END, RECENT_BIN, collect, to_next_crossing

NO_ROOM, NO_RING = 1, 2  # what was too small, as bits


class Together(NamedTuple):
    """What the threads of a block share, `[trials at once, ...]`.

    `rest, source, bin [size]`: spikes of the trial in the order they are deposited. `V, I, level, needs_solve [lanes]`: of
    each neuron, at the start of the bin. Of those in which something can happen: `V, I, x, n`, the state just after
    the last final spike, where that is, and how many arrivals came before; `when`: rest of the next spike, infinite
    without.
    """

    rest: Array
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


class FoundInOrder(NamedTuple):
    """Emitted spikes of each trial, in order of time: `neuron, bin, rest, I [trials, room]`; `counts [trials]`, or what
    is below 0: -1 - the neuron that spikes too fast; `lacks [trials]`: NO_ROOM, NO_RING; `neuron_record` as in `Found`."""

    counts: Array
    lacks: Array
    neuron: Array
    bin: Array
    rest: Array
    I: Array
    neuron_record: Array


@compiled
def start_trial(thread, threads, here, trial, layer, together, found):
    """Every neuron of a thread at rest."""
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        neuron_record = found.neuron_record[trial, block]
        neuron_record[RECENT_BIN, lane], neuron_record[MAX_BIN, lane] = -1.0, -1.0
        together.V[here, number], together.I[here, number] = 0.0, 0.0
        together.level[here, number] = new_level(neuron_record, lane, 0, layer.constants[block, 2, lane], layer.read_maximum)


@compiled
def end_of_arrivals(s, s_last, bin_, bins):
    """Where the spikes from outside end that are emitted in a bin."""
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
    """Put spikes from outside among those of the trial, from `n` on."""
    for k in range(thread, s_next - s, threads):
        together.rest[here, n + k] = arriving.rest[s + k]
        together.source[here, n + k], together.bin[here, n + k] = arriving.source[s + k], arriving.bin[s + k]


@compiled
def deposit_all(number, here, ring_index, first, last, layer, clock, ahead, together):
    """Deposit spikes `first..last-1` at one neuron."""
    block, lane = number // LANES, number % LANES
    for n in range(first, last):
        deposit_in_lane(
            n, together.rest[here, n], together.source[here, n], ring_index, layer.slots, lane, layer.packed_synapses[block],
            layer.coefficients[block], clock, layer.rate >= 0.0, ahead, here, block,
        )


@compiled
def predict(number, here, trial, bin_, ring_index, layer, clock, ahead, together, found, final):
    """Follow a neuron from where it is settled to its next spike, or to the end of the bin.

    What is `final` is recorded, and the neuron is settled up to it. Returns the rest of the spike, or of the end, the
    current there, and the status of `to_next_crossing`.
    """
    block, lane, t = number // LANES, number % LANES, together
    constants, packed_synapses = layer.constants[block], layer.packed_synapses[block]
    four = (constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane])
    rest, weight = ahead.rest[here, block, :, lane], ahead.weight[here, block, :, lane]
    count = collect(
        ahead.chain[here, block, ring_index * LANES + lane], lane, t.rest[here], t.source[here], ahead.next[here, block],
        packed_synapses, clock, bin_ == clock.last, rest, weight,
    )
    V, I, x, n, status = to_next_crossing(
        t.V_settled[here, number], t.I_settled[here, number], t.x_settled[here, number], t.n_settled[here, number],
        rest, weight, count, bin_, four, clock, layer.coefficients[block], lane, layer.rate, layer.read_maximum,
        found.neuron_record[trial, block], final,
    )
    if final:
        t.V_settled[here, number], t.I_settled[here, number] = V, I
        t.x_settled[here, number], t.n_settled[here, number] = x, n
    else:
        t.when[here, number] = math.inf if status == REACHED_END else x
    return x, I, status


@compiled
def become_pending(number, here, together):
    """Settled up to the start of the bin."""
    together.needs_solve[here, number] = 1
    together.V_settled[here, number] = together.V[here, number]
    together.I_settled[here, number] = together.I[here, number]
    together.x_settled[here, number], together.n_settled[here, number] = 0.0, 0


@compiled
def enter_bin(thread, threads, here, trial, bin_, ring_index, first, last, layer, clock, ahead, together, found):
    """Deposit what comes from outside, and find which neurons of a thread can spike; the earliest, and when it does."""
    when, best, slot, integral_read = math.inf, NONE, ring_index * LANES, layer.rate >= 0.0
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        deposit_all(number, here, ring_index, first, last, layer, clock, ahead, together)
        needs_solve = voltage_may_pass(
            together.V[here, number], together.I[here, number], slot, lane, ahead.deposits[here, block],
            layer.flow[block], together.level[here, number], 64 * clock.u,
        )
        if bin_ == clock.last and (integral_read or ahead.chain[here, block, slot + lane] >= 0):
            needs_solve = True  # it ends at T, and not at the end of the bin
        together.needs_solve[here, number] = 0
        if needs_solve:
            become_pending(number, here, together)
            predict(number, here, trial, bin_, ring_index, layer, clock, ahead, together, found, False)
            if together.when[here, number] < when:
                when, best = together.when[here, number], number
    return when, best


@compiled
def settle(number, here, trial, bin_, ring_index, n, count, layer, clock, ahead, together, found):
    """Make the next spike of a neuron final: spike `count` of the layer, and `n` of all."""
    x, I, status = predict(number, here, trial, bin_, ring_index, layer, clock, ahead, together, found, True)
    found.neuron[trial, count], found.bin[trial, count] = number, bin_
    found.rest[trial, count], found.I[trial, count] = x, I
    for copy in range(layer.copies):
        together.rest[here, n + copy], together.bin[here, n + copy] = x, bin_
        together.source[here, n + copy] = layer.external + copy * layer.post + number
    return status


@compiled
def spread(thread, threads, winner, here, trial, bin_, ring_index, first, last, layer, clock, ahead, together, found):
    """Deposit a spike of `winner` at the neurons of a thread; the earliest of their next spikes, and when it is."""
    when, best, slot = math.inf, NONE, ring_index * LANES
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        deposit_all(number, here, ring_index, first, last, layer, clock, ahead, together)
        if number == winner or ahead.chain[here, block, slot + lane] >= first:
            if not together.needs_solve[here, number]:
                become_pending(number, here, together)
            predict(number, here, trial, bin_, ring_index, layer, clock, ahead, together, found, False)
        if together.needs_solve[here, number] and together.when[here, number] < when:
            when, best = together.when[here, number], number
    return when, best


@compiled
def leave_bin(thread, threads, here, trial, bin_, ring_index, layer, clock, ahead, together, found):
    """Take the neurons of a thread to the end of a bin."""
    slot, integral_read = ring_index * LANES, layer.rate >= 0.0
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        flow, neuron_record = layer.flow[block], found.neuron_record[trial, block]
        V, I = together.V[here, number], together.I[here, number]
        if together.needs_solve[here, number]:
            predict(number, here, trial, bin_, ring_index, layer, clock, ahead, together, found, True)
            V, I = together.V_settled[here, number], together.I_settled[here, number]
            v_th = layer.constants[block, 2, lane]
            together.level[here, number] = new_level(neuron_record, lane, bin_, v_th, layer.read_maximum)
        else:
            if integral_read:
                weight_end = math.exp(-layer.rate * (bin_ + 1))
                integrate_in_lane(V, I, slot + lane, lane, flow, ahead.integral[here, block], weight_end, neuron_record)
            V, I = cross_in_one_step(V, I, slot, lane, ahead.deposits[here, block], flow)
        together.V[here, number], together.I[here, number] = V, I
        clear_bin(slot, lane, clock, integral_read, ahead, here, block)


@compiled
def end_trial(thread, threads, here, layer, clock, ahead):
    """Clear what arrives after T."""
    for number in range(thread, layer.post, threads):
        for later in range(layer.slots):
            clear_bin(later * LANES, number % LANES, clock, layer.rate >= 0.0, ahead, here, number // LANES)
