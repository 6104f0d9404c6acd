"""Training runs survive kills, signals, full disks and restarts, with equal results."""

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from matplotlib.figure import Figure

from delayprop.fast.cpu import solver, threads
from delayprop.fast.data.records import LOG
from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.drawing import style
from delayprop.fast.train import main
from delayprop.fast.training import engine
from delayprop.fast.training.checkpoints import Checkpoints, decoded, digest
from delayprop.fast.training.gradient_checks import NotFiniteError
from delayprop.fast.training.run_folder import NotWrittenError
from tests import ROOT
from tests.support.forking import Child, called, started
from tests.support.runs.children import AT_WORK
from tests.support.runs.reading import Capture, Patch, calls, refusal
from tests.support.runs.short_runs import SETTINGS, Make, classification, killed, log, run, sequence, trained

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}  # the exit codes that shells use
SOON = 5.0  # s; on a machine that does other work too
EVERYTHING: dict[str, Any] = {
    "hidden": (6, 5), "inner_mean": 0.5, "inner_sd": 3.0, "recurrent": True, "rec_sd": 0.5, "rec_delay": 2.0, "pool": 2,
    "dropout": 0.3, "average": 0.8, "label_smoothing": 0.1, "warm_up": 1.5, "clip": 0.1, "learn_constants": True,
    "constants_lr": 0.05, "least_tau": 4.9, "spikes_strength": 0.01, "spikes_target": 2.0, "shift": 1, "spread": 0.2,
    "stretch": 0.2, "move": 5.0, "blend": 0.5, "drop": 0.1, "wake": 0.1, "ease_in": 0.01, "weight_decay": 0.1,
    "out_lr": 0.05, "readout": "exp_weighted_voltage", "gain": 5.0,
}
"""Every option that adds state, draws or parameters, or changes a step."""
MAKES: dict[str, Make] = {
    "classification": classification, "everything": partial(classification, **EVERYTHING),
    "frozen": partial(classification, freeze_weights=True), "sequence": sequence,
    "ring": partial(sequence, inputs=4, distractors=2, lr=10.0, epochs=12),
}


def end(make: str, folder: Path, **changed: Any) -> tuple[str, list[dict]]:
    """The digest of the last state of a run, and its log."""
    training = MAKES[make]()
    run(training, folder, **changed)
    return digest(training.state()), log(folder)


@cache
def straight(make: str = "classification") -> tuple[str, list[dict]]:
    with TemporaryDirectory() as folder:
        return end(make, Path(folder))


Interruption = Callable[[Any, Path, Patch], None]
"""Runs a training in a folder until it ends before its time."""


def late(training: Any, folder: Path, patch: Patch) -> None:
    """After steps without a save. The log goes back too, and an incomplete line does no harm."""
    killed(training, 9, folder, save_seconds=1e6)
    with (folder / LOG).open("a") as file:
        file.write('{"epoch": 2, "train_lo')


def signalled(where: str, number: int) -> Interruption:
    """By a signal in the second call of a function."""
    def stop(training: Any, folder: Path, patch: Patch) -> None:
        turn = count()
        of: Any = {"save": engine.CheckpointKeeper, "take": training.batches}.get(where, training)
        # signal 0 is none
        calls(patch, of, where, lambda *_, **__: os.kill(os.getpid(), number if next(turn) == 1 else 0))
        assert run(training, folder) == CODES[signal.Signals(number)]

    return stop


def within_evaluation(split: str, step: int) -> Interruption:
    """An evaluation may take minutes and changes nothing, so a signal cancels it; no result is of a
    part."""
    def stop(training: Any, folder: Path, patch: Patch) -> None:
        def note(of: SpikeData, *_: object) -> bool:
            if of is training.data[split]:
                os.kill(os.getpid(), signal.SIGTERM)
            return of is training.data[split]

        batches = calls(patch, SpikeData, "batch", note)
        assert run(training, folder) == 143
        assert sum(batches) == 1 and Checkpoints(folder).load()[0]["step"] == step
        assert split == "valid" or digest(training.state()) == straight()[0]

    return stop


