"""Every result that the README states is in a file under `results/`."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from docs.hooks import delays
from fast.tasks import braille, shd, yin_yang
from fast.train import main as train
from fast.training.settings import Settings, with_defaults
from results.__main__ import main as results
from tests import ROOT

SAID = {
    "yin-yang": ("yin-yang.jsonl", 10, {"no delays": "none", "weights as drawn": "learned, weights as drawn"}),
    "braille": ("braille-recurrent.jsonl", 3, {"delays as drawn": "as drawn"}),
    "shd": ("shd-kinds.jsonl", 3, {"delays as drawn": "as drawn", "no delays": "none"}),
}
"""Task, and file, number of seeds, and the controls: their words in the README, kind of delays."""
SPLITS = ("train", "valid")
SMALL: dict[str, Any] = {"hidden": [128], "epochs": 10, "average": 0.998}
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECORDS = (ROOT / "results" / "README.md").read_text(encoding="utf-8")


def entries(name: str) -> list[dict[str, Any]]:
    return list(map(json.loads, (ROOT / "results" / name).read_text(encoding="utf-8").splitlines()))


def accuracies(name: str, kind: str, seeds: int) -> list[float]:
    """Test accuracies in per cent, by seed."""
    runs = [entry for entry in entries(name) if delays(entry) == kind]
    assert [entry["seed"] for entry in runs] == list(range(seeds)), "every seed must be there once"
    assert len({(entry["epochs"], entry["lr"], entry["delay_lr"], entry["network"]) for entry in runs}) == 1
    return [100 * entry["test_accuracy"] for entry in runs]


@pytest.mark.parametrize("task", SAID)
def test_the_readme_says_what_the_runs_reached(task: str) -> None:
    name, seeds, controls = SAID[task]
    reached = spread(accuracies(name, "learned", seeds))
    said = "; ".join(f"{words}: {spread(accuracies(name, kind, seeds))}" for words, kind in controls.items())
    if task == "braille":
        said += f"; not recurrent, 5 seeds: {spread(accuracies('braille.jsonl', 'learned', 5))}"
    assert re.search(rf"^\| `{task}`, .*{seeds} seeds \| {reached} \| {said} \|$", README, re.MULTILINE) is not None


def learned(name: str) -> list[dict[str, Any]]:
    """The runs with learned delays."""
    return [entry for entry in entries(name) if delays(entry) == "learned"]


def spread(found: list[float]) -> str:
    return f"{statistics.mean(found):.1f} ± {statistics.stdev(found):.1f} %"


def test_the_readme_says_what_the_runs_on_shd_reached() -> None:
    own, (recurrent,) = learned("shd.jsonl"), entries("shd-recurrent.jsonl")
    lstms = [entry for entry in of_torch("lstm") if not entry["valid_speakers"]]
    assert [entry["seed"] for entry in lstms] == [entry["seed"] for entry in own] == [0, 1, 2]
    assert {entry["recurrent"] for entry in own} == {False} and recurrent["recurrent"]
    assert all(entry["data_sha256"] == lstms[0]["data_sha256"] for entry in [*entries("shd.jsonl"), recurrent, *lstms])
    first, second, third = (f"{100 * entry['test_accuracy']:.1f}" for entry in lstms)
    assert f"three seeds reach {first}, {second} and {third} %" in " ".join(RECORDS.split())
    reached = spread(accuracies("shd.jsonl", "learned", 3))
    drawn = spread(accuracies("shd.jsonl", "as drawn", 3))
    (none,) = accuracies("shd.jsonl", "none", 1)
    more = f"recurrent, {recurrent['epochs']} epochs: {100 * recurrent['test_accuracy']:.1f} %"
    others = f"delays as drawn: {drawn}; seed 0 without delays: {none:.1f} %, {more}"
    row = f"| `shd`, 256 hidden neurons, {own[0]['epochs']} epochs, 3 seeds | {reached} |"
    (cnn,) = (100 * entry["test_accuracy"] for entry in of_torch("cnn"))
    lstm = spread([100 * entry["test_accuracy"] for entry in lstms])
    yardsticks = f"LSTM of torch: {lstm}; CNN, one seed: {cnn:.1f} %"
    assert f"{row} {others}; {yardsticks} |" in README


def of_torch(network: str) -> list[dict[str, Any]]:
    found = json.loads((ROOT / "results" / "shd-baselines.json").read_text(encoding="utf-8"))
    return [entry for entry in found if entry["network"] == network]


@pytest.mark.parametrize(
    ("name", "kind", "seeds"),
    [(name, kind, 3) for name in ("shd-kinds", "shd") for kind in ("learned", "as drawn")]
    + [("shd-kinds", "none", 3), ("shd", "none", 1)],
)
def test_the_tables_of_kinds_of_delays_have_every_run(name: str, kind: str, seeds: int) -> None:
    test = accuracies(f"{name}.jsonl", kind, seeds)
    train = [100 * entry["train_accuracy"] for entry in entries(f"{name}.jsonl") if delays(entry) == kind]
    cells = [f"{of_test:.1f} % ({of_train:.1f})" for of_test, of_train in zip(test, train, strict=True)]
    cells += (3 - seeds) * ["not run"] + [f"{statistics.mean(test):.1f} %" if seeds == 3 else ""]
    _, table = re.split(rf"`{name}\.jsonl`,\s+test\s+accuracy", RECORDS)
    found = re.search(rf"^\| {kind}.*? \| (.+)\|$", table, re.MULTILINE)
    assert found is not None and [cell.strip() for cell in found[1].split("|")] == cells


def test_what_learning_the_delays_adds_at_full_length_is_the_difference_of_the_runs() -> None:
    pairs = zip(accuracies("shd.jsonl", "learned", 3), accuracies("shd.jsonl", "as drawn", 3), strict=True)
    first, second, third = (f"{one - other:.1f}" for one, other in pairs)
    said = f"learned delays are better with each seed, by {first}, {second} and {third} points"
    assert said in " ".join(RECORDS.split()) and min(map(float, (first, second, third))) > 0


def test_the_table_of_what_was_tried_has_the_runs_of_the_preset() -> None:
    named = {f"**the preset**, seed {seed}": entry for seed, entry in enumerate(learned("shd.jsonl"))}
    (recurrent,) = entries("shd-recurrent.jsonl")
    for name, entry in {**named, "the preset, `--recurrent`": recurrent}.items():
        train, valid, test = (f"{100 * entry[f'{split}_accuracy']:.1f} %" for split in ("train", "valid", "test"))
        assert f"| {name} | {entry['epochs']} | {train} | {valid} (one in 20) | {test} |" in RECORDS


def test_the_table_of_new_speakers_has_every_run() -> None:
    """The runs of `fast.train`, and those of the LSTM, with each pair of speakers held out."""
    lstms = {tuple(entry["valid_speakers"]): entry for entry in of_torch("lstm") if entry["valid_speakers"]}
    runs = {tuple(entry["valid_speakers"]): entry for entry in entries("shd-speakers.jsonl")}
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
        assert f"| {name} | {' | '.join(f'{value:.1f} %' for value in row)} |" in RECORDS
    (_, ours, _, theirs), pairs = rows.pop("mean"), list(zip(*rows.values(), strict=True))
    between, between_theirs = (max(column) - min(column) for column in (pairs[1], pairs[3]))
    better = sum(row[1] > row[3] for row in rows.values())
    said = " ".join(RECORDS.split())
    assert f"differs by up to {between:.0f} points, that of the LSTM by up to {between_theirs:.0f}." in said
    assert f"Their means differ by {ours - theirs:.1f} points." in said
    assert better == 3 and "The preset is better on three pairs, the LSTM on two." in said


def test_the_table_of_what_was_tried_on_braille_has_the_recurrent_runs() -> None:
    runs = learned("braille-recurrent.jsonl")
    train, valid = (statistics.mean(100 * entry[f"{split}_accuracy"] for entry in runs) for split in ("train", "valid"))
    reached = spread(accuracies("braille-recurrent.jsonl", "learned", 3))
    cells = f"{runs[0]['epochs']} | {train:.1f} % | {valid:.1f} % | {reached} |"
    assert f"| the same, `--recurrent --dropout 0.1`, 3 seeds | {cells}" in RECORDS


@pytest.mark.parametrize(
    ("name", "preset", "more"),
    [
        ("shd.jsonl", shd.PRESETS["best"], {"choose": "last"}),
        ("shd-recurrent.jsonl", shd.PRESETS["best"], {"choose": "last", "recurrent": True, "epochs": 20}),
        ("shd-speakers.jsonl", shd.PRESETS["best"], {"choose": "last", **SMALL}),
        ("braille.jsonl", braille.PRESETS["feed-forward"], {}),
        ("braille-recurrent.jsonl", braille.PRESETS["best"], {}),
    ],
)
def test_the_preset_is_that_of_the_recorded_runs(name: str, preset: Settings, more: dict[str, Any]) -> None:
    said = {**asdict(preset), "hidden": list(preset.hidden), **more}
    for unsaid in ("test", "certify"):  # they change no result
        del said[unsaid]
    controls = {"freeze_delays": True}, {"freeze_delays": True, "delay": 0.0}
    for entry in map(with_defaults, entries(name)):
        assert {name: entry[name] for name in said} in (said, *({**said, **control} for control in controls))


def test_a_line_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 50, "valid": 50, "test": 50})
    train(["--task", "yin-yang", "--epochs", "1", "--seed", "7", "--out", str(tmp_path / "run")])
    last = capsys.readouterr().out.splitlines()[-1]
    assert results([str(tmp_path / "run")]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert entry["seed"] == 7 and entry["network"] == "4-30-3" and last == f"state sha256 {entry['state_sha256']}"


FEW = ["--task", "yin-yang", "--epochs", "2", "--hidden", "3", "4", "--schedule", "constant", "--save-seconds", "0"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A finished run of few trials, with `--no-test`."""
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 50, "valid": 50, "test": 50})
    assert train([*FEW, "--out", str(tmp_path / "run"), "--no-test"]) == 0
    capsys.readouterr()
    return tmp_path / "run"


