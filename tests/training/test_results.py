"""Every result that the README states is in a file under `results/`."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

import pytest

from fast.tasks import yin_yang
from fast.train import main as train
from fast.training.intervals import wilson_interval
from results.__main__ import main as results
from tests import ROOT

SAID = {
    "yin-yang, delays": ("yin-yang.jsonl", False, 10, "with learned delays and"),
    "yin-yang, none": ("yin-yang.jsonl", True, 10, "without delays"),
    "braille, delays": ("braille.jsonl", False, 5, "with learned delays,"),
    "braille, frozen": ("braille.jsonl", True, 5, "with `--freeze-delays`"),
    "shd, delays": ("shd-delays.jsonl", False, 3, "with learned delays, 58.9"),
    "shd, none": ("shd-delays.jsonl", True, 3, "without delays (`--freeze-delays --delay 0`) on the test split"),
}
"""File, whether delays were frozen, number of seeds, and the words after the figures in README."""
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def accuracies(name: str, freeze_delays: bool, seeds: int) -> list[float]:
    """Test accuracies in per cent, by seed."""
    lines = (ROOT / "results" / name).read_text(encoding="utf-8").splitlines()
    entries = [entry for entry in map(json.loads, lines) if entry["freeze_delays"] == freeze_delays]
    assert [entry["seed"] for entry in entries] == list(range(seeds)), "every seed must be there once"
    assert len({(entry["epochs"], entry["lr"], entry["delay_lr"], entry["network"]) for entry in entries}) == 1
    return [100 * entry["test_accuracy"] for entry in entries]


@pytest.mark.parametrize(("name", "freeze_delays", "seeds", "words"), SAID.values(), ids=SAID.keys())
def test_the_readme_says_what_the_runs_reached(name: str, freeze_delays: bool, seeds: int, words: str) -> None:
    said = re.search(rf"([\d.]+) ± ([\d.]+) % {re.escape(words)}", README)
    assert said is not None
    found = accuracies(name, freeze_delays, seeds)
    assert said.groups() == (f"{statistics.mean(found):.1f}", f"{statistics.stdev(found):.1f}")


def test_the_readme_says_what_the_run_on_shd_reached() -> None:
    (entry,) = map(json.loads, (ROOT / "results" / "shd.jsonl").read_text(encoding="utf-8").splitlines())
    low, high = wilson_interval(round(2264 * entry["test_accuracy"]), 2264)
    interval = f"95 %: {100 * low:.1f} to {100 * high:.1f}"
    said = f"reaches {entry['test_accuracy']:.1%} on the test split (one seed; {interval})"
    assert said.replace("%", " %", 1) in README
    assert f"spike counts give {100 * entry['count_baseline']:.1f} %" in README


def test_a_line_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 50, "valid": 50, "test": 50})
    train(["--task", "yin-yang", "--epochs", "1", "--seed", "7", "--out", str(tmp_path / "run")])
    last = capsys.readouterr().out.splitlines()[-1]
    assert results([str(tmp_path / "run")]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert entry["seed"] == 7 and entry["network"] == "4-30-3" and last == f"state sha256 {entry['state_sha256']}"


def test_a_run_that_is_not_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert results([str(tmp_path)]) == 2
    assert "the folder of a finished run" in capsys.readouterr().err
