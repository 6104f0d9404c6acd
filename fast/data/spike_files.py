"""Spike data in HDF5 files with the layout of the Spiking Heidelberg Digits, at exact times.

Datasets: `spikes/times` (variable length, seconds, ascending), `spikes/units` (variable length,
channel numbers), `labels`, and optionally `extra/speaker`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import torch
from torch.utils.data import Dataset

from fast.nn.spikes import Spikes
from spec import SpecError
from spec.errors import Verbatim

DRAWS = 2**31 - 1  # separates the draw of a validation split from all other draws
OTHER_LAYOUT = "the file is damaged or of another layout"


@dataclass(frozen=True, eq=False)
class SpikeData(Dataset):
    """Labelled trials.

    Attributes:
        times: ms, float64, one ascending array per trial.
        units: channel of each spike, one array per trial.
        labels: `[trials]`.
        channels, classes: number of channels and of classes.
        speakers: speaker of each trial, if the file has them.
        pool: neighbouring channels that become one neuron of a batch.
    """

    times: list[np.ndarray]
    units: list[np.ndarray]
    labels: np.ndarray
    channels: int
    classes: int
    speakers: np.ndarray | None = None
    pool: int = 1

    @property
    def inputs(self) -> int:
        """Number of neurons of a batch."""
        return -(-self.channels // self.pool)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, trial: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Times (ms), channels and label of a trial."""
        return self.times[trial], self.units[trial], int(self.labels[trial])

    @classmethod
    def of(cls, dataset: Dataset, channels: int, classes: int, duration: float) -> SpikeData:
        """Converts a dataset of the package `tonic`, or any dataset with entries `(events, label)`.

        Args:
            dataset: `events` is a structured array with `t` (microseconds) and `x` (channels).
            channels, classes, duration: as for `read_spike_file`.

        Raises:
            SpecError: an entry lacks them or breaks the layout; the message names it.
        """
        times, units, labels = [], [], []
        for n in range(len(dataset)):  # type: ignore[arg-type]  # torch's `Dataset` declares no length
            name = f"dataset[{n}]"
            try:
                events, label = dataset[n]
                t, x = np.asarray(events["t"]), np.asarray(events["x"])
            except (TypeError, ValueError, KeyError, IndexError) as error:
                remedy = "give a dataset of tonic, untransformed"
                raise SpecError(name, "events with `t` and `x`, and a label", Verbatim(error), remedy) from None
            times.append(_plain_times(name, t, x) / 1000)
            units.append(x.astype(np.int64))
            labels.append(int(label))
            _check_record(name, times[n], x, np.int64(labels[n]), channels, classes, duration)
        return cls(times, units, np.array(labels, np.int64), channels, classes)

    def batch(self, trials: np.ndarray, duration: float) -> tuple[Spikes, torch.Tensor]:
        """Spikes and labels of these trials."""
        return self.batch_of([self.times[n] for n in trials], [self.units[n] for n in trials], trials, duration)

    def batch_of(
        self, times: Sequence[np.ndarray], units: Sequence[np.ndarray], trials: np.ndarray, duration: float
    ) -> tuple[Spikes, torch.Tensor]:
        """Spikes and labels of these trials, with other times (ms, ascending) and channels."""
        pooled = units if self.pool == 1 else [u // self.pool for u in units]
        return batch_of(times, pooled, self.inputs, duration), torch.from_numpy(self.labels[trials])

    def where(self, chosen: np.ndarray) -> SpikeData:
        """The trials where a boolean array is true, in order."""
        times, units = ([rows[n] for n in np.flatnonzero(chosen)] for rows in (self.times, self.units))
        speakers = None if self.speakers is None else self.speakers[chosen]
        return replace(self, times=times, units=units, labels=self.labels[chosen], speakers=speakers)

    def counts(self) -> np.ndarray:
        """Spike counts, `[trials, channels]`."""
        return np.stack([np.bincount(units, minlength=self.channels) for units in self.units])


def batch_of(times: Sequence[np.ndarray], units: Sequence[np.ndarray], channels: int, duration: float) -> Spikes:
    """A batch from the times (ms, ascending) and channels of each trial's spikes."""
    ordered, counts = [], np.empty((len(times), channels), np.int64)
    smallest = np.min_scalar_type(channels)  # NumPy sorts whole numbers of 16 bits ten times faster than of 64
    for n, (t, u) in enumerate(zip(times, units, strict=True)):
        ordered.append(t[np.argsort(u.astype(smallest), kind="stable")])
        counts[n] = np.bincount(u, minlength=channels)
    offsets = np.concatenate([[0], counts.ravel().cumsum()])
    flat = torch.from_numpy(np.concatenate([np.empty(0), *ordered]))
    return Spikes(flat, torch.from_numpy(offsets), len(times), channels, duration)


def read_spike_file(path: Path, channels: int, classes: int, duration: float) -> SpikeData:
    """Reads and checks a file.

    Args:
        path: the HDF5 file.
        channels, classes: upper bounds of units and labels, exclusive.
        duration: of a trial, ms; no spike may be later.

    Raises:
        SpecError: the file is missing or damaged, lacks a dataset, or has a record that breaks the
            layout; the message names the record.
    """
    try:
        with h5py.File(path, "r") as file:
            seconds = [np.asarray(t) for t in file["spikes/times"][:]]
            units = [np.asarray(u) for u in file["spikes/units"][:]]
            labels = np.asarray(file["labels"][:])
            speakers = np.asarray(file["extra/speaker"][:]) if "extra/speaker" in file else None
    except KeyError as error:
        expected = "a file with `spikes/times`, `spikes/units`, `labels`"
        got = Verbatim(f"a file without one of them ({error.args[0]})")
        raise SpecError(str(path), expected, got, "check the file") from None
    except (OSError, TypeError, ValueError) as error:
        trouble, remedy = _trouble(path, error)
        raise SpecError(str(path), "a readable HDF5 file of spikes", Verbatim(trouble), remedy) from None
    lengths = {"times": len(seconds), "units": len(units), "labels": len(labels)}
    if speakers is not None:
        lengths["speakers"] = len(speakers)
    if len(set(lengths.values())) > 1 or not len(labels):
        expected = "equal numbers of records in all datasets, at least one"
        got = Verbatim(", ".join(f"{count} {name}" for name, count in lengths.items()))
        raise SpecError(f"{path.name} labels", expected, got, "get the complete file")
    times = []
    for n in range(len(labels)):
        name = f"{path.name} record {n}"
        with np.errstate(over="ignore"):  # an infinite time is refused below
            times.append(_plain_times(name, seconds[n], units[n]) * 1000)
        _check_record(name, times[n], units[n], labels[n], channels, classes, duration)
    units = [u.astype(np.int64) for u in units]
    return SpikeData(times, units, labels.astype(np.int64), channels, classes, speakers)


def _trouble(path: Path, error: Exception) -> tuple[str, str]:
    """Why a file cannot be read, without the words of the system or of a library; and a remedy."""
    if not path.parent.is_dir():
        return f"no such folder as {path.parent}", "name the folder of the files with --data"
    if not path.exists():
        return "no such file", "put the file there, or name its folder with --data"
    if path.is_dir():
        return "a folder", "name the file in it"
    if not os.access(path, os.R_OK):
        return "a file that may not be read", "give yourself the right to read it"
    if isinstance(error, OSError):
        return "a file that is damaged, or not HDF5", "get the complete file"
    return "a file with spikes of another kind", "get the complete file"


def held_out(data: SpikeData, share: int, seed: int) -> dict[str, SpikeData]:
    """Splits trials at random: one in `share` (at least one) to `valid`, the others to `train`."""
    order = np.random.default_rng([seed, DRAWS]).permutation(len(data))
    out = np.isin(np.arange(len(order)), order[: max(1, len(order) // share)])
    return {"train": data.where(~out), "valid": data.where(out)}


def fingerprints(paths: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of each split's file, which identifies the data of a run."""
    found = {}
    for split, path in paths.items():
        with path.open("rb") as file:
            found[split] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _plain_times(name: str, times: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The times of a record as float64.

    Raises:
        SpecError: times or units are not one-dimensional, or times are not real numbers.
    """
    for what, row in (("times", times), ("units", units)):
        if row.ndim != 1:
            got = Verbatim("a single entry" if row.ndim == 0 else f"an array of shape {list(row.shape)}")
            raise SpecError(f"{name} {what}", "one-dimensional, one entry per spike", got, OTHER_LAYOUT)
    if times.dtype.kind not in "fiu":
        raise SpecError(f"{name} times", "real numbers", Verbatim(times.dtype), OTHER_LAYOUT)
    return times.astype(np.float64)


def _check_record(
    name: str, times: np.ndarray, units: np.ndarray, label: np.generic, channels: int, classes: int, duration: float
) -> None:
    """Refuses a record that breaks the layout."""

    def refuse(what: str, expected: str, got: object) -> SpecError:
        return SpecError(f"{name} {what}", expected, Verbatim(got), OTHER_LAYOUT)

    if len(times) != len(units):
        raise refuse("units", f"one per time, {len(times)}", len(units))
    if not np.issubdtype(units.dtype, np.integer) or not isinstance(label, np.integer):
        raise refuse("units and label", "whole numbers", f"{units.dtype} and {type(label).__name__}")
    if not np.isfinite(times).all():
        raise refuse("times", "finite", times[~np.isfinite(times)][0])
    if len(times) and (times.min() < 0 or times.max() > duration):
        raise refuse("times", f"from 0 to {duration} ms", f"{times.min()} to {times.max()} ms")
    if (np.diff(times) < 0).any():
        raise refuse("times", "in order", f"a step back at spike {int(np.argmax(np.diff(times) < 0)) + 1}")
    if len(units) and not (0 <= units.min() and units.max() < channels):
        raise refuse("units", f"from 0 to {channels - 1}", f"{units.min()} to {units.max()}")
    if not 0 <= label < classes:
        raise refuse("label", f"from 0 to {classes - 1}", label)
