"""The claims: every formula that the reference and the fast implementation use, in plain SymPy.

Nothing is derived here. Each function states one formula; the other modules derive the same
quantity from the dynamics and compare the two, so a wrong sign in this file is a failed proof. The
jump functions have the names and arguments of `reference/jumps.py`; the tests compare both texts.

Between events `tau_mem V' = -V + I` and `tau_syn I' = -I`. Adjoint variables are scaled
sensitivities: `dL/dV = -tau_mem lambda_V`, `dL/dI = -tau_syn lambda_I`. The suffixes `_minus` and
`_plus` mean just before and just after the event, in forward time.
"""

import sympy as sp
from sympy import Expr

PAPER = {
    "lambda_V_flow": "equation 16", "lambda_I_flow": "equation 17",
    "lambda_V_at_crossing": "equations 35 to 37, 66, 67", "dL_dw_at_arrival": "equation 38", "dL_dt_arr": "equation 70",
}
"""Equations of the paper (Nature Communications 2025, s41467-025-65394-8) for these claims."""


def E(h: Expr, *p: Expr) -> Expr:
    """Convolution over [0, h] of exp(-p_1 s), ..., exp(-p_n s); equal rates are legal."""
    for q in p[1:]:
        if q != p[0]:
            others = list(p[1:])
            others.remove(q)
            return (E(h, p[0], *others) - E(h, q, *others)) / (q - p[0])
    return h ** (len(p) - 1) / sp.factorial(len(p) - 1) * sp.exp(-p[0] * h)


# Free dynamics.


def Vdot(V: Expr, I: Expr, tau_mem: Expr) -> Expr:
    return (I - V) / tau_mem


def I_flow(I: Expr, h: Expr, tau_syn: Expr) -> Expr:
    return I * E(h, 1 / tau_syn)


