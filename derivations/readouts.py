"""Readouts that integrate the membrane: their closed form, and their drive of the adjoint.

Assumed: `y = (1/T) int_0^T exp(-r t) V dt`: the mean voltage (r = 0), or exp-weighted (r = 1/T).

Shown: the integral over an interval between events in E form, with its derivatives by the time
constants. A loss with derivative dL/dy drives the adjoint with dl_V/dV = (dL/dy) exp(-r t) / T; the
effect over the whole trial, from lambda = 0 at T, has a closed form. If the neuron spikes, the
integrand drops at the reset, and this drop is part of the derivative by the spike time. No time
step and no quadrature is needed, and tau_mem = tau_syn is no special case.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Residuals, theorem
from delayprop.derivations.symbols import I, T, V, dL_dy, h, r, s, tau_mem, tau_syn, v_reset
from delayprop.derivations.trajectory import backwards, forwards


@theorem("readout-integral", "int_0^h exp(-r s) V ds = exp(-r h) [V E(h; -r, 1/tau_mem) + I/tau_mem E(h; -r, ., .)]")
def running_integral() -> Residuals:
    claimed = formulas.V_integral(V, I, h, r, tau_mem, tau_syn)
    mean = formulas.V_integral(V, I, h, sp.S.Zero, tau_mem, tau_syn)
    equal = formulas.V_integral(V, I, h, r, tau_syn, tau_syn)
    V_h, V_equal = formulas.V_flow(V, I, h, tau_mem, tau_syn), formulas.V_flow(V, I, h, tau_syn, tau_syn)
    return {
        "grows by the integrand": sp.diff(claimed, h) - sp.exp(-r * h) * V_h,
        "starts at 0": claimed.subs(h, 0),
        "mean grows by V": sp.diff(mean, h) - V_h,
        "mean starts at 0": mean.subs(h, 0),
        "tau_mem = tau_syn grows by the integrand": sp.diff(equal, h) - sp.exp(-r * h) * V_equal,
        "tau_mem = tau_syn starts at 0": equal.subs(h, 0),
        "d/dtau_mem": sp.diff(claimed, tau_mem) - formulas.dV_integral_dtau_mem(V, I, h, r, tau_mem, tau_syn),
        "d/dtau_syn": sp.diff(claimed, tau_syn) - formulas.dV_integral_dtau_syn(I, h, r, tau_mem, tau_syn),
    }


@theorem("readout-adjoint", "mean and exp-weighted voltage drive lambda with dl_V/dV = (dL/dy) exp(-r t)/T")
def adjoint_from_the_end() -> Residuals:
    residuals = {}
    for name, rate in (("mean", sp.S.Zero), ("exp-weighted", 1 / T)):
        # From (V, I) at T - s on, the readout is the integral over the remaining time s.
        left = sp.exp(-rate * (T - s)) / T * formulas.V_integral(V, I, s, rate, tau_mem, tau_syn)
        drive = formulas.drive_of_readout(dL_dy, rate, T, T)
        adjoint_V, adjoint_I = backwards(sp.S.Zero, sp.S.Zero, s, drive, rate)
        residuals[f"{name}, lambda_V"] = adjoint_V + dL_dy * sp.diff(left, V) / tau_mem
        residuals[f"{name}, lambda_I"] = adjoint_I + dL_dy * sp.diff(left, I) / tau_syn
    return residuals


@theorem("readout-spike", "the readout of a neuron that spikes: dL/dt_post gains l_V_minus - l_V_plus")
def readout_of_a_spiking_neuron() -> Residuals:
    # From (V, I) at 0 to a crossing after h, from the reset to T a time s later; T is fixed.
    crossing, reset = sp.Symbol("t_post", positive=True), v_reset
    V_h, I_h = forwards(V, I, h)

    def readout(t: sp.Expr) -> sp.Expr:
        before = formulas.V_integral(V, I, t, r, tau_mem, tau_syn)
        after = formulas.V_integral(reset, formulas.I_flow(I, t, tau_syn), h + s - t, r, tau_mem, tau_syn)
        return (before + sp.exp(-r * t) * after) / T

    slopes = formulas.Vdot(V_h, I_h, tau_mem), formulas.Vdot(reset, I_h, tau_mem)
    by_time = sp.diff(readout(crossing), crossing).subs(crossing, h)
    drive_T, drive_h = (formulas.drive_of_readout(dL_dy, r, t, T) for t in (h + s, h))
    lambda_V_plus, lambda_I_h = backwards(sp.S.Zero, sp.S.Zero, s, drive_T, r)
    drop = formulas.running_loss_drop(dL_dy, sp.exp(-r * h) / T, V_h, reset)
    lambda_V_minus = formulas.lambda_V_at_crossing(lambda_V_plus, drop, tau_mem, *slopes)
    lambda_V_0, lambda_I_0 = backwards(lambda_V_minus, lambda_I_h, h, drive_h, r)
    residuals = {}
    for state, tau, adjoint in ((V, tau_mem, lambda_V_0), (I, tau_syn, lambda_I_0)):
        moved = formulas.dt_post_at_crossing(sp.diff(V_h, state), slopes[0])
        direct = sp.diff(readout(h), state) + by_time * moved
        residuals[f"by {state}"] = adjoint + dL_dy * direct / tau
    return residuals
