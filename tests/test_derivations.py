"""Every proof holds, every claim can be refuted, and the reference says what was proved."""

from __future__ import annotations

import inspect
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sympy as sp

from derivations import __main__ as command
from derivations import formulas, symbols
from derivations.chapters import CHAPTERS, theorems
from derivations.errata import ERRATA
from derivations.proof import Nonzero, Proof, Theorem, integral, simplest, theorem
from reference import flow, jumps
from reference.arithmetic import multiprecision

ROOT = Path(__file__).resolve().parent.parent
THEOREMS = {each.tag: each for each in theorems()}
CLAIMS = {name: claim for name, claim in vars(formulas).items() if inspect.isfunction(claim)}
JUMPS = {name: jump for name, jump in vars(jumps).items() if inspect.isfunction(jump)}


@pytest.mark.parametrize("tag", THEOREMS)
def test_proved(tag: str) -> None:
    proof = THEOREMS[tag].prove()
    assert proof.residuals
    assert proof.failures() == {}


def test_tags_are_unique_and_many() -> None:
    assert len(THEOREMS) == len(theorems()) >= 12


# Planted faults. Each claim is negated under the proof that decides it; then mistakes that people have made.

DECIDED_BY = {
    "E": "flow-E",
    "Vdot": "flow-V-I",
    "I_flow": "flow-V-I",
    "V_flow": "flow-V-I",
    "peak_time": "flow-peak",
    "V_bound": "flow-bound",
    "dt_post_at_crossing": "crossing-time",
    "kappa": "crossing-grazing",
    "kappa_near_grazing": "crossing-grazing",
    "lambda_V_flow": "adjoint-flow",
    "lambda_I_flow": "adjoint-flow",
    "dL_dw_at_arrival": "arrival-w",
    "dL_dt_arr": "arrival-time",
    "dL_dt_post_at_crossing": "spike-jump",
    "lambda_V_at_crossing": "spike-jump",
    "dL_dv_th_at_crossing": "spike-v_th",
    "dL_dv_reset_at_crossing": "spike-v_reset",
    "lambda_V_at_maximum": "max-interior",
    "dL_dt_arr_at_pinned_maximum": "max-pinned",
    "dV_dtau_mem": "tau-flow",
    "dV_dtau_syn": "tau-flow",
    "dI_dtau_syn": "tau-flow",
    "dL_dtau_mem_over_interval": "tau-integrals",
    "dL_dtau_syn_over_interval": "tau-integrals",
    "V_integral": "readout-integral",
    "dV_integral_dtau_mem": "readout-integral",
    "dV_integral_dtau_syn": "readout-integral",
    "drive_of_readout": "readout-adjoint",
    "running_loss_drop": "readout-spike",
    "scale_charge": "identity-A",
    "shift_charge": "identity-C",
    "shift_of_running_readout": "identity-readout",
    "unit_of_running_readout": "identity-readout",
}

