"""The tables and pictures of results are those of the recorded runs, which are comparable."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from delayprop.fast.compare import curves_over, sha256_of
from delayprop.fast.runs.compared_runs import OF_THE_RESULT, by_task, grouped
from delayprop.fast.tasks import braille, ssc, yin_yang
from delayprop.fast.training.settings import Settings, with_defaults
from results import tables
from results.tables import lines as entries
from tests import ROOT

SHD = "8197e00d387b5c3d7993aa718325fdb18b8d5323ce8674ad3e5342073e6e244c"
"""The SHA-256 of the training file of SHD in use."""
PAGES = [page.read_text(encoding="utf-8") for page in tables.PAGES]
SIZES = [ROOT / "results" / "sizes.jsonl", ROOT / "results" / "paper" / "yin-yang.jsonl"]
ARM = {"hidden", "seed", "recurrent", "freeze_delays", "delay", "rec_delay", "freeze_weights"}


def test_the_tables_are_those_that_the_command_writes() -> None:
    """A cell is the mean over seeds; another number is found."""
    assert [name for page in PAGES for _, name, _ in tables.PLACE.findall(page)] == [*tables.TABLES]
    assert [*map(tables.written, PAGES)] == PAGES, "run `python -m results.tables`"
    found = [one["test_accuracy"] for one in entries("braille-recurrent.jsonl") if not one["freeze_delays"]]
    cell = f"| `braille`, recurrent | 256 | {100 * mean(found):.1f} ± "
    assert len(found) == 3 and PAGES[0].count(cell) == 1
    assert tables.written(PAGES[0].replace(cell, cell.replace("| 256 |", "| 255 |"))) == PAGES[0]


def test_accuracies_in_sentences_are_those_of_lines() -> None:
    """One run's, or a mean over runs of equal settings; but chance, the paper's, and an SVM's."""
    groups: dict[str, list[float]] = {}
    for path in tables.FOLDER.rglob("*.jsonl"):
        for run in entries(path.relative_to(tables.FOLDER).as_posix()):
            settings = [str(path), *(str(run.get(name)) for name in tables.SETTINGS)]
            for share in run.keys() & {"train_accuracy", "valid_accuracy", "test_accuracy"}:
                groups.setdefault(json.dumps([share, *settings]), []).append(run[share])
    recorded = {tables.percent([one]) for own in groups.values() for one in own}
    recorded |= {tables.percent(own) for own in groups.values()}
    prose = "".join(line for line in PAGES[0].splitlines(keepends=True) if not line.startswith("|"))
    said = {f"{one} %" for one in re.findall(r"(?<![\d.])\d\d\.\d+(?: ± \d\.\d)?(?![\d.]*/)", prose)}
    assert said - recorded == {"12.5 %", "93.24 ± 1.0 %", "61.8 %"} and len(said) > 20


@pytest.mark.full
def test_the_picture_of_sizes_is_of_the_lines() -> None:
    by_size = {task: curves_over(own, "hidden") for task, own in by_task(grouped(SIZES, several_tasks=True)).items()}
    assert sha256_of(by_size) in (ROOT / "docs" / "sizes.svg").read_text(encoding="utf-8")


NO_DELAYS = {"freeze_delays": True, "delay": 0.0}
ARMS: dict[str, dict[str, Any]] = {
    "learned delays": {}, "delays as drawn": {"freeze_delays": True}, "no delays": NO_DELAYS,
    "no delays, loops": {**NO_DELAYS, "recurrent": True, "rec_delay": 0.1},
}
LSTM = "LSTM on counts"


@pytest.mark.full
def test_the_picture_of_gestures_is_of_the_lines_which_are_whole() -> None:
    """And spiking networks of a gap differ in their delays and loops alone."""
    found, kinds = entries("gaps.jsonl"), [*ARMS, LSTM]
    rows = [(line["hidden"], kinds.index(line["arm"]), line["gap"], line["seed"]) for line in found]
    assert sorted(rows) == [*product((8, 32, 128), range(len(kinds)), (5.0, 15.0, 50.0, 150.0, 500.0), range(3))]
    curves: dict[str, dict[str, dict[float, list[float]]]] = {}
    for (hidden, kind, gap, _), line in sorted(zip(rows, found), key=lambda one: one[0]):
        curve = curves.setdefault(f"{hidden} hidden neurons", {}).setdefault(kinds[kind], {})
        curve.setdefault(gap, []).append(100 * line["test_accuracy"])
        common = {
            "epochs": 30, "readout": "exp_weighted_voltage", "gain": 100.0, "schedule": "cosine", "lr": 0.03,
            "spikes_strength": 1e-3, "spikes_target": 5.0, "delay": gap, "delay_lr": min(0.005 * gap, 0.5),
            "max_delay": 2 * gap,
        }
        of_lstm = {"epochs": 30, "lr": [0.003, 0.01, 0.03, 0.1]}
        assert line["settings"] == (of_lstm if line["arm"] == LSTM else {**common, **ARMS[line["arm"]]})
    assert sha256_of(curves) in (ROOT / "docs" / "gaps.svg").read_text(encoding="utf-8")
    assert len({(line["gap"], line["trials_sha256"]) for line in found}) == 5


