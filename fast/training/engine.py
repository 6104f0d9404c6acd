"""The training loop of all tasks: steps, checkpoints, and a hash of the final state.

A task is a `Training`. Its steps follow from its state and the number of the step alone. So a
killed run that is resumed from its last checkpoint ends in the same state, bit for bit.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from delayprop.fast.data.records import RESULT
from delayprop.fast.solving.bound import bounded_spikes
from delayprop.fast.training.checkpoints import Checkpoints, check_content, decoded, digest, encoded
from delayprop.fast.training.job import Job
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.run_folder import Folder, NotWrittenError
from delayprop.fast.training.signals import StoppedError, StopSignals
from delayprop.spec.errors import short

REPRODUCER = "reproducer.pt"


class Training(Protocol):
    """A task, as the engine runs it."""

    @property
    def steps(self) -> int:
        """Number of steps of the run."""

    @property
    def data_sha256(self) -> Mapping[str, str]:
        """SHA-256 of the data files, by split; empty without files."""

    @property
    def extendable(self) -> bool:
        """Whether a larger `--epochs` leaves earlier steps unchanged: a run may then continue."""

    def lines(self, step: int) -> int:
        """Number of lines that the log has after `step` steps."""

    def start(self, folder: Folder) -> None:
        """Prints a header, once, before the first step."""

    def step(self, number: int, folder: Folder, check: Callable[[], None]) -> None:
        """Takes step `number`, counted from 0; `check` raises if a signal has come, and is called
        only while the state is that before the step.

        An ArithmeticError (a value is NaN or infinite, a gradient is not exact, neurons spike too
        fast or too often) leaves the state before the step.
        """

    def last_inputs(self) -> dict[str, Any]:
        """Tensors and plain values that, with the state, are enough to repeat the last step."""

    def state(self) -> dict[str, Any]:
        """All tensors and plain values that later steps depend on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Sets the state to one that `state` has returned."""

    def finish(self, folder: Folder, check: Callable[[], None]) -> int:
        """Evaluates, records and prints; returns the exit code. May be repeated. `check`: as for
        `step`; a run that it ends goes on here when it is resumed."""


def record_of(job: Job, training: Training) -> dict[str, Any]:
    """The options of a run as its folder has them, with the SHA-256 of its data files."""
    return {**job.record(), **({"data_sha256": {**training.data_sha256}} if training.data_sha256 else {})}


def run(training: Training, folder: Folder, job: Job, processes: Processes, ends: bool = True) -> int:
    """Runs a training to its end, or until a signal; `ends`: as for `StopSignals`.

    Returns the training's exit code, or 130 (SIGINT) or 143 (SIGTERM). Whatever error it raises,
    the last checkpoint is on the disk; at an ArithmeticError also a file that repeats the step.
    """
    keeper = CheckpointKeeper(training, folder, processes)
    with StopSignals(processes, ends) as signals, bounded_spikes():
        step = keeper.resume() if job.resume else keeper.begin()
        saved_at, saved = time.monotonic(), step
        try:
            while step < training.steps:
                signals.check()
                training.step(step, folder, signals.check)
                step += 1
                if time.monotonic() - saved_at >= job.save_seconds or step == training.steps:
                    keeper.save(step)
                    saved_at, saved = time.monotonic(), step
            code = training.finish(folder, signals.check)
            folder.seal()
        except StoppedError as stopped:
            if saved < step:
                keeper.save(step)
            print(f"stopped by {stopped} after step {step} of {training.steps}; --resume goes on", flush=True)
            return signals.exit_code
        except ArithmeticError:
            options = json.dumps(record_of(job, training))
            content = {"training": training.state(), "under_way": training.last_inputs()}
            folder.write_bytes(REPRODUCER, encoded({"step": step, "options": options, **content}))
            print(f"step {step} can be repeated from {folder.path / REPRODUCER}", flush=True)
            raise
        drawable, drawn = (folder.path / RESULT).exists(), False  # a run with --no-test has no result
        try:
            with signals.at_once():
                if drawable and processes.is_first:
                    with folder.writing():
                        pictures = draw(folder.path)
                    drawn = True
                    print(f"pictures: {', '.join(pictures)}; all files: {folder.path}", flush=True)
        except KeyboardInterrupt:
            assert signals.received is not None
            pictures_of = "its pictures are drawn" if drawn else f"`delayprop report {folder.path}` draws its pictures"
            left = f"the run is finished{f', and {pictures_of}' if drawable else ''}"
            print(f"stopped by {signals.received.name} after the last step; {left}", flush=True)
            return signals.exit_code
    print(f"state sha256 {digest(training.state())}", flush=True)
    return code


def draw(folder: Path) -> list[str]:
    """Draws the pictures of a finished run, whichever its task; returns their paths."""
    from delayprop.fast.drawing import __main__ as drawing  # and matplotlib, which no loop of one's own needs

    return drawing.draw(folder)


class CheckpointKeeper:
    """Saves and restores a run; the first process reads and writes the files for all."""

    def __init__(self, training: Training, folder: Folder, processes: Processes) -> None:
        self.training, self.folder, self.processes = training, folder, processes
        with folder.writing():
            self.checkpoints = Checkpoints(folder.path) if processes.is_first else None

    def begin(self) -> int:
        """Starts a new run; returns 0, the number of steps taken."""
        needed = 3 * len(encoded(self.training.state()))  # two checkpoints, and one that is being written
        free = shutil.disk_usage(self.folder.path).free
        if free < needed:
            raise NotWrittenError(f"{free} bytes are free at {self.folder.path}, {needed} are needed; make room")
        self.training.start(self.folder)
        self.save(0)
        return 0

    def resume(self) -> int:
        """Restores the newest intact state; returns the number of steps taken."""
        kept: list[dict[str, Any]] = []

        def newest() -> bytes:
            kept.append(self._newest())
            return encoded(kept[0]) if self.processes.world > 1 else b""

        sent = self.processes.broadcast(newest)
        if not kept:  # another process has read the files
            kept.append(decoded(sent))
            self.training.restore(kept[0]["training"])
        step = int(kept[0]["step"])
        self.folder.truncate_log(self.training.lines(step))
        print(f"resumed after step {step} of {self.training.steps}", flush=True)
        if step < self.training.steps:
            self.folder.remove(RESULT)  # it belongs to fewer steps
        return step

    def _newest(self) -> dict[str, Any]:
        """The newest state that fits, restored; no process of the run has used another by then."""
        assert self.checkpoints is not None, "only the first process reads"

        def use(content: dict[str, Any]) -> None:
            check_content(content, self.training.steps)
            self.training.restore(content["training"])

        content, wrong = self.checkpoints.load(use)
        for damage in wrong:
            print(f"warning: skipped, damaged: {short(damage, 300)}", flush=True)
        return content

    def save(self, step: int) -> None:
        if self.checkpoints is not None:
            with self.folder.writing():
                self.checkpoints.save(step, {"step": step, "training": self.training.state()})
