"""Every proof holds, the command says so, and a reader finds every chapter."""

from __future__ import annotations

import subprocess
import sys

import pytest

from derivations import __main__ as command
from derivations import formulas
from derivations.chapters import CHAPTERS, theorems
from derivations.errata import ERRATA
from derivations.proof import Theorem
from tests import ROOT
from tests.support.report_evidence import Measured

THEOREMS = {each.tag: each for each in theorems()}


@pytest.mark.check(1)
@pytest.mark.parametrize("tag", THEOREMS)
def test_proved(tag: str, measured: Measured) -> None:
    proof = THEOREMS[tag].prove()
    assert proof.residuals
    failures = proof.failures()
    measured(len(failures), 0, len(proof.residuals))
    assert failures == {}
    measured.keep("proofs", {"tag": tag, "residuals": len(proof.residuals)})


def test_tags_are_unique_and_many() -> None:
    assert len(THEOREMS) == len(theorems()) >= 12


# The command.


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "derivations", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_command_proves() -> None:
    done = run("arrival-d", "spike-jump")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, last = done.stdout.splitlines()
    for line, tag in ((first, "arrival-d"), (second, "spike-jump")):
        assert line.startswith(tag) and THEOREMS[tag].statement in line and line.endswith("  proved")
    assert last.startswith("2 of 2 proved in ")


@pytest.mark.full
def test_command_proves_everything() -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(THEOREMS)
    assert lines[-1].startswith(f"{len(THEOREMS)} of {len(THEOREMS)} proved in ")


@pytest.mark.parametrize("arguments", [("--tag",), ("--err",), ("delay",), ("arrival-d", "--quiet")])
def test_command_refuses_in_one_line(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "see --help" in done.stderr


def test_command_exits_1_on_a_planted_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(formulas, "dL_dt_arr", lambda w, lambda_V, lambda_I: w * (lambda_I - lambda_V))
    assert command.main(["arrival-w", "arrival-time"]) == 1
    weight, time, left, last = capsys.readouterr().out.splitlines()
    assert weight.endswith("  proved") and time.endswith("  NOT PROVED")
    assert "dL/dt_arr: " in left and left.endswith(" is left")
    assert last.startswith("1 of 2 proved in ")


def test_errata_name_theorems_and_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert {erratum.shown for erratum in ERRATA if erratum.shown} <= THEOREMS.keys()
    assert command.main(["--errata"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{erratum.where}: " in printed for erratum in ERRATA)


# What a reader finds.


def test_every_chapter_is_in_the_read_me_and_says_what_it_assumes_and_shows() -> None:
    read_me = (ROOT / "derivations" / "README.md").read_text()
    files = {path.stem for path in (ROOT / "derivations").glob("*.py")}
    chapters = {chapter.__name__.split(".")[-1]: chapter for chapter in CHAPTERS}
    assert {name for name in files - chapters.keys() if not name.startswith("__")} == {
        "chapters",
        "formulas",
        "proof",
        "symbols",
    }
    for name, chapter in chapters.items():
        assert f"`{name}.py`" in read_me
        assert any(isinstance(each, Theorem) for each in vars(chapter).values())
        assert name == "errata" or ("Assumed: " in str(chapter.__doc__) and "Shown" in str(chapter.__doc__))


def test_statements_fit_a_line() -> None:
    assert max(len(each.statement) for each in theorems()) <= 100
