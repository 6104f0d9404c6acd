"""The reference implements the proved formulas: jumps symbol by symbol, flows to 52 digits."""

import random

import pytest
import sympy as sp

from delayprop.derivations import formulas, linear_neuron, symbols
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.reference import jumps
from delayprop.reference.arithmetic import Arithmetic, Row, dot, multiprecision, times, transposed
from delayprop.reference.crossing import Turns
from delayprop.reference.equations import Equations
from delayprop.spec.neuron import LIF, NEURONS, Neuron
from tests.support.report_evidence import Measured

q = sp.Symbol("q")


def at_events(neuron: Neuron) -> dict[str, tuple[sp.Expr, sp.Expr]]:
    """The formulas of the reference, and the proved ones, of everything that can happen."""
    n = LinearNeuron.of(neuron)
    A, R, (x, p, c) = n.A.tolist(), n.R.tolist(), (list(part) for part in (n.x, n.p, n.c))
    pairs = {}
    for state, into in ((state, neuron.states.index(state)) for state in neuron.arrivals):
        by_weight, by_time = linear_neuron.at_arrival(n, state)
        pairs[f"dL/dw at {state}"] = jumps.dL_dw_at_arrival(p, into), by_weight
        pairs[f"dL/dt_arr at {state}"] = jumps.dL_dt_arr(symbols.w, A, p, into), by_time
    if neuron.spike is None:
        return pairs
    x_plus = list(n.R * n.x + n.r)
    shift = jumps.spike_shift(p, symbols.dL_dt_post, A, R, x, x_plus, dot(times(transposed(A), c), x))
    pairs["q"] = shift, linear_neuron.spike_shift(n)
    if neuron.level == neuron.states[:1]:
        pairs["q by a maximum"] = jumps.shift_by_maximum(symbols.dL_dy, c[0]), linear_neuron.shift_by_maximum(n)
    before = zip(jumps.p_before_spike(p, q, R, c), linear_neuron.before_spike(n, q), strict=True)
    pairs |= {f"p_{state} before a spike": pair for state, pair in zip(neuron.states, before, strict=True)}
    for name, theta in n.constants.items():
        by_theta = (list(sp.diff(n.c, theta)), sp.diff(n.v_th, theta), sp.diff(n.R, theta).tolist(),
                    list(sp.diff(n.r, theta)))
        found = jumps.dL_dtheta_at_spike(p, q, x, by_theta)
        pairs[f"dL/d{name} at a spike"] = found, linear_neuron.gradient_at_spike(n, theta, q)
    return pairs


@pytest.mark.check(2)
@pytest.mark.parametrize("name", NEURONS)
def test_jumps_of_the_reference_are_the_claims(name: str, measured: Measured) -> None:
    pairs = at_events(NEURONS[name])
    for found, claimed in pairs.values():
        assert sp.simplify(found - claimed) == 0
    measured(0, 0, len(pairs))


@pytest.mark.check(2, control=True)
def test_control_a_thousandth_is_no_claim() -> None:
    pairs = [pair for neuron in NEURONS.values() for pair in at_events(neuron).values() if pair[1] != 0]
    assert len(pairs) > 50
    for found, claimed in pairs:
        assert sp.simplify(sp.Rational(1001, 1000) * found - claimed) != 0


@pytest.mark.check(2)
@pytest.mark.parametrize("sign", [1, -1], ids=["rises", "falls"])
def test_the_pinned_maximum_of_the_reference_is_the_claim(sign: int) -> None:
    before, w, tau_mem, dL_dy = sp.Symbol("before", positive=True), symbols.w, symbols.tau_mem, symbols.dL_dy
    Vdot_plus = sign * before + w / tau_mem
    claimed = formulas.dL_dt_arr_at_pinned_maximum(dL_dy, w, tau_mem, Vdot_plus)
    assert sp.simplify(jumps.dL_dt_arr_at_pinned_maximum(dL_dy, w, 1 / tau_mem, Vdot_plus) - claimed) == 0


DIGITS = 60
FLOW_DIGITS = 52
GAPS = (sp.Rational(1, 2), sp.Rational(1, 10**3), sp.Rational(1, 10**12), sp.S.Zero)  # of the two time constants


def of_the_reference(m: Arithmetic, e: Equations, h: object, V: object, I: object, lambdas: Row) -> list[object]:
    """Flows forwards and backwards, derivatives, the integral and its derivatives, and the peak."""
    zero, F, (tau_mem, tau_syn) = m.real(0.0), e.flow(h), (e.values["tau_mem"], e.values["tau_syn"])
    x, p = [V, I, zero], [-tau_mem * lambdas[0], -tau_syn * lambdas[1], zero]
    earlier, decay = times(transposed(F), p), m.exp(-e.rate * h)
    by = {name: times(e.derivatives[name].flow(h), x) for name in ("tau_mem", "tau_syn")}
    there = times(F, x)
    return [
        there[0], there[1], -earlier[0] / tau_mem, -earlier[1] / tau_syn,
        by["tau_mem"][0], by["tau_syn"][0], by["tau_syn"][1],
        decay * there[2], decay * F[2][0], decay * F[2][1], decay * by["tau_mem"][2], decay * by["tau_syn"][2],
        next(Turns(e, e.c)(x, m.real(1e6))),
    ]


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

        one = m.real(1.0)
        values = {"tau_mem": number(tau_mem), "tau_syn": number(tau_syn), "v_th": one, "v_reset": one}
        V_, I_, h_, r_, *lambdas = (number(each) for each in (V, I, h, r, lambda_V, lambda_I))
        computed = of_the_reference(m, Equations(m, LIF, values, r_), h_, V_, I_, lambdas)
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
