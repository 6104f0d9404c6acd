"""Every claim can be refuted: negated, or with a mistake that people have made."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import sympy as sp

from delayprop.derivations import formulas, linear_neuron
from delayprop.derivations.chapters import CHAPTERS, theorems
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.derivations.proof import Nonzero, Theorem, simplest
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
    "identity-readout": ("shift_of_running_readout", "unit_of_running_readout", "moment_of_running_readout",
                         "lif_rates"),
    "erratum-29": ("lif_after",),
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


def shift(n: LinearNeuron, x_plus: sp.Matrix, small: sp.Expr = sp.S.Zero) -> sp.Expr:
    """`q` with another state after the spike, or a small number in the denominator."""
    moved = n.p.dot(n.R * n.A * n.x - n.A * x_plus) + dL_dt_post
    return moved / (n.c.dot(n.A * n.x) + small)


Mistake = tuple[str, Callable[..., Any], tuple[str, ...]]
MISTAKES: dict[str, Mistake] = {
    "sign of the delay gradient": (
        "at_arrival", lambda n, s: (n.arrivals[s].dot(n.p), w * (n.A * n.arrivals[s]).dot(n.p)),
        ("arrival", "identity-C", "example-network")),
    "lambda_V left out of the delay gradient": (
        "dL_dt_arr", lambda w, lambda_V, lambda_I: -w * lambda_I, ("paper-arrival", "paper-self")),
    "tau_syn missing in the weight gradient": (
        "dL_dw_at_arrival", lambda tau_syn, lambda_I: -lambda_I, ("paper-arrival",)),
    "one slope on both sides of the reset": (
        "spike_shift", lambda n: shift(n, n.x), ("spike", "identity-C")),
    "a jump dropped": ("before_spike", lambda n, q: n.R.T * n.p, ("spike", "identity-C")),
    "a small number in the denominator": (
        "spike_shift", lambda n: shift(n, n.R * n.x + n.r, sp.Rational(1, 1000)), ("spike", "identity-C")),
    "the state in the threshold forgotten": (
        "gradient_at_spike",
        lambda n, theta, q: n.p.dot(sp.diff(n.R, theta) * n.x + sp.diff(n.r, theta)) + q * sp.diff(n.v_th, theta),
        ("spike", "neuron-alif")),
    "sign of a constant's gradient between events": (
        "gradient_between_events", lambda n, theta: -n.p.dot(sp.diff(n.A, theta) * n.x),
        ("adjoint", "identity-B", "neuron-li")),
    "a pinned maximum taken for a smooth one": (
        "dL_dt_arr_at_pinned_maximum", lambda dL_dy, w, A_read, Vdot_plus: sp.S.Zero, ("max-pinned", "identity-C")),
    "several arrivals at a pinned maximum, no bound at 0": (
        "dL_dt_arr_at_pinned_maximum", lambda dL_dy, w, A_read, Vdot_plus: dL_dy * (Vdot_plus - w * A_read),
        ("max-pinned-tie",)),
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
    assert THEOREMS[tag].failures()


@pytest.mark.check(1, control=True)
@pytest.mark.parametrize(("name", "wrong", "tags"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refuted(
    name: str, wrong: Callable[..., Any], tags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(monkeypatch, name, wrong)
    assert [tag for tag in tags if not THEOREMS[tag].failures()] == []


x, y, z = sp.symbols("x y z", positive=True)


def failures(residual: sp.Expr | Nonzero) -> dict[str, sp.Expr]:
    return Theorem("tag", "statement", lambda: {"residual": residual}).failures()


@pytest.mark.parametrize(
    "zero",
    [
        0, sp.exp(x / y + z) - sp.exp(x / y) * sp.exp(z),
        (sp.exp(x) - sp.exp(y)) / (sp.exp(-y) - sp.exp(-x)) - sp.exp(x + y), sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,
        1 / (x - y) + 1 / (y - x), sp.log(x * y) - sp.log(x) - sp.log(y),
    ],
)
def test_a_residual_of_0_is_a_proof(zero: sp.Expr) -> None:
    assert failures(zero) == {}


@pytest.mark.parametrize(
    "left", [1, x, sp.exp(x + y) - sp.exp(x) - sp.exp(y), sp.Function("f")(x), sp.exp(x) - 1, x / y - y / x, sp.nan]
)
def test_any_other_residual_is_none(left: sp.Expr) -> None:
    assert "residual" in failures(left)
    assert simplest(left) != 0


def test_a_control_must_not_vanish() -> None:
    real = sp.Symbol("real", real=True)
    assert failures(Nonzero(x + y)) == {}
    for undecided in (x - x, x - y, real):
        assert failures(Nonzero(undecided))


def test_a_theorem_must_leave_residuals() -> None:
    with pytest.raises(ValueError, match="must leave at least one residual"):
        Theorem("empty", "nothing", dict).residuals()
