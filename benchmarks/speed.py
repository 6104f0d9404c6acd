"""`python -m benchmarks.speed --workload WORKLOAD`: the time of a training step that is right.

In this order: the checks of `benchmarks.correctness` on this very configuration (a failure prints
no speed), and the time of a step. Then two yardsticks: a plain scatter and gather of as many
arrivals (`bare_loop`), and the same work, unless it is recurrent, on a time grid in torch
(`yardstick`).
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import numba
import numpy
import torch

from benchmarks.bare_loop import bare_loop
from benchmarks.correctness import WRONG, Disagreement, agree
from benchmarks.sizes import add_options, sizes_of
from benchmarks.step import forward, step, timed
from benchmarks.workloads import Workload, arrivals, build
from benchmarks.yardstick import yardstick
from delayprop.spec.checks import whole_number
from delayprop.spec.command import OneLineParser


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; exit code 1: a wrong result, 2: bad options, 3: not finite, no memory."""
    described = "Check and time a training step: forward, backward, all weight and delay gradients."
    parser = OneLineParser("python -m benchmarks.speed", described)
    add_options(parser)
    parser.add_argument("--threads", type=int, help="threads of the kernels and of torch (default: torch's)")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps, whose median counts (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser.run(_run, argv, {Disagreement: WRONG})


def _run(options: argparse.Namespace) -> int:
    whole_number(options.repeats, "--repeats", 1, 1000, "give the number of steps to time")
    use_threads(options)
    workload = build(sizes_of(options))
    found = {"agreement": agree(workload), **measured(workload, options.repeats), "bare_loop": None, "yardstick": None}
    if found["arrivals"] and workload.sizes.device == "cpu":
        bare, per_arrival = bare_loop(workload, options.repeats), 1e9 * found["seconds"] / found["arrivals"]
        found["bare_loop"] = {"nanoseconds_per_arrival": bare, "ratio": per_arrival / bare}
    if workload.sizes.workload != "recurrent":
        other = yardstick(workload, options.repeats)
        found["yardstick"] = {**other, "ratio": other["seconds"] / found["seconds"]}
    print(json.dumps(found, allow_nan=False) if options.json else readable(found))
    return 0


def measured(workload: Workload, repeats: int) -> dict:
    """Time a workload's step, and count its arrivals; a JSON object."""
    sizes = workload.sizes
    took = timed(workload.model, lambda: forward(workload), repeats)
    trains = step(workload).trains
    count = arrivals(workload, trains)
    asked = {name: value for name, value in vars(sizes).items() if name != "device"}
    return {
        **asked, "seconds": took.step, "seconds_forward": took.forward, "seconds_backward": took.backward,
        "repeats": repeats, "arrivals": count,
        "nanoseconds_per_arrival": {
            name: 1e9 * getattr(took, name) / count if count else None for name in ("forward", "backward")
        },
        "hidden_spikes_per_trial": len(trains[0].times) / (sizes.batch * sizes.hidden),
        "hidden_solved_bins_per_trial": float(workload.model.stages[0].record.solved_bins.mean()),
        "device": sizes.device, **machine(sizes.device),
    }


def machine(device: str) -> dict:
    """The machine and its software, of a record."""
    packages = {module.__name__: module.__version__ for module in (numpy, numba, torch)}
    return {
        "device_name": device_name(device), "threads": torch.get_num_threads(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "versions": {"python": platform.python_version(), **packages},
    }


def readable(found: dict) -> str:
    """A measurement in a few lines of text, from its JSON object."""
    per = found["nanoseconds_per_arrival"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    lines = [
        f"{found['workload']}: {found['inputs']}-{found['hidden']}-{found['outputs']}, {found['batch']} trials of "
        f"{found['duration']:g} ms, {found['spikes']} input spikes each, delays to {found['max_delay']:g} ms, "
        f"{found['dtype']}",
        f"on {found['device_name']}, {found['threads']} threads of {found['cores']} cores; {versions}",
        f"right: {_checks(found['agreement'])}",
        f"step {_time(found['seconds'])} = forward {_time(found['seconds_forward'])} + backward "
        f"{_time(found['seconds_backward'])}  (median of {found['repeats']})",
        f"{found['arrivals']:.3g} arrivals; per hidden neuron and trial {found['hidden_spikes_per_trial']:.1f} spikes, "
        f"{found['hidden_solved_bins_per_trial']:.1f} bins solved event by event",
    ]
    if found["arrivals"]:
        lines.append(f"{per['forward']:.2f} ns per arrival forward, {per['backward']:.2f} ns backward")
    if found["bare_loop"] is not None:
        bare = found["bare_loop"]
        lines.append(
            f"a bare loop on one thread, which adds and reads: {bare['nanoseconds_per_arrival']:.2f} ns per arrival; "
            f"a step takes {bare['ratio']:.2f} times as long per arrival"
        )
    other = found["yardstick"]
    if other is not None:
        scaled = f", {other['trials_run']} of {other['trials']} trials, scaled" if other["scaled_by"] != 1 else ""
        lines.append(
            f"time grid of {other['dt_ms']:g} ms in torch (approximate{scaled}): {_time(other['seconds'])}, "
            f"{other['ratio']:.1f} times ours"
        )
    return "\n".join(lines)


def _checks(checks: dict) -> str:
    followed = checks["followed"]
    shown = {
        "gradients": f"{max(checks['gradient_error'].values()):.0e} off",
        "residuals": " ".join(f"{n} {'-' if r is None else format(r, '.0e')}" for n, r in checks["residuals"].items()),
        f"{followed['spikes']} spikes followed one by one": f"{followed['spike_time_error_ms']:.0e} ms off",
    }
    return ", ".join(f"{name}: {value}" for name, value in shown.items())


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def device_name(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux: `platform` names the family at least
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def use_threads(options: argparse.Namespace) -> None:
    """Set the number of threads, if the option is given; `SpecError`: it is out of range."""
    if options.threads is not None:
        torch.set_num_threads(whole_number(options.threads, "--threads", 1, 1024, "give the number of threads"))


if __name__ == "__main__":
    sys.exit(main())
