"""Every CUDA kernel compiles for two generations of GPU at both precisions, without a GPU."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.support import cuda_kernels

pytestmark = pytest.mark.full

KERNELS = (
    "write_synapses_kernel", "forward_kernel", "backward_kernel", "recurrent_forward_kernel",
    "recurrent_backward_kernel", "gradients_kernel",
)
MOST_SPILLED = 256  # bytes of registers that a kernel may spill: a quarter of its 255 registers

needs_numba_cuda = pytest.mark.skipif(
    find_spec("numba_cuda") is None, reason="numba-cuda is not installed: pip install '.[cuda]'"
)


@needs_numba_cuda
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
