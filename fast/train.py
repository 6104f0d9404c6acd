"""`python -m fast.train --task TASK`: train a network on a task."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch

from fast.devices import DEVICES, check_device
from fast.run import DTYPES
from fast.tasks import braille, sequence
from spec import SpecError
from spec.checks import whole_number
from spec.command import NOT_FINITE, OneLineParser, report, report_no_memory, run_and_exit

TASKS = {"sequence": sequence, "braille": braille}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code (0: learned, 1: not, 2: bad options or data, 3: not finite, or no memory)."""
    prog = "python -m fast.train"
    try:
        options = _parse(prog, list(sys.argv[1:] if argv is None else argv))
        whole_number(options.seed, "--seed", 0, 2**63 - 1, "give a seed for all that is random")
        check_device(options.device)
        return TASKS[options.task].train(options, DTYPES[options.dtype])
    except SpecError as error:
        return report(prog, error)
    except ArithmeticError as error:
        return report(prog, error, NOT_FINITE)
    except MemoryError as error:
        return report_no_memory(prog, error)
    except RuntimeError as error:
        # torch on the CPU has no error type of its own for this
        if "allocate memory" not in str(error) and not isinstance(error, torch.OutOfMemoryError):
            raise
        return report_no_memory(prog, "torch")
    except SystemExit as stop:  # argparse: --help, or an error it has reported
        return int(stop.code or 0)


def _parse(prog: str, argv: list[str]) -> argparse.Namespace:
    """Read the task first: each has its own options, and `--help` shows those of the task named."""
    first = argparse.ArgumentParser(prog=prog, add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--task")
    try:
        task = first.parse_known_args(argv)[0].task
    except argparse.ArgumentError:
        task = None
    parser = OneLineParser(prog, "Train a network with delays by exact gradients.")
    parser.add_argument("--task", choices=tuple(TASKS), required=True, help="what to train; with --help: its options")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: %(default)s)")
    parser.add_argument("--out", help="folder for the record and the pictures (default: the first free runs/TASK-N)")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="where to run (default: %(default)s)")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float32", help="precision (default: %(default)s)")
    if task in TASKS:
        TASKS[task].add_options(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_and_exit(main)
