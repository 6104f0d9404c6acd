"""Readout by the maximum of the membrane: the kick, and the two cases of a maximum with a kink.

Assumed: `y = max V` over the trial, attained once. Either the maximum is interior, with V = I; or
it sits on an inhibitory arrival, where V rises until the arrival and falls after it (Vdot_minus > 0
> Vdot_plus). Three further cases are simple. The 0 at the start depends on nothing. The last
instant T is moved by no parameter, so the kick alone is right. For a neuron that spikes the maximum
is its threshold, so dy/dv_th = 1 and nothing else acts.

Shown: y depends on the state before the maximum as V at this instant does, so lambda_V is kicked by
-(dL/dy)/tau_mem. An interior maximum moves, without effect to first order. A maximum on an arrival
moves *with* it along the slope before it: dy/dt_arr = Vdot_minus. This term is missing from
w (lambda_V - lambda_I), read just after as well as just before the kick; the paper does not discuss
the case. The correction below is added to the reading just after.

If several arrivals share the instant of the maximum, the derivative is one-sided, and the
correction is the one for a delay that grows. The other arrivals have come, and V continues with the
slope Vdot_plus - w/tau_mem: either it rises, or the maximum stays where the others left it.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Nonzero, Residuals, theorem
from delayprop.derivations.symbols import I, V, dL_dy, h, lambda_I, lambda_V, tau_mem, tau_syn, w
from delayprop.derivations.trajectory import backwards, by_tau, forwards


@theorem("max-interior", "an interior maximum kicks lambda_V by -(dL/dy)/tau_mem; lambda_I is not kicked")
def interior() -> Residuals:
    # The explicit maximum as a function of an earlier state, against a kick flowed back to it.
    peak = formulas.peak_time(V, I, tau_mem, tau_syn)
    y = formulas.V_flow(V, I, peak, tau_mem, tau_syn)
    kick = formulas.lambda_V_at_maximum(sp.S.Zero, dL_dy, tau_mem)
    back_V, back_I = backwards(kick, sp.S.Zero, peak)
    by_mem, by_syn = by_tau((kick, sp.S.Zero), (V, I), peak)

    # Write V in terms of the time h to the maximum: every logarithm is then a multiple of h.
    named = I - I * tau_mem * (1 - sp.exp(h / tau_mem - h / tau_syn)) / (tau_mem - tau_syn)

    def by_name(expression: sp.Expr) -> sp.Expr:
        expression = expression.subs(V, named).replace(sp.log, lambda x: sp.log(sp.simplify(x)))
        return expression.replace(sp.exp, lambda x: sp.exp(sp.cancel(x)))

    return {
        "the name": by_name(peak) - h,
        "lambda_V": by_name(back_V + dL_dy * sp.diff(y, V) / tau_mem),
        "lambda_I": by_name(back_I + dL_dy * sp.diff(y, I) / tau_syn),
        "tau_mem": by_name(by_mem - dL_dy * sp.diff(y, tau_mem)),
        "tau_syn": by_name(by_syn - dL_dy * sp.diff(y, tau_syn)),
        "the earlier lambda_V stays": formulas.lambda_V_at_maximum(lambda_V, dL_dy, tau_mem) - lambda_V - kick,
    }


@theorem("max-pinned", "a maximum on an inhibitory arrival adds dy/dt_arr = Vdot_minus to w (lambda_V - lambda_I)")
def pinned() -> Residuals:
    # The unmoved arrival is at 0 and h is the end; slopes: up just before, -down just after.
    up, down, t = sp.symbols("up down t", positive=True)
    I_minus, weight = V + tau_mem * up, -tau_mem * (up + down)
    y, I_t = forwards(V, I_minus, t)
    V_end, I_end = forwards(y, I_t + weight, h - t)
    loss = dL_dy * y - tau_mem * lambda_V * V_end - tau_syn * lambda_I * I_end
    derived = sp.diff(loss, t).subs(t, 0)

    # The adjoint just after the arrival, not yet kicked, and just before it, kicked.
    after_V, after_I = backwards(lambda_V, lambda_I, h)
    before_V = formulas.lambda_V_at_maximum(after_V, dL_dy, tau_mem)
    read_after = formulas.dL_dt_arr(weight, after_V, after_I)
    read_before = formulas.dL_dt_arr(weight, before_V, after_I)
    correction = formulas.dL_dt_arr_at_pinned_maximum(dL_dy, weight, tau_mem, -down)
    return {
        "dy/dt_arr = Vdot_minus": sp.diff(y, t).subs(t, 0) - up,
        "dL/dt_arr": derived - read_after - correction,
        "the kick is the usual one": before_V - after_V + dL_dy * sp.diff(y, V).subs(t, 0) / tau_mem,
        "just after alone misses Vdot_minus": derived - read_after - dL_dy * up,
        "just before alone misses Vdot_plus": derived - read_before + dL_dy * down,
        "so just after alone is wrong": Nonzero((derived - read_after).subs(dL_dy, 1)),
        "and just before alone is wrong": Nonzero((derived - read_before).subs(dL_dy, 1)),
    }


@theorem("max-pinned-tie", "several arrivals on it, one delay grows: dy/dt_arr = max(0, Vdot_plus - w/tau_mem)")
def pinned_by_several() -> Residuals:
    # Both arrivals are at 0; the one of weight w is delayed to t, the one of weight `other` is not.
    up, slope, t = sp.symbols("up slope t", positive=True)
    residuals = {}
    for name, between in (("V still rises", slope), ("V falls already", -slope)):
        other = tau_mem * (between - up)
        V_t = formulas.V_flow(V, V + tau_mem * up + other, t, tau_mem, tau_syn)
        derived = sp.Max(0, sp.simplify(sp.diff(V_t, t).subs(t, 0)))
        Vdot_plus = up + (other + w) / tau_mem
        claimed = formulas.dL_dt_arr_at_pinned_maximum(dL_dy, w, tau_mem, sp.expand(Vdot_plus))
        residuals[name] = dL_dy * derived - claimed
    return residuals
