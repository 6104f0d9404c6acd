"""Reads and checks `page.npz`: parameters before and after training, and some test trials."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from lzma import LZMAError
from pathlib import Path

import numpy as np

from delayprop.fast.data.records import RecordError, content

NAME = "page.npz"
LARGEST = 2**63  # above every number of a trial
MOST_SHRUNK = 200  # weights and delays of a run shrink less, also where nearly all synapses are absent
SMALL = 2**26  # bytes that the arrays of any file may take
DAMAGED = (
    OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error, LZMAError,
    RuntimeError,  # a damaged flag marks the file as encrypted
    AttributeError, TypeError,  # a single array, no archive
)


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


def page(run: Path, sizes: Sequence[int]) -> Page:
    """The arrays of a network of these sizes; `RecordError`: one is missing or damaged."""
    arrays = _Arrays(run)
    t, duration = arrays.numbers("t", None), float(arrays.numbers("duration"))
    if duration <= 0:
        raise RecordError(f"{NAME} duration", "above 0", duration)
    hidden = ["hidden"] if len(sizes) == 3 else [f"hidden {n}" for n in range(1, len(sizes) - 1)]
    layers, recurrent = [], []
    for n, ((pre, post), shape) in enumerate(zip(pairwise(["input", *hidden, "output"]), pairwise(sizes))):
        names = (f"w_after_{n}", f"d_before_{n}", f"d_after_{n}")
        numbers = [arrays.numbers(name, *shape) for name in names]  # first: the shape is that of stored arrays
        layers.append(Layer(pre, post, arrays.flags(f"mask_{n}", *shape), *numbers))
        if f"d_rec_after_{n}" in arrays.found:
            own = [arrays.numbers(name.replace("_", "_rec_", 1), shape[1], shape[1]) for name in names]
            recurrent.append(Layer(post, post, arrays.flags(f"mask_rec_{n}", shape[1], shape[1]), *own))
    trials = [_trial(arrays, 0, sizes, len(t))]
    while f"label_{len(trials)}" in arrays.found:
        trials.append(_trial(arrays, len(trials), sizes, len(t)))
    return Page(duration, t, layers, recurrent, trials)


def _trial(arrays: "_Arrays", e: int, sizes: Sequence[int], points: int) -> Trial:
    classes, spikes = sizes[-1], []
    label = int(arrays.indices(f"label_{e}", classes))
    for n, size in enumerate(sizes[:-1]):
        times = arrays.numbers(f"times_{e}_{n}", None)
        spikes.append((times, arrays.indices(f"units_{e}_{n}", size, len(times))))
    V, y = arrays.numbers(f"V_{e}", classes, points), arrays.numbers(f"y_{e}", classes)
    t_arr, w = arrays.numbers(f"arrivals_{e}", None, 2).T
    number = int(arrays.indices(f"trial_{e}", LARGEST)) if f"trial_{e}" in arrays.found else None
    return Trial(label, y, spikes, V, (t_arr, w), number)


class _Arrays:
    """The arrays of the file; each is checked when it is taken."""

    def __init__(self, run: Path) -> None:
        whole = content(run, NAME, bytes)
        try:
            with zipfile.ZipFile(io.BytesIO(whole)) as archive:
                members = archive.infolist()
                if sum(one.file_size for one in members) > max(SMALL, MOST_SHRUNK * len(whole)):
                    raise ValueError("its arrays are far larger than the file")
                self.found = {one.filename.removesuffix(".npy"): _stored(archive, one) for one in members}
        except DAMAGED as error:
            raise RecordError(NAME, "an intact file of arrays", f"{type(error).__name__}: {error}") from None

    def numbers(self, name: str, *shape: int | None) -> np.ndarray:
        """An array of finite numbers; None in the shape stands for any length."""
        array = self._array(name, "fiu", "numbers", shape)
        for where in np.argwhere(~np.isfinite(array)).tolist()[:1]:
            raise RecordError(f"{NAME} {name}", "finite numbers", f"{array[tuple(where)]} at {where}")
        return array

    def indices(self, name: str, size: int, *shape: int | None) -> np.ndarray:
        """An array of whole numbers from 0 to `size - 1`."""
        array = self._array(name, "iu", "whole numbers", shape)
        for wrong in array[(array < 0) | (array >= size)].tolist()[:1]:
            raise RecordError(f"{NAME} {name}", f"whole numbers from 0 to {size - 1}", wrong)
        return array

    def flags(self, name: str, *shape: int) -> np.ndarray:
        """An array of booleans; all True where the file has none."""
        return self._array(name, "b", "booleans", shape) if name in self.found else np.ones(shape, bool)

    def _array(self, name: str, kinds: str, expected: str, shape: tuple[int | None, ...]) -> np.ndarray:
        array = self.found.get(name)
        if array is None:
            raise RecordError(NAME, f"a file of arrays with {name}", "one without")
        if array.dtype.kind not in kinds:
            raise RecordError(f"{NAME} {name}", expected, f"an array of {array.dtype}")
        if len(array.shape) != len(shape) or any(n not in (m, None) for n, m in zip(shape, array.shape)):
            wanted, got = (", ".join("any" if n is None else str(n) for n in one) for one in (shape, array.shape))
            raise RecordError(f"{NAME} {name}", f"of shape [{wanted}]", f"shape [{got}]")
        return array


def _stored(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """An array of the archive; of the bytes that its member states, whatever else is in it."""
    with archive.open(member) as file:
        found: np.ndarray = np.lib.format.read_array(io.BytesIO(file.read(member.file_size)), allow_pickle=False)  # noqa: TID251
    return found
