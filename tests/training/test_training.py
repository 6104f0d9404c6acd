"""`python -m fast.train` learns the task, learns nothing without delays, refuses bad options."""

from pathlib import Path

import pytest

from delayprop.fast.nn.certificate import Residuals
from delayprop.fast.tasks.sequence import task as sequence
from tests.support.report_evidence import Measured
from tests.support.runs.reading import Capture, Patch
from tests.support.runs.short_runs import sequence_run

SETTLED = 1e-5  # ms; the last steps of float32 delays of 14 ms move by their rounding, 1e-6
SETTLED_64 = 1e-6  # ms


@pytest.mark.check(34)
@pytest.mark.parametrize("seed", range(20))
def test_delays_are_learned_in_six_presentations_and_reach_the_optimum(
    seed: int, tmp_path: Path, measured: Measured
) -> None:
    code, result, history = sequence_run(tmp_path, "--seed", str(seed))
    assert code == 0 and result["presentations"] <= 6 and result["unseen_accuracy"] == 1.0
    d = result["d"]
    for j in (0, 1):
        assert d[j][j] - d[1 - j][j] == pytest.approx(sequence.optimum(), abs=SETTLED)
    assert history[0]["accuracy"] == 0.0, "the start must be the worst case"
    assert max(max(line["A"], line["B"], line["C"]) for line in history) <= 1e-5
    measured(result["presentations"], 6, 1, str(seed))
    measured.keep("sequence", {"seed": seed, "presentations": result["presentations"]})
    if not seed:
        measured.keep("delay path", {"optimum": sequence.optimum(), "lines": [
            {"d": line["d"], "loss": line["loss"], **{name: line[name] for name in "ABC"}} for line in history
        ]})


@pytest.mark.pictures
def test_a_run_draws_its_pictures(tmp_path: Path) -> None:
    sequence_run(tmp_path / "run", "--epochs", "1")
    names = {"delays.png", "voltages.png", "learning.gif", "options.json"}
    assert {p.name for p in (tmp_path / "run").iterdir()} >= names


def test_a_run_that_has_settled_prints_so_once(tmp_path: Path, capsys: Capture) -> None:
    """All steps are in the log; lines are printed as long as a number in them changes."""
    _, _, history = sequence_run(tmp_path / "run")
    steps = [line for line in capsys.readouterr().out.splitlines() if "  loss " in line]
    numbers = [line.split("  loss ")[1].split("  A ")[0] for line in steps]
    assert len(numbers) < len(history) and len(set(numbers)) == len(numbers) - 2  # two steps without a change


def test_control_a_run_that_has_not_settled_prints_every_step(tmp_path: Path, capsys: Capture) -> None:
    _, _, history = sequence_run(tmp_path / "run", "--epochs", "6")
    out = capsys.readouterr().out
    assert sum("  loss " in line for line in out.splitlines()) == len(history) and "settled" not in out


@pytest.mark.check(33)
@pytest.mark.parametrize("seed", range(3))
def test_in_float64_the_learned_difference_is_the_optimum(seed: int, tmp_path: Path, measured: Measured) -> None:
    """And each step certifies itself to rounding."""
    code, result, history = sequence_run(tmp_path, "--seed", str(seed), "--dtype", "float64")
    assert code == 0 and max(max(line["A"], line["B"], line["C"]) for line in history) <= 1e-12
    off = max(abs(result["d"][j][j] - result["d"][1 - j][j] - sequence.optimum()) for j in (0, 1))
    measured(off, SETTLED_64, 1, str(seed))
    assert off <= SETTLED_64


@pytest.mark.check(33, 34, control=True)
@pytest.mark.parametrize("seed", range(5))
def test_frozen_delays_learn_nothing(seed: int, tmp_path: Path) -> None:
    code, result, history = sequence_run(tmp_path, "--seed", str(seed), "--freeze-delays")
    assert code == 1 and not result["learned"] and result["presentations"] is None
    assert result["d"] == [[0.0, 10.0], [10.0, 0.0]]
    assert {line["accuracy"] for line in history} == {0.0}


def test_jitter_makes_samples_that_were_never_seen(tmp_path: Path) -> None:
    code, result, history = sequence_run(tmp_path, "--jitter", "1.5")
    assert code == 0 and result["unseen_accuracy"] > 0.95
    assert len({line["loss"] for line in history[:20]}) == 20, "every presentation must be a sample of its own"


def test_too_few_presentations_do_not_count_as_learned(tmp_path: Path) -> None:
    code, result, _ = sequence_run(tmp_path / "run", "--epochs", "1")
    assert code == 1 and not result["learned"]


def test_an_identity_that_does_not_apply_is_a_dash_and_null(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setattr(sequence, "residuals", lambda *_: Residuals(None, None, None))
    _, _, history = sequence_run(tmp_path / "run", "--epochs", "1")
    assert {line[name] for line in history for name in "ABC"} == {None}
    head, legend, *steps = capsys.readouterr().out.splitlines()
    assert head.startswith("sequence detection")
    for words in ("A (scale of weights)", "B (unit of time)", "C (shift of time)", "-: does not apply to that step"):
        assert words in legend
    assert steps[0].endswith("A -  B -  C -")
