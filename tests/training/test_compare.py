"""`delayprop compare`: rows of settings, intervals over seeds, pictures, `--over`, `--train`."""

import html
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

import delayprop.fast.compare
from delayprop.fast.compare import curves_over, sha256_of
from delayprop.fast.compare import main as compare
from delayprop.fast.drawing.comparison import accuracies_over, comparison
from delayprop.fast.runs.compared_runs import grouped
from delayprop.fast.training.intervals import mcnemar, mean_half_width, student_t, wilson_interval
from tests.support.runs.reading import Capture, Patch, calls, history, printed, refusal, result, rewrite


def compared(capsys: Capture, *paths: object) -> list[str]:
    return printed(capsys, compare, *paths).splitlines()


def test_runs_that_differ_in_their_seed_are_one_row(runs: Path, capsys: Capture) -> None:
    lines = compared(capsys, *(runs / name for name in ("free0", "free1", "frozen0", "frozen1")))
    assert lines[0].split()[:2] == ["freeze_delays", "seeds"]
    assert [line.split()[:2] for line in lines[1:3]] == [["False", "2"], ["True", "2"]]
    tests = [[100 * result(runs / f"{name}{n}")["test_accuracy"] for n in range(2)] for name in ("free", "frozen")]
    assert f"{np.mean(tests[0]):.1f} ± {np.std(tests[0], ddof=1):.1f}" in lines[1]
    assert f"row 2 - row 1: {np.mean(tests[1]) - np.mean(tests[0]):+.1f}, too few seeds in common" in lines[-3]
    assert [line.split(":")[0] for line in lines[-2:]] == ["  seed 0", "  seed 1"], "McNemar's test of each pair"
    assert "(too few seeds)" in lines[1], "two seeds give no interval"


def test_a_run_that_is_named_twice_is_refused(runs: Path, capsys: Capture) -> None:
    assert "name each run once" in refusal(capsys, compare, runs / "free0", runs / "free0")


def copies(
    runs: Path, into: Path, tests: list[float], record: dict | None = None, seeds: Sequence[int] = range(3),
    **changed: object,
) -> list[Path]:
    """Copies of a run as if these were its test accuracies, one per seed, and this its record."""
    paths = []
    for seed, accuracy in zip(seeds, tests, strict=False):
        paths.append(shutil.copytree(runs / "free0", into / str(seed)))
        rewrite(paths[-1] / "options.json", **{"seed": seed, **changed})
        rewrite(paths[-1] / "result.json", test_accuracy=accuracy, interval=[accuracy, accuracy], **(record or {}))
    return paths


