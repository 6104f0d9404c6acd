"""Scalar physics for the kernels: the exact flow, peak and crossing.

Plain functions, compiled by Numba for CPU and GPU. Times are in bins (`fast.physics.clock`), and
every `x` here is at most 1.
"""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import compiled, inlined
from delayprop.fast.layout.rows import BEND, CURVATURE, RISE, TWIST, V_TH, io, oo, vo
from delayprop.fast.physics.factors import factors_of
from delayprop.fast.physics.others import level_numbers, level_of, times_size, times_state
from delayprop.fast.physics.polynomials import polynomial


class Neurons(NamedTuple):
    """The arrays of a pack that a level depends on: few words, since calls pass them."""

    constants: np.ndarray
    coefficients: np.ndarray
    others: tuple[int, ...]
    terms: tuple[int, ...]
    u: float


THIRD = 1.0 / 3.0
LEAST_PIECE = 1e-5  # bins: within it, rounding hides a change of the sign of the second derivative
TOUCH = 16  # in u v_th: width of "at the threshold", above it for peaks, below it for levels


@inlined
def state_after(V, I, O, x, lane, neurons):
    """[flow-V-I] The state after a time `x` without events."""
    vv, vi, ii = factors_of(x, lane, neurons.coefficients, neurons.terms)
    V_x, I_x, O_x = flow_with_others(V * vv + I * vi, I * ii, O, x, lane, neurons)
    return V_x, I_x, O_x


@inlined
def flow_with_others(V, I, O, x, lane, neurons):
    """The state after a time `x`, from `V, I` there without the part of the other states at the
    start."""
    polynomials, others, terms, first, second = neurons.coefficients, neurons.others, neurons.terms, 0.0, 0.0
    for k in range(len(others)):
        V += O[k] * x * polynomial(polynomials, np.int64(vo(k, others)), lane, x, terms)
        I += O[k] * x * polynomial(polynomials, np.int64(io(k, others)), lane, x, terms)
        of_k = polynomial(polynomials, np.int64(oo(0, k, others)), lane, x, terms)
        first += O[k] * (of_k if k == 0 else x * of_k)
        if len(others) > 1:
            of_k = polynomial(polynomials, np.int64(oo(1, k, others)), lane, x, terms)
            second += O[k] * (of_k if k == 1 else x * of_k)
    return V, I, (first, second)


@compiled
def time_to_peak(V, I, pm, ps):
    """[flow-peak] Time until a rising `V` of `lif` or `li` (`I > V`, `I > 0`) peaks, where `V = I`;
    or infinity."""
    z = (1.0 - pm / ps) * (I - V) / I
    if z >= 1.0:
        return math.inf
    return (I - V) / (ps * I) * (-math.log1p(-z) / z if z != 0 else 1.0)


@inlined
def highest(first, slope, last, slope_last, width, bend):
    """A bound on the level in a time `width`, from its values and slopes at both ends: that of the
    cubic that has them, and how far the level may be beyond (`bend`: as for a whole bin)."""
    third, square = THIRD * width, width * width
    return max(max(first + third * slope, last - third * slope_last), max(first, last)) + square * square * bend


@inlined
def above_at(V, I, O, x, lane, neurons):
    """The level beyond `v_th` after a time `x`, its slope and its second derivative there."""
    V, I, O = state_after(V, I, O, x, lane, neurons)
    constants, others = neurons.constants, neurons.others
    rise = times_state(level_numbers(RISE, lane, constants, others), V, I, O, others)
    curvature = times_state(level_numbers(CURVATURE, lane, constants, others), V, I, O, others)
    return level_of(V, O, lane, constants, others) - constants[V_TH, lane], rise, curvature


@compiled
def time_to_threshold(V, I, O, start, end, x_end, lane, neurons):
    """[crossing-time] First time in [0, x_end] at which the level rises through `v_th`; -1: none.

    `V, I, O`: the state at the start; `start, end`: the level beyond `v_th`, and its slope, at the
    start and at `x_end`. A peak that exceeds `v_th` only by rounding touches it, and is no crossing
    (specification, section 4).
    """
    constants, others = neurons.constants, neurons.others
    twist = times_size(level_numbers(TWIST, lane, constants, others), V, I, O, others)
    curvature = times_state(level_numbers(CURVATURE, lane, constants, others), V, I, O, others)
    if start[0] < 0.0 and curvature + x_end * twist < 0.0:
        return _concave_rise(V, I, O, (0.0, start[0], start[1]), (x_end, end[0], end[1]), lane, neurons)
    return _rise_by_pieces(V, I, O, start, end, curvature, twist, x_end, lane, neurons)


