"""Forward kernel: one thread follows one neuron through one trial (see `fast.cpu.forward`).

Neighbouring threads are neighbouring neurons of one trial, so the threads of a warp read the same
spikes, and neighbouring synapses. Each thread has its own bins ahead, its own chains, and its own
buffer for emitted spikes: nothing is shared, so nothing depends on which thread comes first.
"""

import math
from typing import NamedTuple

from numba import cuda

from delayprop.fast.compiling.compiler import compiled, inlined, read_anew
from delayprop.fast.cuda.compiling import Array, kernel
from delayprop.fast.layout.arrays import LANES, pack_of, reaches_others, reads_integral
from delayprop.fast.layout.instants import arrival_of, left_in_bin
from delayprop.fast.layout.neuron_record import INTEGRAL, MAX_BIN, RECENT_BIN, RECENT_SLOPE
from delayprop.fast.layout.rows import FLOW_A_VI, V_TH, flow_a
from delayprop.fast.physics.bin_step import (
    level_for_next_bin,
    level_may_pass,
    state_across_bin,
    voltage_integral_across_bin,
)
from delayprop.fast.physics.currents import current_of, state_of
from delayprop.fast.physics.factors import (
    arrival_amounts,
    arrival_factors,
    driven_a_bin_more,
    driven_factors_of,
    factors_of,
    integral_amount,
)
from delayprop.fast.physics.others import after_reset
from delayprop.fast.physics.response import excitation, response
from delayprop.fast.physics.within_bin import CROSSED, STUCK, arrivals_in_order, to_next_crossing

IS_STUCK = -1  # in place of a number of spikes


class Ahead(NamedTuple):
    """Bins ahead, `[trials at once, packs, ...]`.

    `deposits [deposit_numbers * bins * LANES]`: amounts that arrive in each bin and lane: V and I
    of excitation, then of inhibition, and other currents; or V, I, the most that the level rises,
    and other states, where arrivals reach them. `integral, chain [bins * LANES]`: amount of an
    integral readout, and the last spike. `next [size, LANES]`: the chains, `size` a power of two.
    `rest, weight [size, LANES]`: the arrivals of a bin in order.
    """

    deposits: Array
    integral: Array
    chain: Array
    next: Array
    rest: Array
    weight: Array


class Written(NamedTuple):
    """Buffers of emitted spikes: `bin, rest [n]`; `I [n]`, `others [n, others]`: the state at each
    spike; `slope [n]`: of the level."""

    bin: Array
    rest: Array
    I: Array
    slope: Array
    others: Array


class Emission(NamedTuple):
    """Emitted `spikes`; and `neuron_record`, zeros before.

    `starts [trains + 1]`: where the buffer of each train begins (a train is a neuron in a trial).
    `counts [trains]`: spikes of each train, those beyond its buffer included, or IS_STUCK.
    `neuron_record [trials, packs, NEURON_RECORD, LANES]`.
    """

    starts: Array
    counts: Array
    spikes: Written
    neuron_record: Array


@inlined
def deposit_numbers(others):
    """Numbers of `Ahead.deposits` per bin and lane."""
    return 3 + len(others.states) if len(others.reached) > 0 else 4 + len(others.currents)


