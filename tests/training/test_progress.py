"""The bar of a run: the epoch of how many, and the time left of the whole run."""

import re
import time
from itertools import count
from pathlib import Path

import torch

from delayprop.fast.nn.certificate import Residuals
from delayprop.fast.training import epoch, progress
from delayprop.fast.training.epoch import Epoch, Progress
from delayprop.fast.training.evaluation import Evaluation
from tests.support.runs.reading import Capture, Patch, history, screen
from tests.support.runs.short_runs import classification, run


def test_the_bar_counts_epochs_and_the_time_left_of_the_run(monkeypatch: Patch) -> None:
    """Four epochs of 10 steps, 3 s each: after 5 steps of the second epoch 25 are left, 75 s."""
    seconds, terminal = [100.0], screen(monkeypatch)
    monkeypatch.setattr(epoch.time, "perf_counter", lambda: seconds[0])
    bars, sums = Progress(10, 4, True), Epoch()
    sums.fired = torch.zeros(3)
    sums.sums["trials"] = 5.0
    for done in range(1, 6):
        seconds[0] += 3.0
        bars.update(2, done, sums)
    assert bars.bar is not None
    bars.bar.refresh()
    bars.close()
    assert "epoch 2 of 4" in terminal.getvalue() and "run=01:15 left" in terminal.getvalue()


def test_the_line_of_an_epoch_is_of_all_its_steps() -> None:
    """Three steps of 5, 3 and 2 trials, two neurons; the extremes are in none of them alone."""
    sums = Epoch()
    for fired, norms, kappa, residuals, trials, loss, right, silent, clamped in (
        ([4.0, 0.0], {"w": 1.0, "d": 3.0}, 1e-2, Residuals(1e-9, None, 4e-9), 5, 10.0, 4, False, 2),
        ([1.0, 0.0], {"w": 3.0, "d": 1.0}, 1e-4, Residuals(1e-8, 5e-9, None), 3, 4.0, 1, True, 1),
        ([0.0, 0.0], {"w": 5.0, "d": 0.5}, 1e-3, Residuals(2e-9, 1e-9, None), 2, 1.0, 0, True, 0),
    ):
        sums.add(
            torch.tensor(fired), norms, kappa, residuals, trials=trials, loss=loss, right=right, silent_steps=silent,
            clamped=clamped,
        )
    assert sums.log_entry(7, Evaluation([[3, 1, 0], [0, 0, 0]], 0.75), 2.5) == {
        "epoch": 7, "train_loss": 1.5, "train_accuracy": 0.5, "valid_accuracy": 0.75, "valid_loss": 0.75,
        "spikes_per_neuron": 0.25, "silent": 0.5, "silent_steps": 2, "clamped": 3, "gradient": {"w": 3.0, "d": 1.5},
        "kappa_min": 1e-4, "seconds": 2.5, "A": 1e-8, "B": 5e-9, "C": 4e-9,
    }


def test_a_clock_that_is_set_back_changes_no_time(tmp_path: Path, monkeypatch: Patch) -> None:
    hours = count()
    monkeypatch.setattr(time, "time", lambda: 1e9 - 3600.0 * next(hours))
    began = time.monotonic()
    run(classification(), tmp_path / "run")
    seconds = [line["seconds"] for line in history(tmp_path / "run")]
    assert len(seconds) == 3 and min(seconds) > 0 and sum(seconds) < time.monotonic() - began


def test_a_log_gets_a_line_per_minute_and_no_bar(monkeypatch: Patch, capfd: Capture) -> None:
    """A step takes 25 s: lines after steps 3 and 6 of 7. Other processes write none."""
    seconds = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    for prints in (True, False):
        bars, sums = Progress(7, 2, prints), Epoch()
        sums.sums["trials"], seconds[0] = 1.0, -25.0
        for done in range(8):
            seconds[0] += 25.0
            bars.update(1, done, sums)
        bars.close()
    lines = capfd.readouterr().err.splitlines()
    assert [line.partition(", run ")[0] for line in lines] == [f"epoch 1 of 2: step {n} of 7" for n in (3, 6)]
    assert all(re.search(r"run [0-9:]+ left, loss 0\.000, accuracy 0\.0%", line) for line in lines)


def test_an_evaluation_shows_its_trials(monkeypatch: Patch, capfd: Capture) -> None:
    """On a terminal by a bar that goes away; six trials in batches of five."""
    training = classification()
    training.evaluate("test")
    capfd.readouterr()  # a line that kernels are compiled
    training.evaluate("test")
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(progress, "EVERY", 0.0)
    training.evaluate("test")
    assert capfd.readouterr().err == "evaluating: trial 3 of 6\nevaluating: trial 6 of 6\n"
    terminal = screen(monkeypatch)
    training.evaluate("test")
    assert "/6 [" in terminal.getvalue() and terminal.getvalue().endswith("\r")
