"""The time of a whole epoch of the trainer, part by part."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks import epoch, speed
from delayprop.fast.data.batches import Batches
from delayprop.fast.training.classify import Classification
from tests.support.runs.written_files import small_trials, write

pytestmark = pytest.mark.full

NAMES = ["batches", "forward", "backward", "validation", "rest"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of two small files in the layout of the Spiking Heidelberg Digits."""
    for split, seed in (("train", 1), ("test", 2)):
        path = tmp_path / f"shd_{split}.h5"
        write(path, *small_trials(24, seed))
        with h5py.File(path, "a") as file:
            file.create_dataset("extra/speaker", data=np.arange(24) % 8)
    return tmp_path


def test_the_parts_of_an_epoch_add_up(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, words = (Batches.take, Classification.step), ["--workload", "shd-epoch", "--data", str(data)]
    assert speed.main([*words, "--hidden", "8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    seconds = found["seconds"]
    assert list(seconds) == ["epoch", *NAMES] and all(s > 0 for s in seconds.values())
    assert sum(seconds[name] for name in NAMES) == pytest.approx(seconds["epoch"])
    assert found["steps"] == 1 and found["hidden"] == 8 and found["seconds_outside"] > 0
    assert (Batches.take, Classification.step) == before, "nothing stays timed"
    first, machine, parts, outside = epoch.readable(found).splitlines()
    assert first == "shd-epoch: 700-8-20, 1 steps, 0 processes prepare batches" and machine.startswith("on ")
    assert all(f" {name} " in parts for name in NAMES) and "%)" in parts and outside.startswith("outside it")


def test_a_run_that_fails_prints_no_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main(["--workload", "shd-epoch", "--data", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "shd_train.h5" in err


def test_sizes_of_other_workloads_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main(["--workload=shd-epoch", "--data", str(tmp_path), "--spikes", "5"]) == 2
    assert "--spikes" in capsys.readouterr().err
