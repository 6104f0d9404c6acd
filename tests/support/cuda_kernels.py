"""Every CUDA kernel with the argument types of its launches, which are caught instead of made."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.solving.problem import Problem


class Caught(NamedTuple):
    kernel: Any
    types: tuple[Any, ...]


def caught(dtype: torch.dtype) -> dict[str, Caught]:
    """The launches of a forward and a backward pass per kind of layer, by name of the kernel."""
    from delayprop.fast.cuda import launches, solver

    found: dict[str, Caught] = {}

    def catch(kernel: Any, blocks: int, threads: int, device: torch.device, *arguments: Any) -> None:
        from numba import typeof

        found[kernel.py_func.__name__] = Caught(kernel, tuple(typeof(as_arrays(each)) for each in arguments))
        for each in arguments:
            if hasattr(each, "counts"):
                each.counts.zero_()

    spikes = Spikes.from_trains([[[1.0, 2.0], []]], 20.0)
    constants = tuple(torch.full((3,), value, dtype=dtype) for value in (20.0, 5.0, 1.0, 0.0))
    with mock.patch.object(launches, "launch", catch):
        for sources in (2, 5):  # the 5 are 2 from outside, and the layer's own neurons
            w = torch.ones(sources, 3, dtype=dtype)
            problem = Problem(spikes.times, spikes.offsets, 1, 2, spikes.duration, w, w, None, constants)
            dL_dt, dL_dy = torch.empty(0, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)
            solver.solve(problem).backward(dL_dt, dL_dy, True, True)
    return found


def as_arrays(value: Any) -> Any:
    """Tensors, also those in tuples, as arrays with the types of device arrays."""
    if isinstance(value, Tensor):
        return value.detach().numpy()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(as_arrays, value))
    return value


@contextmanager
def pretended(compute_capability: tuple[int, int]) -> Iterator[None]:
    """A stand-in for the current device, for which Numba compiles device functions."""
    from numba.cuda import dispatcher

    with mock.patch.object(
        dispatcher, "get_current_device", lambda: SimpleNamespace(compute_capability=compute_capability)
    ):
        yield


def ptx(one: Caught, compute_capability: tuple[int, int]) -> str:
    from numba import cuda, void

    with pretended(compute_capability):
        code, _ = cuda.compile(
            one.kernel.py_func, void(*one.types), device=False, abi="numba", cc=compute_capability, output="ptx"
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
