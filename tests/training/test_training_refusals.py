"""`fast.train` refuses folders and full disks; a prepared one changes no other file, no screen."""

import errno
import os
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest

import delayprop.fast.run
import delayprop.reference.__main__
from delayprop.fast.tasks.sequence import task as sequence
from delayprop.fast.train import main
from delayprop.fast.training.checkpoints import HALF
from delayprop.fast.training.run_folder import LOG, OPTIONS, RunFolder
from delayprop.spec import SpecError
from tests import ROOT
from tests.support.runs.reading import Capture, Patch, refusal, rewrite


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
    monkeypatch.setattr(Path, method, Mock(side_effect=OSError(errno.EACCES, os.strerror(errno.EACCES), "a place")))
    with pytest.raises(SpecError, match=r"^`--out` must be a folder that can be made and read, got Permission denied"):
        RunFolder(str(tmp_path), "task", {})


@pytest.mark.parametrize("where", ["data.new_files.new_file", "tasks.sequence.task.draw"])
def test_a_full_disk_is_one_line(where: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    full = Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a file"))
    monkeypatch.setattr(f"delayprop.fast.{where}", full)
    said = refusal(capsys, main, "--task", "sequence", "--epochs", "1", "--out", tmp_path / "run", code=4)
    assert "No space left on device: " in said and "make room, then go on with --resume" in said


def test_two_runs_never_share_a_folder(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert [RunFolder(None, "task", {}).path.name for _ in range(3)] == ["task-1", "task-2", "task-3"]


@pytest.mark.parametrize(
    "error", [MemoryError("8 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")], ids=["numpy", "torch"]
)
def test_memory_that_runs_out_is_exit_3(error: Exception, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr(sequence, "_step", Mock(side_effect=error))
    said = refusal(capsys, main, "--task", "sequence", "--out", tmp_path / "run", code=3)
    assert said.startswith("python -m fast.train: out of memory (")


def test_control_other_errors_of_torch_are_not_taken_for_it(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(sequence, "_step", Mock(side_effect=RuntimeError("a fault of ours")))
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main(["--task", "sequence", "--out", str(tmp_path / "run")])


@pytest.mark.parametrize(("command", "name", "run_name"), [
    (delayprop.fast.run, "fast.run", "run_case"), (delayprop.reference.__main__, "reference", "run")
])
def test_a_case_without_memory_is_one_line_and_exit_3(
    command: ModuleType, name: str, run_name: str, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, run_name, Mock(side_effect=MemoryError))
    case = ROOT / "spec" / "conformance" / "cases" / "one-neuron.json"
    assert command.main([str(case)]) == 3
    line = "out of memory; make the network, the batch or the trial smaller"
    assert capsys.readouterr() == ("", f"python -m {name}: {line}\n")


def test_help_shows_the_options_of_the_task(capsys: Capture) -> None:
    assert main(["--task", "sequence", "--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--seed", "--out", "--epochs", "--lr", "--device", "--dtype", "--freeze-delays", "--jitter"):
        assert option in text


WORDS = ["--task", "sequence", "--epochs", "2", "--out"]


@pytest.mark.pictures
def test_a_link_in_a_prepared_folder_leads_to_no_other_file(tmp_path: Path, capsys: Capture) -> None:
    """Whoever prepares a folder could otherwise have any file of the user overwritten."""
    letter, run = tmp_path / "letter", tmp_path / "run"
    letter.write_text("dear")
    run.mkdir()
    (run / f".options.json{HALF}").symlink_to(letter)
    (run / f".checkpoint-000000000.pt{HALF}").symlink_to(letter)
    assert main([*WORDS, str(run)]) in (0, 1)
    for name in ("delays.png", "voltages.png", "learning.gif", LOG):
        (run / name).rename(run / f"own-{name}")
        (run / name).symlink_to(letter if name != LOG else run / f"own-{name}")
    assert main([*WORDS, str(run), "--resume", "--epochs", "3"]) in (0, 1)
    assert letter.read_text() == "dear" and not any(path.is_symlink() for path in run.iterdir())
    assert len((run / f"own-{LOG}").read_text().splitlines()) < len((run / LOG).read_text().splitlines())
    (run / ".lock").unlink()
    (run / ".lock").symlink_to(tmp_path / "new")
    said = refusal(capsys, main, *WORDS, run, "--resume", "--epochs", "3")
    assert "`--out` must be a folder that can be made and read, got" in said and not (tmp_path / "new").exists()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    assert main([*WORDS, str(tmp_path)]) in (0, 1)
    return tmp_path


def test_options_of_a_stranger_move_no_cursor(run: Path, capsys: Capture) -> None:
    rewrite(run / OPTIONS, **{"dtype": "\x1b[2Jfloat32", "\x1b]0;": 1})
    said = refusal(capsys, main, *WORDS, run, "--resume")
    assert "\x1b" not in said and r"--\x1b]0;` must be" in said


@pytest.mark.parametrize("name", [LOG, OPTIONS, "checkpoint-000000002.pt"])
def test_a_pipe_in_the_folder_of_a_run_is_refused(name: str, run: Path, capsys: Capture) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    capsys.readouterr()
    code, said = main([*WORDS, str(run), "--resume"]), capsys.readouterr()
    assert "it is a pipe or a device" in said.out + said.err
    assert code == (2 if name in (LOG, OPTIONS) else 1), "a checkpoint has one before it"


@pytest.mark.parametrize("name", [LOG, OPTIONS])
def test_json_without_end_in_the_folder_of_a_run_is_refused(name: str, run: Path, capsys: Capture) -> None:
    (run / name).write_text("[" * 200_000)
    assert "`--resume` must be given for a run" in refusal(capsys, main, *WORDS, run, "--resume")


def test_a_folder_in_the_way_of_a_file_is_named(run: Path, capsys: Capture) -> None:
    (run / f".result.json{HALF}").mkdir()
    assert "put it right, then go on with --resume" in refusal(capsys, main, *WORDS, run, "--resume", code=4)
    (run / f".result.json{HALF}").rmdir()
    (run / LOG).unlink()
    (run / LOG).mkdir()
    said = refusal(capsys, main, *WORDS, run, "--resume")
    assert "must be given for a run whose log can be read, got Is a directory" in said
