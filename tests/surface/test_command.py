"""The command `delayprop`: all commands under one name, each named in messages as typed."""

from pathlib import Path

import pytest

import delayprop
import delayprop.__main__ as command
import delayprop.fast.run
from tests import ROOT
from tests.support.commands import refusal_of, run
from tests.support.runs.reading import Capture, Patch, refusal

CASE = str(ROOT / "spec" / "conformance" / "cases" / "one-neuron.json")
NOWHERE = "there-is-no-such-run"


def test_help_has_a_line_for_each_command_and_the_version_is_printed(capsys: Capture) -> None:
    assert command.main(["--help"]) == 0
    listed = capsys.readouterr().out.partition("commands, each with its own --help:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(command.COMMANDS)
    assert all(len(line) <= 100 for line in listed)
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"delayprop {delayprop.__version__}\n"


@pytest.mark.parametrize("name", command.COMMANDS)
def test_help_of_a_command_shows_the_name_that_was_typed(name: str, capsys: Capture) -> None:
    assert command.main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: delayprop {name} ")


REFUSED: dict[str, tuple[list[str], str]] = {
    "no command": ([], "delayprop: the following arguments are required: COMMAND (see --help)\n"),
    "unknown command": (["learn"], "delayprop: argument COMMAND: invalid choice: 'learn' "),
    "option before the command": (["--", "train"], "delayprop: "),
    "train without a task": (["train"], "delayprop train: the following arguments are required: --task (see --help)\n"),
    "train with a bad option": (["train", "--task", "sequence", "--save-seconds", "-1"],
                                "delayprop train: `--save-seconds` must be at least 0"),
    "run without a case": (["run"], "delayprop run: the following arguments are required: CASE.json (see --help)\n"),
    "run nowhere": (["run", NOWHERE], f"delayprop run: `{NOWHERE}` must be a readable case file, got "),
    "evaluate nowhere": (["evaluate", NOWHERE], f"delayprop evaluate: `{NOWHERE}` must be the folder of a finished"),
    "compare nowhere": (["compare", NOWHERE], f"delayprop compare: `{NOWHERE}` must be the folder of a finished"),
    "export nothing": (["export", NOWHERE], "delayprop export: `--case` is missing, and so is --nir; "),
    "report nowhere": (["report", NOWHERE], "delayprop report: `RUN` must be the folder of a finished run, with "
                       "result.json, got No such file or directory:"),
    "report of both": (["report", "--quick", NOWHERE], "delayprop report: --quick and --out are for the report, "),
}


@pytest.mark.parametrize(("words", "line"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_one_line_that_names_the_command_as_typed(words: list[str], line: str, capsys: Capture) -> None:
    assert refusal(capsys, command.main, *words).startswith(line)


@pytest.mark.parametrize(("words", "said"), [
    ((), "given outside a checkout of delayprop, got nothing; "),
    (("--quick",), "given outside a checkout of delayprop, got nothing; "),
    ((NOWHERE,), "the folder of a finished run, "),
])
def test_outside_a_checkout_only_runs_are_reported(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    assert refusal(capsys, command.main, "report", *words).startswith(f"delayprop report: `RUN` must be {said}")


def test_a_command_prints_what_its_module_prints(capsys: Capture) -> None:
    assert command.main(["run", CASE]) == 0
    found = capsys.readouterr()
    assert delayprop.fast.run.main([CASE]) == 0
    assert found == capsys.readouterr() and found.out.startswith("{")


def test_python_m_delayprop_is_the_same_command() -> None:
    said = refusal_of(run("delayprop", "conformance"), "delayprop conformance")
    assert said == "give one of --command, --list and --save (see --help)"
