"""Spike data in HDF5 files with the layout of the Spiking Heidelberg Digits, at exact times.

Datasets: `spikes/times` (variable length, seconds, ascending), `spikes/units` (variable length,
channel numbers), `labels`, and optionally `extra/speaker` and `extra/keys`, the names of the
classes. HDF5's own checksum does not cover rows of variable length. So a file may state the SHA-256
of its times, channels and labels, as the attribute `content_sha256`; `write_spike_file` does.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from delayprop.fast.data.collating import row_of, separated
from delayprop.fast.data.hdf5_reading import WIDEST, datasets
from delayprop.fast.data.spike_data import OTHER_LAYOUT, SpikeData, check_record, content_sha256
from delayprop.spec.checks import one_of, sequence, text
from delayprop.spec.errors import SpecError, Verbatim

NAMES = ("spikes/times", "spikes/units", "labels")
SPEAKERS, KEYS = "extra/speaker", "extra/keys"
CONTENT = "content_sha256"
PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6}


def read_spike_file(path: Path, channels: int, classes: int, duration: float) -> SpikeData:
    """Reads and checks a file; a record that breaks the layout is named. `channels`, `classes`:
    upper bounds of units and labels, exclusive; no spike may be later than `duration` (ms)."""
    try:
        found, stated = datasets(path, NAMES, (SPEAKERS, KEYS), CONTENT)
    except SpecError:
        raise
    except Exception as error:  # h5py has no single error type for damage
        trouble, remedy = _trouble(path, error)
        raise SpecError(str(path), "a readable HDF5 file of spikes", Verbatim(trouble), remedy) from None
    seconds, units = ([np.asarray(row) for row in found[name]] for name in NAMES[:2])
    labels, speakers = found["labels"], found.get(SPEAKERS)
    lengths = {"times": len(seconds), "units": len(units), "labels": len(labels)}
    if speakers is not None:
        if speakers.ndim != 1 or speakers.dtype.kind not in "iu":
            got = Verbatim(f"{speakers.dtype} of shape {list(speakers.shape)}")
            remedy = "number the speakers from 0, or leave the dataset out"
            raise SpecError(f"{path.name} extra/speaker", "a whole number per record", got, remedy)
        lengths["speakers"] = len(speakers)
    if len(set(lengths.values())) > 1 or not len(labels):
        expected = "equal numbers of records in all datasets, at least one"
        got = Verbatim(", ".join(f"{count} {name}" for name, count in lengths.items()))
        raise SpecError(f"{path.name} labels", expected, got, "get the complete file")
    times = []
    for n in range(len(labels)):
        name = f"{path.name} record {n}"
        row = row_of(f"{name} times", seconds[n], "fiu", "real numbers", OTHER_LAYOUT)
        with np.errstate(over="ignore"):  # an infinite time is refused below
            times.append(row.astype(np.float64) * 1000)
        units[n] = row_of(f"{name} units", units[n], "iu", "whole numbers", OTHER_LAYOUT)
        check_record(name, times[n], units[n], labels[n], channels, classes, duration)
    if stated is not None and stated != content_sha256(seconds, units, labels).encode():
        got = Verbatim("another SHA-256, so it was damaged or changed" if stated else "no text of fixed length there")
        remedy = "get the complete file, or write yours anew with `write_spike_file`"
        raise SpecError(str(path), f"a file with the content that its `{CONTENT}` states", got, remedy)
    units, class_names = [u.astype(np.int64) for u in units], None
    if (keys := found.get(KEYS)) is not None:
        class_names = _class_names(f"{path.name} {KEYS}", keys, int(labels.max()) + 1, classes)
    return SpikeData(times, units, labels.astype(np.int64), channels, classes, speakers, class_names=class_names)


def _class_names(name: str, keys: np.ndarray, least: int, most: int) -> tuple[str, ...]:
    """The names of a file's classes, from `least` to `most` of them."""
    remedy = "name each class, in the order of the labels, or leave the dataset out"
    if keys.ndim != 1 or keys.dtype.kind not in "SO" or not all(isinstance(key, bytes) for key in keys):
        raise SpecError(name, "a text per class", Verbatim(f"{keys.dtype} of shape {list(keys.shape)}"), remedy)
    if not least <= len(keys) <= most:
        expected = f"{most} names" if least == most else f"{least} to {most} names"
        raise SpecError(name, f"{expected}, one per class", len(keys), remedy)
    found: list[str] = []
    for n, key in enumerate(keys):
        text = key.decode("utf-8", "replace")
        if text in ("", *found) or not text.isprintable() or text.encode() != key or len(key) > WIDEST:
            expected = f"a printable text in UTF-8 that no other class has, of at most {WIDEST} bytes"
            raise SpecError(f"{name}[{n}]", expected, bytes(key), remedy)
        found.append(text)
    return tuple(found)


