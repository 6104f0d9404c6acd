"""Finished runs: for Python, their records, and their training with the network that was kept."""

import os
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch

from delayprop.fast.data.records import NETWORK, RESULT, Record, of_this_version
from delayprop.fast.data.seals import DamagedError
from delayprop.fast.data.spike_data import unseen
from delayprop.fast.nn.layers import LI
from delayprop.fast.tasks.registry import CLASSIFYING, job_from
from delayprop.fast.tasks.sequence import task as sequence
from delayprop.fast.training.checkpoints import loaded
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.settings import Settings, with_defaults
from delayprop.spec.errors import SpecError, Verbatim, printable

HOW_IT_RAN = frozenset({"out", "resume", "save_seconds", "data", "workers", "tensorboard", "test", "changed"})
"""Options that do not change the result of a run, or follow from others."""


class Run:
    """A finished training run.

    Args:
        folder: of the run, as `out` of `train`.

    Attributes:
        folder: its path.
        record: the files in it.
        options: the settings, by name.
        history: one entry per epoch, of the task `sequence` one per presentation.
        result: the content of `result.json`, such as `answers`, the confusion matrix of the test
            split; empty if the test split was left alone.
        accuracies: fractions of correct trials, by split: `train`, `valid` and `test` of the epoch
            whose network was kept. No `test` if that split was left alone. The task `sequence` has
            `valid`, of the last presentation, and `test`, of unseen samples.
        learned: whether the lower end of the test accuracy's interval is above the accuracy of
            spike counts alone; of `sequence`, whether all classes are right. None without a test.

    Raises:
        SpecError: the folder holds no finished run, or other files than the run wrote.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        self.record = record = Record(self.folder)
        self.options, self.history = with_defaults(record.options), record.log
        untested = NETWORK in record.files and RESULT not in record.files and not self.options.get("test", True)
        self.result = found = {} if untested else record.result
        self.learned: bool | None = None
        with of_this_version(self.folder):
            if self.options["task"] == "sequence":
                self.accuracies = {"valid": self.history[-1]["accuracy"], "test": found["unseen_accuracy"]}
                self.learned = self.accuracies["valid"] == 1.0
                return
            last, by_accuracy = self.options.get("choose") == "last", lambda line: line["valid_accuracy"]
            kept = self.history[-1] if last else max(self.history, key=by_accuracy)
            self.accuracies = {split: kept[f"{split}_accuracy"] for split in ("train", "valid")}
            if not untested:
                self.accuracies["test"] = found["test_accuracy"]
                self.learned = found["interval"][0] > found["count_baseline"]

    def network(self) -> Classifier | LI:
        """The network that was kept: a torch module with the trained parameters, on the CPU.

        That of a classification takes `Spikes` and returns the readout, `[trials, classes]`, and
        the spikes of each layer that spikes; that of `sequence` is one layer, which returns the
        readout.
        With `pool` above 1 its inputs are pools of that many channels. `SpecError`: the network is
        damaged, not finite, or of another version.
        """
        given = {**self.options, "device": "cpu"}
        with of_this_version(self.folder):
            job = job_from(given)
            if job.task == "sequence":
                layer = sequence.prepare(job, Processes()).layer
                delays = {"d": torch.tensor(self.result["d"])}
                layer.load_state_dict(_finite(self.folder, {**layer.state_dict(), **delays}))
                return layer
            parameters = _parameters(self)
            network = Classifier(*_sizes(parameters, job.settings), job.settings, job.torch_dtype, job.seed)
            network.load_state_dict(parameters)
        return network

    def __repr__(self) -> str:
        shares = ", ".join(f"{split} {share:.1%}" for split, share in self.accuracies.items())
        return f"Run({str(self.folder)!r}, {self.options['task']}: {shares})"


def check_classifies(run: Run) -> None:
    """Refuses the run of a task that does not classify."""
    if run.options["task"] not in CLASSIFYING:
        expected = f"the run of a task that classifies, {', '.join(CLASSIFYING)}"
        raise SpecError(str(run.folder), expected, Verbatim(run.options["task"]), "name another run")


def check_network(run: Run) -> None:
    """Refuses a run whose kept network, if its folder has one, is damaged or not finite."""
    if NETWORK in run.record.files:
        with of_this_version(run.folder):
            _parameters(run)


def tested(folder: Path) -> Run:
    """A finished run that was evaluated on the test split."""
    run = Run(folder)
    run.record.content(RESULT)
    return run


def opened(folder: Path, data: list[str] | None = None) -> Classification:
    """The training of a run, with the network that was kept; `data`: `--data` of the task, if the
    data have moved. Other content gives a warning."""
    run = tested(folder)
    check_classifies(run)
    saved = run.options
    if data is not None:
        several = isinstance(saved.get("data"), list)
        if not several and len(data) > 1:
            raise SpecError("--data", "one folder, for this task", Verbatim(f"{len(data)} words"), "name one")
        saved["data"] = data if several else data[0]
    with of_this_version(folder):
        task = CLASSIFYING[saved["task"]]
        needed = {"workers", "valid_speakers"} if hasattr(task, "train_speakers") else {"workers"}
        if lacking := needed - saved.keys():  # the default of a `Job` may not be what the run had
            raise DamagedError(f"no {lacking.pop()} in options.json")
        # without first weights, which the kept network replaces
        job, parameters = job_from({**saved, "rate": 0.0}), _parameters(run)
        job = replace(job, kept_sizes=_sizes(parameters, job.settings))
        training = task.prepare(job, Processes())
        training.take(parameters)
    for doubt in unseen(training.data):
        print(f"warning: {doubt}", file=sys.stderr)
    before, now = saved.get("data_sha256") or {}, training.data_sha256
    if now != before:
        print(printable(f"warning: the run had other data: SHA-256 {before}, now {now}"), file=sys.stderr)
    return training


def _parameters(run: Run) -> dict[str, torch.Tensor]:
    """The parameters of the network that a run has kept, all of them finite."""
    parameters = loaded(run.record.content(NETWORK))
    if not isinstance(parameters, dict) or not all(isinstance(one, torch.Tensor) for one in parameters.values()):
        raise DamagedError(f"no tensors by name in {NETWORK}")
    return _finite(run.folder, parameters)


def _sizes(parameters: dict[str, torch.Tensor], settings: Settings) -> tuple[int, int]:
    """The numbers of inputs and classes of a network. Refuses parameters of other layers than those
    of the settings, from which it is to be built."""
    found = {name: tuple(one.shape) for name, one in parameters.items()}
    (inputs, _), (_, classes) = found["hidden.0.w"], found["out.w"]
    wanted = {}
    for n, (pre, post) in enumerate(pairwise([inputs, *settings.hidden])):
        wanted[f"hidden.{n}.w"] = pre, post
        if settings.recurrent:
            wanted[f"hidden.{n}.w_rec"] = post, post
    wanted["out.w"] = settings.hidden[-1], classes
    for name, shape in wanted.items():
        if found.get(name) != shape:
            raise DamagedError(f"{name} of shape {found.get(name)}, not {shape} of the options")
    return inputs, classes


def _finite(folder: Path, parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for name, values in parameters.items():
        if not bool(torch.isfinite(values).all()):
            got = Verbatim(f"{int((~torch.isfinite(values)).sum())} NaN or infinite entries in {name}")
            raise SpecError(str(folder), "a run whose network is finite", got, "train again with smaller steps")
    return parameters
