"""Tasks and their data: generation, files and splits."""

import hashlib
import json
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

import delayprop
from delayprop.fast.data.spike_data import unseen
from delayprop.fast.data.spike_files import write_spike_file
from delayprop.fast.evaluate import main as evaluate
from delayprop.fast.tasks import shd, spikes, yin_yang
from delayprop.fast.tasks.options import job_of, parser_of
from delayprop.fast.tasks.registry import TASKS
from delayprop.fast.tasks.speakers import split_by_speaker
from delayprop.fast.tasks.yin_yang import DOT, EARLY, LATE, YANG, YIN, part_of, points, spikes_of
from delayprop.fast.train import main
from delayprop.fast.training.job import Job
from delayprop.fast.training.settings import Settings
from delayprop.spec import SpecError
from delayprop.spec.checks import whole_number
from tests.support.runs.reading import Capture, Patch, history, refusal, result
from tests.support.runs.written_files import small_trials, splits, write
from tests.support.tolerances import U32, identity

RANDOM = np.random.default_rng(0)


def test_half_a_turn_swaps_yin_and_yang() -> None:
    x, y = RANDOM.uniform(0, 1, (2, 20_000))
    within = np.hypot(x - 0.5, y - 0.5) < 0.5
    here, there = part_of(x[within], y[within]), part_of(1 - x[within], 1 - y[within])
    assert (there == np.array([YANG, YIN, DOT])[here]).all()
    shares = np.bincount(here, minlength=3) / len(here)
    assert shares[DOT] == pytest.approx(2 * 0.1**2 / 0.5**2, abs=0.01)
    assert shares[YIN] == pytest.approx(shares[YANG], abs=0.02)


def test_points_are_what_they_are_said_to_be_and_follow_from_the_seed() -> None:
    found, classes = points(3000, [7, 0])
    assert (part_of(*found.T) == classes).all() and (np.hypot(*(found - 0.5).T) <= 0.5).all()
    assert np.bincount(classes) == pytest.approx(np.full(3, 1000), abs=100)
    again, other = points(3000, [7, 0]), points(3000, [7, 1])
    assert (again[0] == found).all() and not (other[0] == found).any()


def test_a_point_is_four_spikes_in_order() -> None:
    data = spikes_of(np.array([[0.0, 0.5], [1.0, 0.25]]), np.array([YIN, YANG]))
    assert data.times[0].tolist() == [EARLY, (EARLY + LATE) / 2, (EARLY + LATE) / 2, LATE]
    assert data.units[0].tolist() == [0, 1, 3, 2] and data.units[1].tolist() == [2, 1, 3, 0]


@pytest.mark.full
def test_yin_yang_is_learned_beyond_chance(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 1000, "valid": 300, "test": 300})
    assert main(["--task", "yin-yang", "--epochs", "4", "--out", str(tmp_path / "run")]) == 0
    assert result(tmp_path / "run")["test_accuracy"] > 0.65


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, (name, count) in enumerate({"train": 40, "test": 8}.items()):
        write(tmp_path / f"shd_{name}.h5", *small_trials(count, seed))
        with h5py.File(tmp_path / f"shd_{name}.h5", "a") as file:
            file["extra/speaker"] = np.arange(count, dtype=np.uint16) % 4
            file["labels"][...] = np.arange(count) % 20
    return tmp_path


def test_speakers_are_held_out(folder: Path) -> None:
    files, sha256 = shd.DATA.read(Job("shd", Settings(), 0, "cpu", "float32", data=str(folder)))
    data = split_by_speaker(files["train"], files["test"], [1, 3])
    assert list(sha256) == ["train", "test"]
    speakers = {name: set(part.speakers.tolist()) for name, part in data.items() if part.speakers is not None}
    assert speakers == {"train": {0, 2}, "valid": {1, 3}, "test": {0, 1, 2, 3}}
    assert {name: len(part) for name, part in data.items()} == {"train": 20, "valid": 20, "test": 8}


