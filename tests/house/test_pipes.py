"""`python -m ... | head`: a command ends silently when the reader of its output has left."""

import os
from pathlib import Path

import pytest

from delayprop.spec.command import READER_LEFT, OneLineParser, run_and_exit
from tests import ROOT
from tests.support.commands import lines_read

CASE = str(ROOT / "spec" / "conformance" / "cases" / "one-neuron.json")


@pytest.mark.parametrize("command", ["reference", "fast.run"])
def test_a_result_that_nobody_reads_is_no_error(command: str) -> None:
    """The pipe closes before the line is written; the last flush finds it closed."""
    assert lines_read(0, "-m", command, CASE) == (READER_LEFT, [], "")


def test_training_whose_reader_leaves_stops_in_silence(tmp_path: Path) -> None:
    """The first write after the pipe closes stops the run, long before its thousandth epoch."""
    out = tmp_path / "run"
    command = ("-m", "fast.train", "--task", "sequence", "--epochs", "1000", "--out", str(out))
    code, read, complaint = lines_read(3, *command)
    assert (code, complaint) == (READER_LEFT, "")
    assert read[0].startswith("sequence detection") and read[2].endswith("\n")
    assert len((out / "history.jsonl").read_text(encoding="utf-8").splitlines()) < 1000
    assert not (out / "result.json").exists()


def test_control_a_plain_print_complains() -> None:
    code, _, complaint = lines_read(0, "-c", "print('x')")
    assert code not in (0, READER_LEFT) and "BrokenPipeError" in complaint


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_command_that_is_read_keeps_its_code(code: int, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run_and_exit(lambda: print("done") or code)
    assert stop.value.code == code
    assert capfd.readouterr() == ("done\n", "")


def test_writing_fails_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = OneLineParser("writes", "Writes.")
    assert parser.run_writer(lambda _: (tmp_path / "no" / "file").write_text("x"), []) == 2
    err = capsys.readouterr().err
    assert err.startswith("writes: cannot write: ") and str(tmp_path) in err and err.count("\n") == 1

    def leave(_: object) -> int:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        parser.run_writer(leave, [])
    assert parser.run_writer(lambda _: 1, []) == 1


def test_a_fault_of_ours_is_not_taken_for_a_closed_pipe() -> None:
    def fail() -> int:
        return os.getpid() // 0

    with pytest.raises(ZeroDivisionError):
        run_and_exit(fail)
