"""Time constants: the two integrals of the paper's method, in closed form.

Assumed: one interval of length h between events, (V, I) at its start, (lambda_V, lambda_I) at its
end. Threshold, reset and arrival contain no time constant, so intervals add up.

Shown: the derivative of the flow by a time constant adds one rate to E(h; ...), so it has no
singularity either. The integrals of lambda_V Vdot and lambda_I Idot over the interval equal the
sensitivity at its end times the derivative of the flow; a running loss g exp(-r t) V adds g times
the derivative of its integral. So an implementation may accumulate either form, without quadrature.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Residuals, integral, theorem
from delayprop.derivations.symbols import I, V, g, h, lambda_I, lambda_V, r, s, tau_mem, tau_syn
from delayprop.derivations.trajectory import backwards, by_tau, forwards


def integrals(drive: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Integrals over [0, h] of lambda_V Vdot and lambda_I Idot; `drive` is dl_V/dV at the end."""
    V_s, I_s = forwards(V, I, s)
    adjoint_V, adjoint_I = backwards(lambda_V, lambda_I, h - s, drive, r)
    by_mem = integral(adjoint_V * sp.diff(V_s, s), s, sp.S.Zero, h)
    by_syn = integral(adjoint_I * sp.diff(I_s, s), s, sp.S.Zero, h)
    return by_mem, by_syn


@theorem("tau-flow", "dV/dtau_mem, dV/dtau_syn and dI/dtau_syn of the flow, each one more rate in E(h; ...)")
def derivatives_of_the_flow() -> Residuals:
    V_h, I_h = forwards(V, I, h)
    return {
        "dV/dtau_mem": sp.diff(V_h, tau_mem) - formulas.dV_dtau_mem(V, I, h, tau_mem, tau_syn),
        "dV/dtau_syn": sp.diff(V_h, tau_syn) - formulas.dV_dtau_syn(I, h, tau_mem, tau_syn),
        "dI/dtau_syn": sp.diff(I_h, tau_syn) - formulas.dI_dtau_syn(I, h, tau_syn),
        "dI/dtau_mem": sp.diff(I_h, tau_mem),
    }


@theorem("tau-equal", "at tau_mem = tau_syn these derivatives solve the differentiated equations too")
def derivatives_at_equality() -> Residuals:
    # tau_mem V' + V = I differentiated by tau_mem or tau_syn; only then tau_mem is set to tau_syn.
    V_h = formulas.V_flow(V, I, h, tau_syn, tau_syn)
    by_mem = formulas.dV_dtau_mem(V, I, h, tau_syn, tau_syn)
    by_syn = formulas.dV_dtau_syn(I, h, tau_syn, tau_syn)
    return {
        "dV/dtau_mem": tau_syn * sp.diff(by_mem, h) + by_mem + sp.diff(V_h, h),
        "dV/dtau_syn": tau_syn * sp.diff(by_syn, h) + by_syn - formulas.dI_dtau_syn(I, h, tau_syn),
        "dV/dtau_mem at the beginning": by_mem.subs(h, 0),
        "dV/dtau_syn at the beginning": by_syn.subs(h, 0),
    }


@theorem("tau-integrals", "int lambda_V Vdot dt, int lambda_I Idot dt = sensitivity at the end times d(flow)/dtau")
def integrals_are_closed() -> Residuals:
    by_mem, by_syn = integrals(drive=sp.S.Zero)
    claimed_mem, claimed_syn = by_tau((lambda_V, lambda_I), (V, I), h)
    V_h, I_h = forwards(V, I, h)
    mu_V, mu_I = -tau_mem * lambda_V, -tau_syn * lambda_I
    return {
        "tau_mem": by_mem - mu_V * sp.diff(V_h, tau_mem),
        "tau_syn": by_syn - mu_V * sp.diff(V_h, tau_syn) - mu_I * sp.diff(I_h, tau_syn),
        "tau_mem, claimed": by_mem - claimed_mem,
        "tau_syn, claimed": by_syn - claimed_syn,
    }


@theorem("tau-running-loss", "with a running loss g exp(-r t) V the integrals gain g d(int exp(-r t) V dt)/dtau")
def integrals_with_running_loss() -> Residuals:
    by_mem, by_syn = integrals(drive=g * sp.exp(-r * h))
    without_mem, without_syn = by_tau((lambda_V, lambda_I), (V, I), h)
    return {
        "tau_mem": by_mem - without_mem - g * formulas.dV_integral_dtau_mem(V, I, h, r, tau_mem, tau_syn),
        "tau_syn": by_syn - without_syn - g * formulas.dV_integral_dtau_syn(I, h, r, tau_mem, tau_syn),
    }
