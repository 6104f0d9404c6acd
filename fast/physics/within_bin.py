"""The exact solution of one neuron within one bin, event by event."""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import compiled, inlined, read_anew
from delayprop.fast.layout.arrays import lane_of, reaches_others, reads_integral
from delayprop.fast.layout.instants import arrival_of, in_bins, to_tick
from delayprop.fast.layout.neuron_record import (
    ARRIVAL_AT_CROSSING,
    ARRIVAL_AT_END,
    INTEGRAL,
    RECENT_BIN,
    RECENT_REST,
    RECENT_SLOPE,
    SOLVED,
    SPIKE_AT_END,
    flag,
    offer_maximum,
)
from delayprop.fast.layout.rows import A_II, A_VI, BEND, PUSH, RISE, UNIT_RATE, V_TH
from delayprop.fast.layout.sorting import sort_by_rest
from delayprop.fast.physics.clock import end_of
from delayprop.fast.physics.crossing import (
    TOUCH,
    Neurons,
    highest,
    time_to_peak,
    time_to_threshold,
)
from delayprop.fast.physics.currents import state_of
from delayprop.fast.physics.flow import block_in, flowed, state_after
from delayprop.fast.physics.others import (
    after_reset,
    lane_anew,
    level_numbers,
    level_of,
    raised,
    rise_of,
    times_size,
    times_state,
    voltage_at_threshold,
)
from delayprop.fast.physics.polynomials import F_II, RA, RAB, polynomial

REACHED_END, CROSSED, STUCK, FULL = 0, 1, 2, 3  # status of a solution; FULL: a buffer is full
NONE = -1  # in place of the number of a neuron
MOST_SPIKES = 2.0**26  # that one current may cause (specification, section 1)


class Arrivals(NamedTuple):
    """Arrivals at one neuron in one bin, in order of time: `rest, weight [length or more]`.

    `weight`: of the synapse; where arrivals raise or reach other states (`weight_is_source`), the
    number of the source, as a float.

    `factors [block_size, room]`: column n is the block of the flow (`fast.layout.rows`) over the
    gap before arrival n; the last column is the gap up to the end. Without room, as on a GPU, each
    is computed when it is needed.
    """

    rest: np.ndarray
    weight: np.ndarray
    length: int
    factors: np.ndarray


@inlined
def weight_is_source(others):
    """Whether `Arrivals.weight` holds sources: where arrivals raise or reach other states."""
    return len(others.currents) > 0 or reaches_others(others)


@inlined
def weight_of(source, lane, delay, pack, terms):
    """The weight of a synapse, or the number of its source (`weight_is_source`). `delay`: its own,
    ticks.

    Deposits have read `w_I`, the weight times `exp(-A_II r)`, not long ago, but not the weight. So
    a weight of float32 is computed from `w_I`, and rounded to float32: it is the same to the bit.
    """
    if weight_is_source(pack.others):
        return float(source)
    if not pack.of_float32:
        return float(pack.synapses.w[source, lane])
    r = in_bins(delay & pack.ticks.rest, pack.ticks)
    return float(np.float32(pack.synapses.w_I[source, lane] * polynomial(pack.coefficients, F_II, lane, r, terms)))


@compiled
def collect(count, link, lane, time, source, next_, pack, clock, is_last, rest, weight):
    """Write the arrivals of a chain into `rest, weight` from index `count` on; the new count.

    The latest spike is first. Arrivals after `T` are left out.

    Args:
        link: last spike of the chain, -1: none. `next_ [room, LANES]`: the link that follows each
            spike.
        time, source: of all spikes, by number.
    """
    mask = next_.shape[0] - 1
    while link >= 0:
        delay = pack.synapses.delay[source[link], lane]
        _, ticks_after, _ = arrival_of(delay, time[link], pack.ticks)
        r = in_bins(ticks_after, pack.ticks)
        if not (is_last and r > clock.until):
            rest[count], weight[count] = r, weight_of(source[link], lane, delay, pack, clock.terms)
            count += 1
        link = next_[link & mask, lane]
    return count


