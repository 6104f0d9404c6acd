"""Every claim can be refuted: negated, or with a mistake that people have made."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import sympy as sp

from delayprop.derivations import formulas, linear_neuron
from delayprop.derivations.chapters import CHAPTERS, theorems
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.derivations.proof import Nonzero, Proof, simplest, theorem
from delayprop.derivations.symbols import dL_dt_post, w

pytestmark = pytest.mark.full

THEOREMS = {each.tag: each for each in theorems()}
MODULES = linear_neuron, formulas

DECIDES = {
    "flow-E": ("E",), "flow": ("flow",), "flow-theta": ("flow_by",), "flow-peak": ("peak_time",),
    "flow-bound": ("controls", "beyond_cubic"), "adjoint": ("adjoint_slope", "gradient_between_events"),
    "arrival": ("at_arrival",), "spike": ("spike_shift", "shift_by_maximum", "before_spike", "gradient_at_spike"),
    "spike-grazing": ("kappa",), "readout": ("at_end",), "sample": ("at_reading",),
    "max-pinned": ("dL_dt_arr_at_pinned_maximum",), "identity-A": ("scale_charge",), "identity-C": ("shift_charge",),
    "identity-readout": ("shift_of_running_readout", "unit_of_running_readout", "moment_of_running_readout"),
    "rounding-jump": ("Vddot_minus", "jump_moved"), "rounding-spike": ("dV_dt_post_before",),
    "rounding-maximum": ("Vddot_at_maximum",), "rounding-integral": ("mean_voltage_moved", "lif_after", "lif_rates"),
    "rounding-noise": ("trace_sum", "trace_squared", "trace_slope_squared", "trace_bend_squared"),
    "paper-flow": ("lambda_V_flow", "lambda_I_flow"), "paper-arrival": ("dL_dw_at_arrival", "dL_dt_arr"),
    "paper-spike": (
        "dL_dt_post_at_crossing", "lambda_V_at_crossing", "dL_dv_th_at_crossing", "dL_dv_reset_at_crossing",
    ),
    "paper-constants": ("Vdot",), "paper-maximum": ("lambda_V_at_maximum",),
}
"""The claims that a proof decides: it must fail for the negated claim."""
DECIDED_BY = [(name, tag) for tag, names in DECIDES.items() for name in names]
MORE = {"with_integral"}  # says what a state is: "readout" shows what it is for


def replaced(patch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any]) -> None:
    """Puts a wrong claim into its module, and into the chapters that import its name."""
    right = claim(name)
    for module in (*MODULES, *CHAPTERS):
        if vars(module).get(name) is right:
            patch.setattr(module, name, wrong)


def negated(value: Any) -> Any:
    return tuple(map(negated, value)) if isinstance(value, tuple) else -value


def claim(name: str) -> Callable[..., Any]:
    return next(vars(module)[name] for module in MODULES if name in vars(module))


def jump(slopes: Callable[[sp.Expr, sp.Expr], sp.Expr], small: sp.Expr = sp.S.Zero) -> Callable[..., sp.Expr]:
    """A wrong jump at a spike: another ratio of the slopes, or `small` in the denominator."""
    return lambda lambda_V_plus, dL_dt_post, tau_mem, Vdot_minus, Vdot_plus: (
        slopes(Vdot_minus, Vdot_plus) * lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus + small)
    )


Rates = Callable[[LinearNeuron], sp.Matrix]


def shift(n: LinearNeuron, before: Rates, after: Rates, small: int = 0) -> sp.Expr:
    """`q` with other rates before and after the spike, or a small number in the denominator."""
    moved = n.p.dot(before(n) - after(n)) + dL_dt_post
    return moved / (n.c.dot(n.A * n.x) + sp.Rational(small, 1000))


def right_before(n: LinearNeuron) -> sp.Matrix:
    return n.R * n.A * n.x


def right_after(n: LinearNeuron) -> sp.Matrix:
    return n.A * (n.R * n.x + n.r)


Mistake = tuple[str, Callable[..., Any], tuple[str, ...]]
MISTAKES: dict[str, Mistake] = {
    "A for its transpose": ("adjoint_slope", lambda n: -n.A * n.p, ("adjoint", "paper-flow", "identity-A")),
    "sign of the delay gradient": (
        "at_arrival", lambda n, s: (n.arrivals[s].dot(n.p), w * (n.A * n.arrivals[s]).dot(n.p)),
        ("arrival", "identity-C", "example-network")),
    "lambda_V left out of the delay gradient": (
        "dL_dt_arr", lambda w, lambda_V, lambda_I: -w * lambda_I, ("paper-arrival", "paper-self")),
    "tau_syn missing in the weight gradient": (
        "dL_dw_at_arrival", lambda tau_syn, lambda_I: -lambda_I, ("paper-arrival",)),
    "one slope on both sides of the reset": (
        "spike_shift", lambda n: shift(n, right_before, lambda n: n.A * n.x),
        ("spike", "identity-C", "example-network")),
    "the reset forgotten": ("before_spike", lambda n, q: n.p - q * n.c, ("spike", "identity-A")),
    "a jump dropped": ("before_spike", lambda n, q: n.R.T * n.p, ("spike", "identity-C", "example-network")),
    "a small number in the denominator": (
        "spike_shift", lambda n: shift(n, right_before, right_after, 1), ("spike", "identity-C")),
    "the state in the threshold forgotten": (
        "gradient_at_spike",
        lambda n, theta, q: n.p.dot(sp.diff(n.R, theta) * n.x + sp.diff(n.r, theta)) + q * sp.diff(n.v_th, theta),
        ("spike", "neuron-alif")),
    "the paper's slopes exchanged": (
        "lambda_V_at_crossing", jump(lambda minus, plus: minus / plus), ("paper-spike", "paper-self")),
    "the way through V left out of dF/dtau_syn": (
        "flow_by", lambda A, A_theta, h: linear_neuron.flow(A, h).multiply_elementwise(h * A_theta),
        ("flow-theta", "example-network")),
    "a pinned maximum taken for a smooth one": (
        "dL_dt_arr_at_pinned_maximum", lambda dL_dy, w, A_read, Vdot_plus: sp.S.Zero, ("max-pinned", "identity-C")),
    "the slope after the arrival at a pinned maximum": (
        "dL_dt_arr_at_pinned_maximum", lambda dL_dy, w, A_read, Vdot_plus: dL_dy * Vdot_plus,
        ("max-pinned", "max-pinned-tie")),
    "several arrivals at a pinned maximum, no bound at 0": (
        "dL_dt_arr_at_pinned_maximum", lambda dL_dy, w, A_read, Vdot_plus: dL_dy * (Vdot_plus - w * A_read),
        ("max-pinned-tie",)),
    "the ends of a bin alone taken for a bound": (
        "controls", lambda f, slope, g, slope_g, width: (f, f, g, g), ("flow-bound",)),
    "the lost end of a readout left out of C": (
        "shift_of_running_readout", lambda y, V_T, r, T: -r * y, ("identity-C", "identity-readout")),
    "the weight of a readout shifted with the input": (
        "shift_of_running_readout", lambda y, V_T, r, T: -sp.exp(-r * T) * V_T / T, ("identity-C", "identity-readout")),
    "the weight of a readout left out of B": (
        "unit_of_running_readout", lambda y, V_T, moment, r, T: y - sp.exp(-r * T) * V_T,
        ("identity-B", "identity-readout")),
    "arrivals counted without their time in the moment": (
        "moment_of_running_readout",
        lambda y, V_T, I_T, late, r, T, tau_mem, tau_syn, right=formulas.moment_of_running_readout: right(
            y, V_T, I_T, 0, r, T, tau_mem, tau_syn),
        ("identity-readout",)),
}
"""By name: the claim, the wrong one, and the proofs that must fail."""


def test_every_claim_is_decided_by_one_proof() -> None:
    own = [[name for name, value in vars(module).items() if inspect.isfunction(value) and not name.startswith("_")
            and value.__module__ == module.__name__] for module in MODULES]
    assert sorted(name for name, _ in DECIDED_BY) == sorted({*own[0], *own[1]} - MORE)
    assert DECIDES.keys() <= THEOREMS.keys()


@pytest.mark.check(1, control=True)
@pytest.mark.parametrize(("name", "tag"), DECIDED_BY)
def test_a_negated_claim_is_refuted(name: str, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = claim(name)
    replaced(monkeypatch, name, lambda *args: negated(right(*args)))
    assert THEOREMS[tag].prove().failures()


@pytest.mark.check(1, control=True)
@pytest.mark.parametrize(("name", "wrong", "tags"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refuted(
    name: str, wrong: Callable[..., Any], tags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(monkeypatch, name, wrong)
    assert [tag for tag in tags if not THEOREMS[tag].prove().failures()] == []


x, y, z = sp.symbols("x y z", positive=True)


@pytest.mark.parametrize(
    "zero",
    [
        0, sp.exp(x / y + z) - sp.exp(x / y) * sp.exp(z),
        (sp.exp(x) - sp.exp(y)) / (sp.exp(-y) - sp.exp(-x)) - sp.exp(x + y), sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,
        1 / (x - y) + 1 / (y - x), sp.log(x * y) - sp.log(x) - sp.log(y),
    ],
)
def test_a_residual_of_0_is_a_proof(zero: sp.Expr) -> None:
    assert Proof("tag", "statement", {"residual": zero}).failures() == {}


@pytest.mark.parametrize(
    "left", [1, x, sp.exp(x + y) - sp.exp(x) - sp.exp(y), sp.Function("f")(x), sp.exp(x) - 1, x / y - y / x, sp.nan]
)
def test_any_other_residual_is_none(left: sp.Expr) -> None:
    assert "residual" in Proof("tag", "statement", {"residual": left}).failures()
    assert simplest(left) != 0


def test_a_control_must_not_vanish() -> None:
    real = sp.Symbol("real", real=True)
    assert Proof("tag", "statement", {"control": Nonzero(x + y)}).failures() == {}
    for undecided in (x - x, x - y, real):
        assert Proof("tag", "statement", {"control": Nonzero(undecided)}).failures()


def test_a_theorem_must_leave_residuals() -> None:
    with pytest.raises(ValueError, match="must leave at least one residual"):
        theorem("empty", "nothing")(dict).prove()
