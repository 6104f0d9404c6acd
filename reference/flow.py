"""Between two events: the exact flow, its derivatives, its peak, its threshold crossing.

With `pm = 1/tau_mem` and `ps = 1/tau_syn` the membrane equation has the solution

    V(h) = V a + I k        I(h) = I b
    a = exp(-pm h)          b = exp(-ps h)          k = pm (exp(-pm s) * exp(-ps s))(h)

where `*` is convolution over [0, h]. All other functions here are convolutions of exponentials too:
the integral of `V` convolves once more with a constant, and a derivative by a rate repeats this
rate, with a minus sign. So one function, `exp_convolution`, serves all of them. It is accurate
however close the rates are (`tau_mem = tau_syn` is no special case). Proved in `derivations/`:
flow, peak, concavity, parameter derivatives.
"""

from dataclasses import dataclass

from delayprop.reference.arithmetic import Arithmetic, Real

TOUCH = 16  # in u v_th: width of "at the threshold" (specification, section 4)


@dataclass(frozen=True)
class Constants:
    """Constants of one neuron; `v_th` and `v_reset` are None where it has no threshold."""

    tau_mem: Real
    tau_syn: Real
    v_th: Real | None
    v_reset: Real | None


def exp_convolution(m: Arithmetic, h: Real, *rates: Real) -> Real:
    """`exp(-p1 s) * ... * exp(-pn s)` at `h`.

    This is the divided difference of `exp` at the nodes `-p h`, times `h^(n-1)`. Far rates: the
    difference quotient, which loses about a digit at the bound 2. Near rates: the power series
    about the largest rate, whose terms are all positive, so nothing cancels.
    """
    low, high = min(rates), max(rates)
    if len(rates) == 1:
        return m.exp(-low * h)
    if (high - low) * h > 2:
        inner = sorted(rates)
        return (exp_convolution(m, h, *inner[:-1]) - exp_convolution(m, h, *inner[1:])) / (high - low)
    nodes = [(high - rate) * h for rate in rates]
    factor = m.exp(-high * h)
    for order in range(1, len(rates)):
        factor = factor * h / order
    # factor times a sum over degrees: (n-1)!/(n-1+degree)! times the complete homogeneous
    # polynomial in all nodes; homogeneous[i] is this polynomial in nodes[0..i]
    homogeneous = [m.real(1.0)] * len(nodes)
    total, coefficient, order = m.real(1.0), m.real(1.0), len(rates) - 1
    while True:
        order += 1
        coefficient = coefficient / order
        below = m.real(0.0)
        for i, node in enumerate(nodes):
            below = homogeneous[i] = below + node * homogeneous[i]
        larger = total + below * coefficient
        if larger == total:
            return total * factor
        total = larger


def flow(m: Arithmetic, V: Real, I: Real, h: Real, c: Constants) -> tuple[Real, Real]:
    """`(V, I)` after a time `h` without events."""
    pm, ps = 1 / c.tau_mem, 1 / c.tau_syn
    return V * m.exp(-pm * h) + I * pm * exp_convolution(m, h, pm, ps), I * m.exp(-ps * h)


def adjoint_flow(m: Arithmetic, lambda_V: Real, lambda_I: Real, h: Real, c: Constants) -> tuple[Real, Real]:
    """`(lambda_V, lambda_I)` a time `h` earlier, without events.

    `tau_mem lambda_V' = -lambda_V` and `tau_syn lambda_I' = -lambda_I + lambda_V`, with `'`
    backwards in time as in the paper.
    """
    pm, ps = 1 / c.tau_mem, 1 / c.tau_syn
    earlier_I = lambda_I * m.exp(-ps * h) + lambda_V * ps * exp_convolution(m, h, pm, ps)
    return lambda_V * m.exp(-pm * h), earlier_I