KILLS: dict[str, Interruption] = {
    f"killed before {step}": lambda training, folder, patch, step=step: killed(training, step, folder)  # type: ignore[misc]
    for step in (0, 1, 2, 3, 4, 7, 11)
}
OTHERS: dict[str, Interruption] = {
    "killed late": late,
    **{f"{number.name} in {where}": signalled(where, number) for number in CODES
       for where in ("step", "take", "evaluate", "save")},
    "SIGTERM within validation": within_evaluation("valid", 3),
    "SIGTERM within the test": within_evaluation("test", 12),
}


@pytest.mark.parametrize(("make", "name"), [
    *(pytest.param(make, name, marks=[] if name.endswith((" 0", " 4", " 11")) else pytest.mark.full)
      for make in MAKES for name in KILLS),
    *(("classification", name) for name in OTHERS),
])
def test_an_interrupted_run_ends_in_the_same_bits(make: str, name: str, tmp_path: Path) -> None:
    """Weights, delays, optimiser, best network and log."""
    before = signal.getsignal(signal.SIGINT)
    with Patch.context() as patch:
        {**KILLS, **OTHERS}[name](MAKES[make](), tmp_path, patch)
    assert signal.getsignal(signal.SIGINT) is before and not (tmp_path / "result.json").exists()
    assert end(make, tmp_path, resume=True) == straight(make) and (tmp_path / "result.json").exists()


@cache
def networks_of(*changed: tuple[str, Any]) -> str:
    with TemporaryDirectory() as folder:
        training = trained(Path(folder), **EVERYTHING | dict(changed))
    return digest({"kept": training.best["network"], "learning": dict(training.network.named_parameters())})


@pytest.mark.full
@pytest.mark.parametrize("name", EVERYTHING)
def test_control_each_option_changes_where_a_run_ends(name: str) -> None:
    """So each of them takes part in the runs that are killed and resumed."""
    other = 1.0 if name == "rec_delay" else getattr(SETTINGS, name)  # its default is above the bound of delays
    assert networks_of((name, other)) != networks_of()


def test_control_another_seed_ends_elsewhere(tmp_path: Path) -> None:
    assert digest(trained(tmp_path, seed=4).state()) != straight()[0]


def at_work(folder: Path) -> subprocess.Popen[str]:
    """A run in its long step, in a process of its own; of the package `fast` that is imported here,
    which may be a copy with a fault."""
    program = f"import sys; from tests.support.runs.children import deaf; sys.exit(deaf({str(folder)!r}))"
    path = os.pathsep.join([str(Path(engine.__file__).parents[3]), str(ROOT)])
    line, variables, pipe = [sys.executable, "-P", "-c", program], {**os.environ, "PYTHONPATH": path}, subprocess.PIPE
    child = subprocess.Popen(line, env=variables, stdout=pipe, stderr=pipe, text=True)
    while not (folder / AT_WORK).exists():
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.01)
    time.sleep(0.3)
    return child


@pytest.mark.full
def test_a_second_interrupt_ends_a_process_whose_kernel_runs(tmp_path: Path) -> None:
    """Python runs no handler there; the first interrupt, as a control, is not heard."""
    child = at_work(tmp_path)
    child.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    try:
        err = child.communicate(timeout=SOON)[1]
    finally:
        child.kill()
    assert child.returncode == 130 and "interrupted; --resume goes on" in err
    kept, wrong = Checkpoints(tmp_path).load()
    assert kept["step"] == 0 and wrong == []


@pytest.mark.parametrize("at", ["learning", "backward", "evaluation"])
def test_a_signal_between_pieces_loses_nothing(
    at: str, tmp_path: Path, monkeypatch: Patch, use_threads: Callable[[int], None]
) -> None:
    """No further piece begins. The resumed run ends in the bits of one that was never stopped."""
    use_threads(1)  # Python hears signals in the main thread alone, and one thread solves all pieces there
    monkeypatch.setattr(threads, "BINS_PER_PIECE", 1)  # of all runs, since sums depend on it
    stopped, whole = classification(), end("classification", tmp_path / "whole")
    name = "backward_sweep" if at == "backward" else "forward_sweep"
    under_way = calls(monkeypatch, stopped, "step", lambda number, *_: number)

    def signalled(*_: object) -> bool:
        now = under_way[-1:] == [7 if at == "evaluation" else 5]
        if now:
            os.kill(os.getpid(), signal.SIGTERM)
        return now

    with monkeypatch.context() as patch:
        pieces = calls(patch, solver, name, signalled)
        assert run(stopped, tmp_path / "run") == 143
    assert sum(pieces) == 1, "each layer has several pieces"
    assert Checkpoints(tmp_path / "run").load()[0]["step"] == under_way[-1]
    assert end("classification", tmp_path / "run", resume=True) == whole


