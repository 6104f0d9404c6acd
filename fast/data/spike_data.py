"""Labelled trials of spikes at exact times, in memory."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import torch
from torch.utils.data import Dataset

from delayprop.fast.data.collating import separated
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.units import in_ms
from delayprop.spec.errors import SpecError, Verbatim

DRAWS = 2**31 - 1  # separates the draw of a validation split from all other draws
SHORT, LONG = 5.0, 60_000.0  # ms; hardly any trial is shorter, or longer
OTHER_LAYOUT = "the data are damaged or of another layout"


@dataclass(frozen=True, eq=False)
class SpikeData(Dataset):
    """Labelled trials."""

    times: list[np.ndarray]  # ms, float64, ascending, one array per trial
    units: list[np.ndarray]  # channel of each spike, one array per trial
    labels: np.ndarray  # `[trials]`
    channels: int  # how many
    classes: int
    speakers: np.ndarray | None = None  # of each trial, if the file has them
    pool: int = 1  # neighbouring channels that become one neuron of a batch
    bias: bool = False  # whether a batch has one more neuron, the last, which spikes at 0 in every trial
    class_names: tuple[str, ...] | None = None  # in the order of the labels, if the file has them

    @property
    def inputs(self) -> int:
        """Number of neurons of a batch."""
        return -(-self.channels // self.pool) + self.bias

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, trial: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Times (ms), channels and label of a trial."""
        return self.times[trial], self.units[trial], int(self.labels[trial])

    @classmethod
    def of(cls, dataset: Dataset, channels: int, classes: int, duration: float) -> Self:
        """Converts a dataset of the package `tonic`, or any dataset with entries `(events, label)`.

        `events` is a structured array with `t` (microseconds) and `x` (channels); `SpecError` names
        an entry that breaks the layout. Other arguments: as for `read_spike_file`.
        """
        times, units, labels = separated(dataset, "us", "dataset", channels, "channels")
        times = [in_ms(t, "us") for t in times]
        for n, label in enumerate(labels):
            check_record(f"dataset[{n}]", times[n], units[n], np.int64(label), channels, classes, duration)
        return cls(times, units, np.array(labels, np.int64), channels, classes)

    def batch(self, trials: np.ndarray, duration: float) -> tuple[Spikes, torch.Tensor]:
        """Spikes and labels of these trials."""
        times, units = [self.times[n] for n in trials], [self.units[n] for n in trials]
        return self.batch_of(times, units, self.labels[trials], duration)

    def batch_of(
        self, times: Sequence[np.ndarray], units: Sequence[np.ndarray], labels: np.ndarray, duration: float
    ) -> tuple[Spikes, torch.Tensor]:
        """Spikes and labels of trials with these times (ms, ascending), channels and labels."""
        channels, ordered, at_0 = self.inputs, [np.empty(0)], np.zeros(int(self.bias))
        counts = np.empty((len(labels), channels), np.int64)
        smallest = np.min_scalar_type(channels)  # NumPy sorts whole numbers of 16 bits ten times faster than of 64
        for n, (t, u) in enumerate(zip(times, units, strict=True)):
            pooled = u // self.pool
            ordered += [t[np.argsort(pooled.astype(smallest), kind="stable")], at_0]
            counts[n] = np.bincount(pooled, minlength=channels)
        if self.bias:
            counts[:, -1] = 1
        offsets = torch.from_numpy(np.concatenate([[0], counts.ravel().cumsum()]))
        spikes = Spikes(torch.from_numpy(np.concatenate(ordered)), offsets, len(labels), channels, duration)
        return spikes, torch.from_numpy(labels)

    def where(self, chosen: np.ndarray) -> Self:
        """The trials where a boolean array is true, in order."""
        times, units = ([rows[n] for n in np.flatnonzero(chosen)] for rows in (self.times, self.units))
        speakers = None if self.speakers is None else self.speakers[chosen]
        return replace(self, times=times, units=units, labels=self.labels[chosen], speakers=speakers)

    def until(self, duration: float) -> Self:
        """The trials without their spikes after `duration`, ms."""
        ends = [np.searchsorted(times, duration, "right") for times in self.times]
        times, units = ([row[:end] for row, end in zip(rows, ends, strict=True)] for rows in (self.times, self.units))
        return replace(self, times=times, units=units)

    def sha256(self) -> str:
        """SHA-256 of the trials, which tells whether two runs saw the same."""
        return content_sha256(self.times, self.units, self.labels)

    def counts(self) -> np.ndarray:
        """Spike counts, `[trials, channels]`."""
        return np.stack([np.bincount(units, minlength=self.channels) for units in self.units])


