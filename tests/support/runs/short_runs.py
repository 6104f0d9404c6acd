"""Training runs of about a second: a classification and the sequence task.

`python -m tests.support.runs.short_runs OPTIONS`: `fast.train` without its slow pictures.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from delayprop.fast import Spikes
from delayprop.fast.data.spike_data import SpikeData, Splits
from delayprop.fast.tasks.sequence.task import Sequence, SequenceSettings
from delayprop.fast.train import main
from delayprop.fast.training import engine
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.evaluation import Evaluation
from delayprop.fast.training.job import Job
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.run_folder import RunFolder
from delayprop.fast.training.settings import Settings
from tests.support.forking import run_module
from tests.support.runs.reading import calls, history, result

DURATION = 12.0
Make = Callable[[], engine.Training]

SETTINGS = Settings(
    epochs=3, hidden=(6,), batch=5, tau_mem=10.0, w_mean=3.0, w_sd=0.5, out_sd=0.3, delay=2.0, max_delay=5.0, lr=0.01,
    delay_lr=0.5, schedule="cosine", certify=2,
)


def job(settings: Any = SETTINGS, **changed: Any) -> Job:
    """A job that saves after every step."""
    plain = {"seed": 3, "device": "cpu", "dtype": "float32", "save_seconds": 0.0}
    return Job("letters", settings, **{**plain, **changed})


def letters(trials: int, seed: int) -> SpikeData:
    random = np.random.default_rng(seed)
    times = [np.sort(random.uniform(0, 8, 6)) for _ in range(trials)]
    return SpikeData(times, [random.integers(0, 4, 6) for _ in range(trials)], random.integers(0, 3, trials), 4, 3)


def trials_of(counts: list[list[int]], labels: list[int]) -> SpikeData:
    """Trials of these spike counts per channel, from 1 to 9 ms."""
    units = [np.repeat(np.arange(len(row)), row) for row in counts]
    times = [np.linspace(1.0, 9.0, len(row)) for row in units]
    return SpikeData(times, units, np.array(labels), len(counts[0]), 3)


def busy(**changed: Any) -> Classifier:
    """4 channels, two hidden layers whose neurons spike often, 3 classes; in float64."""
    plain = {"w_mean": 3.0, "w_sd": 1.0, "inner_mean": 1.5, "inner_sd": 0.8, "rec_sd": 0.5, "delay": 2.0}
    return Classifier(4, 3, Settings(hidden=(6, 5), **{**plain, **changed}), torch.float64, 0)


def busy_spikes(trials: int) -> Spikes:
    random = np.random.default_rng(1)
    return Spikes.from_trains([[np.sort(random.uniform(0, 8, 3)) for _ in range(4)] for _ in range(trials)], DURATION)


def classification(seed: int = 3, **changed: Any) -> Classification:
    """13 trials in batches of at most 5: an epoch has three steps, and a fourth that evaluates."""
    data = {name: letters(trials, n) for n, (name, trials) in enumerate({"train": 13, "valid": 6, "test": 6}.items())}
    return Classification(job(replace(SETTINGS, **changed), seed=seed), Splits(data, {}), DURATION, Processes())


def with_validation(patch: pytest.MonkeyPatch, accuracies: list[float]) -> None:
    """Evaluations find these accuracies in the validation split, one after another."""
    left = list(accuracies)

    def found(self: Classification, split: str, check: Any = None, counts: bool = False) -> Evaluation:
        right = round(1000 * left.pop(0)) if split == "valid" else 1
        activity = (0, 0) if counts else (None, None)
        return Evaluation([[right, 1000 - right, 0], [0, 0, 0]], 1.0, {}, [], *activity)

    patch.setattr(Classification, "evaluate", found)


def sequence(**changed: Any) -> Sequence:
    plain = {"inputs": 2, "epochs": 14, "lr": 0.01, "jitter": 1.0, "distractors": 0, "freeze_delays": False}
    return Sequence(job(SequenceSettings(**{**plain, **changed})))


def run(training: engine.Training, out: Path, **changed: Any) -> int:
    given = job(out=str(out), **changed)
    with closing(RunFolder(str(out), "letters", given.record(), given.resume)) as folder:
        return engine.run(training, folder, given, Processes())


def trained(folder: Path, **changed: Any) -> Classification:
    """A classification that has run."""
    training = classification(**changed)
    run(training, folder)
    return training


def sequence_run(folder: Path, *given: str) -> tuple[int, dict, list[dict]]:
    """Exit code, result and history of the command for the sequence task."""
    return main(["--task", "sequence", "--out", str(folder), *given]), result(folder), history(folder)


class KilledError(Exception):
    """Stands for `kill -9`: nothing of the run continues."""


def killed(training: Any, step: int, out: Path, **changed: Any) -> None:
    """A run that is killed before a step."""

    def dying(number: int, *_: object) -> None:
        if number == step:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        calls(patch, training, "step", dying)
        run(training, out, **changed)


def log(folder: Path) -> list[dict]:
    """The log without measured times."""
    return [{name: value for name, value in line.items() if name != "seconds"} for line in history(folder)]


@contextmanager
def without_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "draw", lambda folder: [])
        yield


@without_pictures()
def undrawn(*options: str) -> int:
    return main(options)


@without_pictures()
def undrawn_module(name: str, *words: str) -> None:
    """`python -m NAME WORDS` in this process, which must be a child."""
    run_module(name, *words)


OPTIONS = ["--task", "spikes", "--epochs", "2", "--hidden", "5", "--batch", "16", "--dtype", "float64", "--gain", "2"]


def data_of(folder: Path) -> list[str]:
    """The option `--data` of runs with `OPTIONS`."""
    return ["--data", *(str(folder / f"{name}.h5") for name in ("train", "valid", "test"))]


if __name__ == "__main__":
    sys.exit(undrawn(*sys.argv[1:]))
