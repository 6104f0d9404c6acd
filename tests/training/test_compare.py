"""`delayprop compare`: one row per setting, intervals over seeds, differences, a picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import delayprop.fast.compare
from delayprop.fast.compare import main as compare
from delayprop.fast.drawing.comparison import comparison
from delayprop.fast.training.intervals import mcnemar, mean_half_width, student_t, wilson_interval
from tests.support.runs.finished_runs import make_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("runs"))


def test_runs_that_differ_in_their_seed_are_one_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare([str(folder / name) for name in ("free0", "free1", "frozen0", "frozen1")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["freeze_delays", "seeds"]
    assert [line.split()[:2] for line in lines[1:3]] == [["False", "2"], ["True", "2"]]
    tests = [
        [100 * json.loads((folder / f"{name}{seed}" / "result.json").read_text())["test_accuracy"] for seed in range(2)]
        for name in ("free", "frozen")
    ]
    assert f"{np.mean(tests[0]):.1f} ± {np.std(tests[0], ddof=1):.1f}" in lines[1]
    assert f"row 2 - row 1: {np.mean(tests[1]) - np.mean(tests[0]):+.1f}, too few seeds in common" in lines[-3]
    assert [line.split(":")[0] for line in lines[-2:]] == ["  seed 0", "  seed 1"], "McNemar's test of each pair"
    assert "(too few seeds)" in lines[1], "two seeds give no interval"


@pytest.mark.parametrize(
    ("runs", "words"), [(["free0", "free0"], "name each run once"), (["nowhere"], "the folder of a finished run")]
)
def test_runs_that_cannot_be_compared(
    runs: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare([str(folder / name) for name in runs]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


def copies(
    folder: Path, into: Path, tests: list[float], record: dict | None = None, seeds: Sequence[int] = range(3),
    **changed: object,
) -> list[str]:
    """Copies of a run as if these were its test accuracies, one per seed, and this its record."""
    paths = []
    for seed, accuracy in zip(seeds, tests, strict=False):
        path = shutil.copytree(folder / "free0", into / str(seed))
        result = {"test_accuracy": accuracy, "interval": [accuracy, accuracy], **(record or {})}
        for name, more in (("options.json", {"seed": seed, **changed}), ("result.json", result)):
            (path / name).write_text(json.dumps({**json.loads((path / name).read_text()), **more}))
        paths.append(str(path))
    return paths


def test_equal_runs_are_not_told_apart(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = copies(folder, tmp_path / "one", [0.5, 0.6, 0.7])
    assert compare([*one, *copies(folder, tmp_path / "other", [0.5, 0.6, 0.7], wake=0.5)]) == 0
    *_, verdict, first, _, _ = capsys.readouterr().out.splitlines()
    assert verdict.endswith(": not told apart")
    assert first == "  seed 0: 0 trials are right in row 1 alone, 0 in row 2 alone: p 1 (McNemar, exact)"
    assert compare([*one, *copies(folder, tmp_path / "worse", [0.4, 0.51, 0.6], wake=0.2)]) == 0
    assert capsys.readouterr().out.splitlines()[-4].endswith(": apart")


def test_two_runs_are_compared_trial_by_trial(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """6 trials are right in the first run alone, 1 in the second: p = 2 (1 + 7) / 2^7."""

    def said(*paths: str) -> str:
        assert compare([*paths]) == 0
        return capsys.readouterr().out.splitlines()[-1]

    one = copies(folder, tmp_path / "one", [0.9], {"wrong": [[0, 1], [9, 0]]})
    wrong = {"wrong": [[n, 1] for n in range(7)]}
    other = copies(folder, tmp_path / "two", [0.6], wrong, wake=0.5)
    pair = "6 trials are right in row 1 alone, 1 in row 2 alone: p 0.12 (McNemar, exact)"
    assert said(*one, *other) == f"  seed 0: {pair}"
    assert said(*one, *copies(folder, tmp_path / "4", [0.6], wrong, seed=4, wake=0.5)) == f"  seeds 0 and 4: {pair}"
    right = copies(folder, tmp_path / "right", [1.0], {"wrong": []}, wake=0.6)
    assert "0 trials are right in row 1 alone, 2 in row 2 alone: p 0.5 " in said(*one, *right)
    others = copies(folder, tmp_path / "others", [1.0], {"wrong": [], "trials_sha256": "a"}, wake=0.7)
    assert said(*one, *others) == "  seed 0: not compared trial by trial: other test trials"
    old = Path(copies(folder, tmp_path / "old", [1.0], wake=0.8)[0])
    result = json.loads((old / "result.json").read_text())
    del result["wrong"]
    (old / "result.json").write_text(json.dumps(result))
    assert said(*one, str(old)).endswith("an older version recorded no answers by trial")
    damaged = copies(folder, tmp_path / "damaged", [1.0], {"wrong": [[3]]}, wake=0.9)
    assert compare([*one, *damaged]) == 2
    assert "result.json wrong[0]` must be a list of 2, got a list of 1" in capsys.readouterr().err


def test_pairs_are_of_one_seed_whatever_the_order(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seeds 1, 2 and 3 are common: each gains 4 to 6 points, while the accuracies differ by 40."""
    one = copies(folder, tmp_path / "one", [0.3, 0.5, 0.7, 0.9], seeds=(0, 1, 2, 3))
    other = copies(folder, tmp_path / "other", [0.95, 0.1, 0.54, 0.76], seeds=(3, 9, 1, 2), wake=0.5)
    assert compare([*one, *other]) == 0
    half = mean_half_width([4.0, 6.0, 5.0])
    assert half is not None and capsys.readouterr().out.splitlines()[-4] == (
        f"row 2 - row 1: +5.0 ({5 - half:+.1f} to {5 + half:+.1f}, 95 % of 3 pairs of a seed): apart"
    )


