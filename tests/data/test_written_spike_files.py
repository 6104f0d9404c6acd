"""Spike files: what goes in comes out, and no damage of a file that we wrote goes unseen."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import h5py
import numpy as np
import pytest

from delayprop.fast.data import spike_files
from delayprop.fast.data.spike_data import SpikeData, shared_class_names
from delayprop.fast.data.spike_files import CONTENT, read_spike_file, write_spike_file
from delayprop.spec import SpecError
from tests.support.runs.reading import Patch
from tests.support.runs.written_files import CHANNELS, CLASSES, DURATION, small_trials, write

FILES = 1000
MOST = 2**31  # channels, and classes


def entries(trials: int = 12) -> list:
    random = np.random.default_rng(1)
    given = [((1e6 * random.random(n), random.integers(0, 5, n)), n % 3) for n in range(1, trials)]
    return [(([], []), 0), *given]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "mine.h5"
    write_spike_file(found, entries(), unit="us")
    return found


def read(path: Path) -> SpikeData:
    return read_spike_file(path, MOST, MOST, 1000.0)


@pytest.mark.parametrize(("unit", "per_second"), [("us", 1e6), ("ms", 1e3), ("s", 1.0)])
def test_trials_come_back_in_order_of_time(unit: str, per_second: float, tmp_path: Path) -> None:
    given = entries()
    write_spike_file(tmp_path / "mine.h5", given, unit=unit)
    data = read_spike_file(tmp_path / "mine.h5", MOST, MOST, math.inf)
    assert len(data) == 12 and [path.name for path in tmp_path.iterdir()] == ["mine.h5"]
    for n, ((times, units), label) in enumerate(given):
        order = np.argsort(times)
        assert data.times[n].tolist() == (np.array(times)[order] / per_second * 1000).tolist()
        assert data.units[n].tolist() == np.array(units)[order].tolist() and data.labels[n] == label


@pytest.mark.parametrize("kind", [None, h5py.string_dtype(), h5py.string_dtype("ascii")])
def test_names_of_classes_come_back(kind: Any, path: Path) -> None:
    """Of fixed length, as `write_spike_file` and SHD have them, and of variable length, as h5py."""
    assert read(path).class_names is None
    names = ["null", "eins", "zwei"] if kind else ["null", "Größe 1", "zwei"]
    write_spike_file(path, entries(), unit="us", class_names=names)
    if kind:
        with h5py.File(path, "r+") as file:
            del file["extra/keys"]
            file.create_dataset("extra/keys", data=names, dtype=kind)
    assert read(path).class_names == tuple(names)
    assert read(path).where(np.arange(12) < 4).class_names == tuple(names)


@pytest.mark.parametrize(("names", "words"), [
    (["a", "b"], "`class_names` must be 3 to .* names, one per class, got 2"),
    (["a", "b", "a"], r"`class_names\[2\]` must"),
])
def test_names_that_name_no_class_are_not_written(names: list[str], words: str, path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(SpecError, match=words):
        write_spike_file(path, entries(), unit="us", class_names=names)
    assert path.read_bytes() == before


def test_splits_name_each_class_alike() -> None:
    data = SpikeData([np.array([1.0])], [np.array([0])], np.array([0]), 1, 2)
    one = replace(data, class_names=("a", "b"))
    assert shared_class_names({"train": data, "test": data}) is None
    assert shared_class_names({"train": data, "valid": one, "test": one}) == ("a", "b")
    for names in (("b", "a"), ("a", "b", "c")):
        with pytest.raises(SpecError, match="`extra/keys of test` must be the names of 2 classes, equal in all files"):
            shared_class_names({"train": one, "test": replace(data, class_names=names)})


def test_times_go_in_as_they_are(tmp_path: Path) -> None:
    """A file of others holds float32, in seconds: each channel of a batch has its spikes, all."""
    times, units, labels = small_trials(96, 0)
    write(tmp_path / "theirs.h5", times, units, labels)
    data, trials = read_spike_file(tmp_path / "theirs.h5", CHANNELS, CLASSES, DURATION), np.array([5, 0, 17])
    spikes, found = data.batch(trials, DURATION)
    assert found.tolist() == labels[trials].tolist()
    for n, trial in enumerate(trials):
        for channel in range(CHANNELS):
            expected = times[trial].astype(np.float32)[units[trial] == channel].astype(np.float64) * 1000
            assert spikes.train(n, channel).tolist() == expected.tolist()


def test_what_cannot_be_written_is_named_and_the_old_file_stays(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(SpecError, match=r"`entries\[0\] neurons` must be from 0 "):
        write_spike_file(path, [(([1.0], [-1]), 1)], unit="us")
    with pytest.raises(SpecError, match="`unit` must be"):
        write_spike_file(path, entries(), unit="min")
    assert path.read_bytes() == before
    for wrong in (path.parent / "none" / "mine.h5", path.parent, ""):
        with pytest.raises(SpecError, match="`path` must be a file in a folder that exists"):
            write_spike_file(wrong, entries(), unit="us")


def changed(name: str, row: int, change: Callable[[Any], Any]) -> Callable[[h5py.File], None]:
    return lambda file: file[name].__setitem__(row, change(file[name][row]))


def a_trial_less(file: h5py.File) -> None:
    for name in ("spikes/times", "spikes/units", "labels"):
        rows = file[name][:-1]
        del file[name]
        file.create_dataset(name, data=rows, dtype=rows.dtype if name == "labels" else h5py.vlen_dtype(rows[1].dtype))


@pytest.mark.parametrize("change", [
    changed("spikes/times", 11, lambda row: row * (1 - 1e-15)), changed("spikes/units", 11, lambda row: (row + 1) % 5),
    changed("labels", 0, lambda row: 1), a_trial_less,
], ids=["times", "units", "labels", "a trial less"])
def test_other_content_is_refused(change: Callable[[h5py.File], None], path: Path) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(SpecError, match=f"must be a file with the content that its `{CONTENT}` states, got another"):
        read(path)
    with h5py.File(path, "r+") as file:
        del file.attrs[CONTENT]
    read(path)  # control: a file may state nothing


@pytest.mark.parametrize("wrong", [np.arange(3), "a text of variable length", np.bytes_("a" * 2000)], ids=str)
def test_the_content_is_stated_in_a_short_text_of_fixed_length(wrong: object, path: Path) -> None:
    assert len(read(path)) == 12
    with h5py.File(path, "r+") as file:
        file.attrs[CONTENT] = wrong
    with pytest.raises(SpecError, match=r"must be a file with the content .* got no text of fixed length"):
        read(path)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(spike_files.os, "replace", Mock(side_effect=OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        write_spike_file(tmp_path / "mine.h5", entries(), unit="us")
    assert not list(tmp_path.iterdir())


def test_a_half_written_file_that_is_a_link_leads_to_no_other_file(path: Path) -> None:
    """Somebody who may write the folder has put the link there."""
    (path.parent / "letter").write_text("dear")
    path.with_name("mine.h5.part").symlink_to("letter")
    write_spike_file(path, [(([1.0], [0]), 0)], unit="s")
    assert (path.parent / "letter").read_text() == "dear" and not path.is_symlink() and len(read(path)) == 1


@pytest.mark.parametrize("how", [{}, {"chunks": (1,)}, {"compression": "gzip", "shuffle": True}], ids=str)
def test_rows_are_checked_in_each_way_to_store_them(how: dict, path: Path) -> None:
    """Both datasets refer to rows whose lengths the test changes: two spikes become three."""
    write_spike_file(path, [(([1000.0, 2000.0], [0, 1]), 0), (([1500.0], [1]), 1)], unit="us")
    with h5py.File(path, "r+") as file:
        del file.attrs[CONTENT]
        for name in ("spikes/times", "spikes/units"):
            rows, kind = file[name][:], file[name].dtype
            del file[name]
            file.create_dataset(name, data=rows, dtype=kind, **how)
    assert [len(times) for times in read(path).times] == [2, 1]
    if "compression" not in how:
        content = path.read_bytes()
        with h5py.File(path) as file:
            rows = file["spikes/times"].id
            start = rows.get_chunk_info(0).byte_offset if how else rows.get_offset()
        assert content[start] == 2
        path.write_bytes(content[:start] + b"\x03" + content[start + 1 :])
        with pytest.raises(SpecError, match="a file that is damaged"):
            read(path)


def read_or_refused(path: Path, files: int) -> tuple[int, int]:
    """How many of these damaged files are refused, and how many give other trials, without an
    error. Half of them have one flipped bit, half up to 40."""
    good, known, random, refused, other = path.read_bytes(), read(path).sha256(), np.random.default_rng(1), 0, 0
    for n in range(files):
        damaged = bytearray(good)
        for place in random.integers(0, len(good), 1 if n % 2 else int(random.integers(2, 41))):
            damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            other += read(path).sha256() != known
        except SpecError as refusal:
            refused += 1
            assert "mine.h5" in str(refusal)
    path.write_bytes(good)
    return refused, other


@pytest.mark.full
def test_no_damage_goes_unseen(path: Path, monkeypatch: Patch) -> None:
    """Flipped bits also damage what the library trusts: it did not return from some files, and
    crashed on others. Control: the reader that compares nothing takes some of them."""
    refused, other = read_or_refused(path, FILES)
    assert FILES // 4 < refused < FILES and not other, "some damage is none: unused bytes"
    monkeypatch.setattr(spike_files, "CONTENT", "not stated")
    assert read_or_refused(path, 100)[1] > 0
