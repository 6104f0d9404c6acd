"""Numbers of an epoch: its line of the log, its warnings, and its progress."""

import re
import time

import pytest
import torch

from delayprop.fast.training import epoch
from delayprop.fast.training.epoch import Epoch, Progress, silence_warnings
from delayprop.fast.training.evaluation import Evaluation
from tests.support.runs.reading import Capture, Patch, screen


def named(*certified: float | None) -> dict[str, float | None]:
    return dict(zip(epoch.CERTIFIED, certified, strict=True))


def test_the_line_of_an_epoch_is_of_all_its_steps() -> None:
    """Three steps of 5, 3 and 2 trials, two hidden neurons and an output that spikes; the extremes
    are in none of the steps alone."""
    sums = Epoch()
    for fired, norms, kappa, residuals, trials, loss, right, silent, clamped in (
        ([4.0, 0.0, 9.0], {"w": 1.0, "d": 3.0}, 1e-2, named(1e-9, None, 4e-9, None), 5, 10.0, 4, False, 2),
        ([1.0, 0.0, 9.0], {"w": 3.0, "d": 1.0}, 1e-4, named(1e-8, 5e-9, None, 6e-8), 3, 4.0, 1, True, 1),
        ([0.0, 0.0, 9.0], {"w": 5.0, "d": 0.5}, 1e-3, {}, 2, 1.0, 0, True, 0),
    ):
        sums.add(
            torch.tensor(fired), norms, kappa, residuals, trials=trials, loss=loss, right=right, silent_steps=silent,
            clamped=clamped,
        )
    assert sums.log_entry(7, Evaluation([[3, 1, 0], [0, 0, 0]], 0.75), 2.5, hidden=2) == {
        "epoch": 7, "train_loss": 1.5, "train_accuracy": 0.5, "valid_accuracy": 0.75, "valid_loss": 0.75,
        "spikes_per_neuron": 0.25, "silent": 0.5, "silent_steps": 2, "clamped": 3, "gradient": {"w": 3.0, "d": 1.5},
        "kappa_min": 1e-4, "seconds": 2.5, "A": 1e-8, "B": 5e-9, "C": 4e-9,
        "float64": 6e-8,
    }


@pytest.mark.parametrize(("float64", "words"), [(3.2e-7, "C -  float64 3e-07  2 s"), (None, "C -  2 s")])
def test_the_printed_line_has_the_certificate(float64: float | None, words: str) -> None:
    entry = Epoch(sums=dict.fromkeys(epoch.SUMS, 1.0), residuals=named(1e-8, None, None, float64))
    logged = entry.log_entry(7, Evaluation([[1, 0]], 0.5), 2.4, hidden=1)
    line, old = epoch.printed_line(logged), {name: logged[name] for name in logged if name != "float64"}
    assert line.startswith("  7  loss 1.000  train 100.0%") and line.endswith(f"A 1e-08  B -  {words}")
    assert epoch.printed_line(old).endswith("C -  2 s"), "of a run before there was such a number"


def test_a_hidden_layer_of_one_neuron_has_its_spikes_in_the_line() -> None:
    sums = Epoch()
    for fired in (3.0, 0.0):
        sums.add(torch.tensor([fired]), {}, 0.5, {}, trials=2, loss=1.0, right=1)
    found = sums.log_entry(1, Evaluation([[1, 0]], 0.5), 1.0, hidden=1)
    assert (found["spikes_per_neuron"], found["silent"], found["kappa_min"]) == (0.75, 0.0, 0.5)


@pytest.mark.parametrize(("silent", "steps", "words"), [
    (0.92, 0, "92% of the hidden neurons were silent in this epoch: they learn nothing; take smaller steps, or let"),
    (0.5, 0, "50% of the hidden neurons were silent"), (0.4, 0, None),
    (1.0, 3, "all neurons of a layer were silent in 3 of 5 steps: no gradient passed"),
])
def test_many_silent_neurons_are_followed_by_the_remedy(silent: float, steps: int, words: str | None) -> None:
    entry = {"silent": silent, "silent_steps": steps}
    for rate in (0.0, 3.0):
        found = silence_warnings(entry, 5, rate)
        assert len(found) == (words is not None) and all(one.startswith(words or "") for one in found)
        assert all(("--rate 3" in one) == (not rate) and "--wake 0.05" in one for one in found)


def test_the_bar_counts_epochs_and_the_time_left_of_the_run(monkeypatch: Patch) -> None:
    """Five epochs of 10 steps, 3 s each: after 5 steps of the second epoch 35 are left, 105 s. Of
    three neurons one is silent; the others emit 7.5 spikes in 5 trials, of which 3 are right."""
    seconds, terminal = [100.0], screen(monkeypatch)
    monkeypatch.setattr(epoch.time, "perf_counter", lambda: seconds[0])
    bars, sums = Progress(10, 5, 3, True), Epoch()
    sums.fired = torch.tensor([4.0, 0.0, 3.5])
    sums.sums |= {"trials": 5.0, "loss": 7.0, "right": 3.0}
    for done in range(1, 6):
        seconds[0] += 3.0
        bars.update(2, done, sums)
    bars.bar.refresh()
    bars.close()
    last = terminal.getvalue().split("\r")[-3]
    assert "epoch 2 of 5" in last and "run=01:45 left" in last
    assert "loss=1.400, accuracy=60.0%, spikes=0.5, silent=33%" in last
    bars.update(3, 10, sums)
    bars.bar.refresh()
    assert "epoch 3 of 5" in terminal.getvalue(), "each epoch has a bar of its own"
    bars.close()


def test_a_log_gets_a_line_per_minute_and_no_bar(monkeypatch: Patch, capfd: Capture) -> None:
    """A step takes 25 s: lines after steps 3 and 6 of 7. Other processes write none."""
    seconds = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    for prints in (True, False):
        bars, sums = Progress(7, 2, 1, prints), Epoch()
        sums.sums["trials"], seconds[0] = 1.0, -25.0
        for done in range(8):
            seconds[0] += 25.0
            bars.update(1, done, sums)
        bars.close()
    lines = capfd.readouterr().err.splitlines()
    assert [line.partition(", run ")[0] for line in lines] == [f"epoch 1 of 2: step {n} of 7" for n in (3, 6)]
    shown = r"run [0-9:]+ left, loss 0\.000, accuracy 0\.0%, spikes 0\.0, silent 100%"
    assert all(re.search(shown, line) for line in lines)
