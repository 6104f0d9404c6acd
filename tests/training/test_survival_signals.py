"""Signals that come while kernels run, and neurons that spike without measure."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from delayprop.fast.cpu import solver, threads
from delayprop.fast.drawing import style
from delayprop.fast.training import engine
from delayprop.fast.training.checkpoints import Checkpoints, decoded, digest
from tests import ROOT
from tests.support.forking import called
from tests.support.runs.deaf import AT_WORK
from tests.support.runs.reading import Capture, Patch, calls
from tests.support.runs.short_runs import classification, run

SOON = 5.0  # s; on a machine that does other work too


def at_work(folder: Path) -> subprocess.Popen[str]:
    """A run in its long step, in a process of its own; of the package `fast` that is imported here,
    which may be a copy with a fault."""
    program = f"import sys; from tests.support.runs.deaf import main; sys.exit(main({str(folder)!r}))"
    path = os.pathsep.join([str(Path(engine.__file__).parents[3]), str(ROOT)])
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", program], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )
    while not (folder / AT_WORK).exists():
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.01)
    time.sleep(0.3)
    return child


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
    stopped, resumed, whole = classification(), classification(), classification()
    run(whole, tmp_path / "whole")
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
    run(resumed, tmp_path / "run", resume=True)
    assert digest(resumed.state()) == digest(whole.state())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_pictures_are_drawn_leaves_a_finished_run(
    number: signal.Signals, code: int, tmp_path: Path, monkeypatch: Patch, capsys: Capture
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
        assert run(training, out) == code
    line = f"stopped by {number.name} after the last step; the run is finished, and `delayprop report {out}` draws"
    assert capsys.readouterr().out.splitlines()[-1].startswith(line)
    pictures = {one.name for one in out.iterdir() if one.suffix not in (".pt", ".json", ".jsonl", ".npz")}
    assert pictures == {".lock", "first.png"}
    assert (out / "result.json").exists() and (out / "network.pt").exists()
    assert run(training, out, resume=True) in (0, 1) and (out / "second.png").exists()


@pytest.mark.parametrize("words", [("--lr", "1e6"), ("--weight-decay", "1e6"), ("--w-mean", "1e5")])
def test_a_network_that_spikes_without_measure_ends_its_run(words: tuple[str, str], tmp_path: Path) -> None:
    """It took gigabytes. The step can be repeated, and the checkpoint before it stays."""
    out = tmp_path / "run"
    done = called("tests.support.runs.undrawn:main", "--task", "yin-yang", *words, "--out", out)
    assert done.returncode == 3 and done.stderr.count("\n") == 1
    assert "spikes each in a trial of 35 ms; lower their weights" in done.stderr or "too fast" in done.stderr
    again = decoded((out / engine.REPRODUCER).read_bytes())
    assert again["step"] <= 2 and len(again["under_way"]["labels"]) == 50
    assert Checkpoints(out).load()[1] == []
