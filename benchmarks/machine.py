"""The machine and the versions that a measurement was made with."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numba
import numpy
import torch


def device_name(device: str) -> str:
    """The model of the CPU, or of the GPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux: `platform` names the family at least
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Versions of everything that computes."""
    packages = {module.__name__: module.__version__ for module in (numpy, numba, torch)}
    return {"python": platform.python_version(), **packages}
