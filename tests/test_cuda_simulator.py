"""The CUDA kernels without a GPU: `tests/cuda_simulated.py`, in processes in which Numba simulates one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("networks", ["recurrent or feedback", "not recurrent and not feedback"])
def test_cuda_kernels_on_a_simulated_gpu(networks: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, "tests/cuda_simulated.py", "-k", networks],
        cwd=ROOT,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout.splitlines()[-1])
