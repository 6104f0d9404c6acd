"""`python -m fast.train` refuses options, folders and full disks in one line."""

from __future__ import annotations

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

BAD_OPTIONS = {
    "no task": ([], "--task"),
    "unknown task": (["--task", "shapes"], "'shapes'"),
    "unknown option": (["--task", "sequence", "--taks", "x"], "--taks"),
    "abbreviated option": (["--task", "sequence", "--ep", "3"], "--ep"),
    "option of another task": (["--task", "sequence", "--hidden", "3"], "--hidden"),
    "jitter in braille": (["--task", "braille", "--jitter", "1"], "--jitter"),
    "epochs 0": (["--task", "sequence", "--epochs", "0"], "`--epochs` must be a whole number from 1"),
    "epochs -1": (["--task", "sequence", "--epochs", "-1"], "`--epochs` must be a whole number from 1"),
    "epochs 1.5": (["--task", "sequence", "--epochs", "1.5"], "--epochs"),
    "lr 0": (["--task", "sequence", "--lr", "0"], "`--lr` must be a finite number above 0"),
    "lr nan": (["--task", "sequence", "--lr", "nan"], "`--lr` must be"),
    "lr too large": (["--task", "sequence", "--lr", "1e7"], "`--lr` must be at most 1e+06 (ms), got 10000000.0; give"),
    "weight lr too large": (["--task", "braille", "--lr", "2e6"], "`--lr` must be at most 1e+06, got 2000000.0; give"),
    "delay lr too large": (["--task", "braille", "--delay-lr", "2e6"], "`--delay-lr` must be at most 1e+06 (ms), got"),
    "name of 300 letters": (["--task", "sequence", "--out", "a" * 300], "`--out` must be a folder that can be made"),
    "lr inf": (["--task", "sequence", "--lr", "inf"], "`--lr` must be"),
    "jitter -1": (["--task", "sequence", "--jitter", "-1"], "`--jitter` must be from 0 to 10.0 (ms), got -1.0"),
    "jitter 11": (["--task", "sequence", "--jitter", "11"], "`--jitter` must be from 0 to 10.0 (ms), got 11.0"),
    "seed -1": (["--task", "sequence", "--seed", "-1"], "`--seed` must be a whole number from 0"),
    "seed x": (["--task", "sequence", "--seed", "x"], "--seed"),
    "device cuda": (["--task", "sequence", "--device", "cuda"], "`device` cuda needs"),
    "device tpu": (["--task", "sequence", "--device", "tpu"], "--device"),
    "dtype float16": (["--task", "sequence", "--dtype", "float16"], "--dtype"),
    "hidden 0": (["--task", "braille", "--hidden", "0"], "`--hidden` must be"),
    "batch 0": (["--task", "braille", "--batch", "0"], "`--batch` must be"),
    "save-seconds -1": (["--task", "sequence", "--save-seconds", "-1"], "`--save-seconds` must be at least 0 (s), got"),
    "save-seconds nan": (["--task", "sequence", "--save-seconds", "nan"], "`--save-seconds` must be"),
    "resume without out": (["--task", "sequence", "--resume"], "`--resume` must be given with --out"),
    "epochs 0 in yin-yang": (["--task", "yin-yang", "--epochs", "0"], "`--epochs` must be a whole number from 1"),
    "no data": (["--task", "braille"], "`--data` must be the folder of braille_{train,valid,test}.h5, got nothing"),
    "data folder missing": (["--task", "braille", "--data", "nowhere"], "got no such folder as nowhere; name"),
}


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
def test_bad_options_exit_2_in_one_line(
    options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DELAYPROP_DATA", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(options) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert words in err
    assert list(tmp_path.iterdir()) == [], "a refused run must leave nothing behind"


def test_a_folder_that_holds_something_is_not_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["--task", "sequence", "--out", str(tmp_path)]) == 2
    assert "`--out` must be a new or empty folder" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    assert main(["--task", "sequence", "--out", str(tmp_path / "mine.txt")]) == 2


def test_a_folder_below_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["--task", "sequence", "--out", str(tmp_path / "mine.txt" / "run")]) == 2
    assert "`--out` must be a folder that can be made and read, got Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["mkdir", "iterdir"])
def test_a_place_without_permission_is_refused(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The method refuses, as tests may run as root, who may write anywhere."""

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(SpecError, match=r"^`--out` must be a folder that can be made and read, got Permission denied"):
        RunFolder(str(tmp_path), "task", {})


def test_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("delayprop.fast.training.checkpoints.new_file", refuse)
    assert main(["--task", "sequence", "--out", str(tmp_path / "run")]) == 4
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "No space left on device: " in err and "make room, then go on with --resume" in err


def test_a_full_disk_while_drawing_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def draw(folder: Path) -> list[str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sequence, "draw", draw)
    assert main(["--task", "sequence", "--epochs", "1", "--out", str(tmp_path / "run")]) == 4
    assert "No space left on device: " in capsys.readouterr().err


def test_two_runs_never_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if both start at once, when each finds the name free."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert [RunFolder(None, "task", {}).path.name for _ in range(3)] == ["task-1", "task-2", "task-3"]


@pytest.mark.parametrize(
    "error", [MemoryError("8 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")], ids=["numpy", "torch"]
)
def test_memory_that_runs_out_is_one_line_and_exit_3(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def step(*_: object) -> None:
        raise error

    monkeypatch.setattr(sequence, "_step", step)
    assert main(["--task", "sequence", "--out", str(tmp_path / "run")]) == 3
    err = capsys.readouterr().err
    assert err.startswith("python -m fast.train: out of memory (") and err.count("\n") == 1


def test_control_other_errors_of_torch_are_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(sequence, "_step", step)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main(["--task", "sequence", "--out", str(tmp_path / "run")])


@pytest.mark.parametrize(
    ("command", "name", "run_name"),
    [(delayprop.fast.run, "fast.run", "run_case"), (delayprop.reference.__main__, "reference", "run")],
)
def test_a_case_without_memory_is_one_line_and_exit_3(
    command: ModuleType, name: str, run_name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(command, run_name, run_out)
    case = ROOT / "spec" / "conformance" / "cases" / "one-neuron.json"
    assert command.main([str(case)]) == 3
    line = "out of memory; make the network, the batch or the trial smaller"
    assert capsys.readouterr() == ("", f"python -m {name}: {line}\n")


def test_help_shows_the_options_of_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--task", "sequence", "--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--seed", "--out", "--epochs", "--lr", "--device", "--dtype", "--freeze-delays", "--jitter"):
        assert option in text
