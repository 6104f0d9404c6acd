"""Launching a kernel on torch tensors, in place and on torch's current stream."""

from __future__ import annotations

from typing import Any

import torch
from numba import config, cuda
from torch import Tensor

WARP = 32  # threads that go side by side

SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", 0))
"""Whether Numba simulates a GPU, for tests where there is none: tensors are then on the CPU."""


def launch(kernel: Any, blocks: int, threads: int, device: torch.device, *arguments: Any) -> None:
    """Start so many blocks of threads; tensors, also those in tuples, are read and written where they are."""
    if SIMULATED:
        kernel[blocks, threads](*map(_view, arguments))
        return
    with torch.cuda.device(device), cuda.gpus[torch.cuda.current_device() if device.index is None else device.index]:
        stream = torch.cuda.current_stream(device).cuda_stream  # 0: the default stream, for Numba as for torch
        on = cuda.external_stream(stream) if stream else 0
        kernel[blocks, threads, on](*map(_view, arguments))


def threads_for(lanes: int, most: int) -> tuple[int, int]:
    """Threads of a block, whole warps, and how many such blocks it takes for so many lanes."""
    threads = min(most, -(-lanes // WARP) * WARP)
    return threads, -(-lanes // threads)


def _view(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach()
        return value.numpy() if SIMULATED else cuda.as_cuda_array(value, sync=False)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_view, value))
    return value
