"""Forward kernel: one thread follows one neuron through one trial (see `fast.cpu.forward`).

Neighbouring threads are neighbouring neurons of one trial, so the threads of a warp read the same
spikes, and neighbouring synapses. Each thread has its own bins ahead, its own chains, and its own
buffer for emitted spikes: nothing is shared, so nothing depends on which thread comes first.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import cuda

from fast.cuda.compiling import Array, kernel
from fast.physics.bin_step import (
    arrival_amounts,
    level_for_next_bin,
    state_across_bin,
    voltage_integral_across_bin,
    voltage_may_pass,
)
from fast.physics.clock import SLOT
from fast.physics.compiling import compiled
from fast.physics.layout import block_of
from fast.physics.neuron_record import INTEGRAL, MAX_BIN, RECENT_BIN
from fast.physics.polynomials import LANES, RAB, polynomial
from fast.physics.within_bin import CROSSED, STUCK, Arrivals, collect, stays_below, to_next_crossing

IS_STUCK = -1  # in place of a number of spikes


class Ahead(NamedTuple):
    """Bins ahead, `[trials at once, blocks, ...]`.

    `deposits [4 * slots * LANES]`: amounts of V and I that arrive in each bin and lane, of
    excitation, then of inhibition. `integral, chain [slots * LANES]`: amount of an integral
    readout, and the last spike. `next [size, LANES]`: the chains, `size` a power of two. `rest,
    weight [size, LANES]`: the arrivals of a bin in order.
    """

    deposits: Array
    integral: Array
    chain: Array
    next: Array
    rest: Array
    weight: Array


class Found(NamedTuple):
    """Emitted spikes: `bin, rest, I [n]`; and `neuron_record`, zeros before.

    `starts [trains + 1]`: where the buffer of each train begins (a train is a neuron in a trial).
    `counts [trains]`: spikes of each train, those beyond its buffer included, or IS_STUCK.
    `neuron_record [trials, blocks, NEURON_RECORD, LANES]`.
    """

    starts: Array
    counts: Array
    bin: Array
    rest: Array
    I: Array
    neuron_record: Array


@compiled
def deposit_in_lane(n, q, source, ring_index, lane, layer, clock, ahead, here, block):
    """Add the arrival of spike `n`, of rest `q`, at one neuron; see `fast.cpu.deposit.deposit`."""
    row, slots = layer.packed_synapses[block, source], layer.slots
    x, p = clock.one - (q + row[2 * LANES + lane]), ring_index * SLOT + int(row[LANES + lane])
    if x <= clock.zero:
        x += clock.one
        p += SLOT
    if p >= slots * SLOT:
        p -= slots * SLOT
    if p >= slots * SLOT:  # no synapse, or after the trial
        return
    w, cell, next_, coefficients = row[lane], p >> 1, ahead.next[here, block], layer.coefficients[block]
    deposits, chain = ahead.deposits[here, block], ahead.chain[here, block]
    dV, dI = arrival_amounts(w, x, lane, coefficients, clock.terms)
    deposits[2 * p] += dV
    deposits[2 * p + 1] += dI
    if layer.rate >= 0.0:
        ahead.integral[here, block, cell] += w * (x * x * polynomial(coefficients, RAB, lane, x, clock.terms))
    next_[n & (next_.shape[0] - 1), lane] = chain[cell]
    chain[cell] = n


@compiled
def passes_level(V, I, slot, lane, deposits, flow, level, slack):
    """Whether the voltage may pass `level` in this bin."""
    return voltage_may_pass(V, I, deposits[4 * (slot + lane)], lane, flow, level, slack)


@compiled
def integrate_bin(V, I, bin_, slot, lane, block, integral, neuron_record):
    """Add the voltage of a bin that is not solved to the integral readout, if one is read."""
    if block.rate >= 0.0:
        added = voltage_integral_across_bin(V, I, integral[slot + lane], lane, block.flow)
        neuron_record[INTEGRAL, lane] += math.exp(-block.rate * (bin_ + 1)) * added


@compiled
def cross_in_one_step(V, I, slot, lane, deposits, flow):
    """The state at the end of a bin that is not solved."""
    d = 4 * (slot + lane)
    return state_across_bin(V, I, deposits[d] + deposits[d + 2], deposits[d + 1] + deposits[d + 3], lane, flow)


@compiled
def clear_bin(slot, lane, clock, integral_read, ahead, here, block):
    """Empty a bin, for the one a whole turn of the ring later."""
    for d in range(4 * (slot + lane), 4 * (slot + lane) + 4):
        ahead.deposits[here, block, d] = clock.zero
    if integral_read:
        ahead.integral[here, block, slot + lane] = clock.zero
    ahead.chain[here, block, slot + lane] = -1


@compiled
def emit_into(found, train, count, bin_, rest, I):
    """Write spike `count` of a train into its buffer, if there is room."""
    n = found.starts[train] + count
    if n < found.starts[train + 1]:
        found.bin[n], found.rest[n], found.I[n] = bin_, rest, I


@compiled
def forward_lane(trial, here, number, lane, arriving, layer, clock, ahead, found):
    """One neuron of block `number` in one trial, index `here` of the trials at once.

    `ahead` is empty before and after.
    """
    slots, integral_read, read_maximum = layer.slots, layer.rate >= 0.0, layer.read_maximum
    block, record = block_of(layer, number), found.neuron_record[trial, number]
    deposits, chain, next_ = ahead.deposits[here, number], ahead.chain[here, number], ahead.next[here, number]
    rest, weight = ahead.rest[here, number, :, lane], ahead.weight[here, number, :, lane]
    slack, train, count, v_th = 64 * clock.u, trial * layer.post + number * LANES + lane, 0, block.constants[2, lane]
    V, I = 0.0, 0.0
    record[RECENT_BIN, lane], record[MAX_BIN, lane] = -1.0, -1.0
    level = level_for_next_bin(record, lane, 0, v_th, read_maximum)
    n, n_last, ring_index = arriving.offsets[trial], arriving.offsets[trial + 1], 0
    for bin_ in range(clock.last + 1):
        while n < n_last and arriving.bin[n] == bin_:
            deposit_in_lane(
                n, arriving.rest[n], arriving.source[n], ring_index, lane, layer, clock, ahead, here, number
            )
            n += 1
        slot, is_last = ring_index * LANES, bin_ == clock.last
        needs_solve = passes_level(V, I, slot, lane, deposits, block.flow, level, slack)
        if is_last and (integral_read or chain[slot + lane] >= 0):  # the last bin ends at T
            needs_solve = True
        arrivals = Arrivals(rest, weight, 0)
        if needs_solve:
            arrivals = Arrivals(rest, weight, collect(
                chain[slot + lane], lane, arriving.rest, arriving.source, next_, block.packed_synapses, clock, is_last,
                rest, weight,
            ))
            needs_solve = is_last or not stays_below(V, I, arrivals, block.constants[0, lane], level, slack)
        if needs_solve:
            x, k = 0.0, 0
            while True:
                V, I, x, k, status = to_next_crossing(V, I, x, k, arrivals, bin_, lane, block, clock, record, True)
                if status != CROSSED:
                    break
                emit_into(found, train, count, bin_, x, I)
                count += 1
            if status == STUCK:
                count = IS_STUCK
                break
            level = level_for_next_bin(record, lane, bin_, v_th, read_maximum)
        else:
            integrate_bin(V, I, bin_, slot, lane, block, ahead.integral[here, number], record)
            V, I = cross_in_one_step(V, I, slot, lane, deposits, block.flow)
        clear_bin(slot, lane, clock, integral_read, ahead, here, number)
        ring_index = ring_index + 1 if ring_index + 1 < slots else 0
    for later in range(slots):  # arrivals after T
        clear_bin(later * LANES, lane, clock, integral_read, ahead, here, number)
    found.counts[train] = count


@kernel
def forward_kernel(first_trial, parts, arriving, layer, clock, ahead, found):
    """`parts` blocks of threads for each trial, from `first_trial` on."""
    here = cuda.blockIdx.x // parts
    number = (cuda.blockIdx.x % parts) * cuda.blockDim.x + cuda.threadIdx.x
    if number < layer.post:
        forward_lane(first_trial + here, here, number // LANES, number % LANES, arriving, layer, clock, ahead, found)
