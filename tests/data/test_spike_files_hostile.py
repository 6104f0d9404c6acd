"""Spike files that a stranger sends: no traceback, no crash, and no data of another file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.data.spike_files import read_spike_file, write_spike_file
from delayprop.spec import SpecError

FILES = 1000
Change = Callable[[h5py.File], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "mine.h5"
    write_spike_file(found, [(([1000.0, 2000.0], [0, 1]), 0), (([1500.0], [1]), 1)], unit="us")
    return found


def read(path: Path) -> SpikeData:
    return read_spike_file(path, 7, 7, 1000.0)


def test_a_thousand_damaged_files_are_read_or_refused(path: Path) -> None:
    """Half of them with one flipped bit, half with up to 40, which also damage what the library
    trusts: it did not return from some of them, and crashed on others."""
    good, random, refused = path.read_bytes(), np.random.default_rng(1), 0
    for n in range(FILES):
        damaged = bytearray(good)
        for place in random.integers(0, len(good), 1 if n % 2 else int(random.integers(2, 41))):
            damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            assert len(read(path)) == 2
        except SpecError as refusal:
            refused += 1
            assert "mine.h5" in str(refusal)
    assert FILES // 4 < refused < FILES, "some damage is none: unused bytes"


def replaced(name: str, link: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = link

    return change


def created(name: str, *given: Any, **how: Any) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, *given, **how)

    return change


def assembled(file: h5py.File) -> None:
    del file["labels"]
    layout = h5py.VirtualLayout((2,), np.int64)
    layout[:] = h5py.VirtualSource("other.h5", "labels", (2,))
    file.create_virtual_dataset("labels", layout)


STORED = "labels` must be stored in this file, got"
HOSTILE: dict[str, tuple[Change, str]] = {
    "data of another file": (
        created("labels", (2,), np.int64, external=[("other.raw", 0, 16)]),
        f"{STORED} data of another file; copy it into this file",
    ),
    "data of other datasets": (assembled, f"{STORED} data of another file; copy it into this file"),
    "a link to another file": (replaced("labels", h5py.ExternalLink("other.h5", "labels")), f"{STORED} a link"),
    "a folder of another file": (replaced("spikes", h5py.ExternalLink("other.h5", "spikes")), "this file, got a link"),
    "a link to itself": (replaced("labels", h5py.SoftLink("/labels")), f"{STORED} a link"),
    "an optional folder of another file": (
        lambda file: file.__setitem__("extra", h5py.ExternalLink("other.h5", "/")), "extra/speaker` must be stored in"
    ),
    "rows for a folder": (
        created("spikes", (2 * 10**8,), np.int64, chunks=(1024,)), "got one without `spikes/times`; get the file again"
    ),
    "labels of 500 MB": (created("labels", (2,), "S500000000", chunks=(1,)), "a file with spikes of another kind"),
    "rows of rows": (
        created("labels", (2,), h5py.vlen_dtype(h5py.vlen_dtype(np.int64))), "a file with spikes of another kind"
    ),
    "more rows than bytes": (
        created("labels", (2**40,), np.int64, chunks=(1024,)), "a file that is damaged, or not HDF5; get the complete"
    ),
}


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_file_takes_from_elsewhere_is_refused(change: Change, words: str, path: Path) -> None:
    (path.parent / "other.h5").write_bytes(path.read_bytes())
    (path.parent / "other.raw").write_bytes(np.array([1, 0]).tobytes())
    with h5py.File(path, "r+") as file:
        del file.attrs["content_sha256"]
        change(file)
    with pytest.raises(SpecError, match=words) as refusal:
        read(path)
    assert "mine.h5" in str(refusal.value)


@pytest.mark.parametrize("how", [{}, {"chunks": (1,)}, {"compression": "gzip", "shuffle": True}], ids=str)
@pytest.mark.parametrize("wrong", [False, True])
def test_rows_are_checked_in_each_way_to_store_them(how: dict, wrong: bool, path: Path) -> None:
    """Both datasets refer to rows whose lengths the test changes: two spikes become three."""
    with h5py.File(path, "r+") as file:
        del file.attrs["content_sha256"]
        for name in ("spikes/times", "spikes/units"):
            rows, kind = file[name][:], file[name].dtype
            del file[name]
            file.create_dataset(name, data=rows, dtype=kind, **how)
    if not wrong:
        assert [len(times) for times in read(path).times] == [2, 1]
    elif "compression" not in how:
        content = path.read_bytes()
        with h5py.File(path) as file:
            rows = file["spikes/times"].id
            start = rows.get_chunk_info(0).byte_offset if how else rows.get_offset()
        assert content[start] == 2
        path.write_bytes(content[:start] + b"\x03" + content[start + 1 :])
        with pytest.raises(SpecError, match="a file that is damaged"):
            read(path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(SpecError, match=r"pipe.h5` must be .* got a pipe or a device; name a file on a disk"):
        read(tmp_path / "pipe.h5")


def test_a_half_written_file_that_is_a_link_leads_to_no_other_file(path: Path) -> None:
    """Somebody who may write the folder has put the link there."""
    (path.parent / "letter").write_text("dear")
    path.with_name("mine.h5.part").symlink_to("letter")
    write_spike_file(path, [(([1.0], [0]), 0)], unit="s")
    assert (path.parent / "letter").read_text() == "dear" and not path.is_symlink() and len(read(path)) == 1
