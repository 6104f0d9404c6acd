"""The conformance kit on programs that are partial or broken, bad options, and adapters of other
simulators; one not installed is skipped."""

import importlib.util
import json
import os
import shlex
import sys
from functools import partial
from pathlib import Path
from select import select
from subprocess import CompletedProcess
from typing import Any

import pytest

from delayprop.spec import case_to_dict, load_case
from delayprop.spec.conformance.cases import stored
from tests import ROOT
from tests.support.commands import python, refusal_of, run

PEER = ROOT / "tests" / "support" / "peers" / "plain_peer.py"
PLAIN = f"{sys.executable} -I -S {PEER}"
"""A simulator of one layer that imports neither NumPy nor this project: `-I -S` hide both."""

kit = partial(run, "spec.conformance")


def program(folder: Path, text: str) -> str:
    """The command line of a Python program with this text."""
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return shlex.join([sys.executable, "-I", "-S", str(path)])


def changed_peer(folder: Path, text: str, other: str) -> str:
    """The command line of the plain peer with one text replaced."""
    source = PEER.read_text(encoding="utf-8")
    assert source.count(text) == 1
    return program(folder, source.replace(text, other))


def test_a_partial_program_is_graded_on_its_part(tmp_path: Path) -> None:
    """One layer, squares of spike times, weights and delays are exact; the rest is listed."""
    done = kit("--command", PLAIN, "--json", tmp_path / "report.json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    grades = {name: found["grade"] for name, found in report["quantities"].items()}
    assert {name for name, grade in grades.items() if grade == "exact"} == {"spikes", "loss", "w", "d"}
    assert set(grades.values()) == {"exact", "not offered"} and report["passed"]
    assert {case["name"] for case in report["cases"] if case["state"] == "answered"} == {
        "one-neuron", "one-layer-no-delays", "one-layer-spike-times-whole-ms", "missing-and-free-spikes",
        "silent-network",
    }
    assert "24 cases, 5 answered, 19 not offered, 0 failed" in done.stdout
    assert "one-layer-first-spikes: spike_time_mse only" in done.stdout
    assert "recurrent-whole-ms: one layer of lif neurons only" in done.stdout
    assert done.stdout.endswith("nothing offered is wrong; blocks left out are listed above\n")


def test_digits_set_the_criterion(tmp_path: Path) -> None:
    off = changed_peer(tmp_path, "dw[i][j] += gI", "dw[i][j] += gI * 1.001")
    assert kit("--command", off, "--case", "one-neuron").returncode == 0
    done = kit("--command", off, "--case", "one-neuron", "--digits", 4)
    assert done.returncode == 1
    assert "one-neuron: gradients.connections[0].weights has 3.0 right digits" in done.stdout
    assert done.stdout.endswith("something offered is wrong\n")


@pytest.mark.parametrize(("text", "reason"), [
    (r"raise ValueError('of my own \x1b[2J')", r"one-neuron: exit code 1: ValueError: of my own \x1b[2J"),
    ("import sys; sys.exit(7)", "one-neuron: exit code 7\n"),
    ("import os; os.abort()", "one-neuron: ended by signal 6"),
    ("pass", "got nothing"),
    ("print('{\"loss\": 1.0')", "standard output must be one JSON object (JSONDecodeError: "),
    ("print('ready'); print('{}')", "got 'ready\\n{}\\n'"),
    ("import sys; sys.stdout.buffer.write(b'{\"\\xff\": 1}')", "must be one JSON object (UnicodeDecodeError: "),
    ("print('[' * 100000)", "must be one JSON object (RecursionError: "),
    ("print('[1]')", "standard output must be one JSON object, got [1]"),
    ("import sys\nwhile True: sys.stdout.write('x' * 2**20)", "one-neuron: more than 64 MiB of output"),
    ("print(input())", "one-neuron: exit code 1: EOFError"),
])
def test_a_broken_program_fails_by_name(text: str, reason: str, tmp_path: Path) -> None:
    done = kit("--command", program(tmp_path, text), "--case", "one-neuron", "--timeout", 60)
    assert (done.returncode, done.stderr) == (1, "")
    assert reason in done.stdout.partition("wrong (failed, ")[2]


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """A pipe stays open while one of the children lives."""
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    text = (
        "import os, subprocess, time\n"
        f"pipe = os.open({str(pipe)!r}, os.O_WRONLY)\n"
        "subprocess.Popen(['sleep', '60'], pass_fds=[pipe])\n"
        "os.write(pipe, b'x')\n"
        "time.sleep(60)"
    )
    read = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    done = kit("--command", program(tmp_path, text), "--case", "one-neuron", "--timeout", 3)
    assert done.returncode == 1 and "one-neuron: not done after 3 s" in done.stdout
    assert os.read(read, 2) == b"x", "both had started"
    assert select([read], [], [], 10.0)[0] == [read] and os.read(read, 1) == b"", "both have ended"
    os.close(read)


def test_a_program_that_offers_nothing_does_not_pass(tmp_path: Path) -> None:
    refusing = "import sys; print('first line\\nonly trees', file=sys.stderr); sys.exit(5)"
    done = kit("--command", program(tmp_path, refusing), "--case", "one-neuron")
    assert done.returncode == 1 and "one-neuron: only trees" in done.stdout
    assert done.stdout.endswith("nothing was offered, so nothing is graded\n")


def test_the_list_names_the_needs_of_each_case() -> None:
    done = kit("--list")
    assert (done.returncode, done.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert set(lines) == {one.name for one in stored()}
    assert lines["recurrent-whole-ms"].startswith("hidden layers, recurrent, one pair of time constants, ")
    assert kit("--list", "--case", "one-neuron").stdout.count("\n") == 1


def test_saved_files_are_cases(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    done = kit("--save", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(stored())} cases in {folder}\n", "")
    assert len(list(folder.iterdir())) == len(stored())
    for one in stored():
        assert load_case(folder / f"{one.name}.json").expected == one.expected
    assert kit("--save", folder).returncode == 0, "equal files may stand there"
    (folder / "one-neuron.json").write_text("{}", encoding="utf-8")
    line = refusal_of(kit("--save", folder), "spec.conformance")
    assert line.startswith("`save` must be a folder without other files of these names, got ")
    assert (folder / "one-neuron.json").read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "give one of --command, --list and --save (see --help)"),
    (["--list", "--save", "x"], "give one of --command, --list and --save (see --help)"),
    (["--list", "--digits", "3"], "--digits goes with --command only (see --help)"),
    (["--list", "--case", "one"], "`case` must be one of after-the-end, "),
    (["--command", "./no x"], "`command` must be a program that can be started, got ./no: No such"),
    (["--command", " "], "`command` must be a program and its arguments, got nothing; name one"),
    (["--command", "a 'b"], "`command` must be a command line, got No closing quotation; close the"),
    (["--command", "x", "--timeout", "0"], "`timeout` must be a finite number above 0 (s), got 0.0"),
    (["--command", "x", "--digits", "nan"], "`digits` must be a finite number, got nan"),
    (["--command", "x", "--json", "no/x"], "`json` must be a place that can be written to, got no/x: "),
    (["--save", "README.md"], "`save` must be a place that can be written to, got README.md: "),
])
def test_bad_options_are_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    assert refusal_of(kit(*arguments), "spec.conformance").startswith(message)


