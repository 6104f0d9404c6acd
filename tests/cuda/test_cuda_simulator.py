"""The CUDA kernels without a GPU: runs `simulated.py` in a process with a simulated GPU."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests import ROOT
from tests.support.forking import HUNG

PROGRAM = """
import sys
from delayprop.fast import LI, Spikes
from tests import ROOT
LI(1, 1, readout="max_voltage")(Spikes.from_trains([[[0.5]]], 20.0))
assert not [name for name in sys.modules if name.startswith(("numba.cuda", "delayprop.fast.cuda"))]
"""
NETWORKS = ["recurrent or feedback", "not recurrent and not feedback"]


def simulate(networks: str, *options: str, **environment: str) -> None:
    """Runs the tests of `simulated.py` that `-k networks` selects."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, "tests/cuda/simulated.py", "-k", networks, *options], cwd=ROOT,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1", **environment}, capture_output=True, text=True, timeout=HUNG,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout.splitlines()[-1])


def test_nothing_of_cuda_is_imported_on_the_cpu() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, check=True)


@pytest.mark.full
@pytest.mark.parametrize("networks", NETWORKS)
def test_cuda_kernels_on_a_simulated_gpu(networks: str) -> None:
    """The kernels run as plain Python."""
    simulate(networks, "-m", "not full", NUMBA_DISABLE_JIT="1")


@pytest.mark.full
@pytest.mark.parametrize("networks", NETWORKS)
def test_cuda_kernels_compiled_on_a_simulated_gpu(networks: str) -> None:
    """The device functions are compiled, so they have the types of a GPU."""
    simulate(networks)
