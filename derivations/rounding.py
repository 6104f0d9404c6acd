"""How rounding moves a gradient: what error bars are made of (specification, section 5).

Assumed: an error of a level or of a time is small, so that first order decides; errors are
independent, so that variances add; the arrivals of a window come at random instants in it, as shot
noise. K is the trace: the voltage that an arrival of weight 1 causes in a neuron at rest.

Shown: what an error of the level does to the spike, to the jump of the adjoint there and to the
next spike; what an arrival that moves does to a maximum and to a mean voltage; and the sums that
shot noise makes of K and its derivatives (Campbell's theorem: a window of length L with n arrivals
adds n/L times the integral of the square to the variance).
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.linear_neuron import flow, lif_after, lif_rates
from delayprop.derivations.proof import Nonzero, Residuals, exponential_terms, theorem
from delayprop.derivations.symbols import I, T, V, Vdot_minus, h, s, tau_mem, tau_syn, v_reset, v_th

K = lif_after(sp.S.Zero, sp.S.One, s, tau_mem, tau_syn)[0]


@theorem("rounding-jump", "a spike that moves by dt changes its jump by -(Vddot_minus/Vdot_minus) dt, relatively")
def jump_moved() -> Residuals:
    V_s, I_s = lif_after(V, I, s, tau_mem, tau_syn)
    slope = formulas.Vdot(V_s, I_s, tau_mem)
    jump, at = 1 / slope, {s: 0}
    start = {V: I - tau_mem * Vdot_minus}
    second = formulas.Vddot_minus(I, Vdot_minus, tau_mem, tau_syn)
    relative = (sp.diff(jump, s) / jump).subs(at).subs(start)
    return {
        "the second derivative": sp.diff(slope, s).subs(at).subs(start) - second,
        "the jump": relative - formulas.jump_moved(second, Vdot_minus, sp.S.One),
        "a slope that errs by dV changes it by dV/Vdot_minus": sp.diff(1 / Vdot_minus, Vdot_minus) * Vdot_minus
        + 1 / Vdot_minus,
    }


@theorem("rounding-spike", "a spike that moves by dt moves the level at the next by -Vdot_plus exp(-h/tau_mem) dt")
def next_spike_moved() -> Residuals:
    # The current flows on; V starts anew at v_reset, at s instead of 0, and is read at h.
    _, current = lif_after(V, I, s, tau_mem, tau_syn)
    V_next, _ = lif_after(v_reset, current, h - s, tau_mem, tau_syn)
    moved = sp.diff(V_next, s).subs(s, 0)
    claimed = formulas.dV_dt_post_before(formulas.Vdot(v_reset, I, tau_mem), h, tau_mem)
    wrong = formulas.dV_dt_post_before(formulas.Vdot(v_th, I, tau_mem), h, tau_mem)
    return {
        "by the spike before": moved - claimed,
        "not by the slope before the reset": Nonzero((moved - wrong).subs({v_th: 1, v_reset: 0})),
    }


@theorem("rounding-maximum", "at a maximum Vddot = -V/(tau_mem tau_syn); its instant moves by -dVdot over this")
def maximum_moved() -> Residuals:
    bend, error = sp.symbols("bend error", real=True)  # of V' + error = 0, near the maximum
    (moved,) = sp.solve(bend * s + error, s)
    V_s, _ = lif_after(V, V, s, tau_mem, tau_syn)  # where V = I the slope is 0
    return {
        "the slope": sp.diff(V_s, s).subs(s, 0),
        "the curvature": sp.diff(V_s, s, 2).subs(s, 0) - formulas.Vddot_at_maximum(V, tau_mem, tau_syn),
        "the instant": moved.subs(bend, formulas.Vddot_at_maximum(V, tau_mem, tau_syn))
        + error / sp.diff(V_s, s, 2).subs(s, 0),
    }


@theorem("rounding-integral", "an arrival at T - h that moves by dt changes the mean voltage by -K(h)/T dt")
def mean_moved() -> Residuals:
    mean = flow(lif_rates(tau_mem, tau_syn, sp.S.Zero), h)[2, 1] / T
    # A later arrival has less time left: h falls.
    return {"by the arrival": -sp.diff(mean, h) - formulas.mean_voltage_moved(h, T, tau_mem, tau_syn)}


@theorem("rounding-noise", "the integrals over all time of K, and of the squares of K, its slope and the slope of this")
def shot_noise() -> Residuals:
    def over_all_time(of_s: sp.Expr) -> sp.Expr:
        """Every term is `factor * exp(power)`, with a power that falls in proportion to s."""
        return sum(-factor / sp.diff(power, s) for factor, power in exponential_terms(of_s))

    found = {"K": over_all_time(K) - formulas.trace_sum(tau_syn)}
    squares = (formulas.trace_squared, formulas.trace_slope_squared, formulas.trace_bend_squared)
    for order, claim in enumerate(squares):
        square = over_all_time(sp.diff(K, s, order) ** 2)
        found[f"the square of derivative {order} of K"] = square - claim(tau_mem, tau_syn)
    return found
