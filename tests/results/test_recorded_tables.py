"""The tables of `results/README.md` beside the main results have the figures of their records."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from docs.hooks import delays
from fast.tasks import braille, shd
from fast.training.settings import Settings
from tests.results.records import (
    PROSE,
    RECORDS,
    baselines,
    entries,
    has_row,
    of_kind,
    percents,
    rounded,
    spread,
)

SPLITS = ("train", "valid")
NEUN, NINE = 19, 9  # classes
RECORDED = {
    **{f"the preset, seed {run['seed']}": run for run in of_kind("shd.jsonl", "learned")},
    **{f"recurrent, 20 epochs, seed {run['seed']}": run for run in entries("shd-recurrent.jsonl")},
    "`yin-yang`, seed 0": of_kind("yin-yang.jsonl", "learned")[0],
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
WITH_SPEAKERS = [name for name, test in EVALUATED.items() if "speakers" in test]


def test_the_table_of_what_was_tried_has_the_runs_of_the_preset() -> None:
    named = {f"**the preset**, seed {seed}": entry for seed, entry in enumerate(of_kind("shd.jsonl", "learned"))}
    recurrent = {f"the preset, `--recurrent`, seed {run['seed']}": run for run in entries("shd-recurrent.jsonl")}
    for name, entry in {**named, **recurrent}.items():
        train, valid, test = (rounded(entry[f"{split}_accuracy"]) for split in ("train", "valid", "test"))
        assert has_row(name, str(entry["epochs"]), train, f"{valid} (one in 20)", test)


@pytest.mark.parametrize("name", WITH_SPEAKERS)
def test_known_and_new_speakers_of_the_own_runs(name: str) -> None:
    test = EVALUATED[name]
    known, new = (right / trials for right, trials in (test["known_speakers"], test["new_speakers"]))
    assert has_row(name, *map(rounded, (test["accuracy"], known, new)))


def test_most_errors_are_on_new_speakers() -> None:
    wrong = [(trials - right) for name in WITH_SPEAKERS for right, trials in [EVALUATED[name]["new_speakers"]]]
    every = [sum(trials - right for right, trials in EVALUATED[name]["speakers"].values()) for name in WITH_SPEAKERS]
    said = f"{min(wrong)} to {max(wrong)} of the {min(every)} to {max(every)} errors"
    assert f"{said} of our networks in this table are on new speakers" in PROSE


@pytest.mark.parametrize("network", ["lstm", "cnn"])
def test_known_and_new_speakers_of_the_baselines(network: str) -> None:
    for run in baselines(network):
        if not run["valid_speakers"]:
            cells = map(rounded, (run["test_accuracy"], run["known_speakers"], run["new_speakers"]))
            assert has_row(f"{network.upper()}, seed {run['seed']}", *cells)


def test_how_often_neun_is_heard_as_nine() -> None:
    rows = [EVALUATED[name]["answers"][NEUN] for name in WITH_SPEAKERS]
    heard = [row[NINE] for row in rows]
    assert f"has {sum(rows[0])} trials of the German \"neun\"" in PROSE
    assert f"Our networks hear {min(heard)} to {max(heard)} of them as \"nine\"" in PROSE


def test_the_table_of_clocks_has_every_evaluation() -> None:
    for name, test in EVALUATED.items():
        for grid in test["grid"]:
            cells = [rounded(one["accuracy"]) for one in (test, grid["delays"], grid["delays_and_times"])]
            assert has_row(name if "`" in name else f"`shd`, {name}", f"{grid['step']:g} ms", *cells)


def test_the_table_of_new_speakers_has_every_run() -> None:
    """The runs of `fast.train`, and those of the LSTM, with each pair of speakers held out."""
    lstms = {tuple(entry["valid_speakers"]): entry for entry in baselines("lstm") if entry["valid_speakers"]}
    runs = {tuple(entry["valid_speakers"]): entry for entry in entries("tried/shd-speakers.jsonl")}
    every = [*runs.values(), *lstms.values()]
    assert {entry["seed"] for entry in every} == {0}
    assert {entry["data_sha256"]["train"] for entry in every} == {every[0]["data_sha256"]["train"]}
    assert {delays(entry) for entry in runs.values()} == {"learned"}
    assert {entry["epochs"] for entry in lstms.values()} == {25}
    assert runs.keys() == lstms.keys() and len(runs) == 5 and sorted(sum(runs, ())) == [*range(4), *range(6, 12)]
    rows = {
        f"{pair[0]}, {pair[1]}": [100 * kind[pair][f"{split}_accuracy"] for kind in (runs, lstms) for split in SPLITS]
        for pair in runs
    }
    rows["mean"] = [statistics.mean(column) for column in zip(*rows.values(), strict=True)]
    for name, row in rows.items():
        assert has_row(name, *(f"{value:.1f} %" for value in row))
    (_, ours, _, theirs), pairs = rows.pop("mean"), list(zip(*rows.values(), strict=True))
    between, between_theirs = (max(column) - min(column) for column in (pairs[1], pairs[3]))
    better = sum(row[1] > row[3] for row in rows.values())
    assert f"differs by up to {between:.0f} points, that of the LSTM by up to {between_theirs:.0f}." in PROSE
    assert f"Their means differ by {ours - theirs:.1f} points." in PROSE
    assert better == 3 and "The preset is better on three pairs, the LSTM on two." in PROSE


def settings_of(preset: Settings) -> dict[str, Any]:
    """The settings of a preset that change results, as a line has them."""
    kept = {name: value for name, value in vars(preset).items() if name not in ("test", "certify")}
    return kept | {"hidden": list(preset.hidden)}


def changed(entry: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run that differ from these."""
    return {name: entry[name] for name, value in settings.items() if entry[name] != value}


CHANGES: dict[str, dict[str, Any]] = {
    "`--tau-mem 40 --tau-syn 10`": {"tau_mem": 40.0, "tau_syn": 10.0}, "`--tau-mem 10 --tau-syn 5`": {"tau_mem": 10.0},
    "`--learn-constants`": {"learn_constants": True}, "`--shift 20`": {"shift": 20}, "none: the preset": {},
    "both: the preset": {},
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_tables_of_one_change_have_the_recorded_runs(name: str) -> None:
    preset = settings_of(shd.PRESETS["best"]) | {"hidden": [128], "epochs": 10, "average": 0.998, "choose": "last"}
    runs = [
        entry for file in ("shd-speakers", "shd-changes") for entry in entries(f"tried/{file}.jsonl")
        if changed(entry, preset) == CHANGES[name] and entry["valid_speakers"] in ([3, 6], [1, 9])
    ]
    assert [entry["valid_speakers"] for entry in runs] == [[3, 6], [1, 9]] and {entry["seed"] for entry in runs} == {0}
    cells = [rounded(entry[f"{split}_accuracy"]) for entry in runs for split in SPLITS]
    assert has_row(name, *cells, f"{statistics.mean(percents(runs, 'valid')):.1f} %")


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