@inlined
def arrivals_in_order(link, lane, time, source, next_, pack, clock, is_last, rest, weight):
    """The arrivals of a chain in order of time, written to `rest, weight`; arguments as `collect`.

    The result has no factors of gaps, so `to_next_crossing` computes each when it is needed. This
    is for a kernel of one neuron, on a GPU.
    """
    count = collect(0, link, lane, time, source, next_, pack, clock, is_last, rest, weight)
    sort_by_rest(rest, weight, count)
    return Arrivals(rest, weight, count, pack.constants[:1, :0])


@inlined
def to_next_crossing(V, I, O, x, n, arrivals, bin_, lane, pack, clock, neuron_record, final):
    """[flow] [spike] Follow a neuron from `x` to its next spike, or the end of its bin.

    Args:
        V, I, O, x: state, and its instant within the bin.
        n: index of the next of the `arrivals`.
        final: whether the outcome is final: maxima, ties and the integral are then recorded.

    Returns:
        The state, `x, n`, and CROSSED, REACHED_END, or STUCK if spikes follow too fast, or without
        end. After a spike the state is that just before the reset (`after_reset`).
    """
    constants, coefficients, others, terms = pack.constants, pack.coefficients, pack.others, clock.terms
    neurons = Neurons(constants, coefficients, others, terms, clock.u)
    rest, weight, count, factors = arrivals
    v_th, unit, rate, read_maximum = constants[V_TH, lane], constants[UNIT_RATE, lane], pack.rate, pack.read_maximum
    is_last, end, touch = bin_ == clock.last, end_of(bin_, clock), TOUCH * clock.u
    from_start = n == 0 and x == 0.0  # whether gap n begins at x
    # the level beyond `v_th`, and its slope: an arrival moves only the slope
    above = level_of(V, O, lane, constants, others) - v_th
    slope = times_state(level_numbers(RISE, lane, constants, others), V, I, O, others)
    while True:
        lane = lane_of(read_anew(lane))  # in each turn, since a GPU lacks registers for all numbers
        x_next = float(rest[n]) if n < count else end
        h = x_next - x
        # [flow] to the next arrival, or the end
        if from_start and n < factors.shape[1]:
            V_next, I_next, O_next = flowed(block_in(factors, n, others), V, I, O, h, others)
        else:
            V_next, I_next, O_next = state_after(V, I, O, h, lane, coefficients, others, terms)
        lane = lane_anew(lane, others)
        # [spike] where a bound does not exclude it
        above_next = level_of(V_next, O_next, lane, constants, others) - v_th
        rise = level_numbers(RISE, lane, constants, others)
        slope_next = times_state(rise, V_next, I_next, O_next, others)
        bend = times_size(level_numbers(BEND, lane, constants, others), V, I, O, others)
        top = highest(above, slope, above_next, slope_next, h, bend)
        x_cross = -1.0
        # LI, and lanes without a neuron, have an infinite threshold.
        if not top < 0.0 and v_th < math.inf:
            if slope == math.inf:  # beyond float64: at once, and then refused as endless
                x_cross = 0.0
            else:
                x_cross = time_to_threshold(V, I, O, (above, slope), (above_next, slope_next), h, lane, neurons)
        touches = -above_next <= max(touch * v_th, pack.ticks.tick * slope_next) and touch * v_th < slope_next / unit
        if x_cross < 0.0 and (n < count or is_last) and touches:
            x_cross = h  # an arrival, or T, at the very instant (tick) of a crossing: the crossing comes first
        crosses = x_cross >= 0.0
        if crosses:
            h = x_cross
        x_to = to_tick(min(x + h, x_next), x_next, pack.ticks) if crosses else x_next
        # the integral over this gap
        if final and reads_integral(pack):
            weight_end = math.exp(-rate * (bin_ + x_to))
            of_V = h * polynomial(coefficients, RA, lane, h, terms)
            of_I = constants[A_VI, lane] * h * h * polynomial(coefficients, RAB, lane, h, terms)
            neuron_record[INTEGRAL, lane] += weight_end * (V * of_V + I * of_I)
        # a spike: its slope and ties are recorded
        if crosses:
            _, I_cross, O_cross = state_after(V, I, O, h, lane, coefficients, others, terms)
            V_cross = voltage_at_threshold(O_cross, lane, constants, others)
            V_plus, _, O_plus = after_reset(V_cross, I_cross, O_cross, lane, constants, others)
            room = v_th - level_of(V_plus, O_plus, lane, constants, others)
            push = rise_of(level_numbers(PUSH, lane, constants, others), V_plus, I_cross, O_plus, others)
            # A forecast: what the state may still push the level by is worth too many spikes. So
            # written, it refuses NaN and a reset above the threshold as well.
            if not push <= MOST_SPIKES * room:
                return V, I, O, x_to, n, STUCK
            if final:
                slope = times_state(rise, V_cross, I_cross, O_cross, others)
                # A second spike at the tick of the first: time stands still.
                if neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] == x_to:
                    return V, I, O, x_to, n, STUCK
                neuron_record[RECENT_BIN, lane], neuron_record[RECENT_REST, lane] = bin_, x_to
                neuron_record[RECENT_SLOPE, lane] = slope
                if (clock.last - bin_ + (clock.end - x_to)) * slope <= touch * v_th:
                    flag(neuron_record, lane, SPIKE_AT_END)
            return V_cross, I_cross, O_cross, x_to, n, CROSSED
        # a peak within the gap, of `lif` or `li`
        h_peak = math.inf
        if read_maximum and final and V < I and I > 0.0:
            pm, ps = constants[A_VI, lane], -constants[A_II, lane]
            h_peak = time_to_peak(V, I, pm, ps)
            if h_peak < h:
                offer_maximum(neuron_record, lane, I * math.exp(-ps * h_peak), bin_, x + h_peak, 0.0, 0, touch)
        V, I, O, x, above = V_next, I_next, O_next, x_next, above_next
        # the end of the bin; at T a voltage that still rises is a maximum
        if n == count:
            if read_maximum and final and is_last and h_peak >= h and V < I:
                offer_maximum(neuron_record, lane, V, bin_, x, constants[A_VI, lane] * (I - V), 0, touch)
            if final:
                neuron_record[SOLVED, lane] += 1.0
            return V, I, O, x, n, REACHED_END
        # all arrivals of this instant: they commute
        group, I_minus, O_minus, from_start = 0, I, O, True
        while n < count and rest[n] == x:
            if weight_is_source(others):
                source = int(weight[n])
                I, O = raised(I, O, pack.synapses.w[source, lane], state_of(source, pack))
            else:
                I += weight[n]
            n += 1
            group += 1
        slope = slope_next + rise[1] * (I - I_minus)
        for k in range(len(others.currents) + len(others.reached)):
            slope += rise[2 + k] * (O[k] - O_minus[k])
        # ties, and a maximum that arrivals pin
        if final:
            since = (bin_ - neuron_record[RECENT_BIN, lane]) + (x - neuron_record[RECENT_REST, lane])
            if neuron_record[RECENT_BIN, lane] >= 0 and since * neuron_record[RECENT_SLOPE, lane] <= touch * v_th:
                flag(neuron_record, lane, ARRIVAL_AT_CROSSING)
            if is_last and x == clock.end:
                flag(neuron_record, lane, ARRIVAL_AT_END)
            if read_maximum and V < I_minus and I <= V:
                offer_maximum(neuron_record, lane, V, bin_, x, constants[A_VI, lane] * (I - V), group, touch)
