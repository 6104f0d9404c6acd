"""The CUDA kernels without a GPU: on a simulated one, and compiled for two generations of GPUs."""

import platform
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from numba import typeof

from delayprop.fast.cpu.solver import _as_arrays
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.solving.problem import Problem
from delayprop.spec.neuron import ALIF, COUPLED, LIF, TWO_SYNAPSES, Neuron
from tests.support.commands import python

PROGRAM = """
import sys
from delayprop.fast import LI, Spikes
LI(1, 1, readout="max_voltage")(Spikes.from_trains([[[0.5]]], 20.0))
assert not [name for name in sys.modules if name.startswith(("numba.cuda", "delayprop.fast.cuda"))]
"""
KERNELS = (
    "write_synapses_kernel", "forward_kernel", "backward_kernel", "recurrent_forward_kernel",
    "recurrent_backward_kernel", "gradients_kernel",
)
WIDE_KERNELS = tuple({"backward_kernel": "wide_backward_kernel"}.get(name, name) for name in KERNELS)
CONSTANTS = {LIF: (20.0, 5.0, 1.0, 0.0), ALIF: (20.0, 5.0, 100.0, 1.0, 0.2, 0.0),
             TWO_SYNAPSES: (20.0, 5.0, 9.0, 1.0, 0.0), COUPLED: (20.0, 5.0, 100.0, 0.5, 1.0, 0.0, 0.2)}
# Bytes of registers that a kernel may spill: a quarter of its 255 registers. The backward kernel of
# neurons with more states works in global memory, so it waits for memory in any case.
MOST_SPILLED, MOST_OF_WIDE = 256, 600


@pytest.mark.full
def test_nothing_of_cuda_is_imported_on_the_cpu() -> None:
    done = python("-c", PROGRAM)
    assert done.returncode == 0, done.stderr


@pytest.mark.full
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.release)],
                         ids=["in Python", "compiled"])
@pytest.mark.parametrize("networks", ["recurrent or feedback", "not recurrent and not feedback"])
def test_cuda_kernels_on_a_simulated_gpu(networks: str, compiled: bool) -> None:
    """The tests of `simulated.py`; those that are `full` run compiled alone. Then the device
    functions have the types of a GPU; of neurons given by equations those of `alif` alone, since
    `test_every_kernel_compiles` compiles others."""
    pytest_alone = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/cuda/simulated.py")
    others = "rise", "coupled", "two-adaptations", "two-synapses", "adapting", "three"
    chosen = " and not ".join((f"({networks})", *others))
    words, jit = (("-k", chosen), "0") if compiled else (("-k", networks, "-m", "not full"), "1")
    done = python(*pytest_alone, *words, NUMBA_ENABLE_CUDASIM="1", NUMBA_DISABLE_JIT=jit)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout.splitlines()[-1])


def caught(dtype: torch.dtype, neuron: Neuron) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """The launches, not made, of a forward and a backward pass per kind of layer: each kernel with
    the types of its arguments, by its name."""
    from delayprop.fast.cuda import launches, solver

    found: dict[str, tuple[Any, tuple[Any, ...]]] = {}

    def catch(kernel: Any, blocks: int, threads: int, device: torch.device, *arguments: Any) -> None:
        found[kernel.py_func.__name__] = kernel, tuple(typeof(_as_arrays(each)) for each in arguments)
        for each in arguments:
            if hasattr(each, "counts"):
                each.counts.zero_()

    spikes = Spikes.from_trains([[[1.0, 2.0], []]], 20.0)
    constants = tuple(torch.full((3,), value, dtype=dtype) for value in CONSTANTS[neuron])
    with mock.patch.object(launches, "launch", catch):
        for sources in (2, 5):  # the 5 are 2 from outside, and the layer's own neurons
            w = torch.ones(sources, 3, dtype=dtype)
            problem = Problem(spikes.times, spikes.offsets, 1, 2, spikes.duration, w, w, None, neuron, constants)
            dL_dt, dL_dy = torch.empty(0, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)
            solver.solve(problem).backward(dL_dt, dL_dy, True, neuron.constants)
    return found


def ptx(kernel: Any, types: tuple[Any, ...], compute_capability: tuple[int, int]) -> str:
    """Numba compiles device functions for a stand-in of the current device."""
    from numba import cuda, void
    from numba.cuda import dispatcher

    device = SimpleNamespace(compute_capability=compute_capability)
    with mock.patch.object(dispatcher, "get_current_device", lambda: device):
        code, _ = cuda.compile(
            kernel.py_func, void(*types), device=False, abi="numba", cc=compute_capability, output="ptx"
        )
    return code if isinstance(code, str) else code.decode()


def assemblers() -> list[str]:
    """Every `ptxas` in the wheels of NVIDIA and Triton, and on the path."""
    found = []
    for package, pattern in (("nvidia", "*/bin/ptxas"), ("triton", "backends/nvidia/bin/ptxas")):
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            found += [str(path) for path in sorted(Path(folder).glob(pattern))]
    on_path = shutil.which("ptxas")
    return found + ([on_path] if on_path else [])


def assembled(text: str, compute_capability: tuple[int, int], folder: Path) -> str | None:
    """Output of `ptxas -v` for a kernel; None without a recent assembler."""
    (folder / "kernel.ptx").write_text(text)
    arch = f"sm_{compute_capability[0]}{compute_capability[1]}"
    for ptxas in assemblers():
        command = [ptxas, "-v", f"-arch={arch}", "kernel.ptx", "-o", "kernel.cubin"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if "Unsupported .version" in done.stderr:  # older than the compiler
            continue
        assert done.returncode == 0, done.stderr
        return done.stderr
    return None


@pytest.mark.skipif(
    find_spec("numba_cuda") is None and (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="the group `dev` has numba-cuda on Linux of x86-64 alone",
)
@pytest.mark.full
@pytest.mark.parametrize(("precision", "neuron"), [("float32", LIF), ("float32", TWO_SYNAPSES), *(
    pytest.param(*more, marks=pytest.mark.release)
    for more in (("float64", LIF), ("float32", ALIF), ("float32", COUPLED))
)])
def test_every_kernel_compiles(precision: str, neuron: Neuron, tmp_path: Path) -> None:
    """Compiles to PTX without atomics; with an assembler, prints registers and limits spills."""
    found = caught(getattr(torch, precision), neuron)
    assert sorted(found) == sorted(KERNELS if neuron == LIF else WIDE_KERNELS)
    for compute_capability in ((8, 0), (9, 0)):
        for name, (kernel, types) in found.items():
            text = ptx(kernel, types, compute_capability)
            assert re.search(rf"\.target sm_{compute_capability[0]}{compute_capability[1]}", text)
            assert ".visible .entry" in text
            assert not re.search(r"(?<![.\w])(atom|red)\.", text), f"{name} adds atomically, in no fixed order"
            said = assembled(text, compute_capability, tmp_path)
            if said is None:
                print(f"{name} {precision} {compute_capability}: no ptxas is new enough to count its registers")
                continue
            registers, spilled = (re.search(rf"(\d+) {what}", said) for what in ("registers", "bytes spill stores"))
            assert registers and spilled
            print(f"{name} {precision} {compute_capability}: {registers[1]} registers, {spilled[1]} bytes spilled")
            assert int(spilled[1]) <= (MOST_OF_WIDE if name == "wide_backward_kernel" else MOST_SPILLED)
