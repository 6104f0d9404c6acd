"""The reference implements the proved formulas: jumps symbol by symbol, flows to 52 digits."""

import random
from collections.abc import Mapping
from itertools import chain

import pytest
import sympy as sp

from delayprop.derivations import linear_neuron, symbols
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.reference import jumps
from delayprop.reference.arithmetic import Arithmetic, Real, dot, multiprecision, times, transposed
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
    before, A_read = sp.symbols("before A_read", positive=True)
    Vdot_plus = sign * before + symbols.w * A_read
    formulas = jumps.dL_dt_arr_at_pinned_maximum, linear_neuron.dL_dt_arr_at_pinned_maximum
    found, claimed = (formula(symbols.dL_dy, symbols.w, A_read, Vdot_plus) for formula in formulas)
    assert sp.simplify(found - claimed) == 0


DIGITS = 60
FLOW_DIGITS = 52
GAPS = (sp.Rational(1, 2), sp.Rational(1, 10**3), sp.Rational(1, 10**12), sp.S.Zero)  # of the two time constants


def exact(m: Arithmetic, number: sp.Rational) -> Real:
    return m.real(float(number.p)) / m.real(float(number.q))


def off(found: Real, claimed: sp.Expr) -> sp.Expr:
    """The relative error of a number of `DIGITS` digits; that of a claimed 0 is its size."""
    right = sp.N(claimed, DIGITS + 40)
    return abs(sp.Float(str(found), DIGITS) - right) / (abs(right) or 1)


def worst_of(neuron: Neuron, values: Mapping[str, sp.Rational], rate: sp.Rational, h: sp.Rational) -> list[sp.Expr]:
    """The errors of the flow over `h` and of its derivatives by all constants, entry by entry."""
    m = multiprecision(DIGITS)
    e = Equations(m, neuron, {name: exact(m, value) for name, value in values.items()}, exact(m, rate))
    n = linear_neuron.with_integral(LinearNeuron.of(neuron), rate)
    at = {n.constants[name]: value for name, value in values.items()}
    pairs = [(e.flow(exact(m, h)), linear_neuron.flow(n.A.subs(at), h))]
    for name, by_theta in e.derivatives.items():
        if by_theta.flow is not None:
            slope = sp.diff(n.A, n.constants[name]).subs(at)
            pairs.append((by_theta.flow(exact(m, h)), linear_neuron.flow_by(n.A.subs(at), slope, h)))
    return [off(a, b) for found, claimed in pairs for a, b in zip(chain(*found), claimed, strict=True)]


def drawn(draw: random.Random) -> sp.Rational:
    return sp.Rational(draw.randrange(1, 400), 64)


@pytest.mark.check(2)
@pytest.mark.parametrize("gap", GAPS, ids=str)
def test_flow_of_the_reference_is_the_claim(gap: sp.Rational, measured: Measured) -> None:
    errors, draw = [], random.Random(1)
    for _ in range(5):
        tau_syn, h, V, I, rate = (drawn(draw) for _ in range(5))
        values = {"tau_mem": tau_syn * (1 + gap), "tau_syn": tau_syn, "v_th": sp.S.One, "v_reset": sp.S.Zero}
        errors += worst_of(LIF, values, rate, h)
        m = multiprecision(DIGITS)
        e = Equations(m, LIF, {name: exact(m, value) for name, value in values.items()})
        found = next(Turns(e, e.c)([exact(m, V), exact(m, I + V)], m.real(1e6)))
        errors.append(off(found, linear_neuron.peak_time(V, I + V, values["tau_mem"], tau_syn)))
    assert max(errors) <= sp.Float(10) ** -FLOW_DIGITS
    measured(float(max(errors)), 10.0**-FLOW_DIGITS, len(errors), "1")


@pytest.mark.check(2)
@pytest.mark.parametrize("name", [name for name in NEURONS if name not in ("lif", "li", "coupled", "adlif")])
def test_flow_of_other_neurons_without_loops_is_the_claim(name: str, measured: Measured) -> None:
    draw = random.Random(2)
    values = {constant: drawn(draw) for constant in NEURONS[name].constants}
    errors = worst_of(NEURONS[name], values, drawn(draw), drawn(draw))
    assert max(errors) <= sp.Float(10) ** -FLOW_DIGITS
    measured(float(max(errors)), 10.0**-FLOW_DIGITS, len(errors), "2")
