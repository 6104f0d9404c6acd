"""Runs on spike files: time is learned, one trial is enough, and silence is never right."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from delayprop.fast.data.spike_files import read_spike_file
from delayprop.fast.tasks.braille import DATA
from delayprop.fast.training.evaluation import correct
from tests.support.runs import undrawn
from tests.support.runs.reading import Capture, Patch, history, result
from tests.support.runs.written_files import CHANNELS, CLASSES, DURATION, splits, write


@pytest.mark.full
def test_a_network_learns_what_counts_cannot_tell(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    splits(tmp_path, 96, "braille_train", "braille_valid", "braille_test")
    monkeypatch.setenv("DELAYPROP_DATA", str(tmp_path))
    run = tmp_path / "run"
    network = ["--preset", "feed-forward", "--hidden", "24", "--readout", "max_voltage", "--gain", "1"]
    first = ["--out-sd", "0.2", "--delay", "300"]
    learning = ["--epochs", "6", "--batch", "16", "--schedule", "constant", "--drop", "0", "--stretch", "0"]
    words = ["--task", "braille", *network, *first, *learning, "--spikes-strength", "0", "--out", str(run)]
    assert undrawn.main(*words) == 0 and (run / "network.pt").exists()
    assert result(run)["count_baseline"] < 0.7 and result(run)["test_accuracy"] > 0.9
    with np.load(run / "page.npz", allow_pickle=False) as page:
        assert (page["d_before_0"] != page["d_after_0"]).any()
    assert [line["epoch"] for line in history(run)] == [1, 2, 3, 4, 5, 6]
    assert all(line["A"] <= 1e-5 for line in history(run))
    assert "spike counts alone give" in capsys.readouterr().out


def test_rows_without_spikes_are_legal(tmp_path: Path) -> None:
    path = tmp_path / "braille_train.h5"
    write(path, [np.empty(0)] * 2, [np.empty(0)] * 2, np.zeros(2, np.uint16))
    with h5py.File(path, "r+") as file:
        for name, dtype in (("times", np.float32), ("units", np.uint16)):
            del file[f"spikes/{name}"]
            file.create_dataset(f"spikes/{name}", (2,), dtype=h5py.vlen_dtype(dtype))[0] = np.empty(0, dtype)
    assert read_spike_file(path, CHANNELS, CLASSES, DURATION).counts().sum() == 0


def test_one_trial_is_enough(tmp_path: Path, capsys: Capture) -> None:
    splits(tmp_path, 1, "braille_train", "braille_valid", "braille_test")
    run = tmp_path / "run"
    options = ["--data", str(tmp_path), "--epochs", "1", "--hidden", "4", "--out", str(run)]
    assert undrawn.main("--task", "braille", *options) < 2
    assert result(run)["count_baseline"] in (0.0, 1.0)
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
    assert result(run)["test_accuracy"] == 0.0
    assert all(line["train_accuracy"] == line["valid_accuracy"] == 0.0 for line in history(run))
