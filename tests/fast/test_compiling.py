"""No edit of the kernels leaves a stale kernel in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import ROOT
from tests.support.faults.planting import edit, plant

KERNEL = """
import numpy as np
from fast.physics.compiling import outermost
from fast.physics.crossing import short_factors
from fast.physics.polynomials import LANES

@outermost
def factor(coefficients):
    return short_factors(1.0, 1.0, coefficients, 0, (0, 1))[0]

if __name__ == "__main__":
    print(factor(np.ones(100 * LANES)))
"""


def run(folder: Path) -> float:
    """The factor that a kernel of the copy computes: `1 + x` with all coefficients 1."""
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fast.cpu.kernel"], cwd=folder, env=environment, capture_output=True, text=True,
        check=True,
    )
    return float(done.stdout)


def test_an_edit_of_a_called_function_reaches_a_compiled_kernel(tmp_path: Path) -> None:
    """Numba alone would answer from its cache: the file of the kernel has not changed."""
    folder = plant(None, "fast", tmp_path)
    (folder / "fast" / "cpu" / "kernel.py").write_text(KERNEL)
    assert run(folder) == 2.0
    edit(folder / "fast" / "physics" / "polynomials.py", "    return value\n", "    return 1.5 * value\n")
    assert run(folder) == 3.0
