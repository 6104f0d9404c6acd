"""The records of a classification run, checked against each other before anything is drawn.

`data.records` checks the shapes of the JSON files. Here the arrays of `page.npz`, parameters before
and after training and some test trials, are compared with the sizes of the network, and the result
with the log. What does not fit is refused by `damaged`: the file, and what is wrong in it.
"""

import io
import math
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from lzma import LZMAError
from pathlib import Path

import numpy as np

from delayprop.fast.data.records import (
    AMOUNT,
    AMOUNT_OR_NULL,
    COUNT,
    NUMBER,
    TEXT,
    RecordError,
    content,
    history,
    record,
)

ARRAYS, RESULT_FILE = "page.npz", "result.json"
GROUPS = ("w", "w_out", "d", "tau")
LINE = {
    "epoch": COUNT, "train_accuracy": NUMBER, "train_loss": NUMBER, "valid_accuracy": NUMBER, "valid_loss": NUMBER,
    "spikes_per_neuron": NUMBER, "silent": NUMBER, "silent_steps": COUNT, "clamped": COUNT,
    "gradient": {f"{group}?": NUMBER for group in GROUPS}, "kappa_min": AMOUNT_OR_NULL, "seconds": AMOUNT,
    **dict.fromkeys(("A", "B", "C", "float64?"), AMOUNT_OR_NULL),
}
CARD = ("spikes_per_neuron", "arrivals_per_trial", "seconds_per_epoch", "peak_memory_mib")
RESULT = {
    "task": TEXT, "network": TEXT, "best_epoch": COUNT, "test_accuracy": NUMBER, "interval": (NUMBER, NUMBER),
    "count_baseline": NUMBER, "answers": [[COUNT]],
    "class_names?": [TEXT], "learned_parameters?": COUNT, "learned_delays?": COUNT,
    "float64?": AMOUNT_OR_NULL,
    **{f"{name}?": AMOUNT for name in CARD},
}
OPTIONS = {"seed": COUNT, "dtype": {"float32", "float64"}, "choose?": {"best", "last"}, "changed?": TEXT}
LARGEST = 2**63  # above every number of a trial
MOST_SHRUNK = 200  # weights and delays of a run shrink less, also where nearly all synapses are absent
SMALL = 2**26  # bytes that the arrays of any file may take
UNREADABLE = (
    OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error, LZMAError,
    RuntimeError,  # a damaged flag marks the file as encrypted
    AttributeError, TypeError,  # a single array, no archive
)


def damaged(name: str, reason: object) -> RecordError:
    """The refusal of a file that no run has written so."""
    return RecordError(name, "as a run has written it", reason)


@dataclass(frozen=True)
class Layer:
    """Synapses from layer `pre` onto layer `post`: weights and delays (ms), `[pre, post]`, and
    `exists`, which of them there are."""

    pre: str
    post: str
    exists: np.ndarray
    w_after: np.ndarray
    d_before: np.ndarray
    d_after: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.pre} to {'itself' if self.pre == self.post else self.post}"

    @property
    def start(self) -> float | None:
        """The delay of all synapses before training, ms; None where they differed."""
        found = np.unique(self.d_before[self.exists])
        return float(found[0]) if len(found) == 1 else None

    @property
    def moved(self) -> np.ndarray:
        """The absolute change of each delay, ms; 0 where no synapse is."""
        return np.abs(self.d_after.astype(float) - self.d_before) * self.exists


@dataclass(frozen=True)
class Trial:
    """The activity of the trained network in one trial."""

    label: int  # the class
    y: np.ndarray  # the readout of each class
    spikes: list[tuple[np.ndarray, np.ndarray]]  # times (ms) and neurons, of the input and of each hidden layer
    V: np.ndarray  # of each output, `[classes, points]`
    arrivals: tuple[np.ndarray, np.ndarray]  # times (ms) and weights at the output of the class
    number: int | None  # in the test split, from 0; None: an older version recorded none

    @property
    def answer(self) -> int | None:
        """The class with the largest readout; None if several are the largest."""
        largest = np.flatnonzero(self.y == self.y.max())
        return int(largest[0]) if len(largest) == 1 else None

    @property
    def is_right(self) -> bool:
        return self.answer == self.label


