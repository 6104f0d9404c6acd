"""Numba's CUDA compiler, with a cache that no edit outdates, as `fast.physics.compiling`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, cuda

from fast.physics.compiling import cache_folder

Array = Any  # a tensor to the host, a device array to a kernel
# Threads of a block, at most; shared arrays are of this size. A power of two.
THREADS = 128
TOGETHER = 256  # of neurons that are solved together
FOLDER = str(cache_folder(Path(__file__).parent))
# numba-cuda has a configuration of its own beside that of Numba.
_CONFIGS: list[Any] = [config, getattr(cuda, "config", config)]


def kernel(function: Callable) -> Any:
    """A kernel, compiled on its first launch; what it calls of `fast` becomes device functions."""
    before = [each.CACHE_DIR for each in _CONFIGS]
    for each in _CONFIGS:
        each.CACHE_DIR = FOLDER
    try:
        return cuda.jit(cache=True)(function)
    finally:
        for each, folder in zip(_CONFIGS, before, strict=True):
            each.CACHE_DIR = folder


def on_device(function: Callable) -> Any:
    """A device function that waits for the other threads of its block; all others are plain
    `compiled` functions."""
    return cuda.jit(device=True)(function)
