"""On what a number was measured."""

from __future__ import annotations

import os
import platform
import sys

import numba
import numpy
import torch


def device_name(device: str) -> str:
    """The model of the CPU, or of the GPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:  # no Linux: the platform module knows the family at least
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Of everything that computes."""
    return {
        "python": sys.version.split()[0],
        "numpy": numpy.__version__,
        "numba": numba.__version__,
        "torch": torch.__version__,
    }