@dataclass(frozen=True)
class Page:
    duration: float  # of a trial, ms
    t: np.ndarray  # times of the voltages, ms
    layers: list[Layer]
    recurrent: list[Layer]  # layers onto themselves
    trials: list[Trial]


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
        """By epoch, where certified: residuals of the identities, and the error of one trial."""
        by_epoch = {name: [line.get(name) for line in self.log] for name in (*"ABC", "float64")}
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
    """The records in a folder; `RecordError`: one is missing, damaged, or contradicts another."""
    log, found = history(folder, LINE), record(folder, RESULT_FILE, RESULT)
    options = record(folder, "options.json", OPTIONS)
    if not re.fullmatch(r"[1-9]\d{0,8}(-[1-9]\d{0,8}){2,}", found["network"], re.ASCII):
        raise damaged(RESULT_FILE, f"a network {found['network']!r}")
    sizes = [int(size) for size in found["network"].split("-")]
    run = Run(log, found, options, _page(_Arrays(folder), sizes))
    epoch, table = run.tested["epoch"], found["answers"]
    if found["best_epoch"] != epoch:
        how = "best on validation" if run.by_validation else "last"
        raise damaged(RESULT_FILE, f"best_epoch {found['best_epoch']}; the {how} in history.jsonl is {epoch}")
    if [len(row) for row in table] != [sizes[-1] + 1] * sizes[-1]:
        raise damaged(RESULT_FILE, f"answers that are not {sizes[-1]} rows of {sizes[-1] + 1}")
    if len(run.class_names) != sizes[-1]:
        raise damaged(RESULT_FILE, f"{len(run.class_names)} class_names of {sizes[-1]} classes")
    trials, right = sum(map(sum, table)), sum(row[label] for label, row in enumerate(table))
    if not trials or not math.isclose(right / trials, found["test_accuracy"], rel_tol=1e-9):
        raise damaged(RESULT_FILE, f"test_accuracy {found['test_accuracy']}, and {right} of {trials} answers right")
    return run


def _page(arrays: "_Arrays", sizes: Sequence[int]) -> Page:
    """The arrays of a network of these sizes."""
    t, duration = arrays.take("t", None), float(arrays.take("duration"))
    if duration <= 0:
        raise damaged(ARRAYS, f"a duration of {duration}")
    hidden = ["hidden"] if len(sizes) == 3 else [f"hidden {n}" for n in range(1, len(sizes) - 1)]
    layers, recurrent = [], []
    for n, ((pre, post), (size, own)) in enumerate(zip(pairwise(["input", *hidden, "output"]), pairwise(sizes))):
        layers.append(arrays.layer(pre, post, "", n, (size, own)))
        if f"d_rec_after_{n}" in arrays.found:
            recurrent.append(arrays.layer(post, post, "_rec", n, (own, own)))
    trials = [arrays.trial(0, sizes, len(t))]
    while f"label_{len(trials)}" in arrays.found:
        trials.append(arrays.trial(len(trials), sizes, len(t)))
    return Page(duration, t, layers, recurrent, trials)


class _Arrays:
    """The arrays of the file; each is checked when it is taken."""

    def __init__(self, run: Path) -> None:
        whole = content(run, ARRAYS, bytes)
        try:
            with np.load(io.BytesIO(whole), allow_pickle=False) as file:  # noqa: TID251
                if sum(one.file_size for one in file.zip.infolist()) > max(SMALL, MOST_SHRUNK * len(whole)):
                    raise ValueError("its arrays are far larger than the file")
                self.found = {name: np.asarray(file[name]) for name in file.files}
        except UNREADABLE as error:
            raise damaged(ARRAYS, f"{type(error).__name__}: {error}") from None

    def take(self, name: str, *shape: int | None, kinds: str = "fiu", below: int | None = None) -> np.ndarray:
        """An array of finite numbers, with `below` of numbers from 0 to `below - 1`.

        `kinds`: its possible `dtype.kind`; None in the shape stands for any length.
        """
        array = self.found.get(name)
        if array is None:
            raise damaged(ARRAYS, f"no array {name}")
        fits = len(array.shape) == len(shape) and all(n in (m, None) for n, m in zip(shape, array.shape))
        if array.dtype.kind not in kinds or not fits:
            raise damaged(ARRAYS, f"{name} of {array.dtype} and shape {list(array.shape)}")
        wrong = ~np.isfinite(array) if below is None else (array < 0) | (array >= below)
        if wrong.any():
            raise damaged(ARRAYS, f"{array[wrong][0]} in {name}")
        return array

    def layer(self, pre: str, post: str, ending: str, n: int, shape: tuple[int, int]) -> Layer:
        """The synapses `n`, those of `ending`; without a mask all exist."""
        names = (f"w{ending}_after_{n}", f"d{ending}_before_{n}", f"d{ending}_after_{n}")
        numbers = [self.take(name, *shape) for name in names]  # first: the shape is that of stored arrays
        mask = f"mask{ending}_{n}"
        exists = self.take(mask, *shape, kinds="b") if mask in self.found else np.ones(shape, bool)
        return Layer(pre, post, exists, *numbers)

    def trial(self, e: int, sizes: Sequence[int], points: int) -> Trial:
        classes, spikes = sizes[-1], []
        label = int(self.take(f"label_{e}", kinds="iu", below=classes))
        for n, size in enumerate(sizes[:-1]):
            times = self.take(f"times_{e}_{n}", None)
            spikes.append((times, self.take(f"units_{e}_{n}", len(times), kinds="iu", below=size)))
        V, y = self.take(f"V_{e}", classes, points), self.take(f"y_{e}", classes)
        t_arr, w = self.take(f"arrivals_{e}", None, 2).T
        number = int(self.take(f"trial_{e}", kinds="iu", below=LARGEST)) if f"trial_{e}" in self.found else None
        return Trial(label, y, spikes, V, (t_arr, w), number)
