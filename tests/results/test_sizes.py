"""Accuracy against size: the picture of the README and the table of `results/README.md` are those
of the recorded runs."""

import statistics
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest

from delayprop.fast.compare import added_by_learning, curves_over, sha256_of
from delayprop.fast.drawing.comparison import RECURRENT, accuracies_over
from delayprop.fast.runs.compared_runs import OF_THE_RESULT, by_task, grouped
from delayprop.fast.training.settings import kind_of_delays
from tests import ROOT
from tests.results.records import PROSE, README, SHD, entries, has_row, of_kind, percents, rounded, spread

RESULTS, PICTURE = ROOT / "results", "docs/sizes.svg"
LINES = [RESULTS / "sizes.jsonl", RESULTS / "paper" / "yin-yang.jsonl"]
OF_BEST = [RESULTS / "tried" / "yin-yang.jsonl"]  # Yin-Yang with the preset `best`
KINDS = ("delays learned", "delays as drawn", "delays none", "delays learned, weights as drawn")
VARIED = {"hidden", "seed", "recurrent", "freeze_delays", "delay", "rec_delay", "freeze_weights"}
Curves = dict[str, dict[str, dict[float, list[float]]]]


def curves(lines: Sequence[Path] = LINES) -> Curves:
    return {task: curves_over(found, "hidden") for task, found in by_task(grouped(lines, several_tasks=True)).items()}


def test_the_table_has_the_lines_and_the_text_below_the_accuracies_in_training() -> None:
    rows = 0
    for lines, kinds in ((LINES, KINDS[:3]), (OF_BEST, KINDS)):
        for (task, found), recurrent in product(curves(lines).items(), ("", RECURRENT)):
            of_kind = [found.get(kind + recurrent, {}) for kind in kinds]
            for size in sorted({size for curve in of_kind for size in curve}):
                runs = [curve.get(size, []) for curve in of_kind]
                cells = [spread(own) if len(own) > 1 else "".join(f"{one:.1f} %" for one in own) for own in runs]
                assert has_row(f"`{task}`{recurrent}", f"{size:g}", *cells), (task, size, cells)
                rows += 1
    assert rows > 5
    fitted = {
        run["network"]: f"{100 * run['train_accuracy']:.1f} %" for run in entries("sizes.jsonl")
        if (run["task"], run["seed"], run["recurrent"], kind_of_delays(run)) == ("shd", 0, False, "learned")
    }
    assert f"({fitted['140-128-20']} against {fitted['140-32-20']}, the augmented ones)" in PROSE


def test_the_tutorial_states_a_recorded_run() -> None:
    page = " ".join((ROOT / "docs" / "tutorials" / "speech.md").read_text(encoding="utf-8").split())
    (run,) = [
        one for one in entries("sizes.jsonl")
        if (one["task"], one["hidden"], one["seed"], one["recurrent"]) == ("shd", [32], 0, False)
        and kind_of_delays(one) == "learned"
    ]
    assert f"reached {100 * run['test_accuracy']:.1f} %;" in page
    assert f"alone gives {100 * run['count_baseline']:.1f} %" in page
    assert f"took {run['seconds'] / 60:.0f} minutes, and" in page


def test_kinds_of_delays_differ_in_nothing_else_and_shd_is_that_in_use() -> None:
    of_sizes = {"arm", "bias", "out_mean", "out_sd"}
    for file, task, more in (
        ("sizes.jsonl", "braille", set()), ("sizes.jsonl", "shd", set()),
        ("tried/yin-yang.jsonl", "yin-yang", set()), ("paper/yin-yang.jsonl", "yin-yang", of_sizes),
    ):
        runs = [run for run in entries(file) if run["task"] == task]
        settings = runs[0].keys() - OF_THE_RESULT - VARIED - more
        assert len({tuple(str(run[name]) for name in sorted(settings)) for run in runs}) == 1
        assert task != "shd" or {run["data_sha256"]["train"] for run in runs} == {SHD}


def worse(kind: int, than: int) -> set[tuple[str, float]]:
    """The tasks and sizes at which one kind of delays is worse in the mean than another."""
    pairs = [(task, found[KINDS[kind]], found[KINDS[than]]) for task, found in curves().items()]
    return {
        (task, size) for task, one, other in pairs for size in one.keys() & other.keys()
        if statistics.mean(one[size]) <= statistics.mean(other[size])
    }


@pytest.mark.full
def test_the_readme_has_the_picture_of_the_lines_and_says_what_it_shows() -> None:
    """The means of learned delays, of delays as drawn and of none, size by size."""
    assert f"]({PICTURE})" in README and sha256_of(curves()) in (ROOT / PICTURE).read_text(encoding="utf-8")

    def added(task: str, lines: Sequence[Path] = LINES, recurrent: str = "") -> str:
        learned, drawn = (curves(lines)[task][kind + recurrent] for kind in KINDS[:2])
        found = [statistics.mean(learned[size]) - statistics.mean(drawn[size]) for size in learned if size in drawn]
        return f"{min(found):.1f} to {max(found):.1f}"

    prose = " ".join(README.split())
    first = f"Learning the delays adds {added('yin-yang')} points to fixed random ones on Yin-Yang,"
    ranges = f"{first} {added('braille')} on Braille, {added('shd')} on SHD, in the mean;"
    assert f"{ranges} all intervals of SHD and two of Braille include 0." in prose
    intervals = added_by_learning(by_task(grouped(LINES, several_tasks=True)), "hidden")
    zero = {task: [mean < half for mean, half in found.values() if half] for task, found in intervals.items()}
    assert all(zero["shd"]) and sum(zero["braille"]) == 2 and not any(zero["yin-yang"])
    below = accuracies_over("hidden", curves(), intervals).axes[len(intervals):]
    ends = [(axes, mean - half, mean + half) for axes, own in zip(below, intervals.values(), strict=True)
            for mean, half in own.values() if half]
    cut = sum(low < axes.get_ylim()[0] or high > axes.get_ylim()[1] for axes, low, high in ends)
    assert cut == 4 and "; four leave the panel" in " ".join((ROOT / "docs" / "results.md").read_text().split())
    with_it, without = added("yin-yang", OF_BEST, RECURRENT), added("yin-yang", OF_BEST)
    assert f"with recurrence learned delays add {with_it} points to delays as drawn, without it {without}." in PROSE
    assert not worse(0, 1), "`results/README.md`: each network is better with learned delays"
    assert worse(1, 2) == {("braille", 8.0), ("yin-yang", 5.0), ("yin-yang", 10.0), ("yin-yang", 15.0)}
    before = spread(percents(of_kind("braille.jsonl", "learned")))
    assert f"more runs of 256 neurons with these settings, of another commit: {before}." in PROSE


def test_loops_without_delays_finish_with_a_bound_for_their_spikes() -> None:
    runs = entries("tried/loops.jsonl")
    assert [(run["network"], run["seed"]) for run in runs] == [("4-64-3", 1), ("4-64-3", 2)]
    assert {(run["spikes_strength"], run["spikes_target"], run["rec_delay"]) for run in runs} == {(1e-3, 5, 0.1)}
    found = " and ".join(rounded(run["valid_accuracy"]) for run in runs)
    assert f"finish, at {found} in validation (`tried/loops.jsonl`)" in PROSE
