"""Every result that the README states is in a file under `results/`, made with the presets."""

from __future__ import annotations

import re
import statistics
from dataclasses import asdict
from typing import Any

import pytest

from fast.tasks import braille, shd, yin_yang
from fast.training.intervals import mean_half_width
from fast.training.settings import Settings, with_defaults
from tests.results.records import PROSE, README, RECORDS, baselines, entries, listed, of_kind, percents, spread

SAID = {
    "yin-yang": (
        "yin-yang.jsonl", 10,
        {
            "no delays": "none", "weights as drawn": "learned, weights as drawn",
            "time constants learned too": "learned, with time constants",
        },
    ),
    "braille": ("braille-recurrent.jsonl", 3, {"delays as drawn": "as drawn"}),
    "shd": ("shd.jsonl", 3, {"delays as drawn": "as drawn", "no delays": "none"}),
}
"""Task, and file, number of seeds, and the controls: their words in the README, kind of delays."""
SMALL: dict[str, Any] = {"hidden": [128], "epochs": 10, "average": 0.998}
SHORT = {"stretch": 0.2, "delay": 150.0}


@pytest.mark.parametrize("task", SAID)
def test_the_readme_says_what_the_runs_reached(task: str) -> None:
    name, seeds, controls = SAID[task]
    found = {kind: percents(of_kind(name, kind)) for kind in ("learned", *controls.values())}
    assert {len(values) for values in found.values()} == {seeds}
    said = "; ".join(f"{words}: {spread(found[kind])}" for words, kind in controls.items())
    if task == "braille":
        said += f"; not recurrent, 5 seeds: {spread(percents(of_kind('braille.jsonl', 'learned')))}"
    row = rf"^\| `{task}`, .*{seeds} seeds \| {spread(found['learned'])} \| {said} \|$"
    assert re.search(row, README, re.MULTILINE)


def test_the_readme_says_what_recurrent_networks_and_the_baselines_reached() -> None:
    recurrent, lstms = entries("shd-recurrent.jsonl"), [run for run in baselines("lstm") if not run["valid_speakers"]]
    assert all(run["recurrent"] for run in recurrent) and [run["seed"] for run in recurrent] == [0, 1, 2]
    assert [run["seed"] for run in lstms] == [0, 1, 2]
    every = [*entries("shd.jsonl"), *recurrent, *lstms, *baselines("cnn")]
    assert all(run["data_sha256"] == lstms[0]["data_sha256"] for run in every)
    (cnn,) = percents(baselines("cnn"))
    yardsticks = f"LSTM of torch, 3 seeds: {spread(percents(lstms))}; CNN, one seed: {cnn:.1f} %"
    reached = spread(percents(recurrent))
    assert f"| `shd`, recurrent, {recurrent[0]['epochs']} epochs, 3 seeds | {reached} | {yardsticks} |" in README
    means = [statistics.mean(percents(runs)) for runs in (lstms, of_kind("shd.jsonl", "learned"))]
    assert f"three seeds reach {listed(percents(lstms))} %, in the mean {means[0] - means[1]:.1f} points more" in PROSE


@pytest.mark.parametrize("name", ["shd-kinds", "shd"])
@pytest.mark.parametrize("kind", ["learned", "as drawn", "none"])
def test_the_tables_of_kinds_of_delays_have_every_run(name: str, kind: str) -> None:
    runs = of_kind(f"{name}.jsonl", kind)
    test, train = percents(runs), percents(runs, "train")
    cells = [f"{of_test:.1f} % ({of_train:.1f})" for of_test, of_train in zip(test, train, strict=True)]
    cells += [f"{statistics.mean(test):.1f} %"]
    _, table = re.split(rf"`{name}\.jsonl`,\s+test\s+accuracy", RECORDS)
    found = re.search(rf"^\| {kind}.*? \| (.+)\|$", table, re.MULTILINE)
    assert found is not None and [cell.strip() for cell in found[1].split("|")] == cells


@pytest.mark.parametrize(("name", "words"), [
    ("shd.jsonl", "learned delays are better with each seed, by {} points"),
    ("shd-kinds.jsonl", "In short training, learning the delays adds {} points"),
    ("braille-recurrent.jsonl", "so learning the delays adds {} points"),
])
def test_what_learning_the_delays_adds_is_the_difference_of_the_runs(name: str, words: str) -> None:
    learned, drawn = (percents(of_kind(name, kind)) for kind in ("learned", "as drawn"))
    added = [one - other for one, other in zip(learned, drawn, strict=True)]
    assert words.format(listed(added)) in PROSE and min(added) > 0


def test_what_learning_the_time_constants_adds_on_yin_yang() -> None:
    runs = [percents(of_kind("yin-yang.jsonl", kind)) for kind in ("learned, with time constants", "learned")]
    added = [one - other for one, other in zip(*runs, strict=True)]
    half, mean, better = mean_half_width(added), statistics.mean(added), sum(value > 0 for value in added)
    assert half is not None and len(added) == 10
    said = f"{mean:.1f} points in the mean of {len(added)} pairs of a seed"
    assert f"{said} (95 %: {mean - half:.1f} to {mean + half:.1f})" in PROSE
    assert f"it is better with {better} of the 10 seeds" in PROSE


@pytest.mark.parametrize(
    ("name", "preset", "more"),
    [
        ("shd.jsonl", shd.PRESETS["best"], {"choose": "last"}),
        ("shd-recurrent.jsonl", shd.PRESETS["best"], {"choose": "last", "recurrent": True, "epochs": 20}),
        ("shd-kinds.jsonl", shd.PRESETS["best"], {"choose": "last", **SMALL, **SHORT}),
        ("tried/shd-speakers.jsonl", shd.PRESETS["best"], {"choose": "last", **SMALL}),
        ("braille.jsonl", braille.PRESETS["feed-forward"], {}),
        ("braille-recurrent.jsonl", braille.PRESETS["best"], {}),
    ],
)
def test_the_preset_is_that_of_the_recorded_runs(name: str, preset: Settings, more: dict[str, Any]) -> None:
    said = {**asdict(preset), "hidden": list(preset.hidden), **more}
    for unsaid in ("test", "certify"):  # they change no result
        del said[unsaid]
    allowed = [said, said | {"freeze_delays": True}, said | {"freeze_delays": True, "delay": 0.0}]
    for entry in map(with_defaults, entries(name)):
        assert {setting: entry[setting] for setting in said} in allowed


def test_the_settings_in_the_lines_of_yin_yang_are_those_of_the_preset() -> None:
    """Old lines have few settings, and the size of the one hidden layer as a number."""
    preset = asdict(yin_yang.PRESETS["best"]) | {"hidden": 30}
    controls = {"freeze_delays", "freeze_weights", "delay", "learn_constants", "test", "certify"}
    for entry in entries("yin-yang.jsonl"):
        common = entry.keys() & preset.keys() - controls
        assert {"lr", "delay_lr", "schedule", "epochs"} <= common
        assert all(entry[name] in (preset[name], [preset[name]]) for name in common)
