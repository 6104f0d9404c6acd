"""Numba's CUDA compiler, with a cache keyed by all sources, as in `fast.compiling.compiler`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, cuda

from delayprop.fast.compiling.compiler import cache_folder

Array = Any  # a tensor to the host, a device array to a kernel
# Maximum of threads per block, a power of two, and size of shared arrays.
THREADS = 128
TOGETHER = 256  # of a recurrent layer
FOLDER = cache_folder(Path(__file__).parent)
# numba-cuda has its own configuration beside the one of Numba.
_CONFIGS: list[Any] = [config, getattr(cuda, "config", config)]


def kernel(function: Callable) -> Any:
    """A kernel, compiled on its first launch, with the functions of `fast` that it calls."""
    before = [each.CACHE_DIR for each in _CONFIGS]
    for each in _CONFIGS:
        each.CACHE_DIR = str(FOLDER or "")
    try:
        return cuda.jit(cache=FOLDER is not None)(function)
    finally:
        for each, folder in zip(_CONFIGS, before, strict=True):
            each.CACHE_DIR = folder


def on_device(function: Callable) -> Any:
    """A device function that waits for the other threads of its block.

    All other device functions are plain `compiled` functions.
    """
    return cuda.jit(device=True)(function)
