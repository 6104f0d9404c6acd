"""Every result in the tables is in a file under `results/`, made with the presets."""

import json
import re
import statistics
from dataclasses import asdict

import pytest

from delayprop.fast.tasks import braille, yin_yang
from delayprop.fast.training.intervals import mean_half_width
from delayprop.fast.training.settings import Settings, with_defaults
from tests.results.records import PROSE, RECORDS, SHD, entries, listed, of_kind, percents, spread
from tests.support.house.sources import FILES, read

SAID = {
    "yin-yang": (
        "yin-yang.jsonl", 10,
        {
            "no delays": "none", "weights as drawn": "learned, weights as drawn",
            "time constants learned too": "learned, with time constants",
        },
    ),
    "braille": ("braille-recurrent.jsonl", 3, {"delays as drawn": "as drawn"}),
}
"""Task, and file, number of seeds, and the controls: their words in the table, kind of delays."""
FIRST = "b955ca95"
"""The SHA-256 of the first training file of SHD, which was wrong."""


@pytest.mark.parametrize("task", SAID)
def test_the_first_table_says_what_the_runs_reached(task: str) -> None:
    name, seeds, controls = SAID[task]
    found = {kind: percents(of_kind(name, kind)) for kind in ("learned", *controls.values())}
    assert {len(values) for values in found.values()} == {seeds}
    said = "; ".join(f"{words}: {spread(found[kind])}" for words, kind in controls.items())
    if task == "braille":
        said += f"; not recurrent, 5 seeds: {spread(percents(of_kind('braille.jsonl', 'learned')))}"
    row = rf"^\| `{task}`, .*{seeds} seeds \| {spread(found['learned'])} \| {said} \|$"
    assert re.search(row, RECORDS, re.MULTILINE)


def test_no_figure_of_the_first_shd_files_is_left() -> None:
    found = [str(path) for path in FILES if FIRST in read(path)]
    assert found == ["results/README.md", "tests/results/test_recorded_runs.py"]
    texts = [read(path) for path in FILES if re.fullmatch(r"results/.*\.jsonl?", str(path))]
    runs = [line for text in texts for line in text.splitlines() if '"task": "shd"' in line]
    tested = {json.loads(line)["trials_sha256"] for line in runs if SHD in line}
    evaluated = [json.loads(line)["test"]["trials_sha256"] for line in runs if SHD not in line]
    assert len(tested) == 1 and {*evaluated} <= tested, "an evaluation is of the same test trials"


@pytest.mark.parametrize(("name", "words"), [
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
    ("name", "preset"),
    [
        ("braille.jsonl", braille.PRESETS["feed-forward"]),
        ("braille-recurrent.jsonl", braille.PRESETS["best"]),
    ],
)
def test_the_preset_is_that_of_the_recorded_runs(name: str, preset: Settings) -> None:
    said = asdict(preset) | {"hidden": list(preset.hidden)}
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
