"""A user's module that hides one of ours is named in one line; other modules break nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fast.physics.announcing import TOLD
from tests import ROOT

PACKAGES = ("spec", "derivations", "reference", "fast")
MARK = "a foreign module runs"


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a user's folder, which `-m` and `-c` put first on the path."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, *words]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def foreign(path: Path) -> Path:
    """A user's module, which prints when it runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"print({MARK!r})\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("package", [False, True], ids=["file", "folder"])
@pytest.mark.parametrize("name", PACKAGES)
def test_the_command_refuses_a_module_that_hides_ours(name: str, package: bool, tmp_path: Path) -> None:
    """The error names the file, and the module does not run."""
    path = foreign(tmp_path / name / "__init__.py" if package else tmp_path / f"{name}.py")
    done = python(tmp_path, "-m", "delayprop", "train", "--task", "sequence")
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"delayprop: `{name}` must be the package of delayprop, got {path}; rename that file")


@pytest.mark.parametrize("name", PACKAGES)
def test_an_import_of_delayprop_refuses_a_module_that_hides_ours(name: str, tmp_path: Path) -> None:
    path = foreign(tmp_path / f"{name}.py")
    done = python(tmp_path, "-c", "import delayprop")
    line = f"ImportError: `{name}` must be the package of delayprop, got {path}; rename that file"
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith(line) and MARK not in done.stdout


@pytest.mark.parametrize("command", ["train", "run", "evaluate", "compare", "export", "drawing"])
def test_a_command_of_fast_refuses_a_spec_that_hides_ours(command: str, tmp_path: Path) -> None:
    path = foreign(tmp_path / "spec.py")
    done = python(tmp_path, "-m", f"fast.{command}", "--help")
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"fast: `spec` must be the package of delayprop, got {path}; rename it")


def test_an_import_of_fast_refuses_a_spec_that_hides_ours(tmp_path: Path) -> None:
    foreign(tmp_path / "spec.py")
    done = python(tmp_path, "-c", "from fast import LIF")
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith("ImportError: `spec` must be ")


@pytest.mark.full
def test_packages_of_the_user_with_names_of_the_checkout_break_nothing(tmp_path: Path) -> None:
    """This includes a folder without `__init__.py` named like one of our packages."""
    for name in ("reports", "tests", "benchmarks", "results", "docs", "examples"):
        foreign(tmp_path / name / "__init__.py")
    for name in PACKAGES:
        (tmp_path / name).mkdir()
    done = python(tmp_path, "-m", "delayprop", "train", "--task", "sequence", "--epochs", "1", "--out", "run")
    assert done.returncode in (0, 1) and MARK not in done.stdout and {*done.stderr.splitlines()} <= {TOLD}
    drawn = python(tmp_path, "-m", "fast.drawing", "run")
    assert (drawn.returncode, drawn.stderr) == (0, "") and (tmp_path / "run" / "voltages.png").exists()


def test_a_foreign_reports_is_refused_where_the_report_is_made(tmp_path: Path) -> None:
    path = foreign(tmp_path / "reports" / "__init__.py")
    done = python(tmp_path, "-m", "delayprop", "report", "--quick")
    assert done.returncode == 2 and MARK not in done.stdout
    assert done.stderr == (
        f"python -m delayprop report: `reports` must be the package of delayprop, got {path}; "
        "rename that file or folder, or start in another folder\n"
    )
