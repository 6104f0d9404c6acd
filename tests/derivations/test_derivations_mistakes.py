"""Every claim can be refuted: negated, or with a mistake that people have made."""

import inspect
from collections.abc import Callable

import pytest
import sympy as sp

from delayprop.derivations import formulas
from delayprop.derivations.chapters import theorems
from delayprop.derivations.proof import Nonzero, Proof, integral, simplest, theorem

pytestmark = pytest.mark.full

THEOREMS = {each.tag: each for each in theorems()}
CLAIMS = {name: claim for name, claim in vars(formulas).items() if inspect.isfunction(claim)}

DECIDES = {
    "flow-E": ("E",), "flow-V-I": ("Vdot", "I_flow", "V_flow"), "flow-peak": ("peak_time",), "flow-bound": ("V_bound",),
    "crossing-time": ("dt_post_at_crossing",), "crossing-grazing": ("kappa", "kappa_near_grazing"),
    "adjoint-flow": ("lambda_V_flow", "lambda_I_flow"), "arrival-w": ("dL_dw_at_arrival",),
    "arrival-time": ("dL_dt_arr",), "spike-jump": ("dL_dt_post_at_crossing", "lambda_V_at_crossing"),
    "spike-v_th": ("dL_dv_th_at_crossing",), "spike-v_reset": ("dL_dv_reset_at_crossing",),
    "max-interior": ("lambda_V_at_maximum",), "max-pinned": ("dL_dt_arr_at_pinned_maximum",),
    "tau-flow": ("dV_dtau_mem", "dV_dtau_syn", "dI_dtau_syn"),
    "tau-integrals": ("dL_dtau_mem_over_interval", "dL_dtau_syn_over_interval"),
    "readout-integral": ("V_integral", "dV_integral_dtau_mem", "dV_integral_dtau_syn"),
    "readout-adjoint": ("drive_of_readout",), "readout-spike": ("running_loss_drop",), "identity-A": ("scale_charge",),
    "identity-C": ("shift_charge",),
    "identity-readout": ("shift_of_running_readout", "unit_of_running_readout", "moment_of_running_readout"),
    "rounding-jump": ("Vddot_minus", "jump_moved"), "rounding-spike": ("dV_dt_post_before",),
    "rounding-maximum": ("Vddot_at_maximum",), "rounding-integral": ("mean_voltage_moved",),
    "rounding-noise": ("trace_sum", "trace_squared", "trace_slope_squared", "trace_bend_squared"),
}
"""The claims that a proof decides: it must fail for the negated claim."""
DECIDED_BY = [(name, tag) for tag, names in DECIDES.items() for name in names]


def jump(slopes: Callable[[sp.Expr, sp.Expr], sp.Expr], small: sp.Expr = sp.S.Zero) -> Callable[..., sp.Expr]:
    """A wrong jump at a spike: another ratio of the slopes, or `small` in the denominator."""
    return lambda lambda_V_plus, dL_dt_post, tau_mem, Vdot_minus, Vdot_plus: (
        slopes(Vdot_minus, Vdot_plus) * lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus + small)
    )


