"""`delayprop train --task TASK`, and `delayprop.train(task=...)`: train a network on a task."""

import argparse
import os
import signal
import statistics
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from delayprop.fast.runs.saved_runs import Run
from delayprop.fast.tasks.options import is_given, job_of, parser_of, task_and_preset, values_of
from delayprop.fast.tasks.registry import CLASSIFYING, TASKS
from delayprop.fast.training import engine
from delayprop.fast.training.checkpoints import checkpoints_in
from delayprop.fast.training.job import Job
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.run_folder import Folder, NotWrittenError, RunFolder, is_unstarted
from delayprop.fast.training.signals import EXIT, INTERRUPTED
from delayprop.spec.checks import one_of
from delayprop.spec.command import NO_ROOM, report, run_and_exit
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim

ENDED = (0, 1)  # exit codes of a run that ended, with or without success


def main(argv: Sequence[str] | None = None, prog: str = "python -m fast.train") -> int:
    """The command; returns the exit code.

    0: learned; 1: not learned; 2: bad options or data; 3: not finite, or no memory; 4: a file
    cannot be written; 130 and 143: stopped by SIGINT and SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = parser_of(prog, *task_and_preset(words))

    def body(options: argparse.Namespace) -> int:
        try:
            job = job_of(vars(options), parser)
            if getattr(options, "leave_one_speaker_out", False):
                return _leave_one_speaker_out(job, words, prog)
            return _train(job)[0]
        except KeyboardInterrupt:  # before the first step, or after the last
            return report(prog, INTERRUPTED, 130)
        except RuntimeError as error:
            # On the CPU torch has no type of its own for this error.
            if "allocate memory" not in str(error) and not isinstance(error, torch.OutOfMemoryError):
                raise
            raise MemoryError("torch") from error

    return parser.run(body, words, {NotWrittenError: NO_ROOM})


def train(task: str, data: str | os.PathLike | Sequence[str | os.PathLike] | None = None, **settings: Any) -> Run:
    """Train a network on a task, as the command `delayprop train` does.

        run = delayprop.train("spikes", ["train.h5", "test.h5"], hidden=24, lr=0.02, out="my-run")

    Ctrl-C and SIGTERM end a run after its step, as `KeyboardInterrupt` and `SystemExit(143)`; a
    second signal ends it at once. Outside the main thread, no signal reaches a run.

    Args:
        task: `sequence`, `yin-yang`, `braille`, `shd`, `ssc` or `spikes`.
        data: as `--data` of the task.
        settings: the other options of the command, by their names with `_` for `-`, such as
            `delay_lr=1.0`; flags are True or False, such as `test=False` for `--no-test`.
            `delayprop train --task TASK --help` lists them. `neuron` may also be a `Neuron`, and
            `constants` numbers by name, such as `{"tau_a": 40.0}`. With `out="my-run",
            resume=True` and equal settings, a run goes on from its last checkpoint.

    Returns:
        The finished run, whether or not the network has learned.

    Raises:
        SpecError: bad settings or data, in the words of the command.
        UnsupportedError: a device that is missing; several processes, which the command has.
        ArithmeticError: a value is not finite, or a gradient not exact; the last checkpoint stays.
        NotWrittenError: a file of the run cannot be written; the last checkpoint stays.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        remedy = "let torchrun start the command, `-m fast.train`"
        raise UnsupportedError("train", "called in one process", Verbatim("several of torchrun"), remedy)
    one_of(task, "--task", tuple(TASKS))
    if task in CLASSIFYING and "preset" in settings:
        one_of(settings["preset"], "--preset", tuple(CLASSIFYING[task].PRESETS))
    parser = parser_of("delayprop train", task, settings.get("preset"))
    values = values_of(parser, {"task": task, **({} if data is None else {"data": data}), **settings})
    if values.get("leave_one_speaker_out"):
        raise UnsupportedError("leave_one_speaker_out", "False", True, "the command `delayprop train` has it")
    code, folder = _train(job_of(values, parser), ends=False)
    if code == EXIT[signal.SIGINT]:
        raise KeyboardInterrupt
    if code == EXIT[signal.SIGTERM]:
        raise SystemExit(code)
    return Run(folder)


def _leave_one_speaker_out(job: Job, words: list[str], prog: str) -> int:
    """A training per speaker, without this speaker; prints the accuracies on the speakers left out.
    The last network of each counts: the speaker left out chooses none."""
    option = "--leave-one-speaker-out"
    if not job.out:
        raise SpecError("--out", f"given with {option}", Verbatim("nothing"), "name a folder")
    if is_given("--valid-speakers", words):
        raise SpecError("--valid-speakers", f"left out with {option}", Verbatim("both"), "each is held out once")
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise UnsupportedError(option, "called in one process", Verbatim("several of torchrun"), "start it alone")
    shared, accuracies = [word for word in words if word != option], []
    for speaker in TASKS[job.task].train_speakers(job):
        out = Path(job.out) / f"speaker-{speaker}"
        own = ["--valid-speakers", str(speaker), "--choose", "last", "--no-test", "--out", str(out), "--resume"]
        if code := main([*shared, *own], prog):
            return code
        accuracies.append(Run(out).accuracies["valid"])
        print(f"speaker {speaker} left out: {accuracies[-1]:.1%}", flush=True)
    spread = f"standard deviation {statistics.stdev(accuracies):.1%}, lowest {min(accuracies):.1%}"
    print(f"mean of {len(accuracies)} speakers: {statistics.mean(accuracies):.1%}, {spread}")
    return 0


def _train(job: Job, ends: bool = True) -> tuple[int, Path]:
    """Runs a training; returns its exit code and its folder. `ends`: as for `StopSignals`."""
    with (
        Processes(job.device) as processes, open(os.devnull, "w") as nowhere,
        redirect_stdout(sys.stdout if processes.is_first else nowhere),
    ):
        training = TASKS[job.task].prepare(job, processes)
        for split, digest in training.data_sha256.items():
            print(f"{split}: sha256 {digest}")
        resume, folder = _folder(job, training, processes)
        with closing(folder):
            code = engine.run(training, folder, replace(job, resume=resume), processes, ends)
            # `torchrun` restarts a process that returns 1
            return 0 if processes.world > 1 and code == 1 else code, folder.path


def _folder(job: Job, training: engine.Training, processes: Processes) -> tuple[bool, Folder]:
    """Whether the run goes on, and its folder, which the first process writes.

    A restart by `torchrun` resumes the run. `--resume` starts it, if it died before its first
    checkpoint, or never began: a job that is queued again always passes `--resume`.
    """
    may_change = (
        "workers", "test", *(("epochs",) if training.extendable else ()),
        *(("data",) if training.data_sha256 else ()),
    )
    folder: list[RunFolder] = []

    def open_folder() -> tuple[bool, Path]:
        out = Path(job.out) if job.out else None
        resume = job.resume or bool(processes.restarted and out and checkpoints_in(out))
        if resume and out and is_unstarted(out):
            resume = False
            print(f"no checkpoint in {job.out} yet: the run starts", flush=True)
        stored = engine.record_of(replace(job, resume=resume), training)
        folder.append(RunFolder(job.out, job.task, stored, resume, may_change))
        return resume, folder[0].path

    resume, path = processes.broadcast(open_folder)
    return resume, folder[0] if folder else Folder(path)


if __name__ == "__main__":
    run_and_exit(main)