def test_equal_runs_are_not_told_apart(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    one = copies(runs, tmp_path / "one", [0.5, 0.6, 0.7])
    *_, verdict, first, _, _ = compared(capsys, *one, *copies(runs, tmp_path / "other", [0.5, 0.6, 0.7], wake=0.5))
    assert verdict.endswith(": not told apart")
    assert first == "  seed 0: 0 trials are right in row 1 alone, 0 in row 2 alone: p 1 (McNemar, exact)"
    worse = copies(runs, tmp_path / "worse", [0.4, 0.51, 0.6], wake=0.2)
    assert compared(capsys, *one, *worse)[-4].endswith(": apart")


def test_two_runs_are_compared_trial_by_trial(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    """6 trials are right in the first run alone, 1 in the second: p = 2 (1 + 7) / 2^7."""
    one = copies(runs, tmp_path / "one", [0.9], {"wrong": [[0, 1], [9, 0]]})
    seven = {"wrong": [[n, 1] for n in range(7)]}
    pair = "6 trials are right in row 1 alone, 1 in row 2 alone: p 0.12 (McNemar, exact)"
    cases: list[tuple[str, dict, dict[str, Any], str]] = [
        ("two", seven, {}, f"  seed 0: {pair}"),
        ("4", seven, {"seed": 4}, f"  seeds 0 and 4: {pair}"),
        ("right", {"wrong": []}, {}, "0 trials are right in row 1 alone, 2 in row 2 alone: p 0.5 "),
        ("others", {"wrong": [], "trials_sha256": "a"}, {}, "  seed 0: not compared trial by trial: other test trials"),
        ("old", {"wrong": KeyError}, {}, "an older version recorded no answers by trial"),
    ]
    for name, record, changed, said in cases:
        assert said in compared(capsys, *one, *copies(runs, tmp_path / name, [0.6], record, wake=0.5, **changed))[-1]


def test_pairs_are_of_one_seed_whatever_the_order(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    """Seeds 1, 2 and 3 are common: each gains 4 to 6 points, while the accuracies differ by 40. The
    gains have the standard deviation 1, so the interval is 4.3027 / sqrt(3) to each side."""
    one = copies(runs, tmp_path / "one", [0.3, 0.5, 0.7, 0.9], seeds=(0, 1, 2, 3))
    other = copies(runs, tmp_path / "other", [0.95, 0.1, 0.54, 0.76], seeds=(3, 9, 1, 2), wake=0.5)
    said = "row 2 - row 1: +5.0 (+2.5 to +7.5, 95 % of 3 pairs of a seed): apart"
    assert compared(capsys, *one, *other)[-4] == said


def test_an_interval_is_that_of_student_within_0_and_100_per_cent(
    runs: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Of three seeds: 4.3027 standard deviations over sqrt(3) to each side."""
    for tests, end in (
        ([0.9, 0.99, 1.0], "96.3 ± 5.5 (82.7 to 100.0)"), ([0.0, 0.01, 0.1], "3.7 ± 5.5 (0.0 to 17.3)"),
        ([0.5, 0.6, 0.7], "60.0 ± 10.0 (35.2 to 84.8)"),
    ):
        assert end in "\n".join(compared(capsys, *copies(runs, tmp_path / str(tests[0]), tests)))


def test_a_comparison_is_drawn(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    given = [*copies(runs, tmp_path / "one", [0.5, 0.6, 0.7]), *copies(runs, tmp_path / "two", [0.4], wake=0.5)]
    picture = tmp_path / "picture.png"
    assert compared(capsys, *given, "--picture", picture)[-1] == f"picture: {picture}"
    assert picture.stat().st_size > 5000
    for name, said in (("picture.xyz", "that ends in"), ("no/where.png", "in a folder that exists")):
        said = f"`--picture` must be a file {said}"
        assert said in refusal(capsys, compare, *given, "--picture", tmp_path / name)


def test_bars_are_intervals_of_means_and_thin_ones_of_single_runs() -> None:
    accuracies, of_trials = [[50.0, 60.0, 70.0], [40.0]], [[(0.0, 1.0)] * 3, [(35.0, 45.5)]]
    drawn = comparison("task", ["three seeds", "one"], accuracies, [(55.0, 65.0), None], of_trials)
    lines = [(line.get_linewidth(), np.asarray(line.get_xdata()).tolist()) for line in drawn.axes[0].lines]
    assert "from the number of its test trials" in drawn.axes[0].get_title(loc="left")
    assert lines[0] == (6, [55.0, 65.0]) and lines[3] == (1, [35.0, 45.5]) and len(lines) == 6
    assert [lines[1][1], lines[4][1]] == accuracies, "a point per run"


def test_rows_can_be_named(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    """In the order of the table, whose lines stay as they are."""
    given, picture = [runs / name for name in ("frozen0", "free0", "frozen1")], tmp_path / "picture.svg"
    table = compared(capsys, *given)
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        assert compared(capsys, *given, "--picture", picture, "--names", "drawn $1", "learned")[:-1] == table
    drawn = picture.read_text()
    assert 0 < drawn.index(">drawn $1<") < drawn.index(">learned<") and "freeze_delays" not in drawn
    for words, said in (
        (("--picture", picture, "--names", "one"), "`--names` must be one name per row, got 1 for 2 rows; run"),
        (("--names", "one", "two"), "`--names` must be given with --picture, and without --over, got no --picture"),
        (("--picture", picture, "--over", "lr", "--names", "one", "two"), "and without --over, got --over; it names"),
    ):
        assert said in refusal(capsys, compare, *given, *words)


def test_a_run_has_the_interval_of_its_trials(runs: Path, monkeypatch: Patch, tmp_path: Path) -> None:
    drawn = calls(monkeypatch, delayprop.fast.compare, "comparison", lambda *given: given[3:])
    assert compare([str(runs / "free0"), "--picture", str(tmp_path / "picture.svg")]) == 0
    answers = result(runs / "free0")["answers"]
    right, trials = sum(row[label] for label, row in enumerate(answers)), sum(map(sum, answers))
    interval = pytest.approx([100 * end for end in wilson_interval(right, trials)], rel=1e-12)
    assert drawn == [([None], [[interval]])]


def test_a_run_of_another_task_does_not_fit(runs: Path, copy: Path, capsys: Capture) -> None:
    rewrite(copy / "options.json", task="braille")
    assert "must be a run of spikes, as the first, got" in refusal(capsys, compare, runs / "free0", copy)


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


def test_settings_of_a_stranger_move_no_cursor(runs: Path, copy: Path, capsys: Capture) -> None:
    rewrite(copy / "options.json", lr="\x1b[2J\u202e")
    out = "\n".join(compared(capsys, runs / "free0", copy))
    assert r"\x1b[2J\u202e" in out and "\x1b" not in out and "\u202e" not in out


LINE = {
    "task": "yin-yang", "seed": 0, "hidden": 8, "delay": 10.0, "freeze_delays": False, "test_accuracy": 0.5,
    "valid_accuracy": 0.6, "seconds": 2.0,
}


def write_lines(path: Path, *changes: dict) -> str:
    """Writes lines with these entries changed; `KeyError` stands for none."""
    lines = ({name: value for name, value in {**LINE, **change}.items() if value is not KeyError} for change in changes)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_accuracies_are_drawn_over_a_setting(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    """From lines of results, in a panel per task; `hidden` is a number, or a list of one."""
    drawn = calls(monkeypatch, delayprop.fast.compare, "accuracies_over", lambda *given: given)
    lines = write_lines(
        tmp_path / "lines.jsonl", {}, {"seed": 1, "test_accuracy": 0.7}, {"hidden": [16], "test_accuracy": 0.8},
        {"freeze_delays": True, "delay": 0.0, "recurrent": True, "rec_delay": 0.1, "test_accuracy": 0.4},
        {"task": "shd", "hidden": 32, "w_mean": 2.0}, {"task": "shd", "hidden": 64, "w_mean": 1.0},
        {"task": "shd", "hidden": 64, "w_mean": 1.0, "freeze_delays": True, "delay": 0.0, "bias": True},
    )
    picture = tmp_path / "picture.svg"
    assert compared(capsys, lines, "--over", "hidden", "--picture", picture)[-1] == f"picture: {picture}"
    assert picture.stat().st_size > 5000
    (setting, panels, added), = drawn
    assert not added, "no delays as drawn"
    assert sha256_of(panels) in picture.read_text(), "the picture states what it shows"
    assert setting == "hidden" and panels == {  # neither `delay`, nor `w_mean`, which follows `hidden`, names a curve
        "yin-yang": {"delays learned": {8.0: [50.0, 70.0], 16.0: [80.0]}, "delays none, recurrent": {8.0: [40.0]}},
        "shd": {"delays learned": {32.0: [50.0], 64.0: [50.0]}, "delays none": {64.0: [50.0]}},
    }
    figure = accuracies_over(setting, panels, added)
    assert [axes.get_title("left") for axes in figure.axes] == ["yin-yang", "yin-yang, recurrent", "shd"]
    seeds, means = figure.axes[0].get_lines()
    assert np.array_equal(seeds.get_xydata(), [[8.0, 50.0], [8.0, 70.0], [16.0, 80.0]])
    assert np.array_equal(means.get_xydata(), [[8.0, 60.0], [16.0, 80.0]])


OTHER = {"readout": "first_spike_time", "w_mean": 3.0}


@pytest.mark.parametrize(("changes", "curves"), [
    ([{}, {"hidden": 16, **OTHER}], {"readout max_voltage": [8], "readout first_spike_time": [16]}),
    ([{}, {"hidden": 16, "w_mean": 2.0}, OTHER], {"readout max_voltage": [8, 16], "readout first_spike_time": [8]}),
    ([{}, {"w_mean": 2.0}, {"hidden": 16}], {"w_mean 0.03": [8, 16], "w_mean 2.0": [8]}),
    ([{}, {"bias": True}], {"bias False": [8], "bias True": [8]}),
], ids=["other runs", "other runs of one size", "a first value alone", "a bias spike beside delays"])
def test_a_curve_joins_no_runs_of_other_settings(changes: list[dict], curves: dict, tmp_path: Path) -> None:
    """First values that follow from the size split no curve; no delays may go with a bias."""
    lines = write_lines(tmp_path / "lines.jsonl", *changes)
    found = curves_over(grouped([Path(lines)]), "hidden")
    assert {label: [*curve] for label, curve in found.items()} == {f"delays learned, {k}": v for k, v in curves.items()}


def test_what_learned_delays_add_is_drawn_by_pairs_of_a_seed(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    """Seeds 0 to 2 differ by 1, 2 and 3 points; of size 16 one pair is left, and no interval."""
    drawn = calls(monkeypatch, delayprop.fast.compare, "accuracies_over", lambda *given: given)
    learned = [{"seed": n, "test_accuracy": 0.5 + (n + 1) / 100} for n in range(3)]
    controls = [{"seed": n, "freeze_delays": True} for n in (2, 1, 0)]
    lines = write_lines(
        tmp_path / "lines.jsonl", *learned, *controls, {"hidden": 16}, {"hidden": 16, "seed": 1},
        {"hidden": 16, "freeze_delays": True, "test_accuracy": 0.45}, {"hidden": 16, "freeze_delays": True, "seed": 3},
    )
    compared(capsys, lines, "--over", "hidden", "--picture", tmp_path / "picture.svg")
    (_, _, added), = drawn
    three, one = pytest.approx((2.0, 4.3027 / 3**0.5), abs=1e-4), (pytest.approx(5.0), None)
    assert added == {"yin-yang": {8.0: three, 16.0: one}}
    below = accuracies_over(*drawn[0]).axes[1]
    (mean, _, bars), alone = below.containers
    assert mean.get_xydata().tolist() == [[8.0, pytest.approx(2.0)]] and len(bars) == 1
    assert not alone[2], "of one pair"


@pytest.mark.parametrize("over", [
    pytest.param([], marks=pytest.mark.full), ["--over", "$setting$"],
], ids=["rows", "curves"])
def test_a_text_of_a_user_is_drawn_as_it_is(over: list[str], tmp_path: Path, capsys: Capture) -> None:
    """Not as a formula, which it may not be; and one of any length has room."""
    task, rate, out = r"a $\frac{$ task", "$\\nothing$ \\$5 \x1b", "$ long " * 3000
    changes = {"task": task, "$setting$": 1.0}
    lines = write_lines(tmp_path / "lines.jsonl", {**changes, "lr": rate}, {**changes, "lr": "\ud800", "size": out})
    picture = tmp_path / "picture.svg"
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        compared(capsys, lines, *over, "--picture", picture)
    drawn = html.unescape(picture.read_text())
    assert all(text in drawn for text in (task, "lr $\\nothing$ \\$5 \\x1b", "lr \\ud800", "$ long $ long $"))
    assert r"\$s" not in drawn and ("$setting$" in drawn) == bool(over)
    assert compared(capsys, lines, *over, "--picture", tmp_path / "picture.png")


@pytest.mark.parametrize(("changes", "words", "said"), [
    ([{}], ["--over", "hidden"], "`--over` must be given with --picture"),
    ([{"hidden": [8, 8]}], ["--over", "hidden", "--picture", "a.svg"], "got hidden [8, 8]"),
    ([{}], ["--over", "nothing", "--picture", "a.svg"], "got nothing None"),
    ([{"hidden": 8}, {"hidden": [8]}], ["--over", "hidden", "--picture", "a.svg"], "got two settings at 8; leave"),
    ([{}, {"task": "shd"}], [], "a run of yin-yang, as the first"),
    ([{}, {}], [], "lines.jsonl line 2` must be a run of another seed"),
    ([{"seed": -1}], [], "line 1 seed` must be a whole number of at least 0, got -1; give lines"),
    ([{"test_accuracy": None}], [], "line 1 test_accuracy` must be a finite number, got null; give lines"),
    ([{"delay": "5"}], [], "line 1 delay` must be a finite number of at least 0, got "),
    ([{"wrong": [[3]]}], [], "line 1 wrong` must be a list of pairs of whole numbers of at least 0, got a list of 1"),
    ([{"hidden": KeyError}], [], "a line with all settings, got one without hidden; give lines of `python -m results`"),
])
def test_lines_that_cannot_be_compared(changes: list, words: list, said: str, tmp_path: Path, capsys: Capture) -> None:
    assert said in refusal(capsys, compare, write_lines(tmp_path / "lines.jsonl", *changes), *words, late=True)


@pytest.mark.parametrize("text", [b"{", b"\xff", b"[" * 10000, b"", None])
def test_a_file_without_such_lines_is_refused(text: bytes | None, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "lines.jsonl"
    if text is not None:
        path.write_bytes(text)
    assert "python -m results" in refusal(capsys, compare, path)


def test_runs_of_one_kind_that_differ_otherwise_are_curves_of_their_own(tmp_path: Path) -> None:
    path = Path(write_lines(tmp_path / "lines.jsonl", {}, {"delay": 5.0}, {"freeze_delays": True, "delay": 0.0}))
    assert {*curves_over(grouped([path]), "hidden")} == {
        "delays learned, delay 10.0", "delays learned, delay 5.0", "delays none, delay 0.0",
    }


SHORT = ["--task", "yin-yang", "--epochs", "1", "--hidden", "4", "--certify", "0"]


def test_kinds_of_delays_are_trained_and_compared(tmp_path: Path, capsys: Capture) -> None:
    """The first kind is the one of the differences; a second call trains nothing again."""
    words = ["--train", "drawn", "none", "learned", *SHORT, "--seeds", "3", "1", "--out", str(tmp_path / "runs")]
    lines = printed(capsys, compare, *words).splitlines()
    table = next(n for n, line in enumerate(lines) if line.startswith("delay "))
    assert [line.split()[:3] for line in lines[table + 1 : table + 4]] == [
        ["10.0", "True", "2"], ["0.0", "True", "2"], ["10.0", "False", "2"],
    ]
    assert {path.name for path in (tmp_path / "runs" / "none").iterdir()} == {"seed-3", "seed-1"}
    before = history(tmp_path / "runs" / "learned" / "seed-3")
    picture = tmp_path / "kinds.svg"
    again = printed(capsys, compare, *words, "--picture", str(picture)).splitlines()
    assert [line for line in again if line.startswith("row")] == [line for line in lines if line.startswith("row")]
    assert picture.exists() and history(tmp_path / "runs" / "learned" / "seed-3") == before


@pytest.mark.parametrize(("words", "said"), [
    (["--train", "frozen", *SHORT], "invalid choice: 'frozen'"),
    (["--train", "learned"], "`--task` must be"),
    (["--train", "learned", "--task", "sequence"], "`--task` must be"),
    (["--train", "learned", *SHORT, "--freeze-delays"], "leave the delays to learned, got delays as drawn;"),
    (["--train", "drawn", *SHORT, "--delay", "0"], "leave the delays to drawn, got delays none;"),
    (["--train", "learned", *SHORT, "--no-test"], "`--no-test` must be left out with --train"),
    (["--train", "learned", *SHORT, "--seed", "4"], "`--seed` must be left out with --train"),
    (["--train", "learned", *SHORT, "--seed=0"], "`--seed` must be left out with --train, got both; give --seeds"),
    (["--train", "learned", "drawn", *SHORT, "--freeze-weights"], "`--freeze-weights` must be given without"),
    (["--train", "learned", *SHORT, "--leave-one-speaker-out"], "`--leave-one-speaker-out` must be left out"),
    (["--train=learned", *SHORT, "--picture", "x.gif"], "`--picture` must be a file that ends in .png, .svg or"),
    (["--train=learned", *SHORT, "--picture", "nowhere/x.svg"], "`--picture` must be a file in a folder that"),
    (["--train", "learned", *SHORT, "--seeds", "-1"], "`--seeds` must be"),
    (["--train", "learned", *SHORT, "--hiden", "4"], "did you mean `--hidden`"),
])
def test_what_cannot_be_compared_is_not_trained(
    words: list[str], said: str, tmp_path: Path, capsys: Capture
) -> None:
    assert said in refusal(capsys, compare, *words, "--out", str(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()