@compiled
def deposit_in_lane(n, time, source, lane, layer, clock, ahead, here, pack_number):
    """Deposit spike `n` at one neuron: add its arrival to the deposits of its bin, and link it into
    the chain there.

    `time`: its instant, ticks. `here`: index of the trial in `ahead`. Nothing happens if the
    synapse does not exist.
    """
    pack, next_ = pack_of(layer, pack_number), ahead.next[here, pack_number]
    delay, synapses = pack.synapses.delay[source, lane], pack.synapses
    if delay < 0:
        return
    slot, rest, carried = arrival_of(delay, time, layer.ticks)
    place, deposits, chain = slot * LANES + lane, ahead.deposits[here, pack_number], ahead.chain[here, pack_number]
    address = deposit_numbers(layer.others) * place
    if reaches_others(layer.others):
        lane = read_anew(lane)  # so that numbers of other arrivals leave the registers (LOG, 11-29)
        h, into, of_A = left_in_bin(rest, layer.ticks), state_of(source, pack), flow_a(layer.others)
        V, I, O = response(h, into, lane, layer.others, pack.coefficients, clock.terms, clock.one)
        w = synapses.w[source, lane]
        dO = w * O[0], w * O[1]
        deposits[address] += w * V
        deposits[address + 1] += w * I
        deposits[address + 2] += excitation(w * V, dO, into, lane, pack.flow, of_A, layer.others, clock.zero)
        for k in range(len(layer.others.states)):
            deposits[address + 3 + k] += dO[k]
    else:
        current = current_of(source, pack)
        factors = arrival_factors(time, carried, current, lane, pack, clock.terms)
        dV, dI = arrival_amounts(*factors, synapses.w_I[source, lane], synapses.w_V[source, lane])
        # Excitation apart from inhibition, which the bound on the level leaves out.
        sign = 0 if dV >= 0.0 else 2
        deposits[address + sign] += dV
        deposits[address + (3 + current if current > 0 else sign + 1)] += dI
    if reads_integral(layer):
        ahead.integral[here, pack_number, place] += integral_of(time, carried, source, lane, pack, clock)
    next_[n & (next_.shape[0] - 1), lane] = chain[place]
    chain[place] = n


@compiled
def integral_of(time, carried, source, lane, pack, clock):
    """What an arrival adds to the integral readout in its bin. `time`: of the spike, ticks;
    `carried`: as `arrival_of` returns it."""
    pm, synapses = pack.flow[FLOW_A_VI + lane], pack.synapses
    x = left_in_bin(time & pack.ticks.rest, pack.ticks)
    vv, vi, ii = factors_of(x, lane, pack.coefficients, clock.terms)
    yv, yi, e = driven_factors_of(x, vv, pm, pack.rate, lane, pack.coefficients, clock.terms)
    if carried:
        yv, yi, e = driven_a_bin_more(vv, vi, ii, yv, yi, e, pm, pack.rate, lane, pack.flow)
    return integral_amount(
        yv, yi, e, synapses.w_I[source, lane], synapses.w_V[source, lane], synapses.w_y[source, lane]
    )


@compiled
def passes_level(V, I, O, place0, lane, deposits, pack, level, slack):
    """Whether the bound allows the level of a lane to pass `level` in a bin, with its deposits.

    `V, I, O`: the state at the start; `place0`: of lane 0 in the bin.
    """
    lane = read_anew(lane) if reaches_others(pack.others) else lane
    address = deposit_numbers(pack.others) * (place0 + lane)
    up = deposits[address + (2 if reaches_others(pack.others) else 0)]
    end = state_across_bin(V, I, O, lane, pack.flow, pack.others)
    return level_may_pass((V, I, O), end, up, lane, pack.flow, pack.others, level, slack)


@compiled
def integrate_bin(V, I, bin_, place0, lane, pack, integral, neuron_record):
    """Add the voltage of a bin that is not solved to the integral readout, if one is read."""
    if reads_integral(pack):
        added = voltage_integral_across_bin(V, I, integral[place0 + lane], lane, pack.flow)
        neuron_record[INTEGRAL, lane] += math.exp(-pack.rate * (bin_ + 1)) * added


@compiled
def cross_in_one_step(V, I, O, place0, lane, deposits, pack):
    """The state at the end of a bin that is not solved: the flow of the state at its start, and
    what has been deposited there."""
    address = deposit_numbers(pack.others) * (place0 + lane)
    V_end, I_end, O_end = state_across_bin(V, I, O, lane, pack.flow, pack.others)
    if reaches_others(pack.others):
        second = deposits[address + 4] if len(pack.others.states) > 1 else 0.0
        O_end = O_end[0] + deposits[address + 3], O_end[1] + second
        return V_end + deposits[address], I_end + deposits[address + 1], O_end
    V_end += deposits[address] + deposits[address + 2]
    I_end += deposits[address + 1] + deposits[address + 3]
    if len(pack.others.currents) > 0:
        second = deposits[address + 5] if len(pack.others.currents) > 1 else 0.0
        return V_end, I_end, (O_end[0] + deposits[address + 4], O_end[1] + second)
    return V_end, I_end, O_end


