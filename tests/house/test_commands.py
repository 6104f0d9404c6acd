"""The commands print one JSON object of the specified layout, or one line of error; exit codes.

`python -m ... | head`: a command ends silently when the reader of its output has left.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from delayprop.spec import load_case
from delayprop.spec.command import READER_LEFT, OneLineParser, run_and_exit
from tests import ROOT
from tests.support.commands import lines_read, python, refusal_of, result_of, run, skeleton
from tests.support.house.sources import PYTHON_FILES, read
from tests.support.networks.bad_cases import changed
from tests.support.tolerances import U32, U64, WELL_CONDITIONED, relative

CONFORMANCE = ROOT / "spec" / "conformance" / "cases"
CASE = str(CONFORMANCE / "one-neuron.json")
COMMANDS = ("reference", "fast.run")
STORED = ("silent-neuron", "skip-and-parallel", "missing-and-free-spikes")
"""Conformance cases: silence, parallel connections, a loss without a readout."""


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_has_the_layout_of_the_stored_one(command: str, name: str) -> None:
    path = CONFORMANCE / f"{name}.json"
    expected, found = load_case(path).expected, result_of(run(command, path))
    assert expected is not None
    assert json.dumps(skeleton(found)) == json.dumps(skeleton(expected))
    assert found["loss"] == pytest.approx(expected["loss"], rel=relative(U64, expected["kappa_min"]))


def numbers(done: subprocess.CompletedProcess[str]) -> list[float]:
    """The numbers with a point of the printed result, in order."""
    found: list[float] = []
    json.loads(json.dumps(result_of(done)), parse_float=lambda text: found.append(float(text)))
    return found


@pytest.mark.parametrize(("command", "options", "error"), [
    ("reference", ("--digits", 30), WELL_CONDITIONED), ("fast.run", ("--dtype", "float32"), 100 * U32),
], ids=["digits", "dtype"])
def test_another_precision_gives_almost_the_same_numbers(command: str, options: tuple, error: float) -> None:
    """An ignored option would leave every number unchanged."""
    path = CONFORMANCE / "skip-and-parallel.json"
    plain, other = (numbers(run(command, *chosen, path)) for chosen in ((), options))
    assert other != plain
    assert other == pytest.approx(plain, rel=error, abs=error)


def test_the_device_can_be_named() -> None:
    assert run("fast.run", "--device", "cpu", "--dtype", "float64", CASE).stdout == run("fast.run", CASE).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m {command} ") and "CASE.json" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_that_is_not_finite(command: str, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(changed("connections[0].weights[0][0]", 1e18)), encoding="utf-8")
    assert "spikes too fast, or without end; lower its weights" in refusal_of(run(command, path), command, 3)


REFUSED: dict[str, tuple[str, list[str], str]] = {
    "no case": ("reference", [], "the following arguments are required: CASE.json"),
    "missing file": ("reference", ["nowhere.json"], "`nowhere.json` must be a readable case file, got No such file"),
    "two cases": ("reference", [CASE, CASE], "unrecognized arguments: "),
    "unknown option": ("reference", ["--dtype", "float32", CASE], "unrecognized arguments: --dtype"),
    "abbreviated option": ("reference", ["--digit", "20", CASE], "unrecognized arguments: --digit"),
    "digits no number": ("reference", ["--digits", "many", CASE], "argument --digits: invalid int value: 'many'"),
    "too few digits": ("reference", ["--digits", "5", CASE], "`digits` must be a whole number from 16 .* got 5"),
    "unknown dtype": ("fast.run", ["--dtype", "float16", CASE], "argument --dtype: invalid choice: 'float16'"),
    "unknown device": ("fast.run", ["--device", "tpu", CASE], "argument --device: invalid choice: 'tpu'"),
    "no CUDA": ("fast.run", ["--device", "cuda", CASE], "`device` cuda needs .*; .*use the CPU"),
}


@pytest.mark.parametrize(("command", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals_are_one_line_and_exit_code_2(command: str, arguments: list[str], message: str) -> None:
    assert re.search(message, refusal_of(run(command, *arguments), command))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_that_nobody_reads_is_no_error(command: str) -> None:
    """The pipe closes before the line is written; the last flush finds it closed."""
    assert lines_read(0, "-m", command, CASE) == (READER_LEFT, [], "")


@pytest.mark.full
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
    code, _, complaint = lines_read(0, "-c", "while True: print(0)")
    assert code not in (0, READER_LEFT) and "BrokenPipeError" in complaint


LEAVES = """
import atexit, sys, threading, time
from delayprop.spec.command import run_and_exit
class Kept:
    def __del__(self): print("freed")
kept = Kept()
atexit.register(print, "handler")
threading.Thread(target=lambda: time.sleep(0.3) or print("thread")).start()
"""


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_keeps_its_code_and_frees_nothing_at_its_end(code: int) -> None:
    """Threads and exit handlers end before; to free all of torch takes a second."""
    done = python("-c", f"{LEAVES}run_and_exit(lambda: print('done') or {code})")
    assert (done.returncode, done.stdout, done.stderr) == (code, "done\nthread\nhandler\n", "")
    plain = python("-c", f"{LEAVES}print('done'); sys.exit({code})")
    assert (plain.returncode, plain.stdout) == (code, "done\nthread\nhandler\nfreed\n"), "control"


FULL = "delayprop: standard output cannot be written: No space left on device; make room\n"


@pytest.mark.parametrize(("where", "code", "words"), [(">&-", 0, ""), ("> /dev/full", 4, FULL)])
def test_output_that_cannot_be_written(where: str, code: int, words: str) -> None:
    command = f"exec {sys.executable} -m delayprop conformance --list {where}"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, words)


MAIN = re.compile(r"^def main\(.*\) -> int:$", re.MULTILINE)
EXIT = re.compile(r"    (run_and_exit\((main|lambda: main\(.*\))\)|(sys\.exit|raise SystemExit)\(main\(.*\)\))")


@pytest.mark.parametrize("path", [path for path in PYTHON_FILES if MAIN.search(read(path))], ids=str)
def test_the_code_of_a_command_is_that_of_its_process(path: PurePosixPath) -> None:
    assert EXIT.fullmatch(read(path).splitlines()[-1])


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
    with pytest.raises(ZeroDivisionError):
        run_and_exit(lambda: os.getpid() // 0)