def write_spike_file(
    path: str | os.PathLike, entries: Sequence[tuple[Any, Any]], unit: str, class_names: Sequence[str] | None = None
) -> None:
    """Writes a file for `delayprop train --task spikes`, with the SHA-256 of its content.

    Args:
        path: the file, in a folder that exists; an older one is replaced.
        entries: `(events, label)` per trial, as for `collate`; a dataset of tonic, for example,
            or `list(zip(spikes, labels))` of a `Spikes`.
            Events may have any order. Neurons, the channels of the file, and labels count from 0.
        unit: of the times: `us`, as tonic has them, `ms` or `s`. The file holds seconds.
        class_names: a text per class, in the order of the labels, for the page of a run.

    Raises:
        SpecError: `path` is no file in a folder; class names that no reader takes; as `collate`.
        OSError: the file cannot be written.
    """
    path, per_second = Path(path), PER_SECOND[one_of(unit, "unit", tuple(PER_SECOND))]
    if not path.name or path.is_dir() or not path.parent.is_dir():
        remedy = "name a file in it" if path.is_dir() else "make the folder first"
        raise SpecError("path", "a file in a folder that exists", str(path), remedy)
    times, units, labels = separated(entries, unit)
    keys = None
    if class_names is not None:
        given = enumerate(sequence(class_names, "class_names", None, "texts"))
        keys = np.array([text(one, f"class_names[{n}]").encode() for n, one in given], np.bytes_)
        _class_names("class_names", keys, max(labels, default=0) + 1, 2**31)
    orders = [np.argsort(t, kind="stable") for t in times]
    times = [t[order] / per_second for t, order in zip(times, orders, strict=True)]
    units = [u[order] for u, order in zip(units, orders, strict=True)]
    half = path.with_name(path.name + ".part")
    half.unlink(missing_ok=True)  # of a writer that was killed
    try:
        with h5py.File(half, "x") as file:  # follows no link
            for key, rows, kind in (("times", times, np.float64), ("units", units, np.int64)):
                data = file.create_dataset(f"spikes/{key}", (len(rows),), dtype=h5py.vlen_dtype(kind))
                for n, row in enumerate(rows):
                    data[n] = row
            file["labels"] = np.array(labels, np.int64)
            if keys is not None:
                file[KEYS] = keys
            file.attrs[CONTENT] = np.bytes_(content_sha256(times, units, np.array(labels)))
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)


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
    if not path.is_file():
        return "a pipe or a device", "name a file on a disk"
    if not path.stat().st_size:
        return "an empty file", "get the complete file"
    if isinstance(error, MemoryError):
        return "a file that is damaged, or too large for the memory", "get the complete file, or a smaller one"
    if isinstance(error, TypeError | ValueError):
        return "a file with spikes of another kind", "get the complete file"
    return "a file that is damaged, or not HDF5", "get the complete file"


def fingerprints(paths: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of each split's file, which identifies the data of a run."""
    found = {}
    for split, path in paths.items():
        with path.open("rb") as file:
            found[split] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
