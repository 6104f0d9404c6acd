"""The sequence task: learned in few presentations, of two inputs or more, and by delays alone."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delayprop.fast.nn.certificate import Residuals
from delayprop.fast.tasks.sequence import task as sequence
from delayprop.fast.tasks.sequence.output import kept_from
from delayprop.fast.tasks.sequence.patterns import GAP, Ring
from delayprop.fast.tasks.sequence.plan import plan
from delayprop.fast.training.run_folder import RunFolder
from reports.__main__ import main as reports
from tests.support.report_evidence import Measured
from tests.support.runs.reading import Capture, Patch
from tests.support.runs.short_runs import sequence as short_sequence
from tests.support.runs.short_runs import sequence_run
from tests.support.tolerances import U32, U64, identity

SETTLED = 1e-5  # ms; the last steps of float32 delays of 14 ms move by their rounding, 1e-6
SETTLED_64 = 1e-6  # ms


@pytest.mark.check(34)
@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(n, marks=pytest.mark.full) for n in range(4, 20))])
def test_delays_are_learned_in_six_presentations(seed: int, tmp_path: Path, measured: Measured) -> None:
    """And their difference reaches the optimum."""
    code, result, history = sequence_run(tmp_path, "--seed", str(seed))
    assert code == 0 and result["presentations"] <= 6 and result["unseen_accuracy"] == 1.0
    d = result["d"]
    for j in (0, 1):
        assert d[j][j] - d[1 - j][j] == pytest.approx(sequence.optimum(), abs=SETTLED)
    assert history[0]["accuracy"] == 0.0, "the start must be the worst case"
    assert max(max(line["A"], line["B"], line["C"]) for line in history) <= identity(U32)
    measured(result["presentations"], 6, 1, str(seed))


def test_steps_without_a_change_are_printed_no_more(tmp_path: Path, capsys: Capture) -> None:
    """All steps are in the log; lines are printed as long as a number in them changes."""
    _, _, history = sequence_run(tmp_path / "run")
    steps = [line for line in capsys.readouterr().out.splitlines() if "  loss " in line]
    numbers = [line.split("  loss ")[1].split("  A ")[0] for line in steps]
    assert len(numbers) < len(history) and len(set(numbers)) == len(numbers) - 2  # two steps without a change
    _, _, history = sequence_run(tmp_path / "control", "--epochs", "6")  # not settled
    out = capsys.readouterr().out
    assert sum("  loss " in line for line in out.splitlines()) == len(history) and "settled" not in out


@pytest.mark.check(33)
@pytest.mark.parametrize("seed", range(3))
def test_in_float64_the_learned_difference_is_the_optimum(seed: int, tmp_path: Path, measured: Measured) -> None:
    """And each step certifies itself to rounding."""
    code, result, history = sequence_run(tmp_path, "--seed", str(seed), "--dtype", "float64")
    assert code == 0 and max(max(line["A"], line["B"], line["C"]) for line in history) <= identity(U64)
    off = max(abs(result["d"][j][j] - result["d"][1 - j][j] - sequence.optimum()) for j in (0, 1))
    measured(off, SETTLED_64, 1, str(seed))
    assert off <= SETTLED_64


@pytest.mark.check(33, 34, control=True)
@pytest.mark.parametrize("given", [*(("--seed", str(seed)) for seed in range(5)), ("--inputs", "4", "--epochs", "5")])
def test_frozen_delays_learn_nothing_and_stay_at_the_worst_start(given: tuple[str, ...], tmp_path: Path) -> None:
    code, result, history = sequence_run(tmp_path, *given, "--freeze-delays")
    assert code == 1 and not result["learned"] and result["presentations"] is result.get("kept_from") is None
    assert result["d"] == result["d_start"] == Ring(len(result["d"])).worst_delays().tolist()
    assert {line["accuracy"] for line in history} == {0.0} == {result["unseen_accuracy"]}
    assert {line.get("right") for line in history} == {0 if "--inputs" in given else None}


def test_jitter_makes_samples_that_were_never_seen(tmp_path: Path) -> None:
    code, result, history = sequence_run(tmp_path, "--jitter", "1.5")
    assert code == 0 and result["unseen_accuracy"] > 0.95
    assert len({line["loss"] for line in history[:20]}) == 20, "every presentation must be a sample of its own"


def test_an_identity_that_does_not_apply_is_a_dash(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr(sequence, "residuals", lambda *_: Residuals(None, None, None))
    code, result, history = sequence_run(tmp_path / "run", "--epochs", "1")
    assert code == 1 and not result["learned"], "too few presentations"
    assert {line[name] for line in history for name in "ABC"} == {None}
    head, legend, *steps = capsys.readouterr().out.splitlines()
    assert head.startswith("sequence detection")
    for words in ("A (scale of weights)", "B (unit of time)", "C (shift of time)", "-: does not apply to that step"):
        assert words in legend
    assert steps[0].endswith("A -  B -  C -")


SIZES = (2, 3, 4, 8, 16)


@pytest.mark.parametrize("inputs", SIZES)
def test_every_class_has_one_spike_an_input_and_an_order_of_its_own(inputs: int) -> None:
    spikes = Ring(inputs, jitter=1.0).spikes(range(inputs), np.random.default_rng(0))
    assert spikes.counts().tolist() == [[1] * inputs] * inputs
    orders = [tuple(np.argsort(trains, axis=0).ravel().tolist()) for trains in spikes.to_lists()]
    ring = tuple(range(inputs))
    assert orders == [ring[c:] + ring[:c] for c in range(inputs)]


@pytest.mark.parametrize("inputs", SIZES)
def test_at_the_start_each_output_gets_the_class_before_its_own_all_at_once(inputs: int) -> None:
    ring = Ring(inputs)
    d = ring.worst_delays()
    for output in range(inputs):
        arrivals = ring.times((output - 1) % inputs) + d[:, output]
        assert set(arrivals.tolist()) == {ring.length}
    assert d.min() == 0.0 and d.max() == ring.length < ring.max_delay
    assert inputs > 2 or d.tolist() == [[0.0, GAP], [GAP, 0.0]]


@pytest.mark.parametrize("jitter", [0.0, 1.0])
@pytest.mark.parametrize("distractors", [1, 4])
def test_distractors_are_as_many_as_asked_for_and_drawn_again_alike(distractors: int, jitter: float) -> None:
    ring = Ring(4, jitter, distractors)
    first, again, other = (ring.spikes([0, 1, 2] * 40, np.random.default_rng([7, n])).to_lists() for n in (0, 0, 1))
    assert first == again and first != other
    counts = np.array([[len(train) for train in trial] for trial in first])
    assert (counts.sum(axis=1) == 4 + distractors).all()
    assert len(np.unique(counts.argmax(axis=1))) == 4, "each input can have the most spikes"
    times = np.concatenate([np.concatenate(trial) for trial in first])
    assert times.min() >= 0.0 and times.max() <= ring.length + 10 * jitter


def test_distractors_lie_anywhere_within_the_pattern() -> None:
    found = Ring(4, 0.0, 1).spikes([0] * 400, np.random.default_rng(0)).to_lists()
    times = [time for trial in found for train in trial for time in train if time not in (0.0, 10.0, 20.0, 30.0)]
    assert len(times) == 400
    assert np.histogram(times, 3, (0.0, 30.0))[0].min() > 100


def test_every_presentation_with_distractors_differs(tmp_path: Path) -> None:
    training: Any = short_sequence(inputs=4, distractors=2, epochs=2, jitter=0.0)
    presented = []
    with closing(RunFolder(str(tmp_path / "c"), "sequence", {})) as folder:
        for number in range(2):
            training.step(number, folder, lambda: None)
            presented.append(sorted(training.presented.times.tolist()))
    assert [len(times) for times in presented] == [4 * (4 + 2)] * 2
    assert presented[0] != presented[1]


@pytest.mark.parametrize("seed", range(2))
def test_four_inputs_are_learned(seed: int, tmp_path: Path) -> None:
    """100 % after at most 6 presentations of each pattern, as with two inputs; all certified."""
    given = ("--inputs", "4", "--jitter", "1", "--seed", str(seed), "--epochs", "60")
    code, result, history = sequence_run(tmp_path / "run", *given)
    assert code == 0 and result["learned"]
    assert history[0]["loss"] > history[-1]["loss"]
    assert result["presentations"] <= 6 and result["kept_from"] <= 30
    assert result["unseen_accuracy"] >= 0.99
    assert max(max(line["A"], line["B"], line["C"]) for line in history) <= identity(U32)
    assert np.shape(result["d"]) == np.shape(history[0]["d"]) == (4, 4)


def test_control_fast_membranes_do_not_leave_the_worst_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason for the slow start: the plan for two inputs, used for four, ends wrong."""
    monkeypatch.setattr(sequence, "plan", lambda inputs: plan(2))
    code, result, _ = sequence_run(tmp_path / "run", "--inputs", "4")
    assert code == 1 and result["unseen_accuracy"] <= 0.5


