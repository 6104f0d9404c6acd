"""Training runs survive kills, signals, full disks and restarts, with equal results."""

import os
import signal
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.training import engine
from delayprop.fast.training.checkpoints import Checkpoints, digest
from delayprop.fast.training.run_folder import LOG
from tests.support.runs.reading import Patch
from tests.support.runs.short_runs import (
    SETTINGS,
    KilledError,
    Make,
    classification,
    ended,
    killed_and_resumed,
    killed_before,
    run,
    sequence,
)

EVERYTHING: dict[str, Any] = {
    "hidden": (6, 5), "inner_mean": 0.5, "inner_sd": 3.0, "recurrent": True, "rec_sd": 0.5, "rec_delay": 2.0, "pool": 2,
    "dropout": 0.3, "average": 0.8, "label_smoothing": 0.1, "warm_up": 1.5, "clip": 0.5, "learn_constants": True,
    "constants_lr": 0.05, "least_tau": 4.9, "spikes_strength": 0.01, "spikes_target": 2.0, "shift": 1, "spread": 0.2,
    "stretch": 0.2, "blend": 0.5, "drop": 0.1, "wake": 0.1, "ease_in": 0.01, "weight_decay": 0.1, "out_lr": 0.05,
    "readout": "exp_weighted_voltage", "gain": 5.0,
}
"""Every option that adds state, draws or parameters, or changes a step."""


def everything() -> Any:
    return classification(**EVERYTHING)


def frozen() -> Any:
    return classification(freeze_weights=True)


@cache
def straight(make: Make) -> tuple[str, list[dict]]:
    training = make()
    with TemporaryDirectory() as folder:
        run(training, Path(folder))
        return ended(training, Path(folder))


@pytest.mark.parametrize("make", [classification, everything, frozen, sequence])
@pytest.mark.parametrize("step", [0, 4, 11, *(pytest.param(n, marks=pytest.mark.full) for n in (1, 2, 3, 7))])
def test_a_run_that_was_killed_ends_in_the_same_bits(make: Make, step: int, tmp_path: Path) -> None:
    """Weights, delays, optimiser, best network and log; kills anywhere in an epoch."""
    assert ended(killed_and_resumed(make, step, tmp_path), tmp_path) == straight(make)


@cache
def networks_of(*changed: tuple[str, Any]) -> str:
    training = classification(**EVERYTHING | dict(changed))
    with TemporaryDirectory() as folder:
        run(training, Path(folder))
    return digest({"kept": training.best["network"], "learning": dict(training.network.named_parameters())})


@pytest.mark.full
@pytest.mark.parametrize("name", EVERYTHING)
def test_control_each_option_changes_where_a_run_ends(name: str) -> None:
    """So each of them takes part in the runs that are killed and resumed."""
    other = 1.0 if name == "rec_delay" else getattr(SETTINGS, name)  # its default is above the bound of delays
    assert networks_of((name, other)) != networks_of()


def test_control_another_seed_ends_elsewhere(tmp_path: Path) -> None:
    other = classification(seed=4)
    run(other, tmp_path / "run")
    assert digest(other.state()) != straight(classification)[0]


def test_steps_after_the_last_checkpoint_are_done_again(tmp_path: Path) -> None:
    """With rare saves and a late kill the log goes back too; an incomplete line does no harm."""
    resumed = classification()
    with pytest.raises(KilledError):
        run(killed_before(classification(), 9), tmp_path, save_seconds=1e6)
    with (tmp_path / LOG).open("a") as file:
        file.write('{"epoch": 2, "train_lo')
    run(resumed, tmp_path, resume=True)
    assert ended(resumed, tmp_path) == straight(classification)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("where", ["step", "take", "evaluate", "save"])
def test_a_signal_ends_the_run_after_the_step(
    where: str, number: signal.Signals, code: int, tmp_path: Path, monkeypatch: Patch
) -> None:
    stopped, resumed = classification(), classification()
    before, sent = signal.getsignal(signal.SIGINT), list[str]()
    of: Any = {"save": engine.CheckpointKeeper, "take": stopped.batches}.get(where, stopped)
    wrapped = getattr(of, where)

    def interrupted(*arguments: Any, **named: Any) -> Any:
        sent.append(where)
        if len(sent) == 2:
            os.kill(os.getpid(), number)
        return wrapped(*arguments, **named)

    monkeypatch.setattr(of, where, interrupted)
    assert run(stopped, tmp_path / "stopped") == code
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is before
    run(resumed, tmp_path / "stopped", resume=True)
    assert digest(resumed.state()) == straight(classification)[0]


def signalled(monkeypatch: Patch, data: SpikeData) -> list[np.ndarray]:
    taken, batches = SpikeData.batch, list[np.ndarray]()

    def batch(self: SpikeData, trials: np.ndarray, duration: float) -> Any:
        if self is data:
            batches.append(trials)
            os.kill(os.getpid(), signal.SIGTERM)
        return taken(self, trials, duration)

    monkeypatch.setattr(SpikeData, "batch", batch)
    return batches


def test_a_signal_is_seen_within_the_evaluation(tmp_path: Path, monkeypatch: Patch) -> None:
    """An evaluation may take minutes and changes nothing, so the signal cancels it."""
    training = classification()
    batches = signalled(monkeypatch, training.data["valid"])
    assert run(training, tmp_path) == 143
    assert len(batches) == 1 and Checkpoints(tmp_path).load()[0]["step"] == 3


def test_a_signal_in_the_last_evaluation_ends_the_run_which_then_goes_on(tmp_path: Path, monkeypatch: Patch) -> None:
    """The test split is not looked at in part: the resumed run evaluates it whole."""
    stopped, resumed = classification(), classification()
    signalled(monkeypatch, stopped.data["test"])
    assert run(stopped, tmp_path) == 143
    assert not (tmp_path / "result.json").exists() and digest(stopped.state()) == straight(classification)[0]
    assert run(resumed, tmp_path, resume=True) in (0, 1)
    assert (tmp_path / "result.json").exists() and digest(resumed.state()) == straight(classification)[0]


def test_every_epoch_has_an_order_of_its_own() -> None:
    seen: list[list[list[int]]] = []
    for _ in range(2):
        batches = classification().batches
        orders = [batches.trials(number).tolist() for number in range(9)]
        seen.append([list(chain(*orders[3 * epoch : 3 * epoch + 3])) for epoch in range(3)])
    assert seen[0] == seen[1]
    assert all(sorted(order) == list(range(13)) for order in seen[0])
    assert len({str(order) for order in seen[0]}) == 3