# (what is wrong, the claim, the wrong text, the proofs that must fail)
MISTAKES: tuple[tuple[str, str, Callable[..., sp.Expr], tuple[str, ...]], ...] = (
    (
        "sign of the delay gradient",
        "dL_dt_arr",
        lambda w, lambda_V, lambda_I: w * (lambda_I - lambda_V),
        ("arrival-d", "identity-C", "example-network"),
    ),
    (
        "lambda_V left out of the delay gradient",
        "dL_dt_arr",
        lambda w, lambda_V, lambda_I: -w * lambda_I,
        ("arrival-d", "identity-C"),
    ),
    (
        "tau_syn missing in the weight gradient",
        "dL_dw_at_arrival",
        lambda tau_syn, lambda_I: -lambda_I,
        ("arrival-w", "identity-A"),
    ),
    (
        "one slope on both sides of the reset",
        "lambda_V_at_crossing",
        lambda lambda_V_plus, dL_dt_post, tau_mem, Vdot_minus, Vdot_plus: (
            lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus)
        ),
        ("spike-jump", "identity-C"),
    ),
    (
        "slopes exchanged",
        "lambda_V_at_crossing",
        lambda lambda_V_plus, dL_dt_post, tau_mem, Vdot_minus, Vdot_plus: (
            Vdot_minus / Vdot_plus * lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus)
        ),
        ("spike-jump", "identity-C"),
    ),
    (
        "a jump dropped",
        "lambda_V_at_crossing",
        lambda lambda_V_plus, dL_dt_post, tau_mem, Vdot_minus, Vdot_plus: lambda_V_plus,
        ("spike-jump", "spike-self", "example-explicit"),
    ),
    (
        "a little in the denominator",
        "lambda_V_at_crossing",
        lambda lambda_V_plus, dL_dt_post, tau_mem, Vdot_minus, Vdot_plus: (
            Vdot_plus / Vdot_minus * lambda_V_plus + dL_dt_post / (tau_mem * Vdot_minus + sp.Rational(1, 1000))
        ),
        ("spike-jump", "identity-C"),
    ),
    (
        "sign of the running loss at a spike",
        "dL_dt_post_at_crossing",
        lambda dl_p_dt_post, l_V_minus, l_V_plus, down: dl_p_dt_post + l_V_plus - l_V_minus + down,
        ("spike-jump", "spike-v_th"),
    ),
    (
        "sign of the threshold gradient",
        "dL_dv_th_at_crossing",
        lambda tau_mem, lambda_V_minus: -tau_mem * lambda_V_minus,
        ("spike-v_th", "identity-A"),
    ),
    (
        "sign of the reset gradient",
        "dL_dv_reset_at_crossing",
        lambda tau_mem, lambda_V_plus: tau_mem * lambda_V_plus,
        ("spike-v_reset", "identity-A"),
    ),
    (
        "sign of the kick",
        "lambda_V_at_maximum",
        lambda lambda_V_plus, dL_dy, tau_mem: lambda_V_plus + dL_dy / tau_mem,
        ("max-interior", "identity-A"),
    ),
    (
        "1/tau_mem missing in the kick",
        "lambda_V_at_maximum",
        lambda lambda_V_plus, dL_dy, tau_mem: lambda_V_plus - dL_dy,
        ("max-interior", "identity-A"),
    ),
    (
        "a pinned maximum taken for a smooth one",
        "dL_dt_arr_at_pinned_maximum",
        lambda dL_dy, w, tau_mem, Vdot_plus: sp.S.Zero,
        ("max-pinned", "identity-C"),
    ),
    (
        "the slope after the arrival at a pinned maximum",
        "dL_dt_arr_at_pinned_maximum",
        lambda dL_dy, w, tau_mem, Vdot_plus: dL_dy * Vdot_plus,
        ("max-pinned", "max-pinned-tie"),
    ),
    (
        "several arrivals at a pinned maximum, no bound at 0",
        "dL_dt_arr_at_pinned_maximum",
        lambda dL_dy, w, tau_mem, Vdot_plus: dL_dy * (Vdot_plus - w / tau_mem),
        ("max-pinned-tie",),
    ),
    (
        "time constants exchanged in the adjoint",
        "lambda_I_flow",
        lambda lambda_V, lambda_I, h, tau_mem, tau_syn, drive=0, rate=0: (
            lambda_I * formulas.E(h, 1 / tau_syn) + lambda_V / tau_mem * formulas.E(h, 1 / tau_mem, 1 / tau_syn)
        ),
        ("adjoint-flow", "adjoint-pairing", "arrival-w"),
    ),
    (
        "lambda_I left out of dL/dtau_syn",
        "dL_dtau_syn_over_interval",
        lambda lambda_V, lambda_I, I, h, tau_mem, tau_syn: (
            -tau_mem * lambda_V * formulas.dV_dtau_syn(I, h, tau_mem, tau_syn)
        ),
        ("tau-integrals", "identity-B"),
    ),
)


def test_every_claim_is_decided_by_a_proof() -> None:
    assert DECIDED_BY.keys() == CLAIMS.keys()
    assert set(DECIDED_BY.values()) <= THEOREMS.keys()


@pytest.mark.parametrize("name", CLAIMS)
def test_a_negated_claim_is_refuted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formulas, name, lambda *args: -CLAIMS[name](*args))
    assert THEOREMS[DECIDED_BY[name]].prove().failures()


