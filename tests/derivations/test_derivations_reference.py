"""The reference implements the proved formulas: jumps symbol by symbol, flows to 52 digits."""

import inspect
import random

import pytest
import sympy as sp

from delayprop.derivations import formulas, symbols
from delayprop.reference import flow, jumps
from delayprop.reference.arithmetic import multiprecision
from tests.support.report_evidence import Measured

CLAIMS = {name: claim for name, claim in vars(formulas).items() if inspect.isfunction(claim)}
JUMPS = {name: jump for name, jump in vars(jumps).items() if inspect.isfunction(jump)}


def arguments_of(name: str) -> list[dict[str, sp.Expr]]:
    """Symbols for the arguments of a jump; several choices where a sign decides."""
    plain = {
        argument: getattr(symbols, argument, sp.Symbol(argument))
        for argument in inspect.signature(JUMPS[name]).parameters
    }
    if name != "dL_dt_arr_at_pinned_maximum":
        return [plain]
    before = sp.Symbol("before", positive=True)
    return [plain | {"Vdot_plus": sign * before + symbols.w / symbols.tau_mem} for sign in (1, -1)]


@pytest.mark.check(2)
@pytest.mark.parametrize("name", JUMPS)
def test_jumps_of_the_reference_are_the_claims(name: str, measured: Measured) -> None:
    assert list(inspect.signature(JUMPS[name]).parameters) == list(inspect.signature(CLAIMS[name]).parameters)
    for arguments in arguments_of(name):
        claimed = CLAIMS[name](**arguments)
        assert sp.simplify(JUMPS[name](**arguments) - claimed) == 0
        assert any(sp.simplify(CLAIMS[name](**choice)) != 0 for choice in arguments_of(name))
    measured(0, 0, len(arguments_of(name)))


@pytest.mark.check(2, control=True)
@pytest.mark.parametrize("name", JUMPS)
def test_control_a_thousandth_is_no_claim(name: str) -> None:
    wrong = sp.Rational(1001, 1000)
    assert any(sp.simplify(wrong * JUMPS[name](**given) - CLAIMS[name](**given)) != 0 for given in arguments_of(name))


DIGITS = 60
FLOW_DIGITS = 52
GAPS = (sp.Rational(1, 2), sp.Rational(1, 10**3), sp.Rational(1, 10**12), sp.S.Zero)  # of the two time constants


@pytest.mark.check(2)
@pytest.mark.parametrize("gap", GAPS, ids=str)
def test_flow_of_the_reference_is_the_claim(gap: sp.Rational, measured: Measured) -> None:
    worst, f = sp.S.Zero, formulas
    m, draw = multiprecision(DIGITS), random.Random(1)
    for _ in range(5):
        tau_syn, h, V, I, lambda_V, lambda_I, r = (sp.Rational(draw.randrange(1, 400), 64) for _ in range(7))
        tau_mem, I = tau_syn * (1 + gap), I + V
        taus, x = (tau_mem, tau_syn), sp.Symbol("x")

        def number(exact: sp.Rational) -> object:
            return m.real(float(exact.p)) / m.real(float(exact.q))

        c = flow.Constants(number(tau_mem), number(tau_syn), None, None)
        V_, I_, h_, r_, lambda_V_, lambda_I_ = (number(each) for each in (V, I, h, r, lambda_V, lambda_I))
        computed = (
            *flow.flow(m, V_, I_, h_, c), *flow.adjoint_flow(m, lambda_V_, lambda_I_, h_, c),
            *flow.flow_derivatives(m, V_, I_, h_, c), flow.weighted_integral(m, V_, I_, h_, r_, c),
            *flow.weighted_integral_derivatives(m, V_, I_, h_, r_, c), flow.time_to_peak(m, V_, I_, c),
        )
        claimed = (
            f.V_flow(V, I, h, *taus), f.I_flow(I, h, tau_syn),
            f.lambda_V_flow(lambda_V, h, tau_mem), f.lambda_I_flow(lambda_V, lambda_I, h, *taus),
            f.dV_dtau_mem(V, I, h, *taus), f.dV_dtau_syn(I, h, *taus), f.dI_dtau_syn(I, h, tau_syn),
            f.V_integral(V, I, h, r, *taus),
            sp.diff(f.V_integral(x, I, h, r, *taus), x), sp.diff(f.V_integral(V, x, h, r, *taus), x),
            f.dV_integral_dtau_mem(V, I, h, r, *taus), f.dV_integral_dtau_syn(I, h, r, *taus), f.peak_time(V, I, *taus),
        )
        for found, claim in zip(computed, claimed, strict=True):
            exact = sp.N(claim, DIGITS + 40)
            off = abs(sp.Float(str(found), DIGITS) - exact)
            assert off <= abs(exact) * sp.Float(10) ** -FLOW_DIGITS
            worst = max(worst, off / abs(exact) if exact else worst)
    measured(float(worst), 10.0**-FLOW_DIGITS, 5 * len(claimed), "1")
