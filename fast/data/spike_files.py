"""Spike data in HDF5 files with the layout of the Spiking Heidelberg Digits, at exact times.

Datasets: `spikes/times` (variable length, seconds, ascending), `spikes/units` (variable length,
channel numbers), `labels`, and optionally `extra/speaker`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from fast.data.spike_data import SpikeData, check_record, plain_times
from spec import SpecError
from spec.errors import Verbatim


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
            times.append(plain_times(name, seconds[n], units[n]) * 1000)
        check_record(name, times[n], units[n], labels[n], channels, classes, duration)
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


def fingerprints(paths: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of each split's file, which identifies the data of a run."""
    found = {}
    for split, path in paths.items():
        with path.open("rb") as file:
            found[split] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
