"""Between events, backwards: the adjoint equations and their closed form.

Assumed: the flow, and a loss that depends on the state at the end of an interval [0, h] through two
sensitivities mu_V and mu_I, plus a running loss, the integral of l_V(V, t).

Shown: the sensitivities to the state at an earlier time s obey the equations of the paper (16 and
17), scaled as mu_V = -tau_mem lambda_V and mu_I = -tau_syn lambda_I. With `'` for -d/dt,

    tau_mem lambda_V' = -lambda_V - dl_V/dV        tau_syn lambda_I' = -lambda_I + lambda_V .

Their flow is the forward flow with the two variables exchanged: E(h; 1/tau_mem, 1/tau_syn) again.
It stays in this family for a running loss that is an exponential in time. No assumption is made
about the parameter that varies: the pairing of the adjoint with *any* perturbation of the state is
constant between events.
"""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.proof import Residuals, theorem, under_integrals
from delayprop.derivations.symbols import I, V, g, h, lambda_I, lambda_V, r, s, tau_mem, tau_syn
from delayprop.derivations.trajectory import backwards, forwards

mu_V, mu_I = sp.symbols("mu_V mu_I", real=True)


@theorem("adjoint-ode", "tau_mem lambda_V' = -lambda_V - dl_V/dV, tau_syn lambda_I' = -lambda_I + lambda_V")
def equations() -> Residuals:
    drive = sp.Function("drive")  # dl_V/dV along the trajectory: any function of time
    u = sp.Symbol("u", positive=True)
    V_u, I_u = forwards(V, I, u - s)
    at_end = (mu_V * V_u + mu_I * I_u).subs(u, h)

    def sensitivity(state: sp.Symbol) -> sp.Expr:
        """To the state at time s: through the end, and through V at every later time u."""
        return sp.diff(at_end, state) + sp.Integral(drive(u) * sp.diff(V_u, state), (u, s, h))

    adjoint_V, adjoint_I = -sensitivity(V) / tau_mem, -sensitivity(I) / tau_syn
    equation_V = -tau_mem * sp.diff(adjoint_V, s) + adjoint_V + drive(s)
    equation_I = -tau_syn * sp.diff(adjoint_I, s) + adjoint_I - adjoint_V
    inside_V, outside_V = under_integrals(equation_V)
    inside_I, outside_I = under_integrals(equation_I)
    return {
        "lambda_V, through later times": inside_V,
        "lambda_V, through the end and at once": outside_V,
        "lambda_I, through later times": inside_I,
        "lambda_I, through the end and at once": outside_I,
        "lambda_V at the end": adjoint_V.subs(s, h).doit() + mu_V / tau_mem,
        "lambda_I at the end": adjoint_I.subs(s, h).doit() + mu_I / tau_syn,
    }


@theorem("adjoint-flow", "lambda_I(-h) = lambda_I E(h; 1/tau_syn) + lambda_V/tau_syn E(h; 1/tau_mem, 1/tau_syn)")
def flow() -> Residuals:
    # The drive is g exp(r s), with its value g at the end of the interval; s runs backwards.
    driven_V, driven_I = backwards(lambda_V, lambda_I, s, g, r)
    free_V, free_I = backwards(lambda_V, lambda_I, s)
    equal_I = formulas.lambda_I_flow(lambda_V, lambda_I, s, tau_syn, tau_syn)
    return {
        "lambda_V driven": tau_mem * sp.diff(driven_V, s) + driven_V + g * sp.exp(r * s),
        "lambda_I driven": tau_syn * sp.diff(driven_I, s) + driven_I - driven_V,
        "lambda_V free": tau_mem * sp.diff(free_V, s) + free_V,
        "lambda_I free": tau_syn * sp.diff(free_I, s) + free_I - free_V,
        "lambda_V at the end": driven_V.subs(s, 0) - lambda_V,
        "lambda_I at the end": driven_I.subs(s, 0) - lambda_I,
        "no drive is the free flow, V": driven_V.subs(g, 0) - free_V,
        "no drive is the free flow, I": driven_I.subs(g, 0) - free_I,
        "limit tau_mem = tau_syn": sp.limit(free_I, tau_mem, tau_syn) - equal_I,
    }


@theorem("adjoint-pairing", "tau_mem lambda_V dV + tau_syn lambda_I dI is constant between events, for any (dV, dI)")
def pairing() -> Residuals:
    dV, dI = sp.symbols("dV dI", real=True)

    def paired(s: sp.Expr) -> sp.Expr:
        """The pairing at time s: perturbation forwards for s, adjoint backwards for h - s."""
        (dV_s, dI_s), (adjoint_V, adjoint_I) = forwards(dV, dI, s), backwards(lambda_V, lambda_I, h - s)
        return tau_mem * adjoint_V * dV_s + tau_syn * adjoint_I * dI_s

    return {"does not depend on s": sp.diff(paired(s), s), "beginning equals end": paired(sp.S.Zero) - paired(h)}
