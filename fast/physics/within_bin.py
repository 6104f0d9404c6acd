"""The exact solution of one neuron within one bin, event by event."""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import compiled, inlined
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
from delayprop.fast.layout.sorting import sort_by_rest
from delayprop.fast.physics.clock import end_of
from delayprop.fast.physics.crossing import TOUCH, short_factors, time_to_peak, time_to_threshold
from delayprop.fast.physics.polynomials import RA, RAB, polynomial

REACHED_END, CROSSED, STUCK, FULL = 0, 1, 2, 3  # status of a solution; FULL: a buffer is full
NONE = -1  # in place of the number of a neuron
GAP_A, GAP_B, GAP_AB, GAP_FACTORS = 0, 1, 2, 3  # rows of `Arrivals.factors`
MOST_SPIKES = 2.0**26  # that one current may cause (specification, section 1)


class Arrivals(NamedTuple):
    """Arrivals at one neuron in one bin, in order of time: `rest, weight [length or more]`.

    `factors [GAP_FACTORS, room]`: column n is the flow (polynomials A, B, AB) over the gap before
    arrival n; the last column is the gap up to the end. Without room, as on a GPU, each is computed
    when it is needed.
    """

    rest: np.ndarray
    weight: np.ndarray
    length: int
    factors: np.ndarray


@compiled
def collect(link, lane, time, source, next_, pack, clock, is_last, rest, weight):
    """Write the arrivals of a chain, latest spike first, into `rest, weight`; their count. Those
    after `T` are left out.

    Args:
        link: last spike of the chain, -1: none. `next_ [room, LANES]`: the link that follows each
            spike.
        time, source: of all spikes, by number.
    """
    count, mask, synapses = 0, next_.shape[0] - 1, pack.synapses
    while link >= 0:
        s = source[link]
        _, ticks_after, _ = arrival_of(synapses.delay[s, lane], time[link], pack.ticks)
        r = in_bins(ticks_after, pack.ticks)
        if not (is_last and r > clock.end):
            rest[count], weight[count] = r, synapses.w[s, lane]
            count += 1
        link = next_[link & mask, lane]
    return count


@inlined
def arrivals_in_order(link, lane, time, source, next_, pack, clock, is_last, rest, weight):
    """`collect`, in order of time, without factors of gaps: for a kernel of one neuron."""
    count = collect(link, lane, time, source, next_, pack, clock, is_last, rest, weight)
    sort_by_rest(rest, weight, count)
    return Arrivals(rest, weight, count, pack.constants[:GAP_FACTORS, :0])


@inlined
def to_next_crossing(V, I, x, n, arrivals, bin_, lane, pack, clock, neuron_record, record):
    """[flow-V-I] [crossing-time] Follow a neuron from `x` to its next spike, or the end of its bin.

    Args:
        V, I, x: state, and its instant within the bin.
        n: index of the next of the `arrivals`.
        record: whether the outcome is final: maxima, ties and the integral are then recorded.

    Returns:
        `V, I, x, n`, just after the reset if it spiked, and CROSSED, REACHED_END, or STUCK if
        spikes follow too fast, or without end.
    """
    constants, coefficients = pack.constants, pack.coefficients
    rest, weight, count, factors = arrivals
    pm, ps, v_th, v_reset = constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane]
    rate, read_maximum = pack.rate, pack.read_maximum
    is_last = bin_ == clock.last
    end = end_of(bin_, clock)
    touch = TOUCH * clock.u
    from_start = n == 0 and x == 0.0  # whether gap n begins at x
    while True:
        x_next = float(rest[n]) if n < count else end
        h = x_next - x
        # [flow-V-I] to the next arrival, or the end
        if from_start and n < factors.shape[1]:
            a, k, b = factors[GAP_A, n], pm * h * factors[GAP_AB, n], factors[GAP_B, n]
        else:
            a, k, b = short_factors(h, pm, coefficients, lane, clock.terms)
        V_next, I_next = V * a + I * k, I * b
        # [crossing-time] where a bound does not exclude it
        x_cross = -1.0
        if v_th < I and V < I and (v_th <= V_next or I_next <= V_next or v_th <= V or I == math.inf):
            x_cross = time_to_threshold(V, I, V_next, I_next, h, lane, pack, clock)
        if x_cross < 0.0 and (n < count or is_last) and v_th - V_next <= touch * v_th < I_next - v_th:
            x_cross = h  # an arrival, or T, at the very instant of a crossing: the crossing comes first
        crosses = x_cross >= 0.0
        if crosses:
            h = x_cross
        x_to = to_tick(min(x + h, x_next), x_next, pack.ticks) if crosses else x_next
        # the integral over this gap
        if record and rate >= 0.0:
            weight_end = math.exp(-rate * (bin_ + x_to))
            of_a = h * polynomial(coefficients, RA, lane, h, clock.terms)
            of_k = pm * h * h * polynomial(coefficients, RAB, lane, h, clock.terms)
            neuron_record[INTEGRAL, lane] += weight_end * (V * of_a + I * of_k)
        # a spike: its slope and ties are recorded, V is reset
        if crosses:
            if not I * pm <= MOST_SPIKES * ps * (v_th - v_reset):
                return V, I, x_to, n, STUCK
            I *= math.exp(-ps * h)
            if record:
                slope = pm * (I - v_th)
                if neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] == x_to:
                    return V, I, x_to, n, STUCK
                neuron_record[RECENT_BIN, lane], neuron_record[RECENT_REST, lane] = bin_, x_to
                neuron_record[RECENT_SLOPE, lane] = slope
                if (clock.last - bin_ + (clock.end - x_to)) * slope <= touch * v_th:
                    flag(neuron_record, lane, SPIKE_AT_END)
            return v_reset, I, x_to, n, CROSSED
        # a peak within the gap
        h_peak = math.inf
        if read_maximum and record and V < I and I > 0.0:
            h_peak = time_to_peak(V, I, pm, ps)
            if h_peak < h:
                offer_maximum(neuron_record, lane, I * math.exp(-ps * h_peak), bin_, x + h_peak, 0.0, 0, touch)
        V, I, x = V_next, I_next, x_next
        # the end of the bin; at T a voltage that still rises is a maximum
        if n == count:
            if read_maximum and record and is_last and h_peak >= h and V < I:
                offer_maximum(neuron_record, lane, V, bin_, x, pm * (I - V), 0, touch)
            if record:
                neuron_record[SOLVED, lane] += 1.0
            return V, I, x, n, REACHED_END
        # all arrivals of this instant: they commute
        group, I_minus, from_start = 0, I, True
        while n < count and rest[n] == x:
            I += weight[n]
            n += 1
            group += 1
        # ties, and a maximum that arrivals pin
        if record:
            since = (bin_ - neuron_record[RECENT_BIN, lane]) + (x - neuron_record[RECENT_REST, lane])
            if neuron_record[RECENT_BIN, lane] >= 0 and since * neuron_record[RECENT_SLOPE, lane] <= touch * v_th:
                flag(neuron_record, lane, ARRIVAL_AT_CROSSING)
            if is_last and x == clock.end:
                flag(neuron_record, lane, ARRIVAL_AT_END)
            if read_maximum and V < I_minus and I <= V:
                offer_maximum(neuron_record, lane, V, bin_, x, pm * (I - V), group, touch)
