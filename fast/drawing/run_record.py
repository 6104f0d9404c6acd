"""The record of a classification run, as it is drawn."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from delayprop.fast.data.records import ARRAYS, Record, of_this_version
from delayprop.fast.data.seals import DamagedError

GROUPS = ("w", "w_out", "d", "tau")
MOST_SHRUNK = 200  # weights and delays of a run shrink less, also where nearly all synapses are absent
SMALL = 2**26  # bytes that the arrays of any file may take


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


def read(record: Record) -> Run:
    with of_this_version(record.folder):
        return Run(record.log, record.result, record.options, _page(_arrays(record.content(ARRAYS))))


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:  # noqa: TID251
        if sum(one.file_size for one in file.zip.infolist()) > max(SMALL, MOST_SHRUNK * len(content)):
            raise DamagedError(f"{ARRAYS} whose arrays are far larger than the file")
        return {name: np.asarray(file[name]) for name in file.files}


def _page(found: Mapping[str, np.ndarray]) -> Page:
    """The page of these arrays; `training.conclusion` describes them."""
    number = sum(name.startswith("w_after_") for name in found)
    hidden = ["hidden"] if number == 2 else [f"hidden {n}" for n in range(1, number)]
    names, layers, recurrent = ["input", *hidden, "output"], [], []
    for n in range(number):
        layers.append(_layer(found, names[n], names[n + 1], "", n))
        if f"d_rec_after_{n}" in found:
            recurrent.append(_layer(found, names[n + 1], names[n + 1], "_rec", n))
    trials = [_trial(found, e, number) for e in range(sum(name.startswith("label_") for name in found))]
    return Page(float(found["duration"]), found["t"], layers, recurrent, trials)


def _layer(found: Mapping[str, np.ndarray], pre: str, post: str, ending: str, n: int) -> Layer:
    """The synapses `n`, those of `ending`; without a mask all exist."""
    w, before, after = (found[f"{name}_{n}"] for name in (f"w{ending}_after", f"d{ending}_before", f"d{ending}_after"))
    return Layer(pre, post, found.get(f"mask{ending}_{n}", np.ones(w.shape, bool)), w, before, after)


def _trial(found: Mapping[str, np.ndarray], e: int, number: int) -> Trial:
    spikes = [(found[f"times_{e}_{n}"], found[f"units_{e}_{n}"]) for n in range(number)]
    t_arr, w = found[f"arrivals_{e}"].T
    trial = int(found[f"trial_{e}"]) if f"trial_{e}" in found else None
    return Trial(int(found[f"label_{e}"]), found[f"y_{e}"], spikes, found[f"V_{e}"], (t_arr, w), trial)
