"""`python -m results`: a line per finished run, and none of a run that is not."""

import json
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest

from delayprop.fast.runs.compared_runs import grouped
from delayprop.fast.tasks import yin_yang
from delayprop.fast.train import main as train
from results.__main__ import main as results
from tests.support.runs.reading import Capture, Patch, history, printed, refusal, resealed, rewrite
from tests.support.runs.short_runs import with_validation

OF_THE_TEST = {"test_accuracy", "count_baseline", "trials_sha256", "wrong"}
FEW = [
    "--task", "yin-yang", "--epochs", "2", "--hidden", "3", "4", "--schedule", "constant", "--seed", "7",
    "--save-seconds", "0",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: Patch) -> Path:
    """A finished run of few trials, with `--no-test`."""
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 50, "valid": 50, "test": 50})
    assert train([*FEW, "--out", str(tmp_path / "run"), "--no-test"]) == 0
    return tmp_path / "run"


@pytest.mark.full
def test_a_line_of_a_finished_run_without_a_test(folder: Path, capsys: Capture) -> None:
    assert "the folder of a finished run" in refusal(capsys, results, folder.parent)
    line = json.loads(printed(capsys, results, folder))
    assert line["network"] == "4-3-4-3" and line["seed"] == 7 and 0 <= line["valid_accuracy"] <= 1
    assert not OF_THE_TEST & line.keys()
    train([*FEW, "--out", str(folder), "--resume", "--test"])
    last = capsys.readouterr().out.splitlines()[-1]
    tested = folder.with_suffix(".jsonl")
    tested.write_text(printed(capsys, results, folder))
    line = json.loads(tested.read_text())
    assert line.keys() >= OF_THE_TEST and last == f"state sha256 {line['state_sha256']}"
    (of_folder,), (of_line,) = grouped([folder]), grouped([tested])
    assert of_line.runs.keys() == of_folder.runs.keys() and of_line.settings == of_folder.settings
    same = attrgetter("test", "valid", "wrong")
    assert [*map(same, of_line.runs.values())] == [*map(same, of_folder.runs.values())], "`compare` takes either"


def test_a_run_that_was_not_certified_has_no_line(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 50, "valid": 50, "test": 50})
    assert train([*FEW, "--out", str(tmp_path / "run"), "--no-test", "--certify", "0"]) == 0
    assert "must be a run that certifies its steps, got `--certify 0`" in refusal(capsys, results, tmp_path / "run")


@pytest.mark.full
def test_a_line_is_of_the_kept_epoch(folder: Path, monkeypatch: Patch, tmp_path: Path, capsys: Capture) -> None:
    """Validation is best in the second of three epochs; the time is that of all."""
    with_validation(monkeypatch, [0.4, 0.8, 0.6])
    assert train([*FEW, "--epochs", "3", "--out", str(tmp_path / "three"), "--no-test"]) == 0
    log = [{**line, "train_accuracy": n / 10} for n, line in enumerate(history(tmp_path / "three"))]
    (tmp_path / "three" / "history.jsonl").write_text("".join(json.dumps(one) + "\n" for one in log))
    resealed(tmp_path / "three")
    line = json.loads(printed(capsys, results, tmp_path / "three"))
    assert (line["best_epoch"], line["valid_accuracy"], line["train_accuracy"]) == (2, 0.8, 0.1)
    assert line["seconds"] == pytest.approx(sum(one["seconds"] for one in log), abs=0.05)


Change = Callable[[Path], object]


def another_option(**entries: object) -> Change:
    return lambda folder: rewrite(folder / "options.json", **entries)


def damaged(name: str, end: int | None) -> Change:
    """The content of the last such file up to an end."""

    def spoil(folder: Path) -> None:
        path = sorted(folder.glob(name))[-1]
        path.write_bytes(path.read_bytes()[:end])

    return spoil


def one_epoch(folder: Path) -> None:
    (folder / "history.jsonl").write_text(json.dumps(history(folder)[0]) + "\n")
    resealed(folder)


SPOILT: dict[str, Change] = {
    "log": one_epoch, "more epochs": another_option(epochs=5),
    "test not ended": another_option(test=True),
    "sequence": another_option(task="sequence"), "checkpoint": damaged("checkpoint-*.pt", -1),
    "network": damaged("network.pt", 1),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_no_line_of_a_run_that_has_not_ended_or_is_damaged(spoil: Change, folder: Path, capsys: Capture) -> None:
    spoil(folder)
    refusal(capsys, results, folder)
