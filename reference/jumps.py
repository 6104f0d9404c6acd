"""The adjoint at events: one formula a function, under its tag in `derivations/`.

Superscripts minus and plus of the paper, just before and just after in *forward* time, are `_minus` and `_plus`.
The functions take numbers, or SymPy symbols: the tests hold this very text against the proved formulas.
`dL/dV = -tau_mem lambda_V` and `dL/dI = -tau_syn lambda_I` relate the adjoint to plain sensitivities.
"""

from __future__ import annotations

from reference.arithmetic import Real


def dL_dw_at_arrival(tau_syn: Real, lambda_I: Real) -> Real:
    """One arrival's share of `dL/dw`: the weight is a kick to `I`."""
    return -tau_syn * lambda_I


def dL_dt_arr(w: Real, lambda_V: Real, lambda_I: Real) -> Real:
    """Derivative by one arrival's time; since `t_arr = t_pre + d`, its share of `dL/dd` and of `dL/dt_pre`."""
    return w * (lambda_V - lambda_I)


def lambda_V_at_crossing(
    lambda_V_plus: Real, dL_dt_post: Real, tau_mem: Real, Vdot_minus: Real, Vdot_plus: Real
) -> Real:
    """`lambda_V_minus` at a spike; `dL_dt_post` is all that the spike's time does outside its own membrane.

    A nudge of `V` before the crossing moves the spike by `-dV/Vdot_minus`; what is left of it after the reset is
    the factor `Vdot_plus/Vdot_minus`. `lambda_I` does not jump.
    """
    return Vdot_plus / Vdot_minus * lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus)


def dL_dv_th_at_crossing(tau_mem: Real, lambda_V_minus: Real) -> Real:
    """One spike's share of `dL/dv_th`: a higher threshold is a lower membrane."""
    return tau_mem * lambda_V_minus


def dL_dv_reset_at_crossing(tau_mem: Real, lambda_V_plus: Real) -> Real:
    """One spike's share of `dL/dv_reset`: the reset is where the membrane starts again."""
    return -tau_mem * lambda_V_plus


def running_loss_drop(dL_dy: Real, weight: Real, v_th: Real, v_reset: Real) -> Real:
    """`l_V_minus - l_V_plus` at a spike of a neuron read by `int weight V dt`: the integrand drops at the reset."""
    return dL_dy * weight * (v_th - v_reset)


def lambda_V_at_maximum(lambda_V_plus: Real, dL_dy: Real, tau_mem: Real) -> Real:
    """`lambda_V_minus` where a voltage is read: the kick of a maximum."""
    return lambda_V_plus - dL_dy / tau_mem


def dL_dt_arr_at_pinned_maximum(dL_dy: Real, w: Real, tau_mem: Real, Vdot_plus: Real) -> Real:
    """What an arrival adds to its `dL/dt_arr` by carrying the maximum along.

    `Vdot_plus - w/tau_mem` is the slope before the arrival, if all others at this instant had come: a later
    arrival lets the voltage rise by that slope, or not at all if the others already end the rise.
    """
    return dL_dy * max(0, Vdot_plus - w / tau_mem)
