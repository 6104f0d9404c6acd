"""All records of a classification run, read and held against each other before anything is drawn."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from fast.drawing.arrays import Page, page
from fast.drawing.records import COUNT, NUMBER, NUMBER_OR_NULL, TEXT, RecordError, history, options, result

GROUPS = ("w", "w_out", "d")
LINE = {
    "epoch": COUNT, "train_accuracy": NUMBER, "train_loss": NUMBER, "valid_accuracy": NUMBER, "valid_loss": NUMBER,
    "spikes_per_neuron": NUMBER, "silent": NUMBER, "silent_steps": COUNT, "clamped": COUNT,
    "gradient": {f"{group}?": NUMBER for group in GROUPS}, "kappa_min": NUMBER_OR_NULL, "seconds": NUMBER,
    "A": NUMBER_OR_NULL, "B": NUMBER_OR_NULL, "C": NUMBER_OR_NULL,
}
RESULT = {
    "task": TEXT, "network": TEXT, "best_epoch": COUNT, "test_accuracy": NUMBER, "interval": (NUMBER, NUMBER),
    "count_baseline": NUMBER, "answers": [[COUNT]],
}
OPTIONS = {"seed": COUNT, "dtype": {"float32", "float64"}, "choose?": {"best", "last"}}


@dataclass(frozen=True)
class Run:
    """The records of a finished run.

    Attributes:
        lines: of its log, one an epoch.
        end: its result.
        options: its settings.
        page: its arrays.
    """

    lines: list[dict]
    end: dict
    options: dict
    page: Page

    @property
    def epochs(self) -> list[int]:
        """Their numbers."""
        return [line["epoch"] for line in self.lines]

    @property
    def chosen(self) -> dict:
        """The line of the epoch whose network was tested."""
        return _chosen(self.lines, self.options)

    @property
    def by_validation(self) -> bool:
        """Whether validation chose it; else it was the last."""
        return _by_validation(self.options)

    def values(self, name: str) -> list:
        """What the log says under a name, epoch by epoch."""
        return [line[name] for line in self.lines]


def read(run: Path) -> Run:
    """The records in a folder.

    Raises:
        RecordError: one that is missing, of another shape, or at odds with another.
    """
    lines, end, settings = history(run, LINE), result(run, RESULT), options(run, OPTIONS)
    chosen, how = _chosen(lines, settings)["epoch"], "best on validation" if _by_validation(settings) else "last"
    if end["best_epoch"] != chosen:
        expected = f"{chosen}, the {how} in history.jsonl"
        raise RecordError("result.json best_epoch", expected, str(end["best_epoch"]))
    if not re.fullmatch(r"[1-9]\d*(-[1-9]\d*){2,}", end["network"], re.ASCII):
        raise RecordError("result.json network", "sizes of layers, as 4-30-3", repr(end["network"]))
    sizes = [int(size) for size in end["network"].split("-")]
    _check_answers(end, sizes[-1])
    return Run(lines, end, settings, page(run, sizes))


def _by_validation(settings: dict) -> bool:
    return settings.get("choose", "best") == "best"


def _chosen(lines: list[dict], settings: dict) -> dict:
    """The line of the first epoch that was best on validation, or of the last."""
    return max(lines, key=lambda line: line["valid_accuracy"]) if _by_validation(settings) else lines[-1]


def _check_answers(end: dict, classes: int) -> None:
    """A row for each class, a column for each and one for no answer, and as many right ones as the accuracy says."""
    table = end["answers"]
    if len(table) != classes or any(len(row) != classes + 1 for row in table):
        got = f"{len(table)} rows of {len(table[0])}"
        raise RecordError("result.json answers", f"{classes} rows of {classes + 1}", got)
    trials = sum(map(sum, table))
    if not trials:
        raise RecordError("result.json answers", "those of at least one trial", "none")
    right = sum(row[label] for label, row in enumerate(table)) / trials
    if not math.isclose(right, end["test_accuracy"], rel_tol=1e-9):
        expected = f"{right}, as its answers give"
        raise RecordError("result.json test_accuracy", expected, str(end["test_accuracy"]))
