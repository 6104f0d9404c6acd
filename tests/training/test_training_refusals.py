"""`python -m fast.train` refuses options, folders and full disks in one line."""

import errno
import os
from pathlib import Path
from types import ModuleType

import pytest

import delayprop.fast.run
import delayprop.reference.__main__
from delayprop.fast.tasks.sequence import task as sequence
from delayprop.fast.train import main
from delayprop.fast.training.run_folder import RunFolder
from delayprop.spec import SpecError
from tests import ROOT
from tests.support.runs.reading import Capture, Patch, refusal

BAD_OPTIONS = {
    "": "--task",
    "--task shapes": "'shapes'",
    "--task sequence --taks x": "--taks",
    "--task sequence --ep 3": "--ep",
    "--task sequence --hidden 3": "--hidden",
    "--task braille --jitter 1": "--jitter",
    "--task sequence --epochs 0": "`--epochs` must be a whole number from 1",
    "--task sequence --epochs -1": "`--epochs` must be a whole number from 1",
    "--task sequence --epochs 1.5": "--epochs",
    "--task sequence --lr 0": "`--lr` must be a finite number above 0",
    "--task sequence --lr nan": "`--lr` must be",
    "--task sequence --lr 1e7": "`--lr` must be at most 1e+06 (ms), got 10000000.0; give",
    "--task braille --lr 2e6": "`--lr` must be at most 1e+06, got 2000000.0; give",
    "--task braille --delay-lr 2e6": "`--delay-lr` must be at most 1e+06 (ms), got",
    f"--task sequence --out {'a' * 300}": "`--out` must be a folder that can be made",
    "--task sequence --lr inf": "`--lr` must be",
    "--task sequence --jitter -1": "`--jitter` must be from 0 to 10.0 (ms), got -1.0",
    "--task sequence --jitter 11": "`--jitter` must be from 0 to 10.0 (ms), got 11.0",
    "--task sequence --seed -1": "`--seed` must be a whole number from 0",
    "--task sequence --seed x": "--seed",
    "--task sequence --device cuda": "`device` cuda needs",
    "--task sequence --device tpu": "--device",
    "--task sequence --dtype float16": "--dtype",
    "--task braille --hidden 0": "`--hidden` must be",
    "--task braille --batch 0": "`--batch` must be",
    "--task sequence --save-seconds -1": "`--save-seconds` must be at least 0 (s), got",
    "--task sequence --save-seconds nan": "`--save-seconds` must be",
    "--task yin-yang --epochs 0": "`--epochs` must be a whole number from 1",
    "--task sequence --inputs 1": "`--inputs` must be a whole number from 2 to 16, got 1; give the number of inputs",
    "--task sequence --inputs 17": "`--inputs` must be a whole number from 2 to 16, got 17",
    "--task sequence --inputs 2.5": "--inputs",
    "--task sequence --distractors -1": "`--distractors` must be a whole number from 0 to 100, got -1; give 0",
    "--task sequence --distractors 101": "`--distractors` must be a whole number from 0 to 100, got 101",
    "--task braille": "`--data` must be the folder of braille_{train,valid,test}.h5, got nothing",
    "--task braille --data nowhere": "got no such folder as nowhere; name",
}


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=lambda options: options[:60])
def test_bad_options_exit_2_in_one_line(options: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DELAYPROP_DATA", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(options.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and BAD_OPTIONS[options] in err
    assert list(tmp_path.iterdir()) == [], "a refused run must leave nothing behind"


def test_a_folder_that_is_in_use_is_not_written_to(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for name, said in (
        (".", "`--out` must be a new or empty folder"), ("mine.txt", "File exists"),
        ("mine.txt/run", "`--out` must be a folder that can be made and read, got Not a directory"),
    ):
        assert said in refusal(capsys, main, "--task", "sequence", "--out", tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("method", ["mkdir", "iterdir"])
def test_a_place_without_permission_is_refused(method: str, tmp_path: Path, monkeypatch: Patch) -> None:
    """The method refuses, as tests may run as root, who may write anywhere."""

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(SpecError, match=r"^`--out` must be a folder that can be made and read, got Permission denied"):
        RunFolder(str(tmp_path), "task", {})


@pytest.mark.parametrize("where", ["data.new_files.new_file", "tasks.sequence.task.draw"])
def test_a_full_disk_is_one_line(where: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(f"delayprop.fast.{where}", refuse)
    said = refusal(capsys, main, "--task", "sequence", "--epochs", "1", "--out", tmp_path / "run", code=4)
    assert "No space left on device: " in said and "make room, then go on with --resume" in said


def test_two_runs_never_share_a_folder(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert [RunFolder(None, "task", {}).path.name for _ in range(3)] == ["task-1", "task-2", "task-3"]


def fails(monkeypatch: Patch, error: Exception) -> None:
    def step(*_: object) -> None:
        raise error

    monkeypatch.setattr(sequence, "_step", step)


@pytest.mark.parametrize(
    "error", [MemoryError("8 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")], ids=["numpy", "torch"]
)
def test_memory_that_runs_out_is_one_line_and_exit_3(
    error: Exception, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    fails(monkeypatch, error)
    said = refusal(capsys, main, "--task", "sequence", "--out", tmp_path / "run", code=3)
    assert said.startswith("python -m fast.train: out of memory (")


def test_control_other_errors_of_torch_are_not_taken_for_it(tmp_path: Path, monkeypatch: Patch) -> None:
    fails(monkeypatch, RuntimeError("a fault of ours"))
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main(["--task", "sequence", "--out", str(tmp_path / "run")])


@pytest.mark.parametrize(
    ("command", "name", "run_name"),
    [(delayprop.fast.run, "fast.run", "run_case"), (delayprop.reference.__main__, "reference", "run")],
)
def test_a_case_without_memory_is_one_line_and_exit_3(
    command: ModuleType, name: str, run_name: str, monkeypatch: Patch, capsys: Capture
) -> None:
    def run_out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(command, run_name, run_out)
    case = ROOT / "spec" / "conformance" / "cases" / "one-neuron.json"
    assert command.main([str(case)]) == 3
    line = "out of memory; make the network, the batch or the trial smaller"
    assert capsys.readouterr() == ("", f"python -m {name}: {line}\n")


def test_help_shows_the_options_of_the_task(capsys: Capture) -> None:
    assert main(["--task", "sequence", "--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--seed", "--out", "--epochs", "--lr", "--device", "--dtype", "--freeze-delays", "--jitter"):
        assert option in text