@compiled
def _rise_by_pieces(V, I, O, start, end, curvature, twist, x_end, lane, neurons):
    """`time_to_threshold` where the second derivative of the level may change its sign.

    The time is halved into pieces until the cubic that meets the level and its slope at both ends
    of a piece excludes a crossing in it, or its second derivative has one sign all through it.
    """
    bend = times_size(level_numbers(BEND, lane, neurons.constants, neurons.others), V, I, O, neurons.others)
    x, (above, slope), piece = 0.0, start, x_end
    while x < x_end:
        stop = min(x + piece, x_end)
        width = stop - x
        (above_stop, slope_stop), curvature_stop = end, curvature
        if stop < x_end:
            above_stop, slope_stop, curvature_stop = above_at(V, I, O, stop, lane, neurons)
        if highest(above, slope, above_stop, slope_stop, width, bend) >= 0.0:
            if abs(curvature) < width * twist and width > LEAST_PIECE:
                piece = 0.5 * width
                continue
            if above >= 0.0 and slope > 0.0:
                return x
            first, last, found = (x, above, slope), (stop, above_stop, slope_stop), -1.0
            if curvature > 0.0:
                found = _convex_rise(V, I, O, first, last, lane, neurons)
            elif above < 0.0:
                found = _concave_rise(V, I, O, first, last, lane, neurons)
            if found >= 0.0:
                return found
        x, above, slope, curvature, piece = stop, above_stop, slope_stop, curvature_stop, 2.0 * width
    return -1.0


@inlined
def _concave_rise(V, I, O, first, last, lane, neurons):
    """The rise through `v_th` of a level that begins below it, and whose slope falls; -1: none.

    `first, last`: a time, the level beyond `v_th` then, and its slope.
    """
    (start, above, slope), (stop, above_stop, slope_stop) = first, last
    peaks = slope_stop <= 0.0
    if slope <= 0.0 or (above_stop < 0.0 and not peaks):
        return -1.0
    x = _parabola(start, above, slope, stop, above_stop)
    here, rise, _ = above_at(V, I, O, x, lane, neurons)
    touch = TOUCH * neurons.u * neurons.constants[V_TH, lane]
    if peaks and max(here, above_stop) <= touch:
        stop = _turn_in(V, I, O, start, slope, stop, slope_stop, lane, neurons)
        above_stop, _, _ = above_at(V, I, O, stop, lane, neurons)
        if above_stop <= touch:
            return -1.0
        x = _parabola(start, above, slope, stop, above_stop)
        here, rise, _ = above_at(V, I, O, x, lane, neurons)
    return _root_in(V, I, O, start, stop, (x, here, rise), lane, neurons)


@inlined
def _convex_rise(V, I, O, first, last, lane, neurons):
    """The rise through `v_th` of a level whose slope grows; -1: none; see `_concave_rise`."""
    (start, above, slope), (stop, above_stop, slope_stop) = first, last
    if slope_stop <= 0.0 or above_stop < 0.0:
        return -1.0
    if above >= 0.0:  # it falls, and rises again
        start = _turn_in(V, I, O, start, slope, stop, slope_stop, lane, neurons)
        above, slope, _ = above_at(V, I, O, start, lane, neurons)
        if above >= 0.0:
            return -1.0
    x = _parabola(start, above, slope, stop, above_stop)
    here, rise, _ = above_at(V, I, O, x, lane, neurons)
    return _root_in(V, I, O, start, stop, (x, here, rise), lane, neurons)


@inlined
def _parabola(start, above, slope, stop, above_stop):
    """Where the parabola crosses that meets the level at both ends, with its slope at the start."""
    width = stop - start
    bend = (above_stop - above - slope * width) / (width * width)
    square = slope * slope - 4.0 * bend * above
    below = slope + (math.sqrt(square) if square > 0.0 else 0.0)
    return min(max(start - 2.0 * above / below, start), stop) if below > 0.0 else 0.5 * (start + stop)


@inlined
def _root_in(V, I, O, low, high, first, lane, neurons):
    """Where the level reaches `v_th`, between a time at which it is below and one at which it is
    not; `first`: a time, the level beyond `v_th` then, and its slope.

    By Newton, or by halves where a step would leave the time between. After a step of `sqrt(u)`
    bins the level misses `v_th` by at most `u` times half of its second derivative.
    """
    (x, here, rise), least = first, math.sqrt(neurons.u)
    while True:
        step = -here / rise if rise > 0.0 else math.inf
        if abs(step) <= least:
            return min(max(x + step, low), high)
        low, high = x if here < 0.0 else low, high if here < 0.0 else x
        if high - low <= neurons.u:
            return high
        x += step
        x = x if low < x < high else 0.5 * (low + high)
        here, rise, _ = above_at(V, I, O, x, lane, neurons)


@inlined
def _turn_in(V, I, O, start, slope, stop, slope_stop, lane, neurons):
    """Where the level turns, between two times at which its slopes have different signs."""
    low, high, least = start, stop, math.sqrt(neurons.u)
    x = start + (stop - start) * slope / (slope - slope_stop)
    while True:
        x = x if low < x < high else 0.5 * (low + high)
        _, rise, bend = above_at(V, I, O, x, lane, neurons)
        if (rise > 0.0) == (slope > 0.0):
            low = x
        else:
            high = x
        step = -rise / bend if bend != 0.0 else math.inf
        if abs(step) <= least or high - low <= neurons.u:
            return min(max(x + step, low), high) if abs(step) <= least else low
        x += step