@pytest.mark.parametrize("file, task", [
    ("sizes.jsonl", "braille"), ("sizes.jsonl", "shd"), ("tried/yin-yang.jsonl", "yin-yang"),
    ("paper/yin-yang.jsonl", "yin-yang"),
])
def test_kinds_of_delays_differ_in_nothing_else(file: str, task: str) -> None:
    of_first_spikes = {"arm", "bias", "out_mean", "out_sd"} if file.startswith("paper") else set()
    runs = [run for run in entries(file) if run["task"] == task]
    settings = runs[0].keys() - OF_THE_RESULT - ARM - of_first_spikes
    assert len({tuple(str(run[name]) for name in sorted(settings)) for run in runs}) == 1


def test_runs_on_shd_are_on_the_files_in_use_and_were_tested_on_the_same_trials() -> None:
    files = [path.relative_to(ROOT / "results") for path in (ROOT / "results").rglob("*.jsonl")]
    runs = [run for file in files for run in entries(str(file)) if run.get("task") == "shd"]
    assert len(runs) > 50 and {run["data_sha256"]["train"] for run in runs} == {SHD}
    tested = {run["trials_sha256"] for run in runs if "test_accuracy" in run}
    evaluated = {one["test"]["trials_sha256"] for one in entries("evaluations.jsonl") if one["run"]["task"] == "shd"}
    assert len(tested) == 1 and evaluated == tested


def settings_of(settings: Settings) -> dict[str, Any]:
    """Settings that change results, as a line has them."""
    found = {name: getattr(settings, name) for name in tables.SETTINGS}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


@pytest.mark.parametrize(("name", "preset"), [("braille", "feed-forward"), ("braille-recurrent", "best")])
def test_the_preset_is_that_of_the_recorded_runs(name: str, preset: str) -> None:
    said = settings_of(braille.PRESETS[preset])
    allowed = [said, said | {"freeze_delays": True}]
    assert all({one: run[one] for one in said} in allowed for run in map(with_defaults, entries(f"{name}.jsonl")))


def test_the_settings_in_the_lines_of_yin_yang_are_those_of_the_preset() -> None:
    """Old lines have few settings, and the size of the one hidden layer as a number."""
    preset = asdict(yin_yang.PRESETS["best"]) | {"hidden": 30}
    controls = {"freeze_delays", "freeze_weights", "delay", "learn_constants", "test", "certify"}
    for run in entries("yin-yang.jsonl"):
        common = run.keys() & preset.keys() - controls
        assert {"lr", "delay_lr", "schedule", "epochs"} <= common
        assert all(run[name] in (preset[name], [preset[name]]) for name in common)


def test_the_second_run_of_words_is_the_preset() -> None:
    preset = settings_of(ssc.PRESETS["best"])
    second = [run for run in entries("tried/words.jsonl") if run["task"] == "ssc"][1]
    assert preset == {name: with_defaults(second)[name] for name in preset}


def test_lines_of_words_loops_and_gestures_are_certified() -> None:
    """Error bars are of LIF alone."""
    for run in entries("tried/words.jsonl"):
        assert (run["rounding"] is None) == (run["neuron"] != "lif") and (run["rounding"] or 0.0) < 1e-3
    for run in entries("tried/loops.jsonl"):
        assert (run["spikes_strength"], run["spikes_target"], run["rec_delay"]) == (1e-3, 5, 0.1)
        assert run["rounding"] < 1e-3
    assert all(line["rounding"] < 1e-3 for line in entries("gaps.jsonl") if line["arm"] != LSTM)


def test_what_was_tried_did_not_read_the_test_split() -> None:
    """But on Braille, as the page says, and with neurons on Yin-Yang."""
    runs: Sequence[tuple[Path, dict[str, Any]]] = [
        (path, run) for path in sorted((ROOT / "results" / "tried").iterdir()) for run in entries(f"tried/{path.name}")
    ]
    tested = {(path.stem, run["task"]) for path, run in runs if "test_accuracy" in run}
    assert tested == {("braille", "braille"), ("neurons", "yin-yang"), ("yin-yang", "yin-yang")}
