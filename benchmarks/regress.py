"""`python -m benchmarks.regress BASE`: the time of a training step against another checkout.

Two processes build one workload, each from its own checkout, and time steps in turn: a machine that
is busy for a while slows both. The median of the ratios of pairs counts. Exit code 1: a step takes
more than 10 % longer than in BASE.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.correctness import WRONG
from benchmarks.sizes import WORKLOADS
from benchmarks.speed import device_name
from benchmarks.step import in_turn
from delayprop.spec import SpecError
from delayprop.spec.checks import one_of, whole_number
from delayprop.spec.command import OneLineParser

ROOT = Path(__file__).parents[1]
MOST = 1.10  # ratio beyond which a step counts as slower
TURN = 0.2  # seconds that a process times steps for, at least one step, before it is the other's turn

WORKER = f"""
import sys, time, torch
from benchmarks.sizes import DEFAULTS
from benchmarks.step import forward
from benchmarks.workloads import build

def seconds():
    workload.model.zero_grad()
    start = time.perf_counter()
    loss = forward(workload)
    middle = time.perf_counter()
    loss.backward()
    return middle - start, time.perf_counter() - middle

torch.set_num_threads(int(sys.argv[2]))
workload = build(DEFAULTS[sys.argv[1]])
seconds()
steps = max(1, int({TURN} / sum(seconds())))
print(steps, flush=True)
for _ in sys.stdin:
    print(*map(min, zip(*(seconds() for _ in range(steps)))), flush=True)
"""
"""The program of a process; both checkouts need no more in common than these three modules."""


@dataclass(frozen=True)
class Ratio:
    """Time of a step relative to BASE, and of its halves: medians over pairs."""

    step: float
    forward: float
    backward: float
    seconds: float  # of the shortest step here
    base: float  # and in BASE


class Worker:
    """A process that times steps of a workload in a checkout."""

    def __init__(self, checkout: Path, workload: str, threads: int) -> None:
        command = [sys.executable, "-P", "-c", WORKER, workload, str(threads)]
        self.checkout = checkout
        self.process = subprocess.Popen(
            command, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )

    def answer(self, question: str = "") -> tuple[float, ...]:
        """The next line of numbers: unasked, the steps of a turn, once the process is ready; asked,
        the shortest forward and backward pass of a turn, s. `SpecError`: the process has ended."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(question)
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:  # uncaught it would pass for a reader of our output that has left
            line = ""
        if not line:
            remedy = f"see its message above; it ran in {self.checkout}"
            raise SpecError("checkout", "", "has benchmarks that do not run: their process ended", remedy)
        return tuple(map(float, line.split()))

    def close(self) -> None:
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):  # of a process that has ended before
            self.process.communicate()


def compare(base: Path, workload: str, threads: int, pairs: int) -> Ratio:
    """The time of a workload's step here, relative to `base`."""
    workers = [Worker(checkout, workload, threads) for checkout in (base, ROOT)]
    try:
        for worker in workers:
            worker.answer()
        before, now = in_turn([partial(worker.answer, "\n") for worker in workers], pairs)
    finally:
        for worker in workers:
            worker.close()
    found = [*zip(before, now, strict=True)]
    forward, backward = (statistics.median(b[n] / a[n] for a, b in found) for n in (0, 1))
    step = statistics.median(sum(b) / sum(a) for a, b in found)
    return Ratio(step, forward, backward, min(map(sum, now)), min(map(sum, before)))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; exit code 1: slower, 2: bad options, or benchmarks that do not run."""
    parser = OneLineParser("python -m benchmarks.regress", "Time training steps in turn with another checkout.")
    parser.add_argument("base", metavar="BASE", type=Path, help="folder of the other checkout")
    parser.add_argument("--workload", action="append", help="repeatable (default: shd-like, recurrent, yin-yang)")
    parser.add_argument("--threads", type=int, default=1, help="threads of the kernels and of torch (default: 1)")
    parser.add_argument("--pairs", type=int, default=9, help="turns of each process (default: 9)")
    return parser.run(_run, argv)


def _run(options: argparse.Namespace) -> int:
    for name in ("fast", "benchmarks"):
        if not (options.base / name / "__init__.py").is_file():
            remedy = "clone the project and check a commit out"
            raise SpecError("BASE", f"a checkout with `{name}/`", str(options.base), remedy)
    workloads = options.workload or ["shd-like", "recurrent", "yin-yang"]
    for workload in workloads:
        one_of(workload, "--workload", WORKLOADS)
    threads = whole_number(options.threads, "--threads", 1, 1024, "give the number of threads")
    whole_number(options.pairs, "--pairs", 1, 1000, "give the number of turns")
    print(f"step here / in {options.base}, on {device_name('cpu')}, {threads} thread{'s' * (threads > 1)}", flush=True)
    slower = False
    for workload in workloads:
        found = compare(options.base.resolve(), workload, threads, options.pairs)
        slower |= found.step > MOST
        print(
            f"{workload}: {found.step:.3f} (forward {found.forward:.3f}, backward {found.backward:.3f}); shortest step "
            f"{1e3 * found.seconds:.4g} ms, in BASE {1e3 * found.base:.4g} ms",
            flush=True,
        )
    if slower:
        print(f"slower: a step takes more than {MOST:g} times that of BASE")
    return WRONG if slower else 0


if __name__ == "__main__":
    sys.exit(main())
