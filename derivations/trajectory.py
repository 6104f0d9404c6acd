"""A neuron between two events, with the claimed flows at the symbols `tau_mem` and `tau_syn`."""

import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.symbols import tau_mem, tau_syn

State = tuple[sp.Expr, sp.Expr]


def forwards(V: sp.Expr, I: sp.Expr, h: sp.Expr) -> State:
    """(V, I) a time h later."""
    return formulas.V_flow(V, I, h, tau_mem, tau_syn), formulas.I_flow(I, h, tau_syn)


def backwards(lambda_V: sp.Expr, lambda_I: sp.Expr, h: sp.Expr, drive: sp.Expr = 0, rate: sp.Expr = 0) -> State:
    """(lambda_V, lambda_I) a time h earlier; dl_V/dV is drive * exp(rate * s) a time s earlier."""
    return (
        formulas.lambda_V_flow(lambda_V, h, tau_mem, drive, rate),
        formulas.lambda_I_flow(lambda_V, lambda_I, h, tau_mem, tau_syn, drive, rate),
    )


def by_tau(adjoint: State, start: State, h: sp.Expr) -> State:
    """(dL/dtau_mem, dL/dtau_syn) of an interval: the adjoint at its end, the state at its start."""
    (lambda_V, lambda_I), (V, I) = adjoint, start
    return (
        formulas.dL_dtau_mem_over_interval(lambda_V, V, I, h, tau_mem, tau_syn),
        formulas.dL_dtau_syn_over_interval(lambda_V, lambda_I, I, h, tau_mem, tau_syn),
    )