Mistake = tuple[str, str, Callable[..., sp.Expr], tuple[str, ...]]
MISTAKES: tuple[Mistake, ...] = (
    ("sign of the delay gradient", "dL_dt_arr",
     lambda w, lambda_V, lambda_I: w * (lambda_I - lambda_V), ("arrival-d", "identity-C", "example-network")),
    ("lambda_V left out of the delay gradient", "dL_dt_arr",
     lambda w, lambda_V, lambda_I: -w * lambda_I, ("arrival-d", "identity-C")),
    ("tau_syn missing in the weight gradient", "dL_dw_at_arrival",
     lambda tau_syn, lambda_I: -lambda_I, ("arrival-w", "identity-A")),
    ("one slope on both sides of the reset", "lambda_V_at_crossing",
     jump(lambda minus, plus: sp.S.One), ("spike-jump", "identity-C")),
    ("slopes exchanged", "lambda_V_at_crossing", jump(lambda minus, plus: minus / plus), ("spike-jump", "identity-C")),
    ("a jump dropped", "lambda_V_at_crossing",
     lambda lambda_V_plus, dL_dt_post, tau_mem, Vdot_minus, Vdot_plus: lambda_V_plus,
     ("spike-jump", "spike-self", "example-explicit")),
    ("a small number in the denominator", "lambda_V_at_crossing",
     jump(lambda minus, plus: plus / minus, sp.Rational(1, 1000)), ("spike-jump", "identity-C")),
    ("sign of the running loss at a spike", "dL_dt_post_at_crossing",
     lambda dl_p_dt_post, l_V_minus, l_V_plus, down: dl_p_dt_post + l_V_plus - l_V_minus + down,
     ("spike-jump", "spike-v_th")),
    ("sign of the threshold gradient", "dL_dv_th_at_crossing",
     lambda tau_mem, lambda_V_minus: -tau_mem * lambda_V_minus, ("spike-v_th", "identity-A")),
    ("sign of the reset gradient", "dL_dv_reset_at_crossing",
     lambda tau_mem, lambda_V_plus: tau_mem * lambda_V_plus, ("spike-v_reset", "identity-A")),
    ("sign of the kick", "lambda_V_at_maximum",
     lambda lambda_V_plus, dL_dy, tau_mem: lambda_V_plus + dL_dy / tau_mem, ("max-interior", "identity-A")),
    ("1/tau_mem missing in the kick", "lambda_V_at_maximum",
     lambda lambda_V_plus, dL_dy, tau_mem: lambda_V_plus - dL_dy, ("max-interior", "identity-A")),
    ("a pinned maximum taken for a smooth one", "dL_dt_arr_at_pinned_maximum",
     lambda dL_dy, w, tau_mem, Vdot_plus: sp.S.Zero, ("max-pinned", "identity-C")),
    ("the slope after the arrival at a pinned maximum", "dL_dt_arr_at_pinned_maximum",
     lambda dL_dy, w, tau_mem, Vdot_plus: dL_dy * Vdot_plus, ("max-pinned", "max-pinned-tie")),
    ("several arrivals at a pinned maximum, no bound at 0", "dL_dt_arr_at_pinned_maximum",
     lambda dL_dy, w, tau_mem, Vdot_plus: dL_dy * (Vdot_plus - w / tau_mem), ("max-pinned-tie",)),
    ("time constants exchanged in the adjoint", "lambda_I_flow",
     lambda lambda_V, lambda_I, h, tau_mem, tau_syn, drive=0, rate=0: (
         lambda_I * formulas.E(h, 1 / tau_syn) + lambda_V / tau_mem * formulas.E(h, 1 / tau_mem, 1 / tau_syn)
     ), ("adjoint-flow", "adjoint-pairing", "arrival-w")),
    ("lambda_I left out of dL/dtau_syn", "dL_dtau_syn_over_interval",
     lambda lambda_V, lambda_I, I, h, tau_mem, tau_syn: (
         -tau_mem * lambda_V * formulas.dV_dtau_syn(I, h, tau_mem, tau_syn)
     ), ("tau-integrals", "identity-B")),
    ("the lost end of a readout left out of C", "shift_of_running_readout",
     lambda y, V_T, r, T: -r * y, ("identity-readout",)),
    ("the weight of a readout shifted with the input", "shift_of_running_readout",
     lambda y, V_T, r, T: -sp.exp(-r * T) * V_T / T, ("identity-readout",)),
    ("the weight of a readout left out of B", "unit_of_running_readout",
     lambda y, V_T, moment, r, T: y - sp.exp(-r * T) * V_T, ("identity-readout",)),
    ("arrivals counted without their time in the moment", "moment_of_running_readout",
     lambda y, V_T, I_T, late, r, T, tau_mem, tau_syn: CLAIMS["moment_of_running_readout"](
         y, V_T, I_T, 0, r, T, tau_mem, tau_syn
     ), ("identity-readout",)),
)
"""The mistake, the claim, the wrong formula, and the proofs that must fail."""


def test_every_claim_is_decided_by_one_proof() -> None:
    assert sorted(name for name, _ in DECIDED_BY) == sorted(CLAIMS)
    assert DECIDES.keys() <= THEOREMS.keys()


@pytest.mark.check(1, control=True)
@pytest.mark.parametrize(("name", "tag"), DECIDED_BY)
def test_a_negated_claim_is_refuted(name: str, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formulas, name, lambda *args: -CLAIMS[name](*args))
    assert THEOREMS[tag].prove().failures()


@pytest.mark.check(1, control=True)
@pytest.mark.parametrize(("name", "wrong", "tags"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_refuted(
    name: str, wrong: Callable[..., sp.Expr], tags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formulas, name, wrong)
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


def test_integral_has_the_right_derivative_and_start() -> None:
    end = sp.Symbol("end", positive=True)
    integrand = (2 + x**2 * z) * sp.exp(-3 * x) * (sp.exp(z * x) - sp.exp(x - y) / (y - z)) + x * sp.exp(x) * sp.exp(-x)
    found = integral(integrand, x, y, end)
    assert simplest(sp.diff(found, end) - integrand.subs(x, end)) == 0
    assert simplest(found.subs(end, y)) == 0
    assert simplest(found) != 0
