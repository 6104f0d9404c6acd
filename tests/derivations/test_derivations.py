"""Every proof holds, every chapter is proved and listed, and the command prints the proofs; the
adjoint of the equations of a user is derived, proved, or refused."""

import importlib
import json
import pkgutil
import re
from pathlib import Path

import pytest
import sympy as sp
from sympy.core.function import AppliedUndef

import delayprop.derivations as derivations
from delayprop.derivations import __main__ as command
from delayprop.derivations import linear_neuron
from delayprop.derivations.chapters import CHAPTERS, theorems
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.derivations.neuron import residuals
from delayprop.derivations.paper import ERRATA
from delayprop.derivations.proof import Theorem, failures, simplest
from delayprop.derivations.symbols import dL_dt_post, w
from delayprop.spec.neuron import LIF, Neuron
from tests import ROOT
from tests.support.commands import refusal_of, run
from tests.support.house.sources import FILES, read
from tests.support.report_evidence import Measured
from tests.support.runs.reading import Capture, Patch, refusal

THEOREMS = {each.tag: each for each in theorems()}

@pytest.mark.full
@pytest.mark.check(1)
@pytest.mark.parametrize("tag", THEOREMS)
def test_proved(tag: str, measured: Measured) -> None:
    residuals = THEOREMS[tag].residuals()
    failed = failures(residuals)
    measured(len(failed), 0, len(residuals))
    assert failed == {}
    measured.keep("proofs", {"tag": tag, "residuals": len(residuals)})


def test_every_module_with_a_theorem_is_a_chapter_and_in_the_readme() -> None:
    readme = (ROOT / "derivations" / "README.md").read_text(encoding="utf-8")
    names = [one.name for one in pkgutil.iter_modules(derivations.__path__)]
    modules = [importlib.import_module(f"delayprop.derivations.{name}") for name in names]
    proving = [module for module in modules if any(isinstance(value, Theorem) for value in vars(module).values())]
    assert set(proving) == set(CHAPTERS) and len(THEOREMS) == len(theorems()), "tags are unique"
    assert [chapter.__name__ for chapter in CHAPTERS if f"`{chapter.__name__.split('.')[-1]}.py`" not in readme] == []


def test_command_proves(capsys: Capture) -> None:
    tags = ["arrival", "spike-grazing"]
    assert command.main(tags) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    for line, tag in zip(lines, tags, strict=True):
        assert line.startswith(tag) and THEOREMS[tag].statement in line and line.endswith("  proved")
    assert last.startswith("2 of 2 proved in ")


@pytest.mark.parametrize(("arguments", "words"), [
    (("--tag",), "see --help"), (("--err",), "see --help"), (("arrival", "--quiet"), "see --help"),
    (("arival",), "got 'arival'; the nearest are arrival, "),
])
def test_command_refuses_in_one_line(arguments: tuple[str, ...], words: str) -> None:
    assert words in refusal_of(run("derivations", *arguments), "derivations")


def test_command_exits_1_on_a_fault(monkeypatch: Patch, capsys: Capture) -> None:
    right = linear_neuron.at_arrival
    monkeypatch.setattr(linear_neuron, "at_arrival", lambda n, state: (right(n, state)[0], -right(n, state)[1]))
    assert command.main(["adjoint", "arrival"]) == 1
    first, second, *left, last = capsys.readouterr().out.splitlines()
    assert first.endswith("  proved") and second.endswith("  NOT PROVED")
    assert "dL/dt_arr at x_0: " in left[0] and len(left) == 3 and all(line.endswith(" is left") for line in left)
    assert last.startswith("1 of 2 proved in ")


