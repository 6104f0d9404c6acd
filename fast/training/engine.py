"""The loop that every task runs in: steps, checkpoints, and an end that says what is on the disk.

A task is a `Training`: a number of steps that follow from its state alone. So a run that was killed goes on from its
last checkpoint as if nothing had been, and the state it ends in is the same to the last bit.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from typing import Any, Protocol

from fast.training.checkpoints import Checkpoints, decoded, digest, encoded
from fast.training.finite import NotFiniteError
from fast.training.gradient_checks import CertificateError
from fast.training.null_folder import Folder
from fast.training.processes import Processes
from fast.training.run_folder import NotWrittenError
from fast.training.signals import StoppedError, Stopping

REPRODUCER, RESULT = "reproducer.pt", "result.json"


class Training(Protocol):
    """What a task is to the engine."""

    @property
    def steps(self) -> int:
        """How many steps there are."""

    @property
    def goes_on(self) -> bool:
        """Whether with more `--epochs` the first steps are the same, so that a run may go on for longer."""

    def start(self, folder: Folder) -> None:
        """Say what begins, once, before the first step."""

    def step(self, number: int, folder: Folder, check: Callable[[], None]) -> None:
        """Take one step. `check` may be called where nothing of the state has changed; it raises if a signal came.

        Raises:
            NotFiniteError, CertificateError: something is NaN or infinite, or no exact gradient; the state is that
                before the step.
        """

    def under_way(self) -> dict[str, Any]:
        """Tensors and plain values that the last step began with, besides the state: enough to repeat it."""

    def state(self) -> dict[str, Any]:
        """All that later steps depend on, as tensors and plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Be in that state."""

    def finish(self, folder: Folder) -> int:
        """Evaluate, record, draw, print; the exit code. May be repeated."""


def run(training: Training, folder: Folder, options: dict[str, Any], processes: Processes) -> int:
    """Run a training to its end, or until a signal.

    Args:
        options: of the command line; `resume`, and `save_seconds` between two checkpoints.

    Returns:
        The training's exit code, or 130 (SIGINT) or 143 (SIGTERM).

    Raises:
        SpecError: there is nothing to resume.
        NotFiniteError, CertificateError: the last checkpoint, and what repeats the step, are on the disk.
        NotWrittenError: the last checkpoint that could be written is on the disk.
    """
    keeper = Keeper(training, folder, processes)
    with Stopping(processes) as stopping:
        step = keeper.resumed() if options["resume"] else keeper.begun()
        saved_at, saved = time.monotonic(), step
        try:
            while step < training.steps:
                stopping.check()
                training.step(step, folder, stopping.check)
                step += 1
                if time.monotonic() - saved_at >= options["save_seconds"] or step == training.steps:
                    keeper.save(step)
                    saved_at, saved = time.monotonic(), step
            code = training.finish(folder)
        except StoppedError as stopped:
            if saved < step:
                keeper.save(step)
            print(f"stopped by {stopped} after step {step} of {training.steps}; --resume goes on", flush=True)
            return stopping.code
        except (NotFiniteError, CertificateError):
            _write_reproducer(training, folder, step, options)
            raise
    print(f"state sha256 {digest(training.state())}", flush=True)
    return code


class Keeper:
    """The checkpoints of a run: the first process writes and reads them, all start from what it has read."""

    def __init__(self, training: Training, folder: Folder, processes: Processes) -> None:
        self.training, self.folder, self.processes = training, folder, processes
        with folder.writing():
            self.checkpoints = Checkpoints(folder.path) if processes.first else None

    def begun(self) -> int:
        """Start anew."""
        _check_room(self.training, self.folder)
        self.training.start(self.folder)
        self.save(0)
        return 0

    def resumed(self) -> int:
        """Restore the newest state that is whole; the number of steps it has taken."""
        kept = decoded(self.processes.from_first(self._newest))
        self.training.restore(kept["training"])
        self.folder.go_back_to(kept["lines"])
        print(f"resumed after step {kept['step']} of {self.training.steps}", flush=True)
        if kept["step"] < self.training.steps:
            self.folder.discard(RESULT)  # it was that of fewer steps
        return int(kept["step"])

    def _newest(self) -> bytes:
        assert self.checkpoints is not None, "only the first process reads"
        kept, wrong = self.checkpoints.load()
        for one in wrong:
            print(f"warning: left out {one}", flush=True)
        return encoded(kept)

    def save(self, step: int) -> None:
        """Keep the state after so many steps."""
        if self.checkpoints is not None:
            with self.folder.writing():
                lines = len(self.folder.history)
                self.checkpoints.save(step, {"step": step, "lines": lines, "training": self.training.state()})


def _check_room(training: Training, folder: Folder) -> None:
    """Refuse to begin where two checkpoints, and one that is being written, do not fit."""
    needed = 3 * len(encoded(training.state()))
    free = shutil.disk_usage(folder.path).free
    if free < needed:
        raise NotWrittenError(f"{free} bytes are free at {folder.path}, {needed} are needed; make room")


def _write_reproducer(training: Training, folder: Folder, step: int, options: dict[str, Any]) -> None:
    """Keep the state before a step that failed, and what the step began with."""
    state, given = training.state(), training.under_way()
    content = {"step": step, "options": json.dumps(options), "training": state, "under_way": given}
    folder.write_bytes(REPRODUCER, encoded(content))
    print(f"what repeats step {step} is in {folder.path / REPRODUCER}", flush=True)
