"""Scalar physics for the kernels: the exact peak and crossing.

Plain functions, compiled by Numba for CPU and GPU. Times are in bins (`fast.physics.clock`), and
every `x` here is at most 1.
"""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import compiled, inlined, read_anew
from delayprop.fast.layout.arrays import Others, lane_of
from delayprop.fast.layout.rows import BEND, CURVATURE, RISE, TWIST, V_TH
from delayprop.fast.physics.flow import state_after
from delayprop.fast.physics.others import level_numbers, level_of, times_size, times_state


class Neurons(NamedTuple):
    """The arrays of a pack that a level depends on: few words, since calls pass them."""

    constants: np.ndarray
    coefficients: np.ndarray
    others: Others
    terms: tuple[int, ...]
    u: float


THIRD = 1.0 / 3.0
LEAST_PIECE = 1e-5  # bins: within it, rounding hides a change of the sign of the second derivative
TOUCH = 16  # in u v_th: width of "at the threshold", above it for peaks, below it for levels


@compiled
def time_to_peak(V, I, pm, ps):
    """[flow-peak] Time until a rising `V` of `lif` or `li` (`I > V`, `I > 0`) peaks, where `V = I`;
    or infinity."""
    z = (1.0 - pm / ps) * (I - V) / I
    if z >= 1.0:  # V stays below I for good
        return math.inf
    # At equal time constants z is 0, and log1p(-z) / z has a limit: the same formula serves both.
    return (I - V) / (ps * I) * (-math.log1p(-z) / z if z != 0 else 1.0)


@inlined
def highest(first, slope, last, slope_last, width, bend):
    """[flow-bound] A bound on the level in a time `width`, from its values and slopes at both ends:
    that of the cubic that has them, and how far the level may be beyond (`bend`: as for a bin)."""
    third, square = THIRD * width, width * width
    return max(max(first + third * slope, last - third * slope_last), max(first, last)) + square * square * bend


@inlined
def above_at(V, I, O, x, lane, neurons):
    """The level beyond `v_th` after a time `x`, its slope and its second derivative there.

    `V, I, O`: the state before. `neurons`: the arrays of the pack.
    """
    # Each guess reads its numbers anew: a GPU's compiler kept them all in registers (LOG, 11-29).
    lane = lane_of(read_anew(lane))
    V, I, O = state_after(V, I, O, x, lane, neurons.coefficients, neurons.others, neurons.terms)
    constants, others = neurons.constants, neurons.others
    rise = times_state(level_numbers(RISE, lane, constants, others), V, I, O, others)
    curvature = times_state(level_numbers(CURVATURE, lane, constants, others), V, I, O, others)
    return level_of(V, O, lane, constants, others) - constants[V_TH, lane], rise, curvature


@compiled
def time_to_threshold(V, I, O, start, end, x_end, lane, neurons):
    """[spike] First time in [0, x_end] at which the level rises through `v_th`; -1: none.

    The time is halved into pieces until the second derivative of the level has one sign all through
    a piece, or the cubic that meets the level and its slope at both ends excludes a crossing in it.

    `V, I, O`: the state at the start; `start, end`: the level beyond `v_th`, and its slope, at the
    start and at `x_end`. A peak that exceeds `v_th` only by rounding touches it, and is no crossing
    (specification, section 4).
    """
    constants, others = neurons.constants, neurons.others
    twist = times_size(level_numbers(TWIST, lane, constants, others), V, I, O, others)
    bend = times_size(level_numbers(BEND, lane, constants, others), V, I, O, others)
    curvature = times_state(level_numbers(CURVATURE, lane, constants, others), V, I, O, others)
    x, (above, slope), piece = 0.0, start, x_end
    while x < x_end:
        if above >= 0.0 and slope > 0.0:
            return x
        stop = min(x + piece, x_end)
        width = stop - x
        # At `x_end` the caller has the level and its slope; no piece follows that reads the rest.
        (above_stop, slope_stop), curvature_stop = end, curvature
        if stop < x_end:
            above_stop, slope_stop, curvature_stop = above_at(V, I, O, stop, lane, neurons)
        # `twist` bounds the third derivative: the second one cannot change its sign in this piece.
        if abs(curvature) >= width * twist or width <= LEAST_PIECE:
            first, last = (x, above, slope), (stop, above_stop, slope_stop)
            found = _rise_in(V, I, O, first, last, curvature <= 0.0, lane, neurons)
            if found >= 0.0:
                return found
        elif highest(above, slope, above_stop, slope_stop, width, bend) >= 0.0:
            piece = 0.5 * width
            continue
        x, above, slope, curvature, piece = stop, above_stop, slope_stop, curvature_stop, 2.0 * width
    return -1.0


