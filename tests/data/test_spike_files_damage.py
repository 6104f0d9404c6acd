"""Damaged spike files, and those of a stranger, are refused: named are the file and the record."""

import gzip
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.data.spike_files import read_spike_file
from delayprop.spec import SpecError
from tests.support.runs.written_files import CHANNELS, CLASSES, DURATION, small_trials, write

TRIALS = 24
NOT_READ = r"mine[.]h5` must be a readable HDF5 file of spikes, got .+; get the complete file"
Change = Callable[[h5py.File], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file, beside data from which it could take its own."""
    found = tmp_path / "mine.h5"
    write(found, *small_trials(TRIALS, 0))
    (tmp_path / "other.h5").write_bytes(found.read_bytes())
    (tmp_path / "other.raw").write_bytes(np.zeros(TRIALS, np.int64).tobytes())
    return found


def read(path: Path) -> SpikeData:
    return read_spike_file(path, CHANNELS, CLASSES, DURATION)


def test_control_the_file_is_read_before_it_is_damaged_and_without_spikes(path: Path) -> None:
    assert len(read(path)) == TRIALS
    with h5py.File(path, "r+") as file:
        for name, dtype in (("times", np.float32), ("units", np.uint16)):
            created(f"spikes/{name}", (TRIALS,), dtype=h5py.vlen_dtype(dtype))(file)
            file[f"spikes/{name}"][0] = np.empty(0, dtype)
    assert read(path).counts().sum() == 0


OVERWRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "cut: one byte": lambda content: content[:-1],
    "cut: half": lambda content: content[: len(content) // 2],
    "cut: all but the signature": lambda content: content[:8],
    "nothing but zeros": lambda content: bytes(len(content)),
    "zeros where it begins": lambda content: bytes(512) + content[512:],
    "a page of the server": lambda content: b"<!DOCTYPE html>\n<html><body>404</body></html>\n" * 400,
    "still packed": gzip.compress,
    "an array of NumPy": lambda content: b"\x93NUMPY\x01\x00" + content[8:],
    "two bytes lost on the way": lambda content: content.replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("change", OVERWRITTEN.values(), ids=OVERWRITTEN.keys())
def test_a_file_of_other_bytes_is_refused(change: Callable[[bytes], bytes], path: Path) -> None:
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    with pytest.raises(SpecError, match=NOT_READ):
        read(path)


def replaced(name: str, values: Any) -> Change:
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file[name] = values

    return change


def created(name: str, *given: Any, **how: Any) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, *given, **how)

    return change


def group(file: h5py.File, name: str) -> None:
    del file[name]
    file.create_group(name)


def assembled(file: h5py.File) -> None:
    """Labels that are those of another file."""
    del file["labels"]
    layout = h5py.VirtualLayout((TRIALS,), np.int64)
    layout[:] = h5py.VirtualSource("other.h5", "labels", (TRIALS,))
    file.create_virtual_dataset("labels", layout)


def rows(name: str, kind: str, make: Callable[[np.ndarray], np.ndarray], only: int | None = 17) -> Change:
    """One row of another type, made from the original row; `only` None: all such rows."""

    def change(file: h5py.File) -> None:
        before = list(file[name][:])
        del file[name]
        data = file.create_dataset(name, (TRIALS,), dtype=h5py.vlen_dtype(np.dtype(kind)))
        for n, row in enumerate(before):
            data[n] = (make(row) if only in (None, n) else row).astype(kind)

    return change


times, units = partial(rows, "spikes/times", "f8"), partial(rows, "spikes/units")


def no_trials(file: h5py.File) -> None:
    for name in ("spikes/times", "spikes/units", "labels"):
        replaced(name, np.empty((0, 1), int))(file)


def one_label(value: int) -> Change:
    return replaced("labels", np.where(np.arange(TRIALS) == 17, value, 0))


def named(count: int, *more: bytes) -> np.ndarray:
    return np.array([*(str(n).encode() for n in range(count)), *more])


NO_NAME = r"extra/keys\[26\]` must be a printable text in UTF-8 that no other class has"
KEYS, READABLE = "must be a complete file of spikes, got one without `", "must be a readable HDF5 file of spikes"
STORED, OTHER_KIND = "labels` must be stored in this file, got", "got a file with spikes of another kind"
SPEAKERS = r"extra/speaker` must be a whole number per record, got .* leave the dataset"
IN_ORDER = np.linspace(0.1, 0.3, 12)

DAMAGES: dict[str, tuple[Change, str]] = {
    "other names": (lambda file: file.move("spikes/times", "spikes/time"), KEYS),
    "names of another level": (lambda file: file.move("spikes", "events"), KEYS),
    "labels of another name": (lambda file: file.move("labels", "label"), KEYS),
    "a group for a dataset": (lambda file: group(file, "spikes/times"), READABLE),
    "a group for labels": (lambda file: group(file, "labels"), READABLE),
    "one label for all": (replaced("labels", 1), READABLE),
    "no trial at all": (no_trials, "got 0 times, 0 units, 0 labels"),
    "no labels": (replaced("labels", np.zeros(0, int)), f"got {TRIALS} times, {TRIALS} units, 0 labels"),
    "more labels than trials": (replaced("labels", np.zeros(TRIALS + 1, int)), f"{TRIALS + 1} labels"),
    "two labels a trial": (replaced("labels", np.zeros((TRIALS, 2), int)), "record 0 label` must be a whole number"),
    "labels in words": (replaced("labels", np.array([b"one"] * TRIALS)), "record 0 label` must be a whole number"),
    "a label below 0": (one_label(-1), "record 17 label` must be from 0 to 26, got -1"),
    "a label too large": (one_label(27), "record 17 label` must be from 0 to 26, got 27"),
    "units that are no whole numbers": (units("f8", lambda row: row + 0.5, None),
                                        "record 0 units` must be whole numbers, got float64"),
    "a unit below 0": (units("i4", lambda row: row.astype("i4") - 99),
                       r"record 17 units` must be from 0 to 23, got -\d+"),
    "a unit too large": (units("u2", lambda row: np.full(len(row), 24)), "units` must be from 0 to 23, got 24"),
    "a unit beyond 64 bits": (
        units("u8", lambda row: np.full(len(row), 2**64 - 1, np.uint64)),
        "record 17 units` must be from 0 to 23, got 18446744073709551615",
    ),
    "times in ms": (times(lambda row: 1000 * row, None), r"record 0 times` must be from 0 to 1350.0 ms, got 1\d{5}"),
    "times in ms, in one record": (times(lambda row: 1000 * row),
                                   r"record 17 times` must be from 0 to 1350.0 ms, got 1\d{5}"),
    "an infinite time": (times(lambda row: np.append(row[:-1], np.inf)), "record 17 times` must be finite, got inf"),
    "a NaN in front": (times(lambda row: np.append(np.nan, row[1:])), "record 17 times` must be finite, got nan"),
    "a time below 0": (times(lambda row: row - 0.2), "record 17 times` must be from 0 to 1350.0 ms, got -"),
    "one late time": (times(lambda row: np.append(IN_ORDER[:-1], 1.4)),
                      "record 17 times` must be from 0 to 1350.0 ms, got 100.0 to 1400.0 ms"),
    "the first two times exchanged": (
        times(lambda row: IN_ORDER[[1, 0, *range(2, 12)]]),
        "record 17 times` must be in order, got spike 1 earlier than spike 0",
    ),
    "the last two times exchanged": (
        times(lambda row: IN_ORDER[[*range(10), 11, 10]]),
        "record 17 times` must be in order, got spike 11 earlier than spike 10",
    ),
    "a time too many": (times(lambda row: np.append(IN_ORDER, 0.4)),
                        "record 17 units` must be one per time, 13, got 12"),
    "no unit for the times": (units("u2", lambda row: row[:0]), "record 17 units` must be one per time, 12, got 0"),
    "rows of two dimensions": (
        replaced("spikes/times", np.full((TRIALS, 12, 1), 0.1)),
        r"record 0 times` must be a row, one entry per spike, got an array of shape \[12, 1\]",
    ),
    "flat times": (replaced("spikes/times", np.full(TRIALS, 0.1)), "record 0 times` must be a row, one"),
    "text rows": (rows("spikes/times", "S4", lambda row: row, None), r"record 0 times` must be real numbers, got \|S4"),
    "text for rows": (replaced("spikes/times", np.array(["soon"] * TRIALS, h5py.string_dtype())), OTHER_KIND),
    "enormous time": (times(lambda row: np.full(len(row), 1e306), None), "record 0 times` must be finite, got inf"),
    "speakers in a column": (replaced("extra/speaker", np.arange(TRIALS)[:, None]), SPEAKERS),
    "half speakers": (replaced("extra/speaker", np.arange(TRIALS) / 2), SPEAKERS),
    "names of speakers": (replaced("extra/speaker", np.array([b"ann"] * TRIALS)), SPEAKERS),
    "NaN for speakers": (replaced("extra/speaker", np.full(TRIALS, np.nan)), SPEAKERS),
    "names in a table": (replaced("extra/keys", np.full((27, 2), b"A")), r"extra/keys` must be a text per class, got"),
    "numbers for names": (replaced("extra/keys", np.arange(27)), "extra/keys` must be a text per class, got int64 of"),
    "a name too many": (replaced("extra/keys", named(28)), r"keys` must be .* names, one per class, got 28; name"),
    "too few names": (replaced("extra/keys", named(1)), "extra/keys` must be .* names, one per class, got 1; name"),
    "a name that is no text": (replaced("extra/keys", named(26, b"\xff")), NO_NAME),
    "a name twice": (replaced("extra/keys", named(26, b"7")), NO_NAME),
    "no name": (replaced("extra/keys", named(26, b"")), NO_NAME),
    "a name of a new line": (replaced("extra/keys", named(26, b"A\nB")), NO_NAME),
    "long names": (replaced("extra/keys", named(26, b"A" * 65)), "extra/keys` must be of entries of at most 64 bytes"),
    "names of another file": (replaced("extra/keys", h5py.ExternalLink("other.h5", "labels")), "must be stored in"),
    "one name for all": (replaced("extra/keys", b"A"), READABLE),
    "data of another file": (
        created("labels", (TRIALS,), np.int64, external=[("other.raw", 0, 8 * TRIALS)]),
        f"{STORED} data of another file; copy it into this file",
    ),
    "data of other datasets": (assembled, f"{STORED} data of another file; copy it into this file"),
    "a link to another file": (replaced("labels", h5py.ExternalLink("other.h5", "labels")), f"{STORED} a link"),
    "a folder of another file": (replaced("spikes", h5py.ExternalLink("other.h5", "spikes")), "this file, got a link"),
    "a link to itself": (replaced("labels", h5py.SoftLink("/labels")), f"{STORED} a link"),
    "an optional folder of another file": (replaced("extra", h5py.ExternalLink("other.h5", "/")),
                                           "extra/speaker` must be stored in"),
    "rows for a folder": (created("spikes", (2 * 10**8,), np.int64, chunks=(1024,)),
                          "got one without `spikes/times`; get the file again"),
    "labels of 500 MB": (created("labels", (TRIALS,), "S500000000", chunks=(1,)), OTHER_KIND),
    "rows of rows": (created("labels", (TRIALS,), h5py.vlen_dtype(h5py.vlen_dtype(np.int64))), OTHER_KIND),
    "more rows than bytes": (created("labels", (2**40,), np.int64, chunks=(1024,)),
                             "a file that is damaged, or not HDF5; get the complete"),
}


@pytest.mark.parametrize(("change", "words"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_record_is_named(change: Change, words: str, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(SpecError, match=words) as refusal:
        read(path)
    assert "mine.h5" in str(refusal.value)


def test_what_is_in_the_way_is_said_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "text.h5").write_text("spikes")
    (tmp_path / "empty.h5").touch()
    os.mkfifo(tmp_path / "pipe.h5")
    for path, words in {
        tmp_path / "no" / "train.h5": f"got no such folder as {tmp_path / 'no'}",
        tmp_path / "train.h5": "got no such file; put the file there",
        tmp_path / "folder.h5": "got a folder; name the file in it",
        tmp_path / "empty.h5": "got an empty file; get the complete file",
        tmp_path / "text.h5": "got a file that is damaged, or not HDF5; get the complete file",
        tmp_path / "pipe.h5": "got a pipe or a device; name a file on a disk",
    }.items():
        with pytest.raises(SpecError) as caught:
            read_spike_file(path, 7, 2, 100.0)
        said = str(caught.value).replace("...", "")
        assert words[:40] in said and "Errno" not in said and "h5" not in said.split("got", 1)[1].replace("h5;", "")
