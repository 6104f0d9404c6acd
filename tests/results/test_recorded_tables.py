"""The tables of `results/README.md` beside the main results have the figures of their records."""

import statistics
from typing import Any

import pytest

from delayprop.fast.tasks import braille
from delayprop.fast.training.settings import Settings, with_defaults
from tests.results.records import PROSE, RECORDS, entries, has_row, of_kind, percents, rounded, spread

SPLITS = ("train", "valid")
RECORDED = {
    "`yin-yang`, seed 0": of_kind("yin-yang.jsonl", "learned")[0],
    "`shd`, 32 neurons, seed 0": next(
        run for run in entries("sizes.jsonl")
        if (run["network"], run["seed"], run["freeze_delays"]) == ("140-32-20", 0, False)
    ),
}
"""Runs by their words in the tables."""


def name_of(evaluation: dict[str, Any]) -> str:
    """The words for the recorded run that was evaluated: of this network and seed, and as right."""
    (name,) = (
        name for name, run in RECORDED.items()
        if {key: run[key] for key in ("task", "network", "seed")} == evaluation["run"]
        and run["test_accuracy"] == evaluation["test"]["accuracy"]
    )
    return name


EVALUATED = {name_of(evaluation): evaluation["test"] for evaluation in entries("evaluations.jsonl")}


def test_the_table_of_clocks_has_every_evaluation() -> None:
    for name, test in EVALUATED.items():
        for grid in test["grid"]:
            cells = [rounded(one["accuracy"]) for one in (test, grid["delays"], grid["delays_and_times"])]
            cells.append(rounded(grid["cut_delays"]["accuracy"]) if "cut_delays" in grid else "")
            assert has_row(name, f"{grid['step']:g} ms", *cells)


def test_the_text_below_says_how_many_delays_are_cut() -> None:
    for grid in EVALUATED["`shd`, 32 neurons, seed 0"]["grid"]:
        assert f"{100 * grid['share_cut']:.0f} % of the delays at {grid['step']:g} ms" in PROSE


def settings_of(preset: Settings) -> dict[str, Any]:
    """The settings of a preset that change results, as a line has them."""
    kept = {name: value for name, value in vars(preset).items() if name not in ("test", "certify")}
    return kept | {"hidden": list(preset.hidden)}


def changed(entry: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    entry = with_defaults(entry)  # a line of before has no later settings
    return {name: entry[name] for name, value in settings.items() if entry[name] != value}


TRIED: dict[str, dict[str, Any]] = {
    "`--average 0.998`": {"average": 0.998},
    "the same, `--w-sd 2 --w-mean 0.6`: twice the spikes": {"average": 0.998, "w_sd": 2.0, "w_mean": 0.6},
    "`--average 0.998 --dropout 0.3 --label-smoothing 0.1`": {
        "average": 0.998, "dropout": 0.3, "label_smoothing": 0.1, "epochs": 40,
    },
    "`--average 0.998 --w-sd 2 --w-mean 0.6 --dropout 0.15 --stretch 0.1 --drop 0.1`": {
        "average": 0.998, "w_sd": 2.0, "w_mean": 0.6, "dropout": 0.15, "stretch": 0.1, "drop": 0.1, "epochs": 40,
    },
}


@pytest.mark.parametrize("name", TRIED)
def test_the_table_of_what_was_tried_on_braille_has_the_recorded_runs(name: str) -> None:
    preset = settings_of(braille.PRESETS["feed-forward"])
    (run,) = (entry for entry in entries("tried/braille.jsonl") if changed(entry, preset) == TRIED[name])
    cells = [name, str(run["epochs"]), *(rounded(run[f"{split}_accuracy"]) for split in SPLITS)]
    tested = f" {rounded(run['test_accuracy'])} |" if "test_accuracy" in run else " |"
    assert f"| {' | '.join(cells)} |{tested}\n" in RECORDS and run["seed"] == 0


def test_the_table_of_what_was_tried_on_braille_has_the_recurrent_runs() -> None:
    runs = of_kind("braille-recurrent.jsonl", "learned")
    train, valid = (f"{statistics.mean(percents(runs, split)):.1f} %" for split in SPLITS)
    cells = (str(runs[0]["epochs"]), train, valid, spread(percents(runs)))
    assert has_row("the same, `--recurrent --dropout 0.1`, 3 seeds", *cells)


def test_the_table_of_other_results_on_braille_has_our_runs() -> None:
    ours = [spread(percents(of_kind(f"{name}.jsonl", "learned"))) for name in ("braille-recurrent", "braille")]
    assert has_row("here, the epoch chosen on validation", "256 neurons", "10", *ours)
