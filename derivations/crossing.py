"""When a neuron spikes: the time of the crossing as a function of everything before it.

Assumed: V reaches v_th from below at a time t_post with Vdot_minus > 0; V is the closed-form flow.

Shown: by the implicit function theorem the crossing moves by minus the change of V at fixed time,
over the slope just before. This holds for a change of the state, the threshold or a time constant.
If the time constants have the ratio 2 : 1, the crossing is a root of a quadratic, and the explicit
root has the same derivative. The slope is (I - v_th)/tau_mem before the reset, so a spike needs
I > v_th; after the reset it is (I - v_reset)/tau_mem.

Known weakness: if the peak passes the threshold by a small excess only, then
kappa = (tau_mem Vdot_minus / v_th)^2 is proportional to the excess, and the gradient grows as
kappa^(-1/2). This is the model, not an error: with a slightly smaller weight the spike is gone.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Nonzero, Residuals, theorem
from delayprop.derivations.symbols import I, V, Vdot_minus, h, s, tau_mem, tau_syn, v_reset, v_th
from delayprop.derivations.trajectory import forwards


@theorem("crossing-slope", "Vdot_minus = (I - v_th)/tau_mem, Vdot_plus = (I - v_reset)/tau_mem: the reset between them")
def slopes() -> Residuals:
    # For any current at the crossing: flow backwards from the threshold, forwards from the reset.
    before = formulas.V_flow(v_th, I, -s, tau_mem, tau_syn)
    after = formulas.V_flow(v_reset, I, s, tau_mem, tau_syn)
    return {
        "before": sp.limit(-sp.diff(before, s), s, 0) - formulas.Vdot(v_th, I, tau_mem),
        "after": sp.limit(sp.diff(after, s), s, 0) - formulas.Vdot(v_reset, I, tau_mem),
        "their difference is the reset": (
            formulas.Vdot(v_reset, I, tau_mem) - formulas.Vdot(v_th, I, tau_mem) - (v_th - v_reset) / tau_mem
        ),
    }


@theorem("crossing-time", "dt_post = -dV_minus / Vdot_minus, dV_minus the change of V at fixed time (minus dv_th)")
def crossing_time() -> Residuals:
    residuals = {}
    V_h, I_h = forwards(V, I, h)
    gap, slope = V_h - v_th, formulas.Vdot(V_h, I_h, tau_mem)
    for x in (V, I, v_th, tau_mem, tau_syn):
        t_post = sp.Function("t_post")(x)
        rate = sp.Symbol("rate")
        condition = sp.diff(gap.subs(h, t_post), x).subs(sp.diff(t_post, x), rate).subs(t_post, h)
        (moved,) = sp.solve(condition, rate)
        residuals[f"by {x}"] = moved - formulas.dt_post_at_crossing(sp.diff(gap, x), slope)
    return residuals


@theorem("crossing-explicit", "tau_mem = 2 tau_syn: the explicit root of the quadratic has the same derivative")
def explicit_crossing() -> Residuals:
    # With a = exp(-h/tau_mem), V(h) = V a + I (a - a^2); the first crossing is the larger root.
    root = ((V + I) + sp.sqrt((V + I) ** 2 - 4 * I * v_th)) / (2 * I)
    t_post = -tau_mem * sp.log(root)

    # Name the problem by its root a and by q = 2 a I - V - I > 0: every square root is then q.
    a, q = sp.symbols("a q", positive=True)
    named = {v_th: a * (I * a - q), V: 2 * a * I - q - I}

    def by_name(expression: sp.Expr) -> sp.Expr:
        return sp.simplify(expression.subs(named, simultaneous=True))

    V_h = formulas.V_flow(V, I, h, tau_mem, tau_mem / 2)
    I_h = formulas.I_flow(I, h, tau_mem / 2)
    slope = formulas.Vdot(V_h, I_h, tau_mem)
    residuals = {"the root crosses": by_name(V_h.subs(h, t_post) - v_th)}
    for x in (V, I, v_th):
        dV_minus = sp.diff(V_h - v_th, x).subs(h, t_post)
        claimed = formulas.dt_post_at_crossing(dV_minus, slope.subs(h, t_post))
        residuals[f"by {x}"] = by_name(sp.diff(t_post, x)) - by_name(claimed)
    return residuals


@theorem("crossing-grazing", "kappa -> 2 (tau_mem/tau_syn) excess/v_th at grazing: gradients grow as excess^(-1/2)")
def grazing() -> Residuals:
    # The crossing lies a short time s before the peak (V = I); excess is the rise that is left.
    peak = sp.Symbol("peak", positive=True)
    V_cross, I_cross = forwards(peak, peak, -s)
    exact = formulas.kappa(tau_mem, formulas.Vdot(V_cross, I_cross, tau_mem), V_cross)
    leading = formulas.kappa_near_grazing(peak - V_cross, tau_mem, tau_syn, V_cross)
    apart = [sp.diff(exact - leading, s, order).subs(s, 0) for order in range(3)]
    moved = formulas.dt_post_at_crossing(sp.S.One, Vdot_minus)
    return {
        "kappa at the peak": apart[0],
        "kappa, first order in s": apart[1],
        "kappa, second order in s": apart[2],
        "kappa is not of higher order": Nonzero(sp.diff(exact, s, 2).subs(s, 0)),
        "dt_post/dV is tau_mem / (v_th sqrt(kappa))": (
            (moved * v_th) ** 2 * formulas.kappa(tau_mem, Vdot_minus, v_th) - tau_mem**2
        ),
    }