@pytest.mark.parametrize("number", CODES)
def test_a_signal_while_pictures_are_drawn_leaves_a_finished_run(
    number: signal.Signals, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    """It comes when half of a picture is made, and no part of this picture is written."""
    training, out, save, drawn = classification(), tmp_path / "run", Figure.savefig, list[str]()
    two = ("first.png", "second.png")
    monkeypatch.setattr(engine, "draw", lambda folder: [style.save(Figure(), folder, name) for name in two])

    def saved(figure: Figure, target: Any, **how: Any) -> None:
        save(figure, target, **how)
        drawn.append("a picture")
        if len(drawn) == 2:
            target.truncate(100) if isinstance(target, io.BytesIO) else os.truncate(target, 100)
            os.kill(os.getpid(), number)
            save(figure, target, **how)

    with monkeypatch.context() as patch:
        patch.setattr(Figure, "savefig", saved)
        assert run(training, out) == CODES[number]
    line = f"stopped by {number.name} after the last step; the run is finished, and `delayprop report {out}` draws"
    assert capsys.readouterr().out.splitlines()[-1].startswith(line)
    pictures = {one.name for one in out.iterdir() if one.suffix not in (".pt", ".json", ".jsonl", ".npz", ".sha256")}
    assert pictures == {".lock", "first.png"}
    assert (out / "result.json").exists() and (out / "network.pt").exists()
    assert run(training, out, resume=True) in (0, 1) and (out / "second.png").exists()


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize(("rest", "left"), [
    (60.0, "`delayprop report {}` draws its pictures"), (0.0, "its pictures are drawn"),
])
def test_a_signal_in_a_finaliser_ends_the_drawing_too(
    number: signal.Signals, rest: float, left: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    """Python drops an error there. `rest`: s that the drawing would take from then on."""
    class Dying:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)

    def draw(folder: Path) -> list[str]:
        Dying()
        until = time.monotonic() + rest
        while time.monotonic() < until:
            time.sleep(0.001)
        return []

    monkeypatch.setattr(engine, "draw", draw)
    began = time.monotonic()
    assert run(classification(), tmp_path / "run") == CODES[number]
    out, err = capsys.readouterr()
    line = f"stopped by {number.name} after the last step; the run is finished, and {left.format(tmp_path / 'run')}"
    assert (out.splitlines()[-1], err) == (line, "") and time.monotonic() - began < 60


def test_a_signal_at_the_end_of_a_run_without_a_result_promises_no_pictures(tmp_path: Path, capsys: Capture) -> None:
    def finish(*_: object) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    training: Any = classification()
    training.finish = finish
    assert run(training, tmp_path / "run") == 143
    assert capsys.readouterr().out.splitlines()[-1] == "stopped by SIGTERM after the last step; the run is finished"


@pytest.mark.parametrize("words", [("--lr", "1e6"), ("--weight-decay", "1e6"), ("--w-mean", "1e5")])
def test_a_network_that_spikes_without_measure_ends_its_run(words: tuple[str, str], tmp_path: Path) -> None:
    """It took gigabytes. The step can be repeated, and the checkpoint before it stays."""
    out = tmp_path / "run"
    done = called("tests.support.runs.short_runs:undrawn", "--task", "yin-yang", *words, "--out", out)
    assert done.returncode == 3 and done.stderr.count("\n") == 1
    assert "spikes each in a trial of 35 ms; lower their weights" in done.stderr or "too fast" in done.stderr
    again = decoded((out / engine.REPRODUCER).read_bytes())
    assert again["step"] <= 2 and len(again["under_way"]["labels"]) == 50
    assert Checkpoints(out).load()[1] == []


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
