"""The adjoint of the equations of a user: derived, proved, refused."""

import json
from pathlib import Path

import pytest
import sympy as sp
from sympy.core.function import AppliedUndef

from delayprop.derivations import __main__ as command
from delayprop.derivations import linear_neuron
from delayprop.derivations.linear_neuron import LinearNeuron
from delayprop.derivations.neuron import residuals
from delayprop.derivations.proof import simplest
from delayprop.derivations.symbols import dL_dt_post, w
from delayprop.spec.neuron import LIF, Neuron
from tests.support.runs.reading import Capture, Patch, refusal


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
    n = linear_neuron.LinearNeuron.of(neuron)
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
