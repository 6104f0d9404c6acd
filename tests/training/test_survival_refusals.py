"""Runs that stop themselves, lack room, or may not be resumed: nothing is lost."""

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from delayprop.fast.tasks import yin_yang
from delayprop.fast.train import main
from delayprop.fast.training import engine
from delayprop.fast.training.checkpoints import HALF, Checkpoints, decoded, digest
from delayprop.fast.training.gradient_checks import NotFiniteError
from delayprop.fast.training.run_folder import LOG, NotWrittenError, RunFolder
from delayprop.spec import SpecError
from tests.support.forking import Child, started
from tests.support.runs.reading import Capture, Patch, calls, refusal
from tests.support.runs.short_runs import classification, job, run, sequence
from tests.support.runs.written_files import small_trials, splits, write


@pytest.mark.parametrize("poison", [
    lambda w: w.data[0, 0].fill_(torch.nan), lambda w: w.register_hook(lambda grad: grad * torch.inf),
], ids=["parameter", "gradient"])
def test_what_is_not_finite_stops_before_the_optimiser(poison: Callable, tmp_path: Path, monkeypatch: Patch) -> None:
    training = classification()

    def poisoned(number: int, *_: object) -> str:
        if number == 5:
            poison(training.network.out.w)
        return digest(training.state())

    before = calls(monkeypatch, training, "step", poisoned)
    with pytest.raises(NotFiniteError, match=r"out[.]w is not finite"):
        run(training, tmp_path)
    assert digest(training.state()) == before[5], "nothing was learned from it"
    kept, _ = Checkpoints(tmp_path).load()
    assert kept["step"] == 5 and torch.isfinite(kept["training"]["network"]["out.w"]).all()
    again = decoded((tmp_path / engine.REPRODUCER).read_bytes())
    assert again["step"] == 5 and len(again["under_way"]["labels"]) == 4


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_said_and_the_last_checkpoint_stays(call: str, tmp_path: Path, monkeypatch: Patch) -> None:
    training, full = classification(), Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    calls(monkeypatch, training, "step", lambda number, *_: number == 5 and monkeypatch.setattr(os, call, full))
    with pytest.raises(NotWrittenError, match=r"No space left on device.*make room, then go on with --resume"):
        run(training, tmp_path)
    monkeypatch.undo()
    kept, wrong = Checkpoints(tmp_path).load()
    assert kept["step"] in (5, 6) and wrong == [], "the run must stop at the step it cannot save"


def test_no_room_is_seen_before_the_first_step(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    said = refusal(capsys, main, "--task", "sequence", "--out", tmp_path, code=4)
    assert "1000 bytes are free at" in said and not (tmp_path / LOG).exists()


@pytest.mark.parametrize(("name", "value"), [("lr", "2"), ("seed", "1"), ("jitter", "1"), ("dtype", "float64")])
def test_a_run_is_not_resumed_with_other_options(name: str, value: str, tmp_path: Path, capsys: Capture) -> None:
    given = ["--task", "sequence", "--epochs", "2", "--out", str(tmp_path)]
    assert main(given) in (0, 1)
    assert f"`--{name}` must be" in refusal(capsys, main, *given, "--resume", f"--{name}", value)
    assert main([*given, "--resume", "--epochs", "4"]) in (0, 1), "more epochs may follow"
    assert "resumed after step 2 of 4" in capsys.readouterr().out


def test_a_run_is_not_resumed_as_another_network_or_on_other_data(tmp_path: Path, capsys: Capture) -> None:
    files = splits(tmp_path, 20, "train", "test")
    given = ["--task", "spikes", "--data", *files, "--hidden", "4", "--epochs", "1", "--out", str(tmp_path / "run")]
    assert main(given) in (0, 1)
    for changed in (
        ["--hidden", "5"], ["--hidden", "4", "4"], ["--readout", "mean_voltage"], ["--recurrent"], ["--pool", "2"],
        ["--dropout", "0.5"], ["--average", "0.9"], ["--label-smoothing", "0.1"], ["--warm-up", "1"], ["--clip", "1"],
        ["--learn-constants"], ["--constants-lr", "1"], ["--least-tau", "1"], ["--rec-sd", "1"], ["--rec-delay", "1"],
    ):
        assert f"`{changed[0]}` must be" in refusal(capsys, main, *given, "--resume", *changed, late=True)
    write(Path(files[1]), *small_trials(20, 7))
    assert "`--data-sha256` must be" in refusal(capsys, main, *given, "--resume", late=True)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_schedule_that_ends_is_part_of_what_a_run_is(schedule: str) -> None:
    assert classification(schedule=schedule).extendable == (schedule == "constant") and sequence().extendable


def test_two_runs_never_work_in_one_folder(tmp_path: Path) -> None:
    given = job().record()
    with closing(RunFolder(str(tmp_path / "run"), "letters", given)), pytest.raises(SpecError, match="no other run"):
        RunFolder(str(tmp_path / "run"), "letters", given, resume=True)
    RunFolder(str(tmp_path / "run"), "letters", given, resume=True).close()


def test_a_process_that_is_killed_leaves_no_lock_and_goes_on(tmp_path: Path) -> None:
    """After `kill -9` from outside, the command with --resume prints an equal last line."""

    def command(run: str, *more: str) -> Child:
        options = ["--task", "sequence", "--epochs", "100", "--save-seconds", "0", "--out", str(tmp_path / run), *more]
        return started("tests.support.runs.short_runs:undrawn", *options)

    def last_line(child: Child) -> str:
        done = child.wait()
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    end, child = last_line(command("straight")), command("run")
    history = tmp_path / "run" / LOG
    while not history.exists() or len(history.read_bytes().splitlines()) < 12:
        time.sleep(0.001)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait().returncode == -signal.SIGKILL
    assert last_line(command("run", "--resume")) == end
    assert end.startswith("state sha256 ")


@pytest.mark.parametrize("more", [["--resume"], []], ids=["resumed", "again"])
@pytest.mark.parametrize("left", ["nothing", "an empty folder", "a killed start"])
def test_a_run_without_a_checkpoint_is_begun(left: str, more: list[str], tmp_path: Path, capsys: Capture) -> None:
    """A job that is queued again always passes `--resume`; all runs end in the same bits."""
    again, straight = (["--task", "sequence", "--epochs", "3", "--out", str(tmp_path / name)] for name in "ab")
    if left != "nothing":
        (tmp_path / "a").mkdir()
    if left == "a killed start":
        for name in (".lock", "options.json", f".options.json{HALF}"):
            (tmp_path / "a" / name).write_text("{}")
    main(straight)
    before = capsys.readouterr().out.splitlines()[-1]
    main([*again, *more])
    said = capsys.readouterr().out.splitlines()
    assert (said[0] == f"no checkpoint in {tmp_path / 'a'} yet: the run starts") == bool(more) and said[-1] == before
    assert main(again) == 2, "a finished run is not overwritten"


def test_a_run_resumes_under_the_new_name_of_its_preset(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 40, "valid": 40, "test": 40})
    best = yin_yang.PRESETS["best"]
    monkeypatch.setattr(yin_yang, "PRESETS", {"best": best, "renamed": best, "other": replace(best, lr=2 * best.lr)})
    given = ["--task", "yin-yang", "--epochs", "1", "--hidden", "3", "--no-test", "--out", str(tmp_path / "run")]
    assert main(given) == 0
    assert main([*given, "--resume", "--preset", "renamed"]) == 0
    assert main([*given, "--resume", "--preset", "other"]) == 2
