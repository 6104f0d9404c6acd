"""Scalar physics for the kernels: the exact flow, peak and crossing.

Plain functions, compiled by Numba for CPU and GPU. With `pm = 1/tau_mem`, `ps = 1/tau_syn` a state
flows by `V(x) = V a + I k`, `I(x) = I b`. Times are in bins (`fast.physics.clock`), and every `x`
here is at most 1.
"""

import math

from delayprop.fast.compiling.compiler import compiled, inlined
from delayprop.fast.physics.polynomials import AB, A, B, polynomial

TOUCH = 16  # in u v_th: width of "at the threshold", above it for peaks, below it for voltages


@compiled
def short_factors(x, pm, coefficients, lane, terms):
    """`a, k, b` at `x`, from the polynomials of the lane."""
    a = polynomial(coefficients, A, lane, x, terms)
    b = polynomial(coefficients, B, lane, x, terms)
    return a, pm * x * polynomial(coefficients, AB, lane, x, terms), b


@compiled
def time_to_peak(V, I, pm, ps):
    """[flow-peak] Time until a rising `V` (`I > V`, `I > 0`) peaks, where `V = I`; or infinity."""
    z = (1.0 - pm / ps) * (I - V) / I
    if z >= 1.0:
        return math.inf
    return (I - V) / (ps * I) * (-math.log1p(-z) / z if z != 0 else 1.0)


@inlined
def voltage_at(V, I, x, pm, lane, pack, clock):
    """`V` after a time `x`, and its slope there."""
    a, k, b = short_factors(x, pm, pack.coefficients, lane, clock.terms)
    V_x = V * a + I * k
    return V_x, pm * (I * b - V_x)


@compiled
def time_to_threshold(V, I, V_end, I_end, x_end, lane, pack, clock):
    """[crossing-time] First time in [0, x_end] at which `V` reaches `v_th > 0` and rises; -1: none.

    The caller ensures that `I` exceeds both `V` and `v_th`. `V_end, I_end`: state at `x_end`. Where
    `V` rises it is concave, so Newton steps end left of the crossing, from either side. The first
    one starts where a parabola crosses that meets `V` at both ends, with its slope at the first.
    After a step of `sqrt(u)` bins `V` misses `v_th` by at most `u |V''| / 2`. A peak (where `V =
    I`) that exceeds `v_th` only by rounding touches it, and is no crossing (specification, section
    4).
    """
    pm, ps, v_th = pack.constants[0, lane], pack.constants[1, lane], pack.constants[2, lane]
    if v_th <= V or not I < math.inf:  # a current beyond float64: at once, and then refused as endless
        return 0.0
    x_last, V_last = x_end, V_end
    if I_end <= V_end:  # it peaks before the end
        x_last = min(time_to_peak(V, I, pm, ps), x_end)
        V_last = I * math.exp(-ps * x_last)
        if V_last <= v_th * (1.0 + TOUCH * clock.u):
            return -1.0
    elif V_end < v_th:
        return -1.0
    # the parabola through both ends
    least, rise, slope = math.sqrt(clock.u), v_th - V, pm * (I - V)
    bend = (V_last - V - slope * x_last) / (x_last * x_last)
    square = slope * slope + 4.0 * bend * rise  # 0 at a peak, so perhaps less by rounding
    x = 2.0 * rise / (slope + math.sqrt(square) if square > 0.0 else slope)
    # one Newton step from either side, then from the left
    V_x, slope = voltage_at(V, I, x, pm, lane, pack, clock)
    step = (v_th - V_x) / slope if slope > 0.0 else -x
    x = min(max(x + step, 0.0), x_last)
    while abs(step) > least:
        V_x, slope = voltage_at(V, I, x, pm, lane, pack, clock)
        if V_x >= v_th:
            return x
        if slope <= 0.0:
            return x_last
        step = (v_th - V_x) / slope
        if step <= 0.0:
            return x
        if x + step >= x_last:
            return x_last
        x += step
    return x
