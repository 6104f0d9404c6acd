"""Training runs survive kills, signals, full disks and restarts, with equal results."""

import os
import signal
from functools import cache, partial
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.tasks.sequence.task import Sequence
from delayprop.fast.training import engine
from delayprop.fast.training.checkpoints import Checkpoints, digest
from delayprop.fast.training.run_folder import LOG
from tests.support.runs.reading import Patch, calls
from tests.support.runs.short_runs import SETTINGS, Make, classification, ended, killed, options, run, sequence

EVERYTHING: dict[str, Any] = {
    "hidden": (6, 5), "inner_mean": 0.5, "inner_sd": 3.0, "recurrent": True, "rec_sd": 0.5, "rec_delay": 2.0, "pool": 2,
    "dropout": 0.3, "average": 0.8, "label_smoothing": 0.1, "warm_up": 1.5, "clip": 0.5, "learn_constants": True,
    "constants_lr": 0.05, "least_tau": 4.9, "spikes_strength": 0.01, "spikes_target": 2.0, "shift": 1, "spread": 0.2,
    "stretch": 0.2, "blend": 0.5, "drop": 0.1, "wake": 0.1, "ease_in": 0.01, "weight_decay": 0.1, "out_lr": 0.05,
    "readout": "exp_weighted_voltage", "gain": 5.0,
}
"""Every option that adds state, draws or parameters, or changes a step."""
MAKES: dict[str, Make] = {
    "classification": classification, "everything": partial(classification, **EVERYTHING),
    "frozen": partial(classification, freeze_weights=True), "sequence": sequence,
    "ring": lambda: Sequence(options(lr=10.0, epochs=12), torch.float32, 4, 2),
}


@cache
def straight(make: str) -> tuple[str, list[dict]]:
    training = MAKES[make]()
    with TemporaryDirectory() as folder:
        run(training, Path(folder))
        return ended(training, Path(folder))


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("step", [0, 4, 11, *(pytest.param(n, marks=pytest.mark.full) for n in (1, 2, 3, 7))])
def test_a_run_that_was_killed_ends_in_the_same_bits(make: str, step: int, tmp_path: Path) -> None:
    """Weights, delays, optimiser, best network and log; kills anywhere in an epoch."""
    killed(MAKES[make](), step, tmp_path)
    resumed = MAKES[make]()
    run(resumed, tmp_path, resume=True)
    assert ended(resumed, tmp_path) == straight(make)


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
    assert digest(other.state()) != straight("classification")[0]


def test_steps_after_the_last_checkpoint_are_done_again(tmp_path: Path) -> None:
    """With rare saves and a late kill the log goes back too; an incomplete line does no harm."""
    resumed = classification()
    killed(classification(), 9, tmp_path, save_seconds=1e6)
    with (tmp_path / LOG).open("a") as file:
        file.write('{"epoch": 2, "train_lo')
    run(resumed, tmp_path, resume=True)
    assert ended(resumed, tmp_path) == straight("classification")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("where", ["step", "take", "evaluate", "save"])
def test_a_signal_ends_the_run(where: str, number: int, code: int, tmp_path: Path, monkeypatch: Patch) -> None:
    stopped, resumed = classification(), classification()
    before, turn = signal.getsignal(signal.SIGINT), count()
    of: Any = {"save": engine.CheckpointKeeper, "take": stopped.batches}.get(where, stopped)
    # signal 0 is none
    calls(monkeypatch, of, where, lambda *_, **__: os.kill(os.getpid(), number if next(turn) == 1 else 0))
    assert run(stopped, tmp_path / "stopped") == code
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is before
    run(resumed, tmp_path / "stopped", resume=True)
    assert digest(resumed.state()) == straight("classification")[0]


@pytest.mark.parametrize(("split", "step"), [("valid", 3), ("test", 12)])
def test_a_signal_is_seen_within_the_evaluation(split: str, step: int, tmp_path: Path, monkeypatch: Patch) -> None:
    """It may take minutes and changes nothing, so the signal cancels it; no result is of a part."""
    stopped, resumed = classification(), classification()

    def note(of: SpikeData, *_: object) -> bool:
        if of is stopped.data[split]:
            os.kill(os.getpid(), signal.SIGTERM)
        return of is stopped.data[split]

    batches = calls(monkeypatch, SpikeData, "batch", note)
    assert run(stopped, tmp_path) == 143
    assert sum(batches) == 1 and Checkpoints(tmp_path).load()[0]["step"] == step
    assert not (tmp_path / "result.json").exists()
    assert split == "valid" or digest(stopped.state()) == straight("classification")[0]
    assert run(resumed, tmp_path, resume=True) in (0, 1) and (tmp_path / "result.json").exists()
    assert digest(resumed.state()) == straight("classification")[0]


def test_every_epoch_has_an_order_of_its_own() -> None:
    seen: list[list[list[int]]] = []
    for _ in range(2):
        batches = classification().batches
        orders = [batches.trials(number).tolist() for number in range(9)]
        seen.append([list(chain(*orders[3 * epoch : 3 * epoch + 3])) for epoch in range(3)])
    assert seen[0] == seen[1]
    assert all(sorted(order) == list(range(13)) for order in seen[0])
    assert len({str(order) for order in seen[0]}) == 3