def test_errata_name_theorems_and_are_printed(capsys: Capture) -> None:
    assert {erratum.shown for erratum in ERRATA if erratum.shown} <= THEOREMS.keys()
    assert command.main(["--errata"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{erratum.where}: " in printed for erratum in ERRATA)


ALONE = "neuron-", "example-", "paper-", "erratum-"
"""Cases of other theorems, a whole network, the words of the paper: no code is theirs."""
TAGGED = re.compile(r'("""|# )?\[([a-zA-Z][\w-]*(?:, [a-zA-Z][\w-]*)*)\](?!\[)')


def test_all_that_is_proved_is_computed_and_the_other_way_round() -> None:
    """Code names the theorem of its formula, as in `[spike]`, where a docstring or comment begins;
    elsewhere a name without a hyphen may be anything."""
    found = set()
    for path in FILES:
        if path.parts[0] in ("reference", "fast") and path.suffix == ".py":
            for begins, tags in TAGGED.findall(read(path)):
                own = set(tags.split(", "))
                assert own <= THEOREMS.keys() or not begins, f"{path}: no theorem {sorted(own - THEOREMS.keys())}"
                found |= own if begins else {tag for tag in own if "-" in tag}
    left = {tag for tag in THEOREMS if not tag.startswith(ALONE)} - found
    assert not left, f"nothing computes: {sorted(left)}"


def one_slope(n: LinearNeuron) -> sp.Expr:
    """The slope after the spike taken for that before it."""
    return (n.p.dot(n.R * n.A * n.x - n.A * n.x) + dL_dt_post) / n.c.dot(n.A * n.x)


def test_equations_of_a_stranger_are_proved() -> None:
    """Two adaptation currents, of which one moves the threshold, and a reset by subtraction."""
    neuron = Neuron(
        {"V": "(I - V - a) / tau", "I": "-I / tau_s", "a": "(k * V - a) / tau_a", "b": "-b / tau_b"},
        spike="2 * V - b - theta / 3", reset={"V": "V - theta", "a": "0.9 * a + q", "b": "b + a + 1"},
    )
    found = residuals(neuron)
    assert len(found) == 1 + 7 + 2 + 4 + 7 and all(simplest(left) == 0 for left in found.values())


def test_a_constant_may_have_the_name_of_a_symbol_of_the_proof() -> None:
    neuron = Neuron({"V": "(-V + I) / w", "I": "-I / dL_dy"}, spike="V - dL_dt_post", reset={"V": "s"})
    named = LinearNeuron.of(neuron)
    assert not {w, dL_dt_post} & set(named.constants.values())
    shown = LinearNeuron.of(Neuron({"V": "(-V + q * I) / tau", "I": "-I / p_V"})).constants
    assert [shown[name].name for name in ("q", "p_V", "tau")] == ["constant_q", "constant_p_V", "tau"]
    found = residuals(neuron)
    assert len(found) == 13 and not any(map(simplest, found.values()))


def test_formulas_become_unknown_functions_of_the_constants_that_they_name() -> None:
    neuron = Neuron({"V": "(I - V) / tau + 0 * I", "I": "-I / (tau_s + tau)"}, spike="k * V - v_th", reset={"V": "1"})
    n = LinearNeuron.of(neuron)
    tau, tau_s, k, v_th = (n.constants[name] for name in ("tau", "tau_s", "k", "v_th"))
    unknown = n.of_any_entries()
    assert [entry.args for entry in unknown.A] == [(tau,), (tau,), (), (tau, tau_s)]
    assert (unknown.v_th, list(unknown.c), list(unknown.r)) == (v_th, [k, 0], [1, 0])
    assert len(unknown.A.atoms(AppliedUndef)) == 3, "each entry has a function of its own"


def test_the_command_derives_and_proves_a_file(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "mine.json"
    rates = {"V": "(I - V - a) / tau", "I": "-I / 5", "a": "-a / tau_a"}
    path.write_text(json.dumps({"rates": rates, "reset": {"V": "0", "a": "a + b"}}))
    assert command.main(["--neuron", str(path)]) == 0
    *said, last = capsys.readouterr().out.splitlines()
    assert said == [
        "states V, I, a; constants tau, tau_a, v_th, b; p = dL/d(state)",
        "between events",
        "  dp_V/dt = p_V/tau", "  dp_I/dt = p_I/5 - p_V/tau", "  dp_a/dt = p_V/tau + p_a/tau_a",
        "  dL/dtau gains the integral of -I*p_V/tau**2 + V*p_V/tau**2 + a*p_V/tau**2",
        "  dL/dtau_a gains the integral of a*p_a/tau_a**2",
        "at an arrival of weight w at I; p just after it",
        "  dL/dw gains p_I", "  dL/dt_arr = p_I*w/5 - p_V*w/tau, which dL/dd and dL/dt_pre gain",
        "at an own spike; p just after it, states just before it",
        "  q = (-I*p_V/tau + a*p_V/tau + p_V*b/tau + p_a*b/tau_a + dL_dt_post)/(I/tau - V/tau - a/tau)",
        "  p_V before = -q", "  p_I before = p_I", "  p_a before = p_a",
        "  dL/dv_th gains q", "  dL/db gains p_a",
    ]
    assert last.startswith("14 of 14 formulas proved in ")


def test_the_command_names_a_formula_that_it_cannot_prove(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    path = tmp_path / "lif.json"
    path.write_text(json.dumps({"rates": dict(LIF.rates)}))
    monkeypatch.setattr(linear_neuron, "spike_shift", one_slope)
    assert command.main(["--neuron", str(path)]) == 1
    assert "; not dL/dV before a spike" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(("text", "said"), [
    ('{"rate": {}}', "`rate` is no key here; the keys are rates, arrivals,"),
    ('{"rates": {"V": "(I - V) / 5", "I": "-I", "a": "0 * a"}, "spike": "a - 1"}', "`spike` has a level that never"),
    ('{"rates": {"V": "I - V", "I": "-I"}, "spike": "V - V - 1"}', "`spike` reads no state, so it never rises"),
    ('{"rates": {"V": "(I - V) / (tau - tau)", "I": "-I"}}', '`rates["V"]` divides by 0: (I - V) / (tau - tau);'),
    ('{"rates": {"V": "I - V", "I": "-I"}, "spike": "V - 1 / 0"}', "`spike` divides by 0: V - 1 / 0; write it"),
    ("[]", "`neuron` must be an object, got a list of 0; give keys in braces"),
    ('{"rates": ', "`neuron` must be one whole JSON object, got Expecting value at line 1 column 11"),
    ('{"rates": {}, "rates": {}}', "`rates` must be given once in its object, got it twice; remove one"),
])
def test_the_command_refuses_a_file_in_one_line(text: str, said: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    assert refusal(capsys, command.main, "--neuron", path).startswith(f"python -m derivations: {said}")
