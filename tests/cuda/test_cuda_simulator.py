"""The CUDA kernels without a GPU: on a simulated one, and compiled for two generations of GPUs."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests import ROOT
from tests.support import cuda_kernels
from tests.support.forking import HUNG

PROGRAM = """
import sys
from delayprop.fast import LI, Spikes
from tests import ROOT
LI(1, 1, readout="max_voltage")(Spikes.from_trains([[[0.5]]], 20.0))
assert not [name for name in sys.modules if name.startswith(("numba.cuda", "delayprop.fast.cuda"))]
"""
NETWORKS = ["recurrent or feedback", "not recurrent and not feedback"]
KERNELS = (
    "write_synapses_kernel", "forward_kernel", "backward_kernel", "recurrent_forward_kernel",
    "recurrent_backward_kernel", "gradients_kernel",
)
MOST_SPILLED = 256  # bytes of registers that a kernel may spill: a quarter of its 255 registers

needs_numba_cuda = pytest.mark.skipif(
    find_spec("numba_cuda") is None, reason="numba-cuda is not installed: pip install '.[cuda]'"
)


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


@needs_numba_cuda
@pytest.mark.full
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_every_kernel_compiles(precision: str, tmp_path: Path) -> None:
    """Compiles to PTX without atomics; with an assembler, prints registers and limits spills."""
    found = cuda_kernels.caught(getattr(torch, precision))
    assert sorted(found) == sorted(KERNELS)
    for compute_capability in ((8, 0), (9, 0)):
        for name, one in found.items():
            text = cuda_kernels.ptx(one, compute_capability)
            assert re.search(rf"\.target sm_{compute_capability[0]}{compute_capability[1]}", text)
            assert ".visible .entry" in text
            assert not re.search(r"(?<![.\w])(atom|red)\.", text), f"{name} adds atomically, in no fixed order"
            said = cuda_kernels.assembled(text, compute_capability, tmp_path)
            if said is None:
                print(f"{name} {precision} {compute_capability}: no ptxas is new enough to count its registers")
                continue
            registers, spilled = (re.search(rf"(\d+) {what}", said) for what in ("registers", "bytes spill stores"))
            assert registers and spilled
            print(f"{name} {precision} {compute_capability}: {registers[1]} registers, {spilled[1]} bytes spilled")
            assert int(spilled[1]) <= MOST_SPILLED
