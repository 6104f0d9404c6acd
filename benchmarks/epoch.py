"""`python -m benchmarks.speed --workload shd-epoch --data FOLDER`: a whole epoch of the trainer.

`fast.train` runs the task `shd` for one epoch: reading the data, augmentation, checks, optimiser,
certificate, validation and log included. Its certificate stops a run whose gradient is wrong; then
no speed is printed.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.command import machine, on_machine, use_threads
from delayprop.fast import train
from delayprop.fast.data.batches import Batches
from delayprop.fast.tasks import shd
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.model import Classifier
from delayprop.spec.command import OneLineParser

WORKLOAD = "shd-epoch"
PARTS: tuple[tuple[str, Any, str], ...] = (
    ("batches", Batches, "take"), ("forward", Classifier, "forward"), ("backward", torch.Tensor, "backward"),
    ("validation", Classification, "evaluate"),
)
"""Parts of an epoch, and the method that takes the time of each."""


def main(prog: str, argv: Sequence[str]) -> int:
    """The command for this workload.

    Where the trainer ends with an error, no speed is printed, and its exit code is returned.
    """
    parser = OneLineParser(prog, "Time one epoch of `fast.train --task shd`, part by part.")
    parser.add_argument("--workload", choices=(WORKLOAD,), required=True)
    parser.add_argument("--data", required=True, help=f"folder of {shd.DATA.files}")
    parser.add_argument("--threads", type=int, help="threads of the kernels and of torch (default: torch's)")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare batches (default: 0)")
    parser.add_argument("--hidden", type=int, default=256, help="hidden neurons (default: 256)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser.run(_run, argv)


def _run(options: argparse.Namespace) -> int:
    use_threads(options)
    code, found = measure(options)
    if not code:
        print(json.dumps(found, allow_nan=False) if options.json else readable(found))
    return code


def measure(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """The exit code of the trainer; seconds of the epoch and of its parts, and the machine."""
    seconds = dict.fromkeys(("epoch", *(part for part, _, _ in PARTS)), 0.0)
    printed, steps = io.StringIO(), 0

    def count(training: Classification, *_: Any) -> None:
        nonlocal steps
        steps = training.batches.per_epoch

    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        running: list[str] = []
        for part, owner, method in PARTS:
            stack.enter_context(timed(owner, method, part, seconds, running))
        stack.enter_context(timed(Classification, "step", "epoch", seconds, [], count))
        stack.enter_context(redirect_stdout(printed))
        words = ["--data", options.data, "--workers", str(options.workers), "--hidden", str(options.hidden)]
        begin = time.perf_counter()
        code = train.main(["--task", "shd", "--epochs", "1", "--no-test", "--out", str(Path(folder) / "run"), *words])
        whole = time.perf_counter() - begin
    seconds["rest"] = seconds["epoch"] - sum(seconds[part] for part, _, _ in PARTS)
    return code, {
        "workload": WORKLOAD, "hidden": options.hidden, "steps": steps, "workers": options.workers, "seconds": seconds,
        "seconds_outside": whole - seconds["epoch"], **machine(),
    }


def timed(
    owner: Any, method: str, part: str, seconds: dict[str, float], running: list[str],
    before_call: Callable[..., None] = lambda *_: None,
) -> Any:
    """A context that adds the time of every call of a method to its part, unless the call belongs
    to another part that is running."""
    original = getattr(owner, method)

    def called(*arguments: Any, **named: Any) -> Any:
        if running:
            return original(*arguments, **named)
        before_call(*arguments)
        running.append(part)
        begin = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            seconds[part] += time.perf_counter() - begin
            running.pop()

    return patch.object(owner, method, called)


def readable(found: dict[str, Any]) -> str:
    """A measurement in a few lines of text, from its JSON object."""
    seconds = found["seconds"]
    whole = seconds["epoch"]
    parts = " + ".join(f"{name} {s:.3g} s ({s / whole:.0%})" for name, s in seconds.items() if name != "epoch")
    return (
        f"{found['workload']}: 700-{found['hidden']}-20, {found['steps']} steps, {found['workers']} processes prepare "
        f"batches\n{on_machine(found)}\nepoch {whole:.3g} s = {parts}\n"
        f"outside it, once a run: {found['seconds_outside']:.3g} s to read and check the files, and to save"
    )