@compiled
def clear_bin(place0, lane, clock, layer, ahead, here, pack_number):
    """Empty a bin, for the one a whole turn of the ring later."""
    count = deposit_numbers(layer.others)
    for address in range(count * (place0 + lane), count * (place0 + lane) + count):
        ahead.deposits[here, pack_number, address] = clock.zero
    if reads_integral(layer):
        ahead.integral[here, pack_number, place0 + lane] = clock.zero
    ahead.chain[here, pack_number, place0 + lane] = -1


@compiled
def write_spike(spikes, n, bin_, rest, I, O, slope, others):
    """Write an own spike to index `n` of the buffers."""
    spikes.bin[n], spikes.rest[n], spikes.I[n], spikes.slope[n] = bin_, rest, I, slope
    for k in range(len(others.states)):
        spikes.others[n, k] = O[k]


@compiled
def forward_lane(trial, here, pack_number, lane, arriving, layer, clock, ahead, found):
    """Sweep one neuron, a lane of pack `pack_number`, forward through one trial, which has index
    `here` in `ahead`.

    `ahead` is empty before and after.
    """
    bins, integral_read, read_maximum = layer.ticks.bins, reads_integral(layer), layer.read_maximum
    pack, record = pack_of(layer, pack_number), found.neuron_record[trial, pack_number]
    deposits, chain = ahead.deposits[here, pack_number], ahead.chain[here, pack_number]
    next_ = ahead.next[here, pack_number]
    rest, weight = ahead.rest[here, pack_number, :, lane], ahead.weight[here, pack_number, :, lane]
    train, count, v_th = trial * layer.post + pack_number * LANES + lane, 0, pack.constants[V_TH, lane]
    V, I, O = 0.0, 0.0, (0.0, 0.0)
    record[RECENT_BIN, lane], record[MAX_BIN, lane] = -1.0, -1.0
    level = level_for_next_bin(record, lane, 0, v_th, read_maximum)
    n, n_last = arriving.offsets[trial], arriving.offsets[trial + 1]
    for bin_ in range(clock.last + 1):
        while n < n_last and arriving.bin[n] == bin_:
            deposit_in_lane(n, arriving.time[n], arriving.source[n], lane, layer, clock, ahead, here, pack_number)
            n += 1
        place0, is_last = (bin_ & (bins - 1)) * LANES, bin_ == clock.last
        needs_solve = passes_level(V, I, O, place0, lane, deposits, pack, level, clock.slack)
        if is_last and (integral_read or chain[place0 + lane] >= 0):  # the last bin ends at T
            needs_solve = True
        if needs_solve:
            arrivals = arrivals_in_order(
                chain[place0 + lane], lane, arriving.time, arriving.source, next_, pack, clock, is_last, rest, weight,
            )
            x, k = 0.0, 0
            while True:
                V, I, O, x, k, status = to_next_crossing(
                    V, I, O, x, k, arrivals, bin_, lane, pack, clock, record, True
                )
                if status != CROSSED:
                    break
                n_own = found.starts[train] + count
                if n_own < found.starts[train + 1]:  # else the host asks for more room, and sweeps again
                    write_spike(found.spikes, n_own, bin_, x, I, O, record[RECENT_SLOPE, lane], pack.others)
                V, I, O = after_reset(V, I, O, lane, pack.constants, pack.others)
                count += 1
            if status == STUCK:
                count = IS_STUCK
                break
            level = level_for_next_bin(record, lane, bin_, v_th, read_maximum)
        else:
            integrate_bin(V, I, bin_, place0, lane, pack, ahead.integral[here, pack_number], record)
            V, I, O = cross_in_one_step(V, I, O, place0, lane, deposits, pack)
        clear_bin(place0, lane, clock, layer, ahead, here, pack_number)
    for later in range(bins):  # arrivals after T
        clear_bin(later * LANES, lane, clock, layer, ahead, here, pack_number)
    found.counts[train] = count


@kernel
def forward_kernel(first_trial, parts, arriving, layer, clock, ahead, found):
    """`parts` blocks of threads for each trial, from `first_trial` on."""
    here = cuda.blockIdx.x // parts
    number = (cuda.blockIdx.x % parts) * cuda.blockDim.x + cuda.threadIdx.x
    if number < layer.post:
        forward_lane(first_trial + here, here, number // LANES, number % LANES, arriving, layer, clock, ahead, found)