BAD_SPEAKERS: dict[str, tuple[list[str], Any, str]] = {
    "nobody's": (["9"], np.arange(40) % 4, "must be some of the speakers in the file, [0, 1, 2, 3], not all"),
    "everybody's": (["0", "1", "2", "3"], np.arange(40) % 4, "`--valid-speakers` must be some of the speakers in the"),
    "not said": (["3"], None, "`--valid-speakers` must be given for a training file with `extra/speaker`, got one wi"),
    "of another number": (["3"], np.zeros(3, np.uint16), "40 times, 40 units, 40 labels, 3 speakers"),
}


@pytest.mark.parametrize(("who", "speakers", "said"), BAD_SPEAKERS.values(), ids=BAD_SPEAKERS.keys())
def test_speakers_who_cannot_be_held_out(who: list, speakers: Any, said: str, folder: Path, capsys: Capture) -> None:
    with h5py.File(folder / "shd_train.h5", "a") as file:
        del file["extra"]
        if speakers is not None:
            file["extra/speaker"] = speakers
    out = folder / "run"
    assert said in refusal(capsys, main, "--task", "shd", "--data", folder, "--out", out, "--valid-speakers", *who)
    assert not out.exists()


def test_one_speaker_after_the_other_is_left_out(folder: Path, capsys: Capture) -> None:
    words = ["--task", "shd", "--data", str(folder), "--epochs", "1", "--hidden", "4", "--leave-one-speaker-out"]
    assert "`--out` must be given with --leave-one-speaker-out" in refusal(capsys, main, *words)
    assert main([*words, "--out", str(folder / "runs")]) == 0
    said = capsys.readouterr().out
    assert [f"speaker {n} left out: " in said for n in range(5)] == [True] * 4 + [False]
    assert "\nmean of 4 speakers: " in said
    options = [json.loads((folder / f"runs/speaker-{n}/options.json").read_text()) for n in range(4)]
    assert [one["valid_speakers"] for one in options] == [[n] for n in range(4)]
    assert all(one["choose"] == "last" and "leave_one_speaker_out" not in one for one in options)
    assert not any((folder / f"runs/speaker-{n}/result.json").exists() for n in range(4)), "nothing is tested"
    with h5py.File(folder / "shd_train.h5", "a") as file:
        del file["extra"]
    said = refusal(capsys, main, *words, "--out", folder / "other")
    assert "`--leave-one-speaker-out` must be given for a training file with `extra/speaker`, got one without" in said
    said = refusal(capsys, main, *words, "--out", folder / "other", "--valid-speakers", "1")
    assert "`--valid-speakers` must be left out with --leave-one-speaker-out" in said
    said = refusal(capsys, main, "--task", "spikes", "--leave-one-speaker-out", "--out", folder / "other")
    assert "`--data` must be two files" in said
    with pytest.raises(SpecError, match="the command `delayprop train` has it"):
        delayprop.train("shd", folder, leave_one_speaker_out=True)


def test_a_shorter_duration_leaves_late_spikes_out_and_counts_them(tmp_path: Path, capsys: Capture) -> None:
    for first, name in ((6.0, "train"), (5.0, "test")):
        entries = [(([first, 9.0, n], [0, 1, 1]), n % 2) for n in range(20, 30)]
        write_spike_file(tmp_path / f"{name}.h5", entries, unit="ms")
    words = ["--task", "spikes", "--data", *(str(tmp_path / f"{name}.h5") for name in ("train", "test"))]
    words += ["--duration", "25", "--epochs", "1", "--hidden", "4", "--out", str(tmp_path / "run")]
    assert main(words) in (0, 1)
    out = capsys.readouterr().out
    assert "trials of 25 ms" in out and "4 input spikes of test come after 25 ms and are left out\n" in out


