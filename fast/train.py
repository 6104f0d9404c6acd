"""`delayprop train --task TASK`: train a network on a task."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path

import torch

from fast.nn.devices import DEVICES, DTYPES, check_device
from fast.tasks.registry import CLASSIFYING, TASKS
from fast.training import engine
from fast.training.checkpoints import PATTERN
from fast.training.processes import Processes
from fast.training.run_folder import Folder, NotWrittenError, RunFolder, is_unstarted
from fast.training.settings import add_settings, changed
from fast.training.signals import INTERRUPTED
from fast.training.tensorboard import check_tensorboard
from spec import SpecError
from spec.checks import finite_number, whole_number
from spec.command import NO_ROOM, OneLineParser, report, run_and_exit


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.train") -> int:
    """The command; returns the exit code.

    0: learned; 1: not learned; 2: bad options or data; 3: not finite, or no memory; 4: a file
    cannot be written; 130 and 143: stopped by SIGINT and SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(prog, words)

    def body(options: argparse.Namespace) -> int:
        options.changed = changed(options, parser)
        try:
            return _train(options)
        except KeyboardInterrupt:  # before the first step, or after the last
            return report(prog, INTERRUPTED, 130)
        except RuntimeError as error:
            # On the CPU torch has no type of its own for this error.
            if "allocate memory" not in str(error) and not isinstance(error, torch.OutOfMemoryError):
                raise
            raise MemoryError("torch") from error

    return parser.run(body, words, {NotWrittenError: NO_ROOM})


def _train(options: argparse.Namespace) -> int:
    whole_number(options.seed, "--seed", 0, 2**63 - 1, "give the seed of all random numbers")
    check_device(options.device)
    if "workers" in options:
        whole_number(options.workers, "--workers", 0, 1024, "0: this process prepares batches")
    if options.tensorboard:
        check_tensorboard()
    if not 0 <= finite_number(options.save_seconds, "--save-seconds"):
        raise SpecError("--save-seconds", "at least 0 (s)", options.save_seconds, "0 saves after every step")
    with Processes(options.device) as processes, _only_first_prints(processes):
        training = TASKS[options.task].prepare(options, DTYPES[options.dtype], processes)
        if getattr(options, "data", None):  # `evaluate` may run in another working directory
            several = isinstance(options.data, list)
            options.data = [*map(os.path.abspath, options.data)] if several else os.path.abspath(options.data)
        for split, digest in getattr(options, "data_sha256", {}).items():
            print(f"{split}: sha256 {digest}")
        with closing(_folder(options, training, processes)) as folder:
            code = engine.run(training, folder, vars(options), processes)
            return 0 if processes.world > 1 and code == 1 else code  # `torchrun` restarts a process that returns 1


@contextmanager
def _only_first_prints(processes: Processes) -> Iterator[None]:
    with open(os.devnull, "w") as nowhere, redirect_stdout(sys.stdout if processes.is_first else nowhere):
        yield


def _folder(options: argparse.Namespace, training: engine.Training, processes: Processes) -> Folder:
    """The folder of the run, which the first process writes.

    A restart by `torchrun` resumes the run. `--resume` starts it, if it died before its first
    checkpoint, or never began: a job that is queued again always passes `--resume`.
    """
    may_change = (
        "workers", "test", *(("epochs",) if training.extendable else ()),
        *(("data",) if hasattr(options, "data_sha256") else ()),
    )
    folder: list[RunFolder] = []

    def open_folder() -> bytes:
        if processes.restarted and options.out and any(Path(options.out).glob(PATTERN)):
            options.resume = True
        if options.resume and options.out and is_unstarted(Path(options.out)):
            options.resume = False
            print(f"no checkpoint in {options.out} yet: the run starts", flush=True)
        folder.append(RunFolder(options.out, options.task, vars(options), options.resume, may_change))
        return bytes([options.resume]) + bytes(folder[0].path)

    sent = processes.broadcast(open_folder)
    options.resume = bool(sent[0])
    return folder[0] if folder else Folder(Path(os.fsdecode(sent[1:])))


def _parser(prog: str, argv: Sequence[str]) -> OneLineParser:
    """The options, also of the task that `argv` names, with the defaults of its preset."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--task")
    first.add_argument("--preset")
    try:
        known = first.parse_known_args(argv)[0]
        task, preset = known.task, known.preset
    except argparse.ArgumentError:
        task = preset = None
    parser = OneLineParser(prog, "Train a network with delays by exact gradients.")
    parser.add_argument("--task", choices=tuple(TASKS), required=True, help="the task; with --help: its options")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: %(default)s)")
    parser.add_argument("--out", help="folder of the run (default: the first free runs/TASK-N)")
    parser.add_argument(
        "--resume", action="store_true",
        help="continue the run in --out from its last checkpoint; start it if there is none",
    )
    parser.add_argument(
        "--save-seconds", type=float, default=60.0, help="time between checkpoints, s (default: %(default)s)"
    )
    parser.add_argument("--tensorboard", action="store_true", help="also write the log for TensorBoard, in --out")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="device that computes (default: %(default)s)")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float32", help="precision (default: %(default)s)")
    if task in TASKS:
        TASKS[task].add_options(parser)
    if task in CLASSIFYING:
        parser.add_argument("--workers", type=int, default=0, help="processes that prepare batches (default: 0)")
        presets = CLASSIFYING[task].PRESETS
        add_settings(parser, presets, preset if preset in presets else next(iter(presets)))
    return parser


if __name__ == "__main__":
    run_and_exit(main)
