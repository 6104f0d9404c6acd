"""All records of a classification run, checked against each other before anything is drawn."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from delayprop.fast.data.records import AMOUNT, AMOUNT_OR_NULL, COUNT, NUMBER, TEXT, RecordError, history, record
from delayprop.fast.drawing.arrays import Page, page

GROUPS = ("w", "w_out", "d", "tau")
LINE = {
    "epoch": COUNT, "train_accuracy": NUMBER, "train_loss": NUMBER, "valid_accuracy": NUMBER, "valid_loss": NUMBER,
    "spikes_per_neuron": NUMBER, "silent": NUMBER, "silent_steps": COUNT, "clamped": COUNT,
    "gradient": {f"{group}?": NUMBER for group in GROUPS}, "kappa_min": AMOUNT_OR_NULL, "seconds": AMOUNT,
    **dict.fromkeys(("A", "B", "C", "rounding?", "float64?"), AMOUNT_OR_NULL),
}
CARD = ("spikes_per_neuron", "arrivals_per_trial", "seconds_per_epoch", "peak_memory_mib")
RESULT = {
    "task": TEXT, "network": TEXT, "best_epoch": COUNT, "test_accuracy": NUMBER, "interval": (NUMBER, NUMBER),
    "count_baseline": NUMBER, "answers": [[COUNT]],
    "class_names?": [TEXT], "learned_parameters?": COUNT, "learned_delays?": COUNT,
    "rounding?": AMOUNT_OR_NULL, "float64?": AMOUNT_OR_NULL,
    **{f"{name}?": AMOUNT for name in CARD},
}
OPTIONS = {"seed": COUNT, "dtype": {"float32", "float64"}, "choose?": {"best", "last"}, "changed?": TEXT}


@dataclass(frozen=True)
class Run:
    """The records of a finished run."""

    log: list[dict]  # one entry per epoch
    result: dict  # the content of `result.json`
    options: dict  # and of `options.json`
    page: Page  # and of `page.npz`

    @property
    def class_names(self) -> list[str]:
        """Of each class; its number, where the data have no names."""
        return self.result.get("class_names") or [*map(str, range(len(self.result["answers"])))]

    @property
    def epochs(self) -> list[int]:
        return self.values("epoch")

    @property
    def by_validation(self) -> bool:
        """Whether validation chose the epoch that was tested; otherwise it was the last."""
        return bool(self.options.get("choose", "best") == "best")

    @property
    def tested(self) -> dict:
        """The log entry of the epoch whose network was tested."""
        return max(self.log, key=lambda line: line["valid_accuracy"]) if self.by_validation else self.log[-1]

    @property
    def residuals(self) -> dict[str, list]:
        """The residuals of the identities, the error bar, and the error of one trial, by epoch,
        where certified."""
        by_epoch = {name: [line.get(name) for line in self.log] for name in (*"ABC", "rounding", "float64")}
        return {name: values for name, values in by_epoch.items() if any_known(values)}

    @property
    def roundoff(self) -> float:
        """The unit roundoff of the run."""
        return float(np.finfo(self.options["dtype"]).eps) / 2

    def values(self, name: str) -> list:
        return [line[name] for line in self.log]

    def percent(self, name: str) -> list[float]:
        """The fractions under a name of the log, by epoch, in percent."""
        return [100 * value for value in self.values(name)]


def any_known(values: Sequence[float | None]) -> bool:
    return any(value is not None for value in values)


def read(folder: Path) -> Run:
    """The records in a folder; `RecordError`: one is missing, misshapen, or contradicts another."""
    log, found = history(folder, LINE), record(folder, "result.json", RESULT)
    options = record(folder, "options.json", OPTIONS)
    if not re.fullmatch(r"[1-9]\d{0,8}(-[1-9]\d{0,8}){2,}", found["network"], re.ASCII):
        raise RecordError("result.json network", "sizes of layers, as 4-30-3", repr(found["network"]))
    sizes = [int(size) for size in found["network"].split("-")]
    run = Run(log, found, options, page(folder, sizes))
    epoch, how = run.tested["epoch"], "best on validation" if run.by_validation else "last"
    if found["best_epoch"] != epoch:
        raise RecordError("result.json best_epoch", f"{epoch}, the {how} in history.jsonl", found["best_epoch"])
    _check_answers(found, sizes[-1])
    return run


def _check_answers(found: dict, classes: int) -> None:
    """Refuses a confusion matrix of another shape, or one that contradicts the accuracy."""
    table = found["answers"]
    if len(table) != classes or any(len(row) != classes + 1 for row in table):
        got = f"{len(table)} rows of {len(table[0])}"
        raise RecordError("result.json answers", f"{classes} rows of {classes + 1}", got)
    if "class_names" in found and len(found["class_names"]) != classes:
        raise RecordError("result.json class_names", f"{classes} names", len(found["class_names"]))
    trials = sum(map(sum, table))
    if not trials:
        raise RecordError("result.json answers", "answers of at least one trial", "none")
    accuracy = sum(row[label] for label, row in enumerate(table)) / trials
    if not math.isclose(accuracy, found["test_accuracy"], rel_tol=1e-9):
        raise RecordError("result.json test_accuracy", f"{accuracy}, as its answers give", found["test_accuracy"])
