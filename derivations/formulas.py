"""Claims for the neuron of the paper alone, in the words of the paper.

Nothing is derived here; the chapters derive the same quantities and compare. `linear_neuron.py` has
the claims for any neuron.

Between events `tau_mem V' = -V + I` and `tau_syn I' = -I`. Adjoint variables are scaled
sensitivities: `dL/dV = -tau_mem lambda_V`, `dL/dI = -tau_syn lambda_I`. The suffixes `_minus` and
`_plus` mean just before and just after the event, in forward time.
"""

import sympy as sp
from sympy import Expr

from delayprop.derivations.linear_neuron import E

PAPER = {
    "lambda_V_flow": "equation 16", "lambda_I_flow": "equation 17",
    "lambda_V_at_crossing": "equations 35 to 37, 66, 67", "dL_dw_at_arrival": "equation 38", "dL_dt_arr": "equation 70",
}
"""Equations of the paper (Nature Communications 2025, s41467-025-65394-8) for these claims."""


def Vdot(V: Expr, I: Expr, tau_mem: Expr) -> Expr:
    return (I - V) / tau_mem


# Adjoint between events, over a time h backwards.


def lambda_V_flow(lambda_V: Expr, h: Expr, tau_mem: Expr) -> Expr:
    return lambda_V * E(h, 1 / tau_mem)


def lambda_I_flow(lambda_V: Expr, lambda_I: Expr, h: Expr, tau_mem: Expr, tau_syn: Expr) -> Expr:
    return lambda_I * E(h, 1 / tau_syn) + lambda_V / tau_syn * E(h, 1 / tau_mem, 1 / tau_syn)


# Events.


def dL_dw_at_arrival(tau_syn: Expr, lambda_I: Expr) -> Expr:
    return -tau_syn * lambda_I


def dL_dt_arr(w: Expr, lambda_V: Expr, lambda_I: Expr) -> Expr:
    """Also this arrival's share of the gradients by its delay and its sender's spike time."""
    return w * (lambda_V - lambda_I)


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


def lambda_V_at_maximum(lambda_V_plus: Expr, dL_dy: Expr, tau_mem: Expr) -> Expr:
    return lambda_V_plus - dL_dy / tau_mem


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