class Splits(NamedTuple):
    """Trials by split, and the SHA-256 of the files that hold them; none of generated trials."""

    trials: dict[str, SpikeData]
    sha256: dict[str, str]


def content_sha256(times: Sequence[np.ndarray], units: Sequence[np.ndarray], labels: np.ndarray) -> str:
    """SHA-256 of times, channels and labels; all as 64-bit numbers, trial by trial."""
    found = hashlib.sha256()
    for t, u, label in zip(times, units, labels, strict=True):
        found.update(np.array([len(t), label], "<i8").tobytes())
        found.update(np.asarray(t, "<f8").tobytes() + np.asarray(u, "<i8").tobytes())
    return found.hexdigest()


def doubts(data: SpikeData, duration: float) -> list[str]:
    """Possible data that are rarely meant, in words; `duration`: of a trial, ms."""
    found = []
    if not SHORT <= duration <= LONG:
        found.append(f"a trial lasts {duration:.4g} ms: did its times come in another unit? Files hold seconds")
    channels = [int(units.min()) for units in data.units if len(units)]
    for name, smallest in (("label", int(data.labels.min())), ("channel", min(channels, default=0))):
        if smallest > 0:
            found.append(f"the smallest {name} of the training trials is {smallest}: they count from 0")
    return found


def unseen(data: dict[str, SpikeData]) -> list[str]:
    """Spikes of other splits on inputs where training has none, in words; a line per split."""
    trained, found = np.zeros(data["train"].inputs, bool), []
    for units in data["train"].units:
        trained[units // data["train"].pool] = True
    for split, part in data.items():
        new = np.concatenate([units[~trained[units // part.pool]] for units in part.units])
        if len(new):
            share = f"{len(new)} of {sum(map(len, part.units))} spikes of {split}"
            channels = f"{len(np.unique(new))} of {part.channels} channels"
            found.append(f"{share}, on {channels}, are where training has none: nothing is learned about them")
    return found


def shared_class_names(data: dict[str, SpikeData]) -> tuple[str, ...] | None:
    """The names of the classes; None: no split has any. `SpecError`: a class without a name, or two
    splits with other names, so that a label would mean two classes."""
    found: tuple[str, ...] | None = None
    for split, part in data.items():
        if part.class_names is None:
            continue
        if part.class_names != (found or part.class_names) or len(part.class_names) != part.classes:
            got = Verbatim(", ".join(part.class_names))
            remedy = "name and number the classes alike in all files, or leave the dataset out"
            expected = f"the names of {part.classes} classes, equal in all files"
            raise SpecError(f"extra/keys of {split}", expected, got, remedy)
        found = part.class_names
    return found


def held_out(data: SpikeData, share: int, seed: int) -> dict[str, SpikeData]:
    """Splits trials at random: one in `share` (at least one) to `valid`, the others to `train`."""
    order = np.random.default_rng([seed, DRAWS]).permutation(len(data))
    out = np.isin(np.arange(len(order)), order[: max(1, len(order) // share)])
    return {"train": data.where(~out), "valid": data.where(out)}


def check_record(
    name: str, times: np.ndarray, units: np.ndarray, label: np.generic, channels: int, classes: int, duration: float
) -> None:
    """Refuses a record that breaks the layout."""

    def refuse(what: str, expected: str, got: object, remedy: str = OTHER_LAYOUT) -> SpecError:
        return SpecError(f"{name} {what}", expected, Verbatim(got), remedy)

    if len(times) != len(units):
        raise refuse("units", f"one per time, {len(times)}", len(units))
    if not isinstance(label, np.integer):
        raise refuse("label", "a whole number", type(label).__name__)
    if not np.isfinite(times).all():
        raise refuse("times", "finite", times[~np.isfinite(times)][0])
    if len(times) and (times.min() < 0 or times.max() > duration):
        got = f"{times.min()} to {times.max()} ms"
        expected = f"from 0 to {duration} ms" if duration < math.inf else "at least 0 ms"
        raise refuse("times", expected, got, f"{OTHER_LAYOUT}, or in another unit")
    if (np.diff(times) < 0).any():
        later = int(np.argmax(np.diff(times) < 0)) + 1
        raise refuse("times", "in order", f"spike {later} earlier than spike {later - 1}")
    if len(units) and not (0 <= units.min() and units.max() < channels):
        raise refuse("units", f"from 0 to {channels - 1}", f"{units.min()} to {units.max()}")
    if not 0 <= label < classes:
        raise refuse("label", f"from 0 to {classes - 1}", label)