EXAMPLES = ROOT / "examples" / "conformance"
VOLTAGE = "one-layer-voltage-whole-ms"

ADAPTERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "stepped": ("one-layer-spike-times-whole-ms", {"duration": 40.5}, "dt"),
    "snntorch": ("missing-and-free-spikes", {}, "reset"),
}
"""A case that the adapter refuses, with changes, and words of the refusal."""

NO_SNNTORCH = pytest.mark.skipif(not importlib.util.find_spec("snntorch"), reason="no snntorch here")


def ask(name: str, *arguments: str) -> CompletedProcess[str]:
    """Runs an adapter as the kit does."""
    return python(EXAMPLES / f"{name}_adapter.py", *arguments, OMP_NUM_THREADS="1")


def written(folder: Path, name: str, **changes: Any) -> str:
    """The path of a case of the set, with some keys of the document changed."""
    (one,) = stored([name])
    path = folder / "case.json"
    path.write_text(json.dumps(case_to_dict(one.case) | changes), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", ["stepped", pytest.param("snntorch", marks=NO_SNNTORCH)])
def test_an_adapter_answers_and_refuses(name: str, tmp_path: Path) -> None:
    """The loss of the adapter is near the right one, so its units are ours."""
    done = ask(name, written(tmp_path, VOLTAGE))
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout), stored([VOLTAGE])[0].expected
    assert found["loss"] == pytest.approx(expected["loss"], rel=5e-2) and found["loss"] != expected["loss"]
    assert found["readout"] == pytest.approx(expected["readout"], abs=5e-2)
    case, changes, words = ADAPTERS[name]
    done = ask(name, written(tmp_path, case, **changes))
    assert (done.returncode, done.stdout) == (5, "") and words in done.stderr, done.stderr


def test_a_finer_grid_is_nearer(tmp_path: Path) -> None:
    """The option reaches the grid: a hundredth of the step leaves at most a tenth of the error."""
    expected, path = stored([VOLTAGE])[0].expected["loss"], written(tmp_path, VOLTAGE)
    losses = (json.loads(ask("stepped", "--dt", dt, path).stdout)["loss"] for dt in ("1", "0.01"))
    coarse, fine = (abs(loss - expected) for loss in losses)
    assert 0 < fine < 0.1 * coarse
