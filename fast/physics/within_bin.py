"""The exact solution of one neuron within one bin, event by event."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.physics.clock import after, sort_by_rest
from fast.physics.compiling import allocating, compiled, inlined
from fast.physics.crossing import TOUCH, short_factors, time_to_peak, time_to_threshold
from fast.physics.polynomials import LANES, RA, RAB, polynomial

# ties, as bits
ARRIVAL_AT_CROSSING, SPIKE_AT_END, ARRIVAL_AT_END, EQUAL_MAXIMA, SIMULTANEOUS_AT_MAXIMUM = 1, 2, 4, 8, 16
REACHED_END, CROSSED, STUCK, FULL = 0, 1, 2, 3
NONE = -1  # no neuron
USUAL = 32  # spikes a neuron and trial that there is room for at first
MOST_SPIKES = 2.0**26  # that one current may cause (specification, section 1)


class Emitted(NamedTuple):
    """Emitted spikes, by (trial, bin), in the order they were found: neuron, instant, current at the crossing."""

    neuron: np.ndarray
    bin: np.ndarray
    rest: np.ndarray
    I: np.ndarray


# What is kept of a neuron over a trial, `[NEURON_RECORD, LANES]` of a block, float64:
RECENT_BIN, RECENT_REST, RECENT_SLOPE = 0, 1, 2  # its last spike, bin -1 without one, and Vdot_minus there
MAX_V, MAX_BIN, MAX_REST = 3, 4, 5  # its largest voltage, and when; bin -1 where it is the initial 0
MAX_SLOPE, MAX_GROUP = 6, 7  # slope just after (0 inside a stretch), and how many arrivals pin it
INTEGRAL, TIES = 8, 9  # the integral of the voltage; bits
NEURON_RECORD = 10


@compiled
def collect(first, lane, rest_of, source, next_, packed_synapses, clock, is_last, rest, weight):
    """The arrivals of a chain, in order of time, into `rest, weight`; those after `T` are left out.

    `first`: the last spike in the chain. `rest_of, source`: of all spikes; `next_`, `packed_synapses`: of the block. Returns how
    many there are.
    """
    count, mask = 0, next_.shape[0] - 1
    while first >= 0:
        row = packed_synapses[source[first]]
        r, _ = after(rest_of[first], row[2 * LANES + lane], clock.one)
        if not (is_last and r > clock.end):
            rest[count], weight[count] = r, row[lane]
            count += 1
        first = next_[first & mask, lane]
    sort_by_rest(rest, weight, count)
    return count


@compiled
def stays_below(V, I, rest, weight, count, pm, level, slack):
    """Whether the voltage provably stays below `level` in a bin with these arrivals: no `exp`, no decay.

    Between arrivals `I` does not grow beyond what it is, or 0, and `V` moves towards it at most as fast as at first.
    """
    x, V_max, I_max = 0.0, V, max(I, 0.0)
    for n in range(count + 1):
        x_next = float(rest[n]) if n < count else 1.0
        V_max += pm * (x_next - x) * max(I_max - V_max, 0.0)
        if V_max + slack * (abs(V_max) + I_max) > level:
            return False
        if n < count:
            I_max, x = max(I_max + weight[n], 0.0), x_next
    return True


@inlined
def to_next_crossing(
    V, I, x, n, rest, weight, count, bin_, constants, clock, coefficients, lane, rate, read_maximum, neuron_record, record
):
    """Follow a neuron from `x` until it spikes, or to the end of its bin.

    Args:
        V, I, x: state and where it is in the bin; `n`: the next of `count` arrivals.
        constants: pm, ps, v_th, v_reset.
        record: whether what happens is final: then maxima, ties and the integral are kept.

    Returns:
        `V, I, x, n`, just after the reset if it spiked, and CROSSED, REACHED_END, or STUCK if spikes come too fast, or
        without end.
    """
    pm, ps, v_th, v_reset = constants
    is_last = bin_ == clock.last
    end = float(clock.end) if is_last else 1.0
    touch = TOUCH * clock.u
    while True:
        x_next = float(rest[n]) if n < count else end
        h = x_next - x
        a, k, b = short_factors(h, pm, coefficients, lane, clock.terms)
        V_next, I_next = V * a + I * k, I * b
        x_cross = -1.0
        if v_th < I and V < I and (v_th <= V_next or I_next <= V_next or v_th <= V or I == math.inf):
            x_cross = time_to_threshold(V, I, V_next, I_next, h, pm, ps, v_th, clock.u, coefficients, lane, clock.terms)
        if x_cross < 0.0 and (n < count or is_last) and v_th - V_next <= touch * v_th < I_next - v_th:
            x_cross = h  # an arrival, or T, at the very instant of a crossing: the crossing comes first
        crosses = x_cross >= 0.0
        if crosses:
            h = x_cross
        x_to = float(rest.dtype.type(min(x + h, x_next))) if crosses else x_next
        if record and rate >= 0.0:
            weight_end = math.exp(-rate * (bin_ + x_to))
            of_a = h * polynomial(coefficients, RA, lane, h, clock.terms)
            of_k = pm * h * h * polynomial(coefficients, RAB, lane, h, clock.terms)
            neuron_record[INTEGRAL, lane] += weight_end * (V * of_a + I * of_k)
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
                    _flag(neuron_record, lane, SPIKE_AT_END)
            return v_reset, I, x_to, n, CROSSED
        h_peak = math.inf
        if read_maximum and record and V < I and I > 0.0:
            h_peak = time_to_peak(V, I, pm, ps)
            if h_peak < h:
                offer_maximum(neuron_record, lane, I * math.exp(-ps * h_peak), bin_, x + h_peak, 0.0, 0, touch)
        V, I, x = V_next, I_next, x_next
        if n == count:
            if read_maximum and record and is_last and h_peak >= h and V < I:
                offer_maximum(neuron_record, lane, V, bin_, x, pm * (I - V), 0, touch)
            return V, I, x, n, REACHED_END
        # all arrivals of this instant
        group, I_minus = 0, I
        while n < count and rest[n] == x:
            I += weight[n]
            n += 1
            group += 1
        if record:
            since = (bin_ - neuron_record[RECENT_BIN, lane]) + (x - neuron_record[RECENT_REST, lane])
            if neuron_record[RECENT_BIN, lane] >= 0 and since * neuron_record[RECENT_SLOPE, lane] <= touch * v_th:
                _flag(neuron_record, lane, ARRIVAL_AT_CROSSING)
            if is_last and x == clock.end:
                _flag(neuron_record, lane, ARRIVAL_AT_END)
            if read_maximum and V < I_minus and I <= V:
                offer_maximum(neuron_record, lane, V, bin_, x, pm * (I - V), group, touch)


@compiled
def offer_maximum(neuron_record, lane, V, bin_, rest, Vdot_plus, group, touch):
    """Take a local maximum if it exceeds the best so far by more than rounding; flag it if it equals it."""
    margin = touch * abs(neuron_record[MAX_V, lane])
    if V > neuron_record[MAX_V, lane] + margin:
        neuron_record[MAX_V, lane], neuron_record[MAX_BIN, lane], neuron_record[MAX_REST, lane] = V, bin_, rest
        neuron_record[MAX_SLOPE, lane], neuron_record[MAX_GROUP, lane] = Vdot_plus, group
        neuron_record[TIES, lane] = int(neuron_record[TIES, lane]) & ~EQUAL_MAXIMA
    elif neuron_record[MAX_BIN, lane] >= 0.0 and margin + V >= neuron_record[MAX_V, lane]:
        _flag(neuron_record, lane, EQUAL_MAXIMA)


@compiled
def _flag(neuron_record, lane, tie):
    neuron_record[TIES, lane] = int(neuron_record[TIES, lane]) | tie


@allocating
def no_spikes(packed_synapses):
    """Room for no spikes yet, of the precision of `packed_synapses`."""
    return Emitted(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, packed_synapses.dtype), np.empty(0))


@allocating
def with_room(emitted, count):
    """The same spikes with room for so many at least: themselves if they have it, else twice as long or more."""
    more = max(count, 2 * emitted.bin.size) - emitted.bin.size
    if count <= emitted.bin.size:
        return emitted
    return Emitted(
        np.concatenate((emitted.neuron, np.empty(more, np.int32))),
        np.concatenate((emitted.bin, np.empty(more, np.int32))),
        np.concatenate((emitted.rest, np.empty(more, emitted.rest.dtype))),
        np.concatenate((emitted.I, np.empty(more))),
    )