def flow_derivatives(m: Arithmetic, V: Real, I: Real, h: Real, c: Constants) -> tuple[Real, Real, Real]:
    """`dV/dtau_mem`, `dV/dtau_syn`, `dI/dtau_syn` of the state after `h`; the start is fixed."""
    pm, ps = 1 / c.tau_mem, 1 / c.tau_syn
    a_a = exp_convolution(m, h, pm, pm)
    a_b = exp_convolution(m, h, pm, ps)
    dV_dtau_mem = pm**2 * (V * a_a - I * a_b + I * pm * exp_convolution(m, h, pm, pm, ps))
    dV_dtau_syn = ps**2 * I * pm * exp_convolution(m, h, pm, ps, ps)
    return dV_dtau_mem, dV_dtau_syn, ps**2 * I * exp_convolution(m, h, ps, ps)


def weighted_integral(m: Arithmetic, V: Real, I: Real, h: Real, rate: Real, c: Constants) -> Real:
    """`int_0^h exp(-rate s) V(s) ds`, a convolution times `exp(-rate h)`."""
    pm, ps = 1 / c.tau_mem, 1 / c.tau_syn
    convolution = V * exp_convolution(m, h, -rate, pm) + I * pm * exp_convolution(m, h, -rate, pm, ps)
    return m.exp(-rate * h) * convolution


def weighted_integral_derivatives(
    m: Arithmetic, V: Real, I: Real, h: Real, rate: Real, c: Constants
) -> tuple[Real, Real, Real, Real]:
    """Derivatives of `weighted_integral` by `V`, `I`, `tau_mem`, `tau_syn`."""
    pm, ps, weight = 1 / c.tau_mem, 1 / c.tau_syn, m.exp(-rate * h)
    by_V = exp_convolution(m, h, -rate, pm)
    r_a_b = exp_convolution(m, h, -rate, pm, ps)
    by_pm = -V * exp_convolution(m, h, -rate, pm, pm) + I * (r_a_b - pm * exp_convolution(m, h, -rate, pm, pm, ps))
    by_ps = -I * pm * exp_convolution(m, h, -rate, pm, ps, ps)
    return weight * by_V, weight * pm * r_a_b, -(pm**2) * weight * by_pm, -(ps**2) * weight * by_ps


def time_to_peak(m: Arithmetic, V: Real, I: Real, c: Constants) -> Real | None:
    """The time until `V` stops rising, where `V = I`; None if never. Needs `I > V` and `I > 0`."""
    x = (c.tau_mem - c.tau_syn) * (I - V) / (c.tau_mem * I)
    if x >= 1:
        return None
    return c.tau_syn * (I - V) / I * (-m.log1p(-x) / x if x != 0 else 1)


def time_to_threshold(m: Arithmetic, V: Real, I: Real, h_max: Real, c: Constants) -> Real | None:
    """The first time in [0, h_max] at which `V` reaches `v_th` and rises; None if there is none.

    `V` can pass `v_th > 0` only if `I > v_th`. It then rises, concave, to its peak. If the peak (or
    the value at `h_max`) is high enough, Newton steps from the left approach the crossing and never
    overshoot. A peak (`V = I`) above `v_th` by rounding only touches it, and is no crossing
    (specification, section 4).
    """
    if I <= c.v_th or I <= V:
        return None
    if V >= c.v_th:  # by rounding, or arrivals made a voltage rise that stood at the threshold
        return m.real(0.0)
    h_peak = time_to_peak(m, V, I, c)
    if h_peak is not None and I * m.exp(-h_peak / c.tau_syn) <= c.v_th * (1 + TOUCH * m.u):
        return None
    if h_peak is not None and h_peak <= h_max:
        h_last = h_peak
    else:
        h_last = h_max
        if flow(m, V, I, h_max, c)[0] < c.v_th:
            return None
    h = m.real(0.0)
    while True:
        V_h, I_h = flow(m, V, I, h, c)
        if V_h >= c.v_th:
            return h
        if I_h <= V_h:  # rounding has carried a grazing crossing to its peak
            return h_last
        later = h + (c.v_th - V_h) * c.tau_mem / (I_h - V_h)
        if later <= h:
            return h
        if later >= h_last:
            return h_last
        h = later
