"""The adjoint at events, one formula per function.

`python -m derivations` proves each under the tag in brackets. The suffixes `_minus` and `_plus` are
the paper's superscripts: just before and just after in *forward* time. The functions take numbers,
or SymPy expressions (the last one only where its sign is known): the tests compare this very text
with the proved formulas. `dL/dV = -tau_mem lambda_V` and `dL/dI = -tau_syn lambda_I` relate the
adjoint to plain sensitivities.
"""

from delayprop.reference.arithmetic import Real


def dL_dw_at_arrival(tau_syn: Real, lambda_I: Real) -> Real:
    """[arrival-w] One arrival's share of `dL/dw`; the weight is added to `I`.

    `lambda_I` is just after the arrival.
    """
    return -tau_syn * lambda_I


def dL_dt_arr(w: Real, lambda_V: Real, lambda_I: Real) -> Real:
    """[arrival-time] Derivative of `L` by one arrival's time.

    As `t_arr = t_pre + d`, it is the arrival's share of `dL/dd` and of `dL/dt_pre`. `lambda_V` and
    `lambda_I` are just after the arrival: a crossing or a maximum at the same instant comes before
    the arrival, so they do not contain it.
    """
    return w * (lambda_V - lambda_I)


def lambda_V_at_crossing(
    lambda_V_plus: Real, dL_dt_post: Real, tau_mem: Real, Vdot_minus: Real, Vdot_plus: Real
) -> Real:
    """[spike-jump] `lambda_V_minus` at a spike.

    `dL_dt_post` is the derivative by the spike's time outside its own membrane: directly in the
    loss, through the arrivals that it causes, and through the drop of a running loss. A change `dV`
    before the crossing moves the spike by `-dV/Vdot_minus`, and `Vdot_plus/Vdot_minus dV` of it
    remains after the reset. `lambda_I` does not jump.
    """
    return Vdot_plus / Vdot_minus * lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus)


def dL_dv_th_at_crossing(tau_mem: Real, lambda_V_minus: Real) -> Real:
    """[spike-v_th] One spike's share of `dL/dv_th`: a higher threshold is a lower membrane."""
    return tau_mem * lambda_V_minus


def dL_dv_reset_at_crossing(tau_mem: Real, lambda_V_plus: Real) -> Real:
    """[spike-v_reset] One spike's share of `dL/dv_reset`: the membrane restarts at the reset."""
    return -tau_mem * lambda_V_plus


def running_loss_drop(dL_dy: Real, weight: Real, v_th: Real, v_reset: Real) -> Real:
    """[spike-jump] `l_V_minus - l_V_plus` at a spike: the drop of the integrand `weight V`."""
    return dL_dy * weight * (v_th - v_reset)


def lambda_V_at_maximum(lambda_V_plus: Real, dL_dy: Real, tau_mem: Real) -> Real:
    """[max-interior] `lambda_V_minus` at a maximum that is read: the kick."""
    return lambda_V_plus - dL_dy / tau_mem


def dL_dt_arr_at_pinned_maximum(dL_dy: Real, w: Real, tau_mem: Real, Vdot_plus: Real) -> Real:
    """[max-pinned, max-pinned-tie] Term of `dL/dt_arr`: this arrival carries the maximum along.

    `Vdot_plus - w/tau_mem` is the slope before the arrival, after all others at this instant. With
    a later arrival the voltage rises further by this slope, or not at all if the others, which are
    held, already end the rise.
    """
    return dL_dy * max(0, Vdot_plus - w / tau_mem)