@inlined
def _rise_in(V, I, O, first, last, is_concave, lane, neurons):
    """The time at which the level rises through `v_th` in a piece; -1: it does not.

    Its slope falls all through the piece (`is_concave`), or grows. `first, last`: of the start and
    the end of the piece, the time, the level beyond `v_th`, and its slope. `V, I, O`: at time 0.
    """
    (start, above, slope), (stop, above_stop, slope_stop) = first, last
    # A concave level may rise and fall again, a convex one fall and rise again.
    turns = slope_stop <= 0.0 if is_concave else above >= 0.0
    if (slope if is_concave else slope_stop) <= 0.0 or (above_stop < 0.0 and not (is_concave and turns)):
        return -1.0
    touch = TOUCH * neurons.u * neurons.constants[V_TH, lane]
    # The peak of a concave level must pass `v_th` by more than rounding; any guess that does is
    # enough. The lowest point of a convex level is searched to the end.
    if turns and (above_stop <= touch or not is_concave):
        x, here = _turn_in(V, I, O, first, last, touch if is_concave else math.inf, lane, neurons)
        if is_concave:
            if here <= touch:
                return -1.0
            stop, above_stop = x, here
        else:
            if here >= 0.0:
                return -1.0
            start, above, slope = x, here, 0.0
    return _root_in(V, I, O, start, stop, _parabola(start, above, slope, stop, above_stop), lane, neurons)


@inlined
def _parabola(start, above, slope, stop, above_stop):
    """The time at which a parabola is 0 that has the level at both ends, and its slope at the
    start; a first guess of a crossing."""
    width = stop - start
    bend = (above_stop - above - slope * width) / (width * width)
    square = slope * slope - 4.0 * bend * above
    # This form of the root adds numbers of one sign; the usual one takes a small difference.
    below = slope + (math.sqrt(square) if square > 0.0 else 0.0)
    return min(max(start - 2.0 * above / below, start), stop) if below > 0.0 else 0.5 * (start + stop)


@inlined
def _root_in(V, I, O, low, high, x, lane, neurons):
    """Where the level reaches `v_th`, between a time at which it is below and one at which it is
    not; `x`: a first guess.

    By Newton, or by halves where a step would leave the time between. After a step of `sqrt(u)`
    bins the level misses `v_th` by at most `u` times half of its second derivative.
    """
    least = math.sqrt(neurons.u)
    while True:
        here, rise, _ = above_at(V, I, O, x, lane, neurons)
        step = -here / rise if rise > 0.0 else math.inf
        if abs(step) <= least:
            return min(max(x + step, low), high)
        low, high = x if here < 0.0 else low, high if here < 0.0 else x
        if high - low <= neurons.u:  # no wider than rounding
            return high
        x += step
        x = x if low < x < high else 0.5 * (low + high)


@inlined
def _turn_in(V, I, O, first, last, enough, lane, neurons):
    """Where the level turns, between two times at which its slopes have different signs, and the
    level beyond `v_th` there; or an earlier guess, where it is beyond `enough`."""
    (low, _, slope), (high, _, slope_high) = first, last
    x, least = low + (high - low) * slope / (slope - slope_high), math.sqrt(neurons.u)
    while True:
        x = x if low < x < high else 0.5 * (low + high)
        here, rise, bend = above_at(V, I, O, x, lane, neurons)
        step = -rise / bend if bend != 0.0 else math.inf
        low, high = x if (rise > 0.0) == (slope > 0.0) else low, high if (rise > 0.0) == (slope > 0.0) else x
        if here > enough or abs(step) <= least or high - low <= neurons.u:
            return x, here
        x += step
