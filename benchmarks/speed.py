"""`python -m benchmarks.speed --workload WORKLOAD`: the time of a training step that is right.

In this order: the checks of `benchmarks.correctness` on this very configuration (a failure prints
no speed), the memory of a step in a process of its own, and the time of a step. The same work is
then timed on a time grid in torch (`yardstick`), and in loops that only touch each arrival
(`roofline`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.command import guarded, measured, use_threads
from benchmarks.correctness import Agreement, agree
from benchmarks.readable import readable
from benchmarks.roofline import roofline
from benchmarks.sizes import add_options, sizes_of
from benchmarks.workloads import Workload, build
from benchmarks.yardstick import yardstick
from spec.checks import whole_number
from spec.command import OneLineParser

PROG = "python -m benchmarks.speed"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code, see `benchmarks.command.guarded`."""
    return guarded(PROG, lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = OneLineParser(PROG, "Check and time a training step: forward, backward, all weight and delay gradients.")
    add_options(parser)
    parser.add_argument("--threads", type=int, help="threads of the kernels and of torch (default: torch's)")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps, whose median counts (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--no-yardstick", action="store_true", help="leave out the slow time grid in torch")
    options = parser.parse_args(argv)
    whole_number(options.repeats, "--repeats", 1, 1000, "give the number of steps to time")
    use_threads(options)
    workload = build(sizes_of(options))
    agreement = agree(workload)
    found = measure(options, workload, agreement)
    print(json.dumps(found, allow_nan=False) if options.json else readable(found))
    return 0


def measure(options: argparse.Namespace, workload: Workload, agreement: Agreement) -> dict:
    """All numbers that are printed, for a configuration that has passed the checks."""
    found, trains = measured(workload, options.repeats)
    found["agreement"] = asdict(agreement)
    found["yardstick"] = found["roofline"] = None
    if not options.no_yardstick:
        other = yardstick(workload, options.repeats)
        found["yardstick"] = {**other, "ratio": other["seconds"] / found["seconds"]}
    if workload.sizes.device == "cpu":
        floor = roofline(workload, trains, options.repeats)
        found["roofline"] = {**floor, "ratio": found["seconds"] / floor["seconds"]}
    return found


if __name__ == "__main__":
    sys.exit(main())
