"""Scalar physics for the kernels: the exact flow over a short time, peak and crossing.

Plain functions, compiled by Numba. With `pm = 1/tau_mem`, `ps = 1/tau_syn` a state flows by `V(x) = V a + I k`,
`I(x) = I b`. The factors obey

    a(x + y) = a(x) a(y)     b(x + y) = b(x) b(y)     k(x + y) = k(x) a(y) + b(x) k(y)

for times of either sign, so those of `t + d` are products of those of `t` and of `d`: no `exp` an arrival. Every
`x` here is at most a bin wide, and a bin is at most a quarter of the shortest time constant (`bins.width`); what
would need a case distinction for long times, or for nearly equal time constants, needs none.
"""

from __future__ import annotations

import math

import numpy as np

from fast.compiling import compiled, inlined

TOUCH = 16  # in u v_th: what a voltage must reach above, or may lack below, its threshold (specification, section 4)


@compiled
def phi1(z):
    """`(exp(z) - 1) / z`, 1 at 0."""
    return math.expm1(z) / z if z != 0 else 1.0


@compiled
def short_convolution(x, rates):
    """`exp(-p1 s) * ... * exp(-pn s)` at a short `x`: a power series about the largest rate, with positive terms.

    `rates`: a tuple of three or four. For `x` times their spread up to about 2.
    """
    n, largest = len(rates), max(rates)
    nodes, homogeneous = np.empty(n), np.ones(n)
    scale = math.exp(-largest * x)
    for i in range(n):
        nodes[i] = (largest - rates[i]) * x
        if i > 0:
            scale *= x / i
    total, coefficient, order = 1.0, 1.0, n - 1.0
    while True:
        order += 1.0
        coefficient /= order
        below = 0.0
        for i in range(n):
            below += nodes[i] * homogeneous[i]
            homogeneous[i] = below
        if below * coefficient < 1e-17 * total:
            return total * scale
        total += below * coefficient


@compiled
def integrals_to_end(x, rate, pm, ps):
    """`int_0^x exp(-rate s) a(s) ds` and `int_0^x exp(-rate s) k(s) ds`, for any `x >= 0`.

    What a step of `V`, and of `I`, a time `x` before the end adds to an integral of the voltage.
    """
    p, q = rate + pm, rate + ps
    slow, fast = min(p, q), max(p, q)
    of_a = -math.expm1(-p * x) / p
    if fast * x < 1.0:
        return of_a, pm * short_convolution(x, (0.0, p, q))
    both = x * math.exp(-slow * x) * phi1(-(fast - slow) * x)
    return of_a, pm * (-math.expm1(-slow * x) / slow - both) / fast


@compiled
def factors(x, pm, ps):
    """`a, k, b` at `x`."""
    b = math.exp(-ps * x)
    return math.exp(-pm * x), pm * x * b * phi1((ps - pm) * x), b


@inlined
def compose(a1, k1, b1, a2, k2, b2):
    """The factors at `x1 + x2`."""
    return a1 * a2, k1 * a2 + b1 * k2, b1 * b2


@compiled
def flow_back(lambda_V, lambda_I, x, pm, ps):
    """The adjoint a time `x` earlier, between events: `tau_syn lambda_I' = -lambda_I + lambda_V` backwards in time."""
    a, k, b = factors(x, pm, ps)
    return lambda_V * a, lambda_I * b + lambda_V * (ps / pm) * k


@compiled
def factor_derivatives(x, pm, ps):
    """`da/dtau_mem`, `dk/dtau_mem`, `dk/dtau_syn`, `db/dtau_syn` at `x >= 0`."""
    a, k, b = factors(x, pm, ps)
    dk_dtau_mem = pm * pm * pm * short_convolution(x, (pm, pm, ps)) - pm * k
    dk_dtau_syn = ps * ps * pm * short_convolution(x, (pm, ps, ps))
    return pm * pm * x * a, dk_dtau_mem, dk_dtau_syn, ps * ps * x * b


@compiled
def integral_derivatives(V, I, x, rate, pm, ps):
    """Derivatives by `tau_mem` and `tau_syn` of `int_0^x exp(-rate s) V(s) ds`, at a fixed state before a short `x`."""
    p, q = rate + pm, rate + ps
    by_pm = -V * short_convolution(x, (0.0, p, p)) + I * (
        short_convolution(x, (0.0, p, q)) - pm * short_convolution(x, (0.0, p, p, q))
    )
    by_ps = -I * pm * short_convolution(x, (0.0, p, q, q))
    return -pm * pm * by_pm, -ps * ps * by_ps


@compiled
def time_to_peak(V, I, pm, ps):
    """The time after which a rising `V` (`I > V`, `I > 0`) stops rising, where `V = I`; infinite if it never does."""
    z = (1.0 - pm / ps) * (I - V) / I
    if z >= 1.0:
        return math.inf
    return (I - V) / (ps * I) * (-math.log1p(-z) / z if z != 0 else 1.0)


@compiled
def time_to_threshold(V, I, x_max, pm, ps, v_th, u):
    """The first time in [0, x_max] at which `V` reaches `v_th > 0` and rises; -1 if there is none.

    A rising `V` is concave, so Newton steps from the left never pass the crossing. A peak (where `V = I`) that is
    higher than `v_th` by rounding only touches it, and is no crossing.
    """
    if v_th >= I or V >= I:
        return -1.0
    if v_th <= V or not I < math.inf:  # a current beyond float64: at once, and then refused as endless
        return 0.0
    x_last = time_to_peak(V, I, pm, ps)
    if I * math.exp(-ps * x_last) <= v_th * (1.0 + TOUCH * u) and x_last < math.inf:
        return -1.0
    if x_last > x_max:
        x_last = x_max
        a, k, _ = factors(x_max, pm, ps)
        if V * a + I * k < v_th:
            return -1.0
    x = 0.0
    while True:
        a, k, b = factors(x, pm, ps)
        V_x = V * a + I * k
        slope = pm * (I * b - V_x)
        if V_x >= v_th:
            return x
        if slope <= 0.0:
            return x_last
        later = x + (v_th - V_x) / slope
        if later <= x:
            return x
        if later >= x_last:
            return x_last
        x = later