def test_speakers_of_your_own_files_are_held_out(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write(tmp_path / f"{name}.h5", *small_trials(12, 0))
        with h5py.File(tmp_path / f"{name}.h5", "a") as file:
            file["extra/speaker"] = np.arange(12, dtype=np.uint16) % 3
    train_file, test_file = tmp_path / "train.h5", tmp_path / "test.h5"
    data, _ = spikes.read([train_file, test_file], 0, speakers=[2])
    assert {name: len(part) for name, part in data.items()} == {"train": 8, "valid": 4, "test": 12}
    with pytest.raises(SpecError, match="`--valid-speakers` must be left out with a file VALID"):
        spikes.read([train_file, test_file, test_file], 0, speakers=[2])


def train(folder: Path, task: str, *options: str) -> dict[str, Any]:
    """The result of a run on the files of a folder."""
    words = ["--task", task, "--data", str(folder), "--hidden", "4", "--batch", "10", "--out", str(folder / "run")]
    assert main([*words, *options]) in (0, 1)
    return result(folder / "run")


def test_with_no_speaker_held_out_all_are_learned_from(folder: Path) -> None:
    found = train(folder, "shd", "--epochs", "2", "--valid-speakers", "--choose", "last", "--lr", "1")
    assert found["best_epoch"] == 2


@pytest.mark.parametrize(("task", "network"), [
    pytest.param("ssc", "140-4-35", marks=pytest.mark.full), ("braille", "24-4-27"),
])
def test_a_task_of_three_files_runs(task: str, network: str, folder: Path, capsys: Capture) -> None:
    assert f"{task}_train.h5" in refusal(capsys, main, "--task", task, "--data", folder, "--out", folder / "run")
    assert not (folder / "run").exists()
    splits(folder, 20, *(f"{task}_{split}" for split in ("train", "valid", "test")))
    assert train(folder, task, "--epochs", "1")["network"] == network


def test_a_run_on_the_folder_of_the_environment_stores_no_path(folder: Path, monkeypatch: Patch) -> None:
    """So `evaluate` looks where the variable says, also after a resume without `--data`."""
    splits(folder, 20, *(f"braille_{split}" for split in ("train", "valid", "test")))
    given = ["--task", "braille", "--hidden", "4", "--epochs", "1", "--no-test", "--out", str(folder / "run")]
    for more, stored in ((["--data", str(folder)], str(folder)), (["--resume"], None)):
        assert main([*given, *more]) == 0
        assert json.loads((folder / "run" / "options.json").read_text())["data"] == stored
        monkeypatch.setenv("DELAYPROP_DATA", str(folder))


@dataclass(frozen=True)
class Depth:
    depth: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Depth":
        return cls(whole_number(values["depth"], "--depth", 1, 9, "dig less"))


def test_the_options_of_a_task_of_ones_own_are_checked_and_stored(monkeypatch: Patch) -> None:
    def add_options(parser: ArgumentParser) -> None:
        parser.add_argument("--depth", type=int, default=2)

    monkeypatch.setitem(TASKS, "mine", SimpleNamespace(add_options=add_options, SETTINGS=Depth))
    parser = parser_of("", "mine")
    job = job_of(vars(parser.parse_args(["--task", "mine", "--depth", "3"])), parser)
    assert job.settings == Depth(3) and job.record()["depth"] == 3
    with pytest.raises(SpecError, match="`--depth` must be a whole number from 1 to 9, got 10; dig less"):
        job_of(vars(parser.parse_args(["--task", "mine", "--depth", "10"])), parser)
    parser.add_argument("--colour")
    with pytest.raises(AssertionError, match="must be fields of the settings of mine"):
        job_of(vars(parser.parse_args(["--task", "mine", "--colour", "red"])), parser)


def name_classes(folder: Path, **names: list[str]) -> None:
    """Names for the classes in the files of some splits."""
    for split, of_split in names.items():
        with h5py.File(folder / f"braille_{split}.h5", "a") as file:
            file["extra/keys"] = np.array(of_split, np.bytes_)


def test_files_may_have_some_of_the_classes(folder: Path) -> None:
    """Such as ten spoken words of 35. The test file names none, and has no others."""
    splits(folder, 20, *(f"braille_{split}" for split in ("train", "valid", "test")))
    name_classes(folder, train=["yes", "no", "up"], valid=["yes", "no", "up"])
    found = train(folder, "braille", "--epochs", "1")
    assert found["network"] == "24-4-3" and found["class_names"] == ["yes", "no", "up"]


@pytest.mark.parametrize(("names", "label", "words"), [
    ({"train": ["a", "b", "c"]}, 3, "`braille_test.h5 labels` must be below 3, the number of classes"),
    ({"train": ["a", "b"], "test": ["a", "b", "c", "d"]}, 3, "`extra/keys of test` must be the names of 2 classes"),
    ({"train": ["a"]}, 1, "`braille_train.h5 extra/keys` must be 2 to 27 names, one per class, got 1"),
    ({"test": ["a"]}, 0, "`extra/keys` must be the names of at least 2 classes"),
])
def test_names_that_do_not_fit_the_labels(
    names: dict, label: int, words: str, folder: Path, capsys: Capture
) -> None:
    splits(folder, 20, *(f"braille_{split}" for split in ("train", "valid", "test")))
    with h5py.File(folder / "braille_test.h5", "a") as file:
        file["labels"][:] = label
    name_classes(folder, **names)
    assert words in refusal(capsys, main, "--task", "braille", "--data", folder, "--out", folder / "run")


def test_one_trial_is_enough(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    splits(tmp_path, 1, "braille_train", "braille_valid", "braille_test")
    monkeypatch.setenv("DELAYPROP_DATA", str(tmp_path))
    assert main(["--task", "braille", "--epochs", "1", "--hidden", "4", "--out", str(tmp_path / "run")]) in (0, 1)
    assert result(tmp_path / "run")["count_baseline"] in (0.0, 1.0)
    out = capsys.readouterr().out
    assert "with the same weights; the worst of an epoch" in out and "spike counts alone give" in out


def test_silence_is_never_a_right_answer(tmp_path: Path) -> None:
    """Silent trials of class 0: an argmax of equal outputs would be right."""
    for split in ("train", "valid", "test"):
        write(tmp_path / f"braille_{split}.h5", [np.empty(0)] * 4, [np.empty(0)] * 4, np.zeros(4, np.uint16))
    assert train(tmp_path, "braille", "--epochs", "2")["test_accuracy"] == 0.0
    assert all(line["train_accuracy"] == line["valid_accuracy"] == 0.0 for line in history(tmp_path / "run"))


def test_shd_runs(folder: Path, capsys: Capture) -> None:
    """The preset makes one input of five channels. The column of held-out speakers is named, and
    the settings that differ from the preset are stored."""
    assert train(folder, "shd", "--epochs", "1", "--valid-speakers", "1")["network"] == "140-4-20"
    out = capsys.readouterr().out
    assert "  held-out speakers " in out
    contents = [hashlib.sha256((folder / f"shd_{split}.h5").read_bytes()).hexdigest() for split in ("train", "test")]
    assert out.splitlines()[:2] == [f"train: sha256 {contents[0]}", f"test: sha256 {contents[1]}"]
    assert json.loads((folder / "run" / "options.json").read_text())["changed"] == "epochs hidden batch"


@pytest.mark.parametrize("names", [("train", "test"), ("train", "valid", "test")])
def test_own_files_are_learned(names: tuple[str, ...], tmp_path: Path) -> None:
    """Time is learned: spike counts cannot tell the classes."""
    data, delays = splits(tmp_path, 64, *names), ["--max-delay", "300", "--delay", "200"]
    options = ["--epochs", "8", "--hidden", "16", "--batch", "16", "--lr", "0.02"]
    assert main(["--task", "spikes", "--data", *data, "--out", str(tmp_path / "run"), *options, *delays]) == 0
    found = result(tmp_path / "run")
    assert found["network"] == "7-16-2" and found["test_accuracy"] > 0.9 and found["count_baseline"] < 0.7
    with np.load(tmp_path / "run" / "page.npz") as page:
        assert (page["d_before_0"] != page["d_after_0"]).any()
    assert all(line["A"] <= identity(U32) for line in history(tmp_path / "run"))


def test_a_run_tells_what_is_rarely_meant_and_that_it_learned_nothing(tmp_path: Path, capsys: Capture) -> None:
    times, units, labels = small_trials(64, 0)
    data = [str(tmp_path / f"{name}.h5") for name in ("train", "test")]
    for path, delay in zip(data, (0.0, 1e-4), strict=True):
        write(Path(path), [each + delay for each in times], units, labels + 1)
    options = ["--epochs", "1", "--hidden", "4", "--lr", "1e-6", "--readout", "mean_voltage"]
    assert main(["--task", "spikes", "--data", *data, *options, "--out", str(tmp_path / "run")]) == 1
    out = capsys.readouterr().out
    assert "\nwarning: --readout mean_voltage passes next to no gradient to hidden neurons: --readout exp_w" in out
    assert "\nwarning: the smallest label of the training trials is 1: they count from 0\n" in out
    assert "\nthe network is not above spike counts: it has learned nothing from time; do the delays reach" in out


def test_a_tenth_is_held_out_and_the_rest_is_all_there(tmp_path: Path) -> None:
    data, duration = spikes.read([Path(path) for path in splits(tmp_path, 64, "train", "test")], 3)
    assert [len(data[name]) for name in ("train", "valid", "test")] == [58, 6, 64]
    assert sorted(float(t[0]) for part in ("train", "valid") for t in data[part].times) == sorted(
        float(np.float64(np.float32(t[0])) * 1000) for t in small_trials(64, 0)[0]
    )
    assert 300 < duration < 400


@pytest.mark.parametrize(("seconds", "unit"), [
    (61.0, "ms"), (300.0, "ms"), (20_000.0, "ms"), (40_000.0, "us"), (1e6, "us"), (6e7, "us"),
])
def test_times_in_another_unit_are_refused_unless_the_duration_is_given(
    seconds: float, unit: str, tmp_path: Path, capsys: Capture
) -> None:
    """61 s and more: trials of 61 ms and more, in ms, or of 40 ms and more, in us."""
    train, test = (tmp_path / f"{name}.h5" for name in ("train", "test"))
    write_spike_file(train, [(([0.1, 0.3], [0, 1]), label) for label in (0, 1)], unit="s")
    write_spike_file(test, [(([0.1, 0.3], [0, 1]), 0), (([0.5, seconds], [0, 1]), 1)], unit="s")
    words = ["--task", "spikes", "--data", train, test, "--out", tmp_path / "run"]
    said = refusal(capsys, main, *words)
    assert f"`test.h5 record 1 times` must be in s, got {seconds:.6g}, which looks like {unit}; " in said
    assert f'; write it by `write_spike_file(..., unit="{unit}")`' in said
    assert (", or give --duration if trials last so long" in said) == (seconds < 3600)
    if seconds < 3600:
        _, duration = spikes.read([train, test], 0, 1100 * seconds)
        assert duration == pytest.approx(1100 * seconds)
    else:
        assert "from 0 to 3600000.0 ms" in refusal(capsys, main, *words, "--duration", 1e9)


def test_trials_of_a_minute_are_read(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write_spike_file(tmp_path / f"{name}.h5", [(([0.1, 59.9], [0, 1]), label) for label in (0, 1)], unit="s")
    assert spikes.read([tmp_path / "train.h5", tmp_path / "test.h5"], 0)[1] == pytest.approx(1.1 * 59_900)


def test_channels_that_training_never_saw_are_counted(tmp_path: Path, capsys: Capture) -> None:
    """2 of the 5 spikes of the test, on channels 5 and 9; with pools of 4 channels that on 9."""
    train, test, run = tmp_path / "train.h5", tmp_path / "test.h5", str(tmp_path / "run")
    write_spike_file(train, [(([0.1, 0.2], [0, 4]), label) for label in (0, 1)] * 2, unit="s")
    write_spike_file(test, [(([0.1, 0.2, 0.3], [9, 0, 5]), 1), (([0.1, 0.2], [0, 4]), 0)], unit="s")
    said = "{0} of 5 spikes of test, on {0} of 10 channels, are where training has none: nothing is learned about them"
    data, _ = spikes.read([train, test], 0)
    assert unseen(data) == [said.format(2)]
    assert unseen({split: replace(part, pool=4) for split, part in data.items()}) == [said.format(1)]
    assert unseen({**data, "test": data["train"]}) == []
    words = ["--task", "spikes", "--data", str(train), str(test), "--hidden", "4", "--epochs", "1", "--rate", "0"]
    assert main([*words, "--out", run]) in (0, 1)
    assert f"\nwarning: {said.format(2)}\n" in capsys.readouterr().out
    assert evaluate([run]) == 0
    assert capsys.readouterr().err == f"warning: {said.format(2)}\n"


BAD_FILES = {
    "none": ([], "`--data` must be two files, TRAIN TEST, or three, TRAIN VALID TEST, got 0 files"),
    "one": (["train.h5"], "got 1 files"),
    "missing": (["train.h5", "nowhere.h5"], "nowhere.h5"),
    "text": (["train.h5", "text.h5"], "text.h5` must be a readable HDF5 file of spikes"),
    "empty": (["train.h5", "empty.h5"], "empty.h5"),
    "classes": (["train.h5", "many.h5"], "`many.h5 record 2 label` must be from 0 to 999, got 1000"),
    "late": (["train.h5", "late.h5", "--duration", "1e9"],
             "`late.h5 record 3 times` must be from 0 to 3600000.0 ms, got "),
    "early": (["train.h5", "early.h5"], "`early.h5 record 0 times` must be at least 0 ms, got -125.0 to 375.0 ms"),
    "nearly at once": (["brief.h5", "train.h5"], "`brief.h5 times` must be in s, some of them later than 0.001 ms"),
    "no distance": (["close.h5", "train.h5"], "`close.h5 record 3 times` must be equal, or at least 1e-06 ms apart"),
    "channels": (["train.h5", "wide.h5"], "`wide.h5 record 3 units` must be from 0 to 1048575, got "),
    "twice": (["train.h5", "train.h5"], "`--data` has the trials of its test file twice; keep them out of TRAIN"),
    "max-delay": (["train.h5", "test.h5", "--max-delay", "5"], "`--delay` must be at most --max-delay, 5.0 (ms)"),
    "tau": (["train.h5", "test.h5", "--tau-mem", "0"], "`--tau-mem` must be"),
    "pool": (["train.h5", "test.h5", "--pool", "8"], "`--pool` must be at most the number of channels, 7, got 8"),
    "move": (["train.h5", "test.h5", "--move", "1e6"], "`--move` must be at most the duration of a trial, "),
}
ABSURD = {
    "late": ([0.1, 1e6], [1, 2]), "brief": ([5e-324], [1]), "close": ([5e-324, 1e-323], [1, 2]),
    "wide": ([0.1], [2**31 - 1]),
}


@pytest.mark.parametrize(("data", "words"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_files_that_cannot_be_used(data: list, words: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    splits(tmp_path, 64, "train", "test")
    Path("text.h5").write_text("<html>not found</html>")
    times, units, labels = small_trials(4, 0)
    write(Path("many.h5"), times, units, np.where(np.arange(4) == 2, 1000, labels))
    good = [((t, u), int(label)) for t, u, label in zip(times, units, labels, strict=True)]
    for name, trial in ABSURD.items():
        write_spike_file(f"{name}.h5", [(trial, 0)] * 4 if name == "brief" else [*good[:3], (trial, 0)], unit="s")
    write(Path("early.h5"), [np.array([-0.125, 0.375])] * 4, [np.arange(2)] * 4, labels)
    write(Path("empty.h5"), [np.empty(0)] * 4, [np.empty(0)] * 4, np.zeros(4, np.uint16))
    assert words in refusal(capsys, main, "--task", "spikes", "--out", "run", *(["--data", *data] if data else []))
    assert not Path("run").exists()
