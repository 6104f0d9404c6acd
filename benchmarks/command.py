"""Shared parts of the command lines: threads, a measurement and its machine."""

import argparse
import os
import platform
from pathlib import Path

import numba
import numpy
import torch

from benchmarks.arrivals import arrivals
from benchmarks.step import forward, step, timed
from benchmarks.workloads import Workload
from delayprop.spec.checks import whole_number


def use_threads(options: argparse.Namespace) -> None:
    """Set the number of threads, if the option is given.

    Raises:
        SpecError: the number is out of range.
    """
    if options.threads is not None:
        torch.set_num_threads(whole_number(options.threads, "--threads", 1, 1024, "give the number of threads"))


def measured(workload: Workload, repeats: int) -> dict:
    """Time a workload's step, and count its arrivals; a JSON object."""
    sizes = workload.sizes
    took = timed(workload.model, lambda: forward(workload), repeats)
    trains = step(workload).trains
    count = arrivals(workload, trains)
    packages = {module.__name__: module.__version__ for module in (numpy, numba, torch)}
    asked = {name: value for name, value in vars(sizes).items() if name != "device"}
    return {
        **asked,
        "seconds": took.step,
        "seconds_forward": took.forward,
        "seconds_backward": took.backward,
        "repeats": took.repeats,
        "arrivals": count,
        "nanoseconds_per_arrival": {
            "forward": 1e9 * took.forward / count if count else None,
            "backward": 1e9 * took.backward / count if count else None,
        },
        "hidden_spikes_per_trial": len(trains[0].times) / (sizes.batch * sizes.hidden),
        "hidden_solved_bins_per_trial": float(workload.model.stages[0].record.solved_bins.mean()),
        "device": sizes.device,
        "device_name": device_name(sizes.device),
        "threads": torch.get_num_threads(),
        "cores": cores(),
        "versions": {"python": platform.python_version(), **packages},
    }


def on_machine(found: dict) -> str:
    """The machine of a measurement in a line of text."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"on {found['device_name']}, {found['threads']} threads of {found['cores']} cores; {versions}"


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
