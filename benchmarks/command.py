"""What the command lines here share: exit codes, one line for whatever is wrong, and what a measurement holds."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import torch

from benchmarks.allowed_errors import Disagreement
from benchmarks.arrivals import arrivals
from benchmarks.machine import cores, device_name, versions
from benchmarks.memory import peak_added_mb
from benchmarks.step import step, times
from benchmarks.workloads import Workload
from fast import Spikes
from spec.checks import whole_number
from spec.command import guarded as guarded_command
from spec.command import report

WRONG = 1


def guarded(prog: str, body: Callable[[], int]) -> int:
    """Run the body of a command; the exit code (1: not computed right, 2: bad options, 3: not finite, or no memory)."""

    def checked() -> int:
        try:
            return body()
        except Disagreement as error:
            return report(prog, f"{error}; no speed is printed for what is not right", WRONG)

    return guarded_command(prog, checked)


def use_threads(options: argparse.Namespace) -> None:
    """Set the number of threads, if one is asked for.

    Raises:
        SpecError: it is out of range.
    """
    if options.threads is not None:
        torch.set_num_threads(whole_number(options.threads, "--threads", 1, 1024, "give the number of threads"))


def measured(workload: Workload, repeats: int, patience: float = math.inf) -> tuple[dict, list[Spikes]]:
    """Time the step of a workload, count its arrivals and measure its memory: as JSON shows it, and the spikes of its
    stages.

    Args:
        patience: s; see `benchmarks.step.timed`.
    """
    sizes = workload.sizes
    peak = peak_added_mb(sizes)
    took = times(workload, repeats, patience)
    trains = step(workload).trains
    count = arrivals(workload, trains)
    hidden = trains[: sizes.layers]
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
        "hidden_spikes_per_trial": sum(len(s.times) for s in hidden) / (sizes.batch * sizes.layers * sizes.hidden),
        "peak_added_mb": peak,
        "device": sizes.device,
        "device_name": device_name(sizes.device),
        "threads": torch.get_num_threads(),
        "cores": cores(),
        "versions": versions(),
    }, trains