def test_a_line_of_a_run_without_a_test(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert results([str(folder)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["network"] == "4-3-4-3" and 0 <= line["valid_accuracy"] <= 1
    assert not {"test_accuracy", "count_baseline"} & line.keys()
    train([*FEW, "--out", str(folder), "--resume", "--test"])
    capsys.readouterr()
    assert results([str(folder)]) == 0
    assert {"test_accuracy", "count_baseline"} <= json.loads(capsys.readouterr().out).keys()


def shorten_the_log(folder: Path) -> None:
    log = folder / "history.jsonl"
    log.write_text(log.read_text(encoding="utf-8").splitlines(keepends=True)[0], encoding="utf-8")


def another_option(name: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        options = json.loads((folder / "options.json").read_text(encoding="utf-8"))
        (folder / "options.json").write_text(json.dumps({**options, name: value}), encoding="utf-8")

    return change


def damage_the_last_checkpoint(folder: Path) -> None:
    path = sorted(folder.glob("checkpoint-*.pt"))[-1]
    path.write_bytes(path.read_bytes()[:-1])


def damage_the_network(folder: Path) -> None:
    (folder / "network.pt").write_bytes(b"x")


@pytest.mark.parametrize(
    "spoil",
    [
        shorten_the_log, another_option("epochs", 5), another_option("test", True), another_option("task", "sequence"),
        damage_the_last_checkpoint, damage_the_network,
    ],
    ids=["log", "more epochs", "test not ended", "sequence", "checkpoint", "network"],
)
def test_no_line_of_a_run_that_has_not_ended_or_is_damaged(
    spoil: Callable[[Path], None], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    assert results([str(folder)]) == 2
    assert capsys.readouterr().out == ""


def test_a_run_that_is_not_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert results([str(tmp_path)]) == 2
    assert "the folder of a finished run" in capsys.readouterr().err
