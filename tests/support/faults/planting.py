"""Planting a fault of `faults.py`, and asking the checks.

A fault is planted in a copy; the checks of `checks_of_faults.py` then run on the copy, in a process of their own that
imports it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests import ROOT
from tests.support.faults.catalogue import Fault


def plant(fault: Fault | None, package: str, folder: Path) -> Path:
    """Copy `package` into `folder` with the fault in it, or, with None, as it is; returns `folder`."""
    shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    if fault is not None:
        path = folder / package / fault.file
        source = path.read_text(encoding="utf-8")
        assert source.count(fault.text) == 1, f"`{fault.text}` must occur once in {package}/{fault.file}"
        path.write_text(source.replace(fault.text, fault.wrong), encoding="utf-8")
    return folder


def findings(package: str, folder: Path, evidence: Path) -> dict[str, float]:
    """What every check finds in the copy of `package` in `folder`, in units of what it allows.

    Numba compiles nothing there: on networks this small, Python is quicker than the compiler.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_DISABLE_JIT": "1",
    }
    # -P: the folder that we are in must not come before the copy
    command = [sys.executable, "-P", "-m", "tests.support.faults.findings", package, str(evidence)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["module"]).is_relative_to(folder), f"checked {found['module']}, which is not the copy"
    return found["findings"]
