"""Forward kernel: one thread follows one neuron through one trial, in the same sweep as `fast.cpu.forward`.

Neighbouring threads are neighbouring neurons of the same trial, so that the threads of a warp read the same spikes, and
neighbouring synapses. Each has its own bins ahead, its own chains, and its own place for the spikes it emits: nothing
is shared, so nothing depends on which thread comes first.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import cuda

from fast.cpu.forward import new_level
from fast.cpu.vector_step import across, may_pass
from fast.cuda.compiling import Array, kernel
from fast.physics.clock import SLOT
from fast.physics.compiling import compiled
from fast.physics.layout import FLOW_PM, FLOW_RA, FLOW_RAB
from fast.physics.polynomials import AB, LANES, RAB, B, polynomial
from fast.physics.within_bin import (
    CROSSED,
    INTEGRAL,
    MAX_BIN,
    RECENT_BIN,
    STUCK,
    collect,
    stays_below,
    to_next_crossing,
)

IS_STUCK = -1  # in place of a number of spikes


class Ahead(NamedTuple):
    """Bins ahead, `[trials at once, blocks, ...]`.

    `deposits [4 * slots * LANES]`: what arrives in each bin and lane, V and I of excitation, then of inhibition, as in
    `fast.cpu.cells`; `integral, chain [slots * LANES]`: what is added to an integral readout, and the last spike;
    `next [size, LANES]`, the chains, `size` a power of two; `rest, weight [size, LANES]`, the arrivals of a bin in
    order.
    """

    deposits: Array
    integral: Array
    chain: Array
    next: Array
    rest: Array
    weight: Array


class Found(NamedTuple):
    """Emitted spikes: `bin, rest, I [n]`; `starts [trains + 1]`, where there is room for those of each train, which is
    a neuron in a trial; `counts [trains]`, how many there are, or IS_STUCK. What has no room is counted. And what is
    `neuron_record [trials, blocks, NEURON_RECORD, LANES]` of every neuron, see `fast.physics.within_bin`; zeros before."""

    starts: Array
    counts: Array
    bin: Array
    rest: Array
    I: Array
    neuron_record: Array


@compiled
def deposit_in_lane(n, q, source, ring_index, slots, lane, packed_synapses, coefficients, clock, integral_read, ahead, here, block):
    """Add the arrival of spike `n`, of rest `q`, at one neuron; see `fast.cpu.deposit.deposit`."""
    row = packed_synapses[source]
    x, p = clock.one - (q + row[2 * LANES + lane]), ring_index * SLOT + int(row[LANES + lane])
    if x <= clock.zero:
        x += clock.one
        p += SLOT
    if p >= slots * SLOT:
        p -= slots * SLOT
    if p >= slots * SLOT:  # no synapse, or after the trial
        return
    w, ring_offset, next_ = row[lane], p >> 1, ahead.next[here, block]
    deposits, chain = ahead.deposits[here, block], ahead.chain[here, block]
    deposits[2 * p] += w * (x * polynomial(coefficients, AB, lane, x, clock.terms))
    deposits[2 * p + 1] += w * polynomial(coefficients, B, lane, x, clock.terms)
    if integral_read:
        ahead.integral[here, block, ring_offset] += w * (x * x * polynomial(coefficients, RAB, lane, x, clock.terms))
    next_[n & (next_.shape[0] - 1), lane] = chain[ring_offset]
    chain[ring_offset] = n


@compiled
def integrate_in_lane(V, I, ring_offset, lane, flow, integral, weight_end, neuron_record):
    """Add the voltage of a bin that is not solved to the integral readout; see `fast.cpu.vector_step.integrate`."""
    pm = flow[FLOW_PM + lane]
    added = V * flow[FLOW_RA + lane] + I * pm * flow[FLOW_RAB + lane] + pm * integral[ring_offset]
    neuron_record[INTEGRAL, lane] += weight_end * added


@compiled
def voltage_may_pass(V, I, slot, lane, deposits, flow, level, slack):
    """Whether the voltage may pass `level` in this bin."""
    return may_pass(V, I, deposits[4 * (slot + lane)], lane, flow, level, slack)


@compiled
def cross_in_one_step(V, I, slot, lane, deposits, flow):
    """The state at the end of a bin that is not solved."""
    d = 4 * (slot + lane)
    return across(V, I, deposits[d] + deposits[d + 2], deposits[d + 1] + deposits[d + 3], lane, flow)


@compiled
def clear_bin(slot, lane, clock, integral_read, ahead, here, block):
    """Make room for the bin that is a whole turn of the ring away."""
    for d in range(4 * (slot + lane), 4 * (slot + lane) + 4):
        ahead.deposits[here, block, d] = clock.zero
    if integral_read:
        ahead.integral[here, block, slot + lane] = clock.zero
    ahead.chain[here, block, slot + lane] = -1


@compiled
def emit_into(found, train, count, bin_, rest, I):
    """Put spike `count` of a train where it belongs, if there is room."""
    n = found.starts[train] + count
    if n < found.starts[train + 1]:
        found.bin[n], found.rest[n], found.I[n] = bin_, rest, I


@compiled
def forward_lane(trial, here, block, lane, arriving, layer, clock, ahead, found):
    """One neuron in one trial, number `here` of those at once; `ahead` is clear before and after."""
    slots, integral_read, read_maximum = layer.slots, layer.rate >= 0.0, layer.read_maximum
    packed_synapses, flow, coefficients = layer.packed_synapses[block], layer.flow[block], layer.coefficients[block]
    constants, neuron_record = layer.constants[block], found.neuron_record[trial, block]
    four = (constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane])
    deposits, chain, next_ = ahead.deposits[here, block], ahead.chain[here, block], ahead.next[here, block]
    rest, weight = ahead.rest[here, block, :, lane], ahead.weight[here, block, :, lane]
    slack, train, count = 64 * clock.u, trial * layer.post + block * LANES + lane, 0
    V, I = 0.0, 0.0
    neuron_record[RECENT_BIN, lane], neuron_record[MAX_BIN, lane] = -1.0, -1.0
    level = new_level(neuron_record, lane, 0, four[2], read_maximum)
    n, n_last, ring_index = arriving.offsets[trial], arriving.offsets[trial + 1], 0
    for bin_ in range(clock.last + 1):
        while n < n_last and arriving.bin[n] == bin_:
            deposit_in_lane(
                n, arriving.rest[n], arriving.source[n], ring_index, slots, lane, packed_synapses, coefficients, clock, integral_read,
                ahead, here, block,
            )
            n += 1
        slot, is_last = ring_index * LANES, bin_ == clock.last
        needs_solve = voltage_may_pass(V, I, slot, lane, deposits, flow, level, slack)
        if is_last and (integral_read or chain[slot + lane] >= 0):  # it ends at T, and not at the end of the bin
            needs_solve = True
        arrivals = 0
        if needs_solve:
            arrivals = collect(
                chain[slot + lane], lane, arriving.rest, arriving.source, next_, packed_synapses, clock, is_last, rest, weight
            )
            needs_solve = is_last or not stays_below(V, I, rest, weight, arrivals, four[0], level, slack)
        if needs_solve:
            x, k = 0.0, 0
            while True:
                V, I, x, k, status = to_next_crossing(
                    V, I, x, k, rest, weight, arrivals, bin_, four, clock, coefficients, lane, layer.rate, read_maximum,
                    neuron_record, True,
                )
                if status != CROSSED:
                    break
                emit_into(found, train, count, bin_, x, I)
                count += 1
            if status == STUCK:
                count = IS_STUCK
                break
            level = new_level(neuron_record, lane, bin_, four[2], read_maximum)
        else:
            if integral_read:
                weight_end = math.exp(-layer.rate * (bin_ + 1))
                integrate_in_lane(V, I, slot + lane, lane, flow, ahead.integral[here, block], weight_end, neuron_record)
            V, I = cross_in_one_step(V, I, slot, lane, deposits, flow)
        clear_bin(slot, lane, clock, integral_read, ahead, here, block)
        ring_index = ring_index + 1 if ring_index + 1 < slots else 0
    for later in range(slots):  # what arrives after T
        clear_bin(later * LANES, lane, clock, integral_read, ahead, here, block)
    found.counts[train] = count


@kernel
def forward_kernel(first_trial, parts, arriving, layer, clock, ahead, found):
    """`parts` blocks of threads for each trial, from `first_trial` on."""
    here = cuda.blockIdx.x // parts
    number = (cuda.blockIdx.x % parts) * cuda.blockDim.x + cuda.threadIdx.x
    if number < layer.post:
        forward_lane(first_trial + here, here, number // LANES, number % LANES, arriving, layer, clock, ahead, found)