@pytest.mark.parametrize(("name", "wrong", "tags"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_refuted(
    name: str, wrong: Callable[..., sp.Expr], tags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formulas, name, wrong)
    assert [tag for tag in tags if not THEOREMS[tag].prove().failures()] == []


# What counts as a proof.

x, y, z = sp.symbols("x y z", positive=True)


@pytest.mark.parametrize(
    "zero",
    [
        0,
        sp.exp(x / y + z) - sp.exp(x / y) * sp.exp(z),
        (sp.exp(x) - sp.exp(y)) / (sp.exp(-y) - sp.exp(-x)) - sp.exp(x + y),
        sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,
        1 / (x - y) + 1 / (y - x),
        sp.log(x * y) - sp.log(x) - sp.log(y),
    ],
)
def test_zero_is_seen(zero: sp.Expr) -> None:
    assert Proof("tag", "statement", {"residual": zero}).failures() == {}


@pytest.mark.parametrize(
    "left", [1, x, sp.exp(x + y) - sp.exp(x) - sp.exp(y), sp.Function("f")(x), sp.exp(x) - 1, x / y - y / x, sp.nan]
)
def test_what_is_left_is_not_zero(left: sp.Expr) -> None:
    assert "residual" in Proof("tag", "statement", {"residual": left}).failures()
    assert simplest(left) != 0


def test_a_control_must_not_vanish() -> None:
    real = sp.Symbol("real", real=True)
    assert Proof("tag", "statement", {"control": Nonzero(x + y)}).failures() == {}
    for undecided in (x - x, x - y, real):
        assert Proof("tag", "statement", {"control": Nonzero(undecided)}).failures()


def test_a_theorem_must_leave_residuals() -> None:
    empty = theorem("empty", "nothing")(dict)
    with pytest.raises(ValueError, match="must leave at least one residual"):
        empty.prove()


def test_integral_has_the_right_derivative_and_start() -> None:
    end = sp.Symbol("end", positive=True)
    integrand = (2 + x**2 * z) * sp.exp(-3 * x) * (sp.exp(z * x) - sp.exp(x - y) / (y - z)) + x * sp.exp(x) * sp.exp(-x)
    found = integral(integrand, x, y, end)
    assert simplest(sp.diff(found, end) - integrand.subs(x, end)) == 0
    assert simplest(found.subs(end, y)) == 0
    assert simplest(found) != 0


# The reference says what was proved.


def arguments_of(name: str) -> list[dict[str, sp.Expr]]:
    """Symbols for the arguments of a jump; several choices where a sign decides what it does."""
    plain = {
        argument: getattr(symbols, argument, sp.Symbol(argument))
        for argument in inspect.signature(JUMPS[name]).parameters
    }
    if name != "dL_dt_arr_at_pinned_maximum":
        return [plain]
    before = sp.Symbol("before", positive=True)
    return [plain | {"Vdot_plus": sign * before + symbols.w / symbols.tau_mem} for sign in (1, -1)]


@pytest.mark.parametrize("name", JUMPS)
def test_jumps_of_the_reference_are_the_claims(name: str) -> None:
    assert list(inspect.signature(JUMPS[name]).parameters) == list(inspect.signature(CLAIMS[name]).parameters)
    for arguments in arguments_of(name):
        claimed = CLAIMS[name](**arguments)
        assert sp.simplify(JUMPS[name](**arguments) - claimed) == 0
        assert any(sp.simplify(CLAIMS[name](**choice)) != 0 for choice in arguments_of(name))


DIGITS = 60
GAPS = (sp.Rational(1, 2), sp.Rational(1, 10**3), sp.Rational(1, 10**12), sp.S.Zero)  # of the two time constants


@pytest.mark.parametrize("gap", GAPS, ids=str)
def test_flow_of_the_reference_is_the_claim(gap: sp.Rational) -> None:
    m, draw = multiprecision(DIGITS), random.Random(1)
    for _ in range(5):
        tau_syn, h, V, I, lambda_V, lambda_I, r = (sp.Rational(draw.randrange(1, 400), 64) for _ in range(7))
        tau_mem, I = tau_syn * (1 + gap), I + V
        taus, both = (tau_mem, tau_syn), (V, I, h)

        def number(exact: sp.Rational) -> object:
            return m.real(float(exact.p)) / m.real(float(exact.q))

        c = flow.Constants(number(tau_mem), number(tau_syn), None, None)
        V_, I_, h_, r_, lambda_V_, lambda_I_ = (number(each) for each in (V, I, h, r, lambda_V, lambda_I))
        x = sp.Symbol("x")
        by_V = sp.diff(formulas.V_integral(x, I, h, r, *taus), x)
        by_I = sp.diff(formulas.V_integral(V, x, h, r, *taus), x)
        pairs = [
            *zip(
                flow.flow(m, V_, I_, h_, c),
                (formulas.V_flow(*both, *taus), formulas.I_flow(I, h, tau_syn)),
                strict=True,
            ),
            *zip(
                flow.adjoint_flow(m, lambda_V_, lambda_I_, h_, c),
                (formulas.lambda_V_flow(lambda_V, h, tau_mem), formulas.lambda_I_flow(lambda_V, lambda_I, h, *taus)),
                strict=True,
            ),
            *zip(
                flow.flow_derivatives(m, V_, I_, h_, c),
                (
                    formulas.dV_dtau_mem(*both, *taus),
                    formulas.dV_dtau_syn(I, h, *taus),
                    formulas.dI_dtau_syn(I, h, tau_syn),
                ),
                strict=True,
            ),
            (flow.weighted_integral(m, V_, I_, h_, r_, c), formulas.V_integral(*both, r, *taus)),
            *zip(
                flow.weighted_integral_derivatives(m, V_, I_, h_, r_, c),
                (
                    by_V,
                    by_I,
                    formulas.dV_integral_dtau_mem(*both, r, *taus),
                    formulas.dV_integral_dtau_syn(I, h, r, *taus),
                ),
                strict=True,
            ),
            (flow.time_to_peak(m, V_, I_, c), formulas.peak_time(V, I, *taus)),
        ]
        for computed, claimed in pairs:
            exact = sp.N(claimed, DIGITS + 40)
            assert abs(sp.Float(str(computed), DIGITS) - exact) <= abs(exact) * sp.Float(10) ** (8 - DIGITS)


# The command.


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "derivations", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_command_proves() -> None:
    done = run("arrival-d", "spike-jump")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, last = done.stdout.splitlines()
    for line, tag in ((first, "arrival-d"), (second, "spike-jump")):
        assert line.startswith(tag) and THEOREMS[tag].statement in line and line.endswith("  proved")
    assert last.startswith("2 of 2 proved in ")


@pytest.mark.slow
def test_command_proves_everything() -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(THEOREMS)
    assert lines[-1].startswith(f"{len(THEOREMS)} of {len(THEOREMS)} proved in ")


@pytest.mark.parametrize("arguments", [("--tag",), ("--err",), ("delay",), ("arrival-d", "--quiet")])
def test_command_refuses_in_one_line(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "see --help" in done.stderr


def test_command_exits_1_on_a_planted_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(formulas, "dL_dt_arr", lambda w, lambda_V, lambda_I: w * (lambda_I - lambda_V))
    assert command.main(["arrival-w", "arrival-time"]) == 1
    weight, time, left, last = capsys.readouterr().out.splitlines()
    assert weight.endswith("  proved") and time.endswith("  NOT PROVED")
    assert "dL/dt_arr: " in left and left.endswith(" is left")
    assert last.startswith("1 of 2 proved in ")


def test_errata_name_theorems_and_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert {erratum.shown for erratum in ERRATA if erratum.shown} <= THEOREMS.keys()
    assert command.main(["--errata"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{erratum.where}: " in printed for erratum in ERRATA)


# What a reader finds.


def test_every_chapter_is_in_the_read_me_and_says_what_it_assumes_and_shows() -> None:
    read_me = (ROOT / "derivations" / "README.md").read_text()
    files = {path.stem for path in (ROOT / "derivations").glob("*.py")}
    chapters = {chapter.__name__.split(".")[-1]: chapter for chapter in CHAPTERS}
    assert {name for name in files - chapters.keys() if not name.startswith("__")} == {
        "chapters",
        "formulas",
        "proof",
        "symbols",
    }
    for name, chapter in chapters.items():
        assert f"`{name}.py`" in read_me
        assert any(isinstance(each, Theorem) for each in vars(chapter).values())
        assert name == "errata" or ("Assumed: " in str(chapter.__doc__) and "Shown" in str(chapter.__doc__))


def test_statements_fit_a_line() -> None:
    assert max(len(each.statement) for each in theorems()) <= 100