def test_an_interval_stays_within_0_and_100_per_cent(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(copies(folder, tmp_path / "high", [0.9, 0.99, 1.0])) == 0
    assert "to 100.0)" in capsys.readouterr().out
    assert compare(copies(folder, tmp_path / "low", [0.0, 0.01, 0.1])) == 0
    assert "(0.0 to" in capsys.readouterr().out


def test_a_comparison_is_drawn(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [*copies(folder, tmp_path / "one", [0.5, 0.6, 0.7]), *copies(folder, tmp_path / "two", [0.4], wake=0.5)]
    picture = tmp_path / "picture.png"
    assert compare([*runs, "--picture", str(picture)]) == 0
    assert capsys.readouterr().out.endswith(f"picture: {picture}\n") and picture.stat().st_size > 5000
    for name, said in (("picture.xyz", "`--picture` must be a file that ends in"), ("no/where.png", "cannot write")):
        assert compare([*runs, "--picture", str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err


def test_bars_are_intervals_of_means_and_thin_ones_of_single_runs() -> None:
    accuracies, of_trials = [[50.0, 60.0, 70.0], [40.0]], [[(0.0, 1.0)] * 3, [(35.0, 45.5)]]
    drawn = comparison("task", ["three seeds", "one"], accuracies, [(55.0, 65.0), None], of_trials)
    lines = [(line.get_linewidth(), np.asarray(line.get_xdata()).tolist()) for line in drawn.axes[0].lines]
    assert "from the number of its test trials" in drawn.axes[0].get_title(loc="left")
    assert lines[0] == (6, [55.0, 65.0]) and lines[3] == (1, [35.0, 45.5]) and len(lines) == 6
    assert [lines[1][1], lines[4][1]] == accuracies, "a point per run"


def test_a_run_has_the_interval_of_its_trials(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = []

    def watched(*given: Any) -> Figure:
        drawn.append(given[3:])
        return comparison(*given)

    monkeypatch.setattr(delayprop.fast.compare, "comparison", watched)
    assert compare([str(folder / "free0"), "--picture", str(tmp_path / "picture.svg")]) == 0
    answers = json.loads((folder / "free0" / "result.json").read_text())["answers"]
    right, trials = sum(row[label] for label, row in enumerate(answers)), sum(map(sum, answers))
    interval = pytest.approx([100 * end for end in wilson_interval(right, trials)], rel=1e-12)
    assert drawn == [([None], [[interval]])]


@pytest.mark.parametrize("interval", [None, [0.9, 0.8]])
def test_a_run_without_an_interval_of_its_accuracy_is_named(
    interval: list[float] | None, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(folder / "free0", tmp_path / "copy")
    result = json.loads((copy / "result.json").read_text())
    del result["interval"]
    (copy / "result.json").write_text(json.dumps({**result, **({"interval": interval} if interval else {})}))
    assert compare([str(copy)]) == 2
    assert "result.json interval` must be the interval of the test accuracy" in capsys.readouterr().err


def test_runs_of_different_tasks_are_not_compared(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = copies(folder, tmp_path / "other", [0.5], task="braille")
    assert compare([str(folder / "free0"), *other]) == 2
    assert "must be a run of spikes, as the first, got" in capsys.readouterr().err


def test_intervals_are_those_of_the_tables() -> None:
    """Student's 0.975 quantiles; Wilson's interval for 8 and for 0 of 10; sums of binomials."""
    known = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 9: 2.2622, 30: 2.0423, 120: 1.9799}
    assert {n: round(student_t(n), 4) for n in known} == known
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert (wilson_interval(0, 51)[0], wilson_interval(51, 51)[1]) == (0.0, 1.0), "not rounded"
    assert [mcnemar(*pair) for pair in ((0, 0), (3, 3), (0, 5), (5, 0), (1, 6))] == [1.0, 1.0, 1 / 16, 1 / 16, 1 / 8]
    assert mcnemar(2400, 2600) == pytest.approx(0.00489, rel=0.01), "as the normal distribution, nearly"
    low, high = wilson_interval(0, 10)
    assert low == pytest.approx(0.0, abs=1e-12) and high == pytest.approx(0.2775, abs=1e-4)
    assert mean_half_width([1.0, 3.0]) is None and mean_half_width([1.0, 2.0, 3.0]) == pytest.approx(2.4841, abs=1e-4)


def test_settings_of_a_stranger_move_no_cursor(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "free0", tmp_path / "run")
    options = json.loads((tmp_path / "run" / "options.json").read_text())
    (tmp_path / "run" / "options.json").write_text(json.dumps({**options, "lr": "\x1b[2J\u202e"}))
    assert compare([str(folder / "free0"), str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert r"\x1b[2J\u202e" in out and "\x1b" not in out and "\u202e" not in out
