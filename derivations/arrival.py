"""Arrivals: the gradients of the weight, of the delay, and of the spike that sent them.

Assumed: a neuron on an interval [0, h] between its own spikes, one arrival of weight w at t_arr in
it, and a loss that depends on the state at the end (through any two sensitivities) and on the
running loss g exp(-r t) V.

Shown, by differentiating the explicit flow: at the arrival dL/dw is -tau_syn lambda_I, and
dL/dt_arr is w (lambda_V - lambda_I). Since t_arr = t_pre + d, dL/dt_arr is also the arrival's share
of the gradients of the delay, of an input time, and of the spike time in the sender's jump. The
adjoint passes an arrival unchanged, so just before and just after it have the same values, *unless*
the arrival makes a maximum (`maximum.py`).

Note: the delay gradient is proportional to w, so a synapse of weight 0 never learns its delay.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import I, V, d, g, h, lambda_I, lambda_V, r, t_arr, t_pre, tau_mem, tau_syn, w
from delayprop.derivations.trajectory import State, backwards, forwards

mu_V, mu_I = -tau_mem * lambda_V, -tau_syn * lambda_I  # at the end of the interval


def loss(t: sp.Expr) -> sp.Expr:
    """The loss as an explicit function of the start (V, I), of w, and of the arrival's time t."""
    V_t, I_t = forwards(V, I, t)
    V_end, I_end = forwards(V_t, I_t + w, h - t)
    before = formulas.V_integral(V, I, t, r, tau_mem, tau_syn)
    after = sp.exp(-r * t) * formulas.V_integral(V_t, I_t + w, h - t, r, tau_mem, tau_syn)
    return mu_V * V_end + mu_I * I_end + g * (before + after)


def adjoint_before_end(length: sp.Expr) -> State:
    """(lambda_V, lambda_I) at a time `length` before the end of the interval."""
    return backwards(lambda_V, lambda_I, length, g * sp.exp(-r * h), r)


@theorem("arrival-w", "dL/dw = -tau_syn lambda_I at the arrival")
def weight() -> Residuals:
    _, adjoint_I = adjoint_before_end(h - t_arr)
    return {"dL/dw": sp.diff(loss(t_arr), w) - formulas.dL_dw_at_arrival(tau_syn, adjoint_I)}


@theorem("arrival-time", "dL/dt_arr = w (lambda_V - lambda_I) at the arrival")
def time_of_arrival() -> Residuals:
    return {"dL/dt_arr": sp.diff(loss(t_arr), t_arr) - formulas.dL_dt_arr(w, *adjoint_before_end(h - t_arr))}


@theorem("arrival-d", "dL/dd = w (lambda_V - lambda_I) at t_pre + d; the sender's spike time gets it too")
def delay() -> Residuals:
    claimed = formulas.dL_dt_arr(w, *adjoint_before_end(h - t_pre - d))
    grown = loss(t_pre + d)
    return {"dL/dd": sp.diff(grown, d) - claimed, "share of the sender's spike": sp.diff(grown, t_pre) - claimed}


@theorem("arrival-passes", "lambda_V and lambda_I do not jump at an arrival, of whatever weight")
def passes() -> Residuals:
    # The sensitivities to the state at 0 are as in an interval without an arrival.
    adjoint_V, adjoint_I = adjoint_before_end(h)
    explicit = loss(t_arr)
    return {
        "lambda_V": -sp.diff(explicit, V) / tau_mem - adjoint_V,
        "lambda_I": -sp.diff(explicit, I) / tau_syn - adjoint_I,
    }
