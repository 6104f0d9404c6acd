"""`benchmarks.baselines`: networks of torch on the files that the trainer reads."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from benchmarks import baselines
from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.tasks import shd, ssc
from delayprop.fast.training.evaluation import Evaluation
from tests.support.runs.reading import Capture, Patch, refusal
from tests.support.runs.written_files import write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes in channels far apart; speakers 0 and 1 train, 1 and 2 are tested."""
    path = tmp_path_factory.mktemp("baselines")
    for name, count, speakers in (("train", 160, (0, 1)), ("test", 40, (1, 2))):
        random, labels = np.random.default_rng(count), np.arange(count, dtype=np.uint16) % 2
        times = [np.sort(random.uniform(0, 1, 400)) for _ in labels]
        units = [np.clip(random.normal(200 + 300 * int(label), 30, 400), 0, 699).astype(int) for label in labels]
        write(path / f"shd_{name}.h5", times, units, labels)
        with h5py.File(path / f"shd_{name}.h5", "a") as file:
            file["extra/speaker"] = np.repeat(speakers, count // 2)
    return path


def found(folder: Path, capsys: Capture, *words: str) -> dict:
    assert baselines.main(["--data", str(folder), *words]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out)


@pytest.mark.full
@pytest.mark.parametrize("network", baselines.NETWORKS)
def test_a_baseline_learns(network: str, folder: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """And one seed gives one result."""
    monkeypatch.setattr(shd, "SHARE", 4)
    words = ["--network", network, "--batch", "16"]
    one = found(folder, capsys, *words, "--epochs", "8")
    assert one["test_accuracy"] > 0.9 and one["known_speakers"] > 0.8 and one["new_speakers"] > 0.8
    assert one["interval"][0] < one["test_accuracy"] and len(one["trials_sha256"]) == 64 and "wrong" in one
    assert set(one["data_sha256"]) == {"train", "test"}
    first, again = (found(folder, capsys, *words, "--epochs", "1") for _ in range(2))
    assert {**first, "seconds": 0} == {**again, "seconds": 0}


class ByChannel(torch.nn.Module):
    """Answers the half of the channels with more spikes, which is the class in `folder`."""

    def __init__(self, *_: int) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, counts: torch.Tensor) -> torch.Tensor:
        halves = [half.sum((1, 2)) for half in (counts[:, :, :35], counts[:, :, 35:])]
        return torch.nn.functional.pad(torch.stack(halves, 1), (0, 18)) + self.unused


def test_accuracies_of_the_last_epoch_and_the_speakers_named(folder: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """The network is always right; its evaluation is right on speaker 1 alone, who also trains."""
    monkeypatch.setitem(baselines.NETWORKS, "cnn", ByChannel)

    def tested(network: object, data: SpikeData, batches: object) -> Evaluation:
        known = int(np.sum(data.speakers == 1))
        return Evaluation([[known, len(data) - known, 0]], 0.0)

    monkeypatch.setattr(baselines, "tested", tested)
    made = found(folder, capsys, "--network", "cnn", "--epochs", "2")
    assert made["train_accuracy"] == 1.0
    assert (made["known_speakers"], made["new_speakers"], made["test_accuracy"]) == (1.0, 0.0, 0.5)


def test_the_test_split_may_stay_untouched(folder: Path, capsys: Capture) -> None:
    made = found(folder, capsys, "--network", "cnn", "--epochs", "1", "--no-test", "--valid-speakers", "1")
    assert "test_accuracy" not in made and made["valid_speakers"] == [1] and 0 <= made["valid_accuracy"] <= 1


def test_ssc_has_its_own_files_and_augmentation(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    for split, name in (("train", "train"), ("valid", "test"), ("test", "test")):
        shutil.copy(folder / f"shd_{name}.h5", tmp_path / f"ssc_{split}.h5")
    made = found(tmp_path, capsys, "--task", "ssc", "--network", "cnn", "--epochs", "1")
    assert made["task"] == "ssc" and {*made["data_sha256"]} == {"train", "valid", "test"}
    assert made["augmentation"] == asdict(ssc.PRESETS["best"].augmentation) and made["valid_speakers"] == []
    assert made["valid_accuracy"] == made["test_accuracy"], "of equal trials"


def test_the_command_counts_the_spikes_of_ten_channels_in_ten_ms(
    folder: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    seen: list[np.ndarray] = []

    class Body(ByChannel):
        def forward(self, counts: torch.Tensor) -> torch.Tensor:
            seen.append(counts.expm1().numpy())
            return super().forward(counts)

    monkeypatch.setitem(baselines.NETWORKS, "cnn", Body)
    found(folder, capsys, "--network", "cnn", "--epochs", "1")
    ends = np.arange(0, 1401, 10), np.arange(0, 701, 10)
    with h5py.File(folder / "shd_test.h5") as file:
        trials = zip(file["spikes/times"], file["spikes/units"], strict=True)
        expected = np.array([np.histogram2d(1000 * times.astype(float), units, ends)[0] for times, units in trials])
    test, _, new = seen[-3:]
    assert np.allclose(test, expected, atol=1e-3) and np.allclose(new, expected[20:], atol=1e-3)


@pytest.mark.parametrize(("words", "said"), [
    (["--epochs", "0"], "`--epochs` must be a whole number from 1"),
    (["--valid-speakers", "9"], "`--valid-speakers` must be some of the speakers in the file"),
    (["--leave-one-speaker-out"], "`--leave-one-speaker-out` must be left out"),
    (["--task", "ssc", "--valid-speakers", "1"], "unrecognized arguments: --valid-speakers 1"),
], ids=["epochs", "speakers", "leave-one-out", "ssc"])
def test_wrong_options_are_named(words: list[str], said: str, folder: Path, capsys: Capture) -> None:
    assert said in refusal(capsys, baselines.main, "--network", "lstm", "--data", folder, *words)