def test_membranes_end_with_their_own_constants() -> None:
    planned = plan(4)
    slowness = [planned.slowness(epoch) for epoch in range(1, planned.epochs + 1)]
    assert slowness[0] == 8.0 and slowness == sorted(slowness, reverse=True)
    assert set(slowness[int(0.8 * planned.learn) :]) == {1.0}
    training: Any = short_sequence(inputs=4)
    with sequence._slowed(training.layer, 8.0):
        assert training.layer.tau_mem.tolist() == [80.0] * 4 and training.layer.tau_syn.tolist() == [40.0] * 4
    assert training.layer.tau_mem.tolist() == [10.0] * 4 and training.layer.tau_syn.tolist() == [5.0] * 4


@pytest.mark.full
@pytest.mark.pictures
@pytest.mark.parametrize("inputs", [3, 16])
def test_pictures_are_drawn_and_drawn_again(inputs: int, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "run"
    sequence_run(out, "--inputs", str(inputs), "--epochs", "3", "--distractors", "3")
    pictures = [out / "delays.png", out / "voltages.png"]
    printed = capsys.readouterr().out
    assert f"/{inputs}  moved up to " in printed
    assert f"{500 // inputs * inputs} unseen samples with jitter 0 ms and 3 distractors" in printed
    assert all(picture.stat().st_size > 10_000 for picture in pictures)
    for picture in pictures:
        picture.unlink()
    assert reports([str(out)]) == 0
    assert all(picture.stat().st_size > 10_000 for picture in pictures)


def test_when_100_percent_is_kept() -> None:
    def of(*accuracies: float) -> list[dict]:
        return [{"presentation": n, "accuracy": accuracy} for n, accuracy in enumerate(accuracies, start=1)]

    assert kept_from(of(0.0, 1.0, 0.5, 1.0, 1.0)) == 4
    assert kept_from(of(1.0, 1.0)) == 1
    assert kept_from(of(1.0, 0.5)) is None
