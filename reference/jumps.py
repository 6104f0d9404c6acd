"""The adjoint at events: one formula a function; `python -m derivations` proves each under the tag in brackets.

Superscripts minus and plus of the paper, just before and just after in *forward* time, are `_minus` and `_plus`.
The functions take numbers, or SymPy expressions (the last one only where its sign is known): the tests hold this very
text against the proved formulas.
`dL/dV = -tau_mem lambda_V` and `dL/dI = -tau_syn lambda_I` relate the adjoint to plain sensitivities.
"""

from __future__ import annotations

from reference.arithmetic import Real


def dL_dw_at_arrival(tau_syn: Real, lambda_I: Real) -> Real:
    """[arrival-w] One arrival's share of `dL/dw`: the weight is a kick to `I`. `lambda_I` just after the arrival."""
    return -tau_syn * lambda_I


def dL_dt_arr(w: Real, lambda_V: Real, lambda_I: Real) -> Real:
    """[arrival-time] Derivative of `L` by one arrival's time.

    As `t_arr = t_pre + d`, it is the arrival's share of `dL/dd` and of `dL/dt_pre`. `lambda_V`, `lambda_I` are those
    just after the arrival: a crossing or a maximum at the same instant comes before it, so is not in them.
    """
    return w * (lambda_V - lambda_I)


def lambda_V_at_crossing(
    lambda_V_plus: Real, dL_dt_post: Real, tau_mem: Real, Vdot_minus: Real, Vdot_plus: Real
) -> Real:
    """[spike-jump] `lambda_V_minus` at a spike.

    `dL_dt_post` is all that the spike's time does outside its own membrane: directly in the loss, through the arrivals
    it causes, and through the drop of a running loss.
    A nudge of `V` before the crossing moves the spike by `-dV/Vdot_minus`; what is left of it after the reset is
    the factor `Vdot_plus/Vdot_minus`. `lambda_I` does not jump.
    """
    return Vdot_plus / Vdot_minus * lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus)


def dL_dv_th_at_crossing(tau_mem: Real, lambda_V_minus: Real) -> Real:
    """[spike-v_th] One spike's share of `dL/dv_th`: a higher threshold is a lower membrane."""
    return tau_mem * lambda_V_minus


def dL_dv_reset_at_crossing(tau_mem: Real, lambda_V_plus: Real) -> Real:
    """[spike-v_reset] One spike's share of `dL/dv_reset`: the reset is where the membrane starts again."""
    return -tau_mem * lambda_V_plus


def running_loss_drop(dL_dy: Real, weight: Real, v_th: Real, v_reset: Real) -> Real:
    """[spike-jump] `l_V_minus - l_V_plus` at a spike of a neuron read by `int weight V dt`: the integrand drops."""
    return dL_dy * weight * (v_th - v_reset)


def lambda_V_at_maximum(lambda_V_plus: Real, dL_dy: Real, tau_mem: Real) -> Real:
    """[max-interior] `lambda_V_minus` where a voltage is read: the kick of a maximum."""
    return lambda_V_plus - dL_dy / tau_mem


def dL_dt_arr_at_pinned_maximum(dL_dy: Real, w: Real, tau_mem: Real, Vdot_plus: Real) -> Real:
    """[max-pinned, max-pinned-tie] What an arrival adds to its `dL/dt_arr` by carrying the maximum along.

    `Vdot_plus - w/tau_mem` is the slope before the arrival, if all others at this instant had come: a later arrival
    lets the voltage rise by that slope, or not at all if the others, which are held, already end the rise.
    """
    return dL_dy * max(0, Vdot_plus - w / tau_mem)