def V_flow(V: Expr, I: Expr, h: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    return V * E(h, 1 / tau_mem) + I / tau_mem * E(h, 1 / tau_mem, 1 / tau_syn)


def peak_time(V: Expr, I: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    """When the membrane peaks, from (V, I) at time 0 with I > V and I > 0."""
    if tau_mem == tau_syn:
        return tau_syn * (I - V) / I
    difference = tau_mem - tau_syn
    return -tau_mem * tau_syn / difference * sp.log(1 - difference * (I - V) / (tau_mem * I))


def V_bound(V: Expr, I_max: Expr, h: Expr, tau_mem: Expr) -> Expr:
    """Upper bound of V after a time h in which the current stays below I_max."""
    return V + (1 - sp.exp(-h / tau_mem)) * (I_max - V)


# Crossings.


def dt_post_at_crossing(dV_minus: Expr, Vdot_minus: Expr) -> Expr:
    return -dV_minus / Vdot_minus


def kappa(tau_mem: Expr, Vdot_minus: Expr, v_th: Expr) -> Expr:
    return (tau_mem * Vdot_minus / v_th) ** 2


def kappa_near_grazing(excess: Expr, tau_mem: Expr, tau_syn: Expr, v_th: Expr) -> Expr:
    """kappa to leading order, if the membrane without reset would peak at v_th + excess."""
    return 2 * tau_mem / tau_syn * excess / v_th


# Adjoint between events, over a time h backwards; dl_V/dV is `drive` at the end of this time and
# drive * exp(rate * s) at a time s before it.


def lambda_V_flow(lambda_V: Expr, h: Expr, tau_mem: Expr, drive: Expr = 0, rate: Expr = 0) -> Expr:
    free = lambda_V * E(h, 1 / tau_mem)
    return free if drive == 0 else free - drive / tau_mem * E(h, 1 / tau_mem, -rate)


def lambda_I_flow(
    lambda_V: Expr, lambda_I: Expr, h: Expr, tau_mem: Expr, tau_syn: Expr, drive: Expr = 0,
    rate: Expr = 0,
) -> Expr:
    free = lambda_I * E(h, 1 / tau_syn) + lambda_V / tau_syn * E(h, 1 / tau_mem, 1 / tau_syn)
    return free if drive == 0 else free - drive / (tau_mem * tau_syn) * E(h, 1 / tau_mem, 1 / tau_syn, -rate)


# Arrivals.


def dL_dw_at_arrival(tau_syn: Expr, lambda_I: Expr) -> Expr:
    return -tau_syn * lambda_I


def dL_dt_arr(w: Expr, lambda_V: Expr, lambda_I: Expr) -> Expr:
    """Also this arrival's share of the gradients by its delay and its sender's spike time."""
    return w * (lambda_V - lambda_I)


# Spikes.


def dL_dt_post_at_crossing(dl_p_dt_post: Expr, l_V_minus: Expr, l_V_plus: Expr, dL_dt_arr_down: Expr) -> Expr:
    """Derivative by a spike time, through the loss and the arrivals that the spike causes."""
    return dl_p_dt_post + (l_V_minus - l_V_plus) + dL_dt_arr_down


def lambda_V_at_crossing(
    lambda_V_plus: Expr, dL_dt_post: Expr, tau_mem: Expr, Vdot_minus: Expr, Vdot_plus: Expr
) -> Expr:
    return Vdot_plus / Vdot_minus * lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus)


def dL_dv_th_at_crossing(tau_mem: Expr, lambda_V_minus: Expr) -> Expr:
    return tau_mem * lambda_V_minus


def dL_dv_reset_at_crossing(tau_mem: Expr, lambda_V_plus: Expr) -> Expr:
    return -tau_mem * lambda_V_plus


# Maxima.


def lambda_V_at_maximum(lambda_V_plus: Expr, dL_dy: Expr, tau_mem: Expr) -> Expr:
    return lambda_V_plus - dL_dy / tau_mem


def dL_dt_arr_at_pinned_maximum(dL_dy: Expr, w: Expr, tau_mem: Expr, Vdot_plus: Expr) -> Expr:
    """Term added to `dL_dt_arr`, read just after, of an arrival that makes the maximum."""
    return dL_dy * sp.Max(0, Vdot_plus - w / tau_mem)


# Time constants: derivatives of the flow, and integrals of lambda_V Vdot and lambda_I Idot.


def dV_dtau_mem(V: Expr, I: Expr, h: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    pm, ps = 1 / tau_mem, 1 / tau_syn
    return pm**2 * (V * E(h, pm, pm) - I * E(h, pm, ps) + I * pm * E(h, pm, pm, ps))


def dV_dtau_syn(I: Expr, h: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    pm, ps = 1 / tau_mem, 1 / tau_syn
    return I * pm * ps**2 * E(h, pm, ps, ps)


def dI_dtau_syn(I: Expr, h: Expr, tau_syn: Expr) -> Expr:
    ps = 1 / tau_syn
    return I * ps**2 * E(h, ps, ps)


def dL_dtau_mem_over_interval(lambda_V: Expr, V: Expr, I: Expr, h: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    """Integral of lambda_V Vdot: lambda_V at the end of the interval, V and I at its beginning."""
    return -tau_mem * lambda_V * dV_dtau_mem(V, I, h, tau_mem, tau_syn)


def dL_dtau_syn_over_interval(lambda_V: Expr, lambda_I: Expr, I: Expr, h: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    """Integral of lambda_I Idot: the lambdas at the end of the interval, I at its beginning."""
    through_V = -tau_mem * lambda_V * dV_dtau_syn(I, h, tau_mem, tau_syn)
    through_I = -tau_syn * lambda_I * dI_dtau_syn(I, h, tau_syn)
    return through_V + through_I


# Running readouts: the integral of exp(-r s) V over an interval, and its derivatives.


def V_integral(V: Expr, I: Expr, h: Expr, r: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    pm, ps = 1 / tau_mem, 1 / tau_syn
    return sp.exp(-r * h) * (V * E(h, -r, pm) + I * pm * E(h, -r, pm, ps))


def dV_integral_dtau_mem(V: Expr, I: Expr, h: Expr, r: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    pm, ps = 1 / tau_mem, 1 / tau_syn
    return sp.exp(-r * h) * pm**2 * (V * E(h, -r, pm, pm) - I * E(h, -r, pm, ps) + I * pm * E(h, -r, pm, pm, ps))


def dV_integral_dtau_syn(I: Expr, h: Expr, r: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    pm, ps = 1 / tau_mem, 1 / tau_syn
    return sp.exp(-r * h) * I * pm * ps**2 * E(h, -r, pm, ps, ps)


def drive_of_readout(dL_dy: Expr, r: Expr, t: Expr, T: Expr) -> Expr:
    """dl_V/dV at time t for y = (1/T) int_0^T exp(-r t) V dt."""
    return dL_dy * sp.exp(-r * t) / T


def running_loss_drop(dL_dy: Expr, weight: Expr, v_th: Expr, v_reset: Expr) -> Expr:
    """l_V_minus - l_V_plus at a spike, if V is read with this weight in an integral."""
    return dL_dy * weight * (v_th - v_reset)


# Conserved charges of the identities A (scale), C (shift of time) and B (unit of time), per neuron.


def scale_charge(V: Expr, I: Expr, lambda_V: Expr, lambda_I: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    return tau_mem * lambda_V * V + tau_syn * lambda_I * I


def shift_charge(V: Expr, I: Expr, lambda_V: Expr, lambda_I: Expr) -> Expr:
    """tau_mem lambda_V Vdot + tau_syn lambda_I Idot; t times it is the charge of identity B."""
    return lambda_V * (I - V) - lambda_I * I


# Running readouts in the identities; V_T is V at T, moment is (1/T) int_0^T t exp(-r t) V dt.


def shift_of_running_readout(y: Expr, V_T: Expr, r: Expr, T: Expr) -> Expr:
    """Derivative of y by a common shift of all input times."""
    return -sp.exp(-r * T) * V_T / T - r * y


def unit_of_running_readout(y: Expr, V_T: Expr, moment: Expr, r: Expr, T: Expr) -> Expr:
    """Derivative of y by a common factor of all times except T."""
    return y - sp.exp(-r * T) * V_T - r * moment


def moment_of_running_readout(
    y: Expr, V_T: Expr, I_T: Expr, late: Expr, r: Expr, T: Expr, tau_mem: Expr, tau_syn: Expr
) -> Expr:
    """`moment` of an LI neuron; `I_T` is I at T, `late` the sum of w t exp(-r t) over arrivals.

    The equations of motion times exp(-r t) and t exp(-r t), integrated over the trial.
    """
    at_end = sp.exp(-r * T)
    integral_I = (1 + r * tau_mem) * T * y + tau_mem * at_end * V_T
    moment_I = tau_syn * (late - T * at_end * I_T + integral_I) / (1 + r * tau_syn)
    return (moment_I / T + tau_mem * (y - at_end * V_T)) / (1 + r * tau_mem)


# Rounding: how an error of a time, or of a level, is carried on.


def Vddot_minus(I: Expr, Vdot_minus: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    return -(I / tau_syn + Vdot_minus) / tau_mem


def jump_moved(Vddot_minus: Expr, Vdot_minus: Expr, dt_post: Expr) -> Expr:
    """Relative change of a jump, which is proportional to 1/Vdot_minus, if the spike moves."""
    return -Vddot_minus / Vdot_minus * dt_post


def dV_dt_post_before(Vdot_plus: Expr, h: Expr, tau_mem: Expr) -> Expr:
    """Derivative of V, a time h after a spike, by the time of this spike."""
    return -Vdot_plus * sp.exp(-h / tau_mem)


def Vddot_at_maximum(V: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    return -V / (tau_mem * tau_syn)


def trace_sum(tau_syn: Expr) -> Expr:
    """Integral over all time of the trace K, the voltage that an arrival of weight 1 causes."""
    return tau_syn


def trace_squared(tau_mem: Expr, tau_syn: Expr) -> Expr:
    """Integral over all time of the square of K."""
    return tau_syn**2 / (2 * (tau_mem + tau_syn))


def trace_slope_squared(tau_mem: Expr, tau_syn: Expr) -> Expr:
    """Integral over all time of the square of the derivative of K."""
    return tau_syn / (2 * tau_mem * (tau_mem + tau_syn))


def trace_bend_squared(tau_mem: Expr, tau_syn: Expr) -> Expr:
    """Integral over all time of the square of the second derivative of K."""
    a, b = 1 / tau_mem, 1 / tau_syn
    return a**2 * (a**2 + 3 * a * b + b**2) / (2 * (a + b))


def mean_voltage_moved(h: Expr, T: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    """Derivative of the mean of V over [0, T] by the time of an arrival of weight 1 at T - h."""
    return -V_flow(sp.S.Zero, sp.S.One, h, tau_mem, tau_syn) / T
