"""`write_spike_file`: what goes in comes out, and no damage of such a file goes unseen."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from delayprop.fast.data import spike_files
from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.data.spike_files import CONTENT, read_spike_file, write_spike_file
from delayprop.fast.nn.spikes import Spikes
from delayprop.spec import SpecError
from tests.support.runs.reading import Patch

FLIPS = 60
MOST = 2**31  # channels, and classes


def entries(trials: int = 12) -> list:
    random = np.random.default_rng(1)
    given = [((1e6 * random.random(n), random.integers(0, 5, n)), n % 3) for n in range(1, trials)]
    return [(([], []), 0), *given]


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


def test_trials_of_spikes_go_in(tmp_path: Path) -> None:
    spikes = Spikes.from_trains([[[1.0, 9.5], [2.5]], [[], [4.0]]], 10.0)
    write_spike_file(tmp_path / "mine.h5", list(zip(spikes, [2, 1], strict=True)), unit="ms")
    data = read_spike_file(tmp_path / "mine.h5", 2, 3, 10.0)
    assert data.batch(np.array([0, 1]), 10.0)[0] == spikes and data.labels.tolist() == [2, 1]


WRONG: dict[str, tuple[list, str]] = {
    "a text as label": ([(([1.0], [0]), "zwei")], r"`entries\[0\] label` must be a whole number from 0, got 'zwei'"),
    "a channel below 0": ([(([1.0], [-1]), 1)], r"`entries\[0\] neurons` must be from 0 "),
    "no entry": ([], "`entries` must be at least one, got none"),
}


@pytest.mark.parametrize(("given", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_entry_is_named_and_the_old_file_stays(given: list, words: str, tmp_path: Path) -> None:
    write_spike_file(tmp_path / "mine.h5", entries(), unit="us")
    before = (tmp_path / "mine.h5").read_bytes()
    with pytest.raises(SpecError, match=words):
        write_spike_file(tmp_path / "mine.h5", given, unit="us")
    assert (tmp_path / "mine.h5").read_bytes() == before


def test_a_missing_folder_and_a_foreign_unit_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "mine.h5", tmp_path, ""):
        with pytest.raises(SpecError, match="`path` must be a file in a folder that exists"):
            write_spike_file(path, entries(), unit="us")
    with pytest.raises(SpecError, match="`unit` must be"):
        write_spike_file(tmp_path / "mine.h5", entries(), unit="min")


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
def test_other_content_is_refused(change: Callable[[h5py.File], None], tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    write_spike_file(path, entries(), unit="us")
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(SpecError, match=f"must be a file with the content that its `{CONTENT}` states, got another"):
        read(path)
    with h5py.File(path, "r+") as file:
        del file.attrs[CONTENT]
    read(path)  # control: a file may state nothing


@pytest.mark.parametrize("wrong", [np.arange(3), "a text of variable length", np.bytes_("a" * 2000)], ids=str)
def test_the_content_is_stated_in_a_short_text_of_fixed_length(wrong: object, tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    write_spike_file(path, entries(), unit="us")
    assert len(read(path)) == 12
    with h5py.File(path, "r+") as file:
        file.attrs[CONTENT] = wrong
    with pytest.raises(SpecError, match=r"must be a file with the content .* got no text of fixed length"):
        read(path)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: Patch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(spike_files.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_spike_file(tmp_path / "mine.h5", entries(), unit="us")
    assert not list(tmp_path.iterdir())


def unseen(path: Path, good: bytes) -> int:
    """How many of `FLIPS` flipped bits give other trials, without an error."""
    random, found = np.random.default_rng(3), 0
    path.write_bytes(good)
    before = read(path)
    known = spike_files.content_sha256(before.times, before.units, before.labels)
    for place in random.integers(0, len(good), FLIPS):
        wrong = bytearray(good)
        wrong[place] ^= 1 << int(random.integers(8))
        path.write_bytes(wrong)
        try:
            data = read(path)
        except SpecError:
            continue
        found += spike_files.content_sha256(data.times, data.units, data.labels) != known
    return found


def test_no_flipped_bit_goes_unseen(tmp_path: Path, monkeypatch: Patch) -> None:
    """Control: the reader that compares nothing takes some of these files."""
    path = tmp_path / "mine.h5"
    trials = [((np.linspace(0, 1e6, 300), np.arange(300) % 5), n % 3) for n in range(20)]
    write_spike_file(path, trials, unit="us")
    good = path.read_bytes()
    assert unseen(path, good) == 0
    monkeypatch.setattr(spike_files, "CONTENT", "not stated")
    assert unseen(path, good) > 0
