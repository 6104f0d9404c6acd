"""Kernels are never stale: an edit of any file of `fast` is seen, also by kernels that only call what was edited."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests import ROOT

PROGRAM = """
import torch
from fast import LI, Spikes
from tests import ROOT
layer = LI(1, 1, readout="max_voltage", dtype=torch.float64)
torch.nn.init.ones_(layer.w)
print(float(layer(Spikes.from_trains([[[0.5]]], 20.0)).detach()))
"""


def run(folder: Path) -> float:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def test_an_edit_of_a_called_function_reaches_a_compiled_kernel(tmp_path: Path) -> None:
    """Numba alone would answer from its cache: the forward kernel's own file has not changed."""
    for package in ("fast", "spec"):
        shutil.copytree(ROOT / package, tmp_path / package)  # with its cache, if there is one
    before = run(tmp_path)
    flow = tmp_path / "fast" / "physics" / "crossing.py"
    text = flow.read_text(encoding="utf-8")
    assert text.count("pm * x * polynomial(") == 1
    flow.write_text(text.replace("pm * x * polynomial(", "1.5 * pm * x * polynomial("), encoding="utf-8")
    assert abs(run(tmp_path) - 1.5 * before) < 0.1 * before
