"""Spike files are read unchanged or refused by name, and a network learns from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.data.spike_files import read_spike_file
from delayprop.fast.tasks.braille import DATA
from delayprop.fast.train import main
from delayprop.fast.training.evaluation import correct
from delayprop.spec import SpecError
from tests.support.runs import undrawn
from tests.support.runs.written_files import CHANNELS, CLASSES, DURATION, small_trials, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, (split, count) in enumerate((("train", 96), ("valid", 32), ("test", 64))):
        write(tmp_path / f"braille_{split}.h5", *small_trials(count, seed))
    return tmp_path


def test_times_go_in_as_they_are(folder: Path) -> None:
    times, units, labels = small_trials(96, 0)
    data = read_spike_file(folder / "braille_train.h5", CHANNELS, CLASSES, DURATION)
    trials = np.array([5, 0, 17])
    spikes, found = data.batch(trials, DURATION)
    assert found.tolist() == labels[trials].tolist()
    for n, trial in enumerate(trials):
        for channel in range(CHANNELS):
            expected = times[trial].astype(np.float32)[units[trial] == channel].astype(np.float64) * 1000
            assert spikes.train(n, channel).tolist() == expected.tolist()


@pytest.mark.parametrize("speakers", [
    np.arange(96)[:, None], np.arange(96) / 2, np.array([b"ann"] * 96), np.full(96, np.nan),
], ids=["a column", "halves", "names", "NaN"])
def test_speakers_that_are_no_numbers_are_refused(speakers: np.ndarray, folder: Path) -> None:
    with h5py.File(folder / "braille_train.h5", "a") as file:
        file["extra/speaker"] = speakers
    with pytest.raises(SpecError, match=r"extra/speaker` must be a whole number per record, got .* leave the dataset"):
        read_spike_file(folder / "braille_train.h5", CHANNELS, CLASSES, DURATION)


@pytest.mark.full
def test_a_network_learns_what_counts_cannot_tell(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two classes of equal counts and opposite order; accuracy beats the baseline."""
    monkeypatch.setenv("DELAYPROP_DATA", str(folder))
    run = folder / "run"
    network = ["--preset", "feed-forward", "--hidden", "24", "--readout", "max_voltage", "--gain", "1"]
    first = ["--out-sd", "0.2", "--delay", "300"]
    learning = ["--epochs", "6", "--batch", "16", "--schedule", "constant", "--drop", "0", "--stretch", "0"]
    assert main(["--task", "braille", *network, *first, *learning, "--spikes-strength", "0", "--out", str(run)]) == 0
    result = json.loads((run / "result.json").read_text())
    assert result["count_baseline"] < 0.7 and result["test_accuracy"] > 0.9
    with np.load(run / "page.npz", allow_pickle=False) as page:
        assert (page["d_before_0"] != page["d_after_0"]).any()
    lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(line["A"] <= 1e-5 for line in lines)
    assert (run / "training.png").stat().st_size > 10_000 and (run / "network.pt").exists()
    assert "spike counts alone give" in capsys.readouterr().out


def test_rows_without_spikes_are_legal(tmp_path: Path) -> None:
    """Such rows are written empty, or not at all."""
    path = tmp_path / "braille_train.h5"
    write(path, [np.empty(0)] * 2, [np.empty(0)] * 2, np.zeros(2, np.uint16))
    with h5py.File(path, "r+") as file:
        for name, dtype in (("times", np.float32), ("units", np.uint16)):
            del file[f"spikes/{name}"]
            file.create_dataset(f"spikes/{name}", (2,), dtype=h5py.vlen_dtype(dtype))[0] = np.empty(0, dtype)
    assert read_spike_file(path, CHANNELS, CLASSES, DURATION).counts().sum() == 0


