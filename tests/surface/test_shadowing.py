"""A user's modules with names of ours, beside their script, break nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from delayprop.fast.compiling.announcing import TOLD
from tests import ROOT
from tests.support.house.imports import LINKED, MAY_IMPORT

MARK = "a module of the user runs"
SCRIPT = """
import spec, fast, reference, derivations
import delayprop.reference, delayprop.derivations.proof
from delayprop import LIF, Case, Network
print(LIF(3, 2), Case.__module__, Network.__module__)
"""


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, *words]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def own(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"print({MARK!r})\n", encoding="utf-8")


@pytest.mark.parametrize("package", [False, True], ids=["file", "folder"])
def test_a_script_has_its_own_modules_and_ours(package: bool, tmp_path: Path) -> None:
    for name in LINKED:
        own(tmp_path / name / "__init__.py" if package else tmp_path / f"{name}.py")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    done = python(tmp_path, "script.py")
    assert (done.returncode, done.stderr) == (0, "")
    *marks, last = done.stdout.splitlines()
    assert marks == [MARK] * len(LINKED)
    assert last.startswith("LIF(3 -> 2, ") and last.endswith(" delayprop.spec.case delayprop.fast.nn.network")


@pytest.mark.parametrize("package", [False, pytest.param(True, marks=pytest.mark.full)], ids=["file", "folder"])
def test_a_command_runs_none_of_the_modules_of_the_user(package: bool, tmp_path: Path) -> None:
    """Nor one named like a folder of the checkout, from which `report` imports `reports`."""
    for name in ({*MAY_IMPORT} | {"tests"}) - {"delayprop"}:
        own(tmp_path / name / "__init__.py" if package else tmp_path / f"{name}.py")
    done = python(tmp_path, "-m", "delayprop", "train", "--task", "sequence", "--epochs", "1", "--out", "run")
    assert done.returncode in (0, 1) and MARK not in done.stdout and {*done.stderr.splitlines()} <= {TOLD}
    picture = tmp_path / "run" / "voltages.png"
    picture.unlink()
    drawn = python(tmp_path, "-m", "delayprop", "report", "run")
    assert (drawn.returncode, drawn.stderr) == (0, "") and MARK not in drawn.stdout and picture.exists()
