"""A finished run, for Python: its records, and the network that was kept."""

from __future__ import annotations

import os
from pathlib import Path

from delayprop.fast.data.records import NUMBER, check_shape
from delayprop.fast.nn.layers import LI
from delayprop.fast.runs.saved_runs import NETWORK, kept_network, records
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.run_folder import RESULT

TESTED = {"test_accuracy": NUMBER, "interval": (NUMBER, NUMBER), "count_baseline": NUMBER}


class Run:
    """A finished training run.

    Args:
        folder: of the run, as `out` of `train`.

    Attributes:
        folder: its path.
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
        SpecError: the folder holds no finished run, or its files cannot be read.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        untested = (self.folder / NETWORK).is_file() and not (self.folder / RESULT).exists()
        self.options, self.result, self.history = records(self.folder, untested)
        if untested and self.options["test"]:
            records(self.folder)  # names the missing result
        log, found = self.history, self.result
        self.learned: bool | None = None
        if self.options["task"] == "sequence":
            check_shape(found, {"unseen_accuracy": NUMBER}, RESULT)
            check_shape(log[-1], {"accuracy": NUMBER}, "history.jsonl, last line")
            self.accuracies = {"valid": log[-1]["accuracy"], "test": found["unseen_accuracy"]}
            self.learned = self.accuracies["valid"] == 1.0
            return
        kept = log[-1] if self.options["choose"] == "last" else max(log, key=lambda line: line["valid_accuracy"])
        check_shape(kept, {"train_accuracy": NUMBER, "valid_accuracy": NUMBER}, "history.jsonl")
        self.accuracies = {split: kept[f"{split}_accuracy"] for split in ("train", "valid")}
        if not untested:
            check_shape(found, TESTED, RESULT)
            self.accuracies["test"] = found["test_accuracy"]
            self.learned = found["interval"][0] > found["count_baseline"]

    def network(self) -> Classifier | LI:
        """The network that was kept: a torch module with the trained parameters, on the CPU.

        That of a classification takes `Spikes` and returns the readout, `[trials, classes]`, and
        the spikes of each hidden layer; that of `sequence` is one layer, which returns the readout.
        With `pool` above 1 its inputs are pools of that many channels.

        Raises:
            SpecError: the network is damaged, not finite, or of another version.
        """
        return kept_network(self.folder, self.options, self.result)

    def __repr__(self) -> str:
        shares = ", ".join(f"{split} {share:.1%}" for split, share in self.accuracies.items())
        return f"Run({str(self.folder)!r}, {self.options['task']}: {shares})"