def test_one_trial_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A channel of constant count adds nothing to the baseline, and every number stays finite."""
    for seed, split in enumerate(("train", "valid", "test")):
        write(tmp_path / f"braille_{split}.h5", *small_trials(1, seed))
    run = tmp_path / "run"
    options = ["--data", str(tmp_path), "--epochs", "1", "--hidden", "4", "--out", str(run)]
    assert undrawn.main("--task", "braille", *options) < 2
    assert json.loads((run / "result.json").read_text())["count_baseline"] in (0.0, 1.0)
    assert "-: does not apply to that step; the worst of an epoch" in capsys.readouterr().out


def test_an_answer_is_right_only_if_strictly_the_largest() -> None:
    """For every class: silence, a tie with another output, and a lower right output are wrong."""
    y = torch.tensor([[0.0, 0.0, 0.0], [2.0, 1.0, 2.0], [3.0, 1.0, 2.0], [-3.0, -1.0, -2.0], [1.0, 2.0, 3.0]])
    found = [correct(y, torch.full((5,), label)).tolist() for label in range(3)]
    assert found == [[False, False, True, False, False], [False, False, False, True, False], [False] * 4 + [True]]


def test_silence_is_never_a_right_answer(tmp_path: Path) -> None:
    """Silent trials of class 0: an argmax of equal outputs would be right."""
    for split in DATA.splits:
        write(tmp_path / f"braille_{split}.h5", [np.empty(0)] * 4, [np.empty(0)] * 4, np.zeros(4, np.uint16))
    run = tmp_path / "run"
    options = ["--data", str(tmp_path), "--epochs", "2", "--hidden", "4", "--out", str(run)]
    assert undrawn.main("--task", "braille", *options) == 1
    assert json.loads((run / "result.json").read_text())["test_accuracy"] == 0.0
    for line in (run / "history.jsonl").read_text().splitlines():
        assert json.loads(line)["train_accuracy"] == json.loads(line)["valid_accuracy"] == 0.0


def damaged(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return apply


def set_row(name: str, row: int, values: list[float]) -> Callable[[Path], None]:
    def change(file: h5py.File) -> None:
        data = file[name]
        data[row] = np.array(values, dtype=np.float32 if name.endswith("times") else np.uint16)

    return damaged(change)


def set_label(file: h5py.File) -> None:
    file["labels"][3] = CLASSES


def drop_units(file: h5py.File) -> None:
    del file["spikes/units"]


def drop_one_label(file: h5py.File) -> None:
    del file["labels"]
    file["labels"] = np.zeros(95, np.uint16)


def float_labels(file: h5py.File) -> None:
    del file["labels"]
    file["labels"] = np.zeros(96)


def replaced(name: str, values: np.ndarray) -> Callable[[Path], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return damaged(change)


def rows_of(name: str, dtype: str, value: float | bytes) -> Callable[[Path], None]:
    """12 variable-length rows of this value."""

    def change(file: h5py.File) -> None:
        del file[name]
        data = file.create_dataset(name, (96,), dtype=h5py.vlen_dtype(dtype))
        for n in range(96):
            data[n] = np.full(12, value, dtype)

    return damaged(change)


def text_rows(file: h5py.File) -> None:
    del file["spikes/times"]
    file.create_dataset("spikes/times", data=["soon"] * 96, dtype=h5py.string_dtype())


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "put the file there"),
    "empty": (lambda path: path.write_bytes(b""), "a readable HDF5 file"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:2000]), "a readable HDF5 file"),
    "text": (lambda path: path.write_text("<html>not here</html>"), "a readable HDF5 file"),
    "no units": (damaged(drop_units), "one without `spikes/units`"),
    "too few labels": (damaged(drop_one_label), "96 times, 96 units, 95 labels"),
    "float labels": (damaged(float_labels), "record 0 units and label"),
    "label out of range": (damaged(set_label), "record 3 label` must be from 0 to 26, got 27"),
    "unsorted times": (set_row("spikes/times", 7, [0.2, 0.1] + [0.3] * 10), "record 7 times` must be in order"),
    "negative time": (set_row("spikes/times", 7, [-0.1] + [0.3] * 11), "record 7 times` must be from 0 to 1350.0 ms"),
    "late time": (set_row("spikes/times", 7, [0.1] * 11 + [2.0]), "record 7 times` must be from 0 to 1350.0 ms"),
    "NaN time": (set_row("spikes/times", 7, [0.1] * 11 + [np.nan]), "record 7 times` must be finite"),
    "unit out of range": (set_row("spikes/units", 9, [24] * 12), "record 9 units` must be from 0 to 23"),
    "flat times": (replaced("spikes/times", np.full(96, 0.1)), "record 0 times` must be one-dimensional, one"),
    "flat units": (replaced("spikes/units", np.zeros(96, int)), "record 0 units` must be one-dimensional, one"),
    "2-D times": (replaced("spikes/times", np.full((96, 3, 4), 0.1)), "record 0 times` must be one-dimensional, one"),
    "2-D units": (replaced("spikes/units", np.zeros((96, 3, 4), int)), "got an array of shape [3, 4]"),
    "complex times": (replaced("spikes/times", np.full((96, 12), 0.1 + 1j)), "record 0 times` must be real numbers"),
    "boolean times": (replaced("spikes/times", np.zeros((96, 12), bool)), "record 0 times` must be real numbers"),
    "text rows": (rows_of("spikes/times", "S4", b"soon"), "record 0 times` must be real numbers, got |S4"),
    "text for rows": (damaged(text_rows), "a readable HDF5 file of spikes, got a file with spikes of another kind"),
    "enormous time": (rows_of("spikes/times", "f8", 1e306), "record 0 times` must be finite, got inf"),
    "a unit too few": (set_row("spikes/units", 9, [1] * 11), "record 9 units` must be one per time, 12, got 11"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_refused_and_the_record_named(
    damage: Callable[[Path], object], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "braille_train.h5"
    damage(path)
    with pytest.raises(SpecError, match=r"braille_train[.]h5"):
        read_spike_file(path, CHANNELS, CLASSES, DURATION)
    assert main(["--task", "braille", "--data", str(folder), "--out", str(folder / "run")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words in err
    assert not (folder / "run").exists()


class Tonic:
    """The layout of a dataset of tonic: structured events in microseconds."""

    def __init__(self, wrong: dict | None = None) -> None:
        self.wrong = wrong or {}

    def __len__(self) -> int:
        return 3

    def __getitem__(self, n: int) -> tuple:
        events = np.zeros(4, dtype=[("t", np.int64), ("x", np.int16), ("p", np.int8)])
        events["t"], events["x"] = np.array([10, 1500, 1500, 999_990]) + n, [3, 0, 2, 1]
        for name, value in self.wrong.items():
            events[name][2] = value
        return events, np.int64(n % 2)


def test_a_dataset_of_tonic_is_read_at_its_exact_times() -> None:
    data = SpikeData.of(Tonic(), 4, 2, 1000.0)  # type: ignore[arg-type]
    assert len(data) == 3 and data.labels.tolist() == [0, 1, 0] and data.channels == 4
    assert data.times[1].tolist() == [11 / 1000, 1501 / 1000, 1501 / 1000, 999_991 / 1000]
    times, units, label = data[2]
    assert units.tolist() == [3, 0, 2, 1] and label == 0 and times[0] == 12 / 1000


@pytest.mark.parametrize(("wrong", "words"), [({"t": 5}, "in order"), ({"x": 4}, "from 0 to 3"), ({"x": -1}, "from 0")])
def test_a_dataset_that_breaks_the_layout(wrong: dict, words: str) -> None:
    with pytest.raises(SpecError, match=rf"`dataset\[0\] .*{words}"):
        SpikeData.of(Tonic(wrong), 4, 2, 1000.0)  # type: ignore[arg-type]


def test_a_dataset_of_frames_is_refused() -> None:
    frames = [(np.zeros((10, 4)), 0)]
    with pytest.raises(SpecError, match=r"`dataset\[0\]` must be events, or `Spikes` of one trial, got a raster"):
        SpikeData.of(frames, 4, 2, 1000.0)  # type: ignore[arg-type]
