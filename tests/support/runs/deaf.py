"""Runs whose main thread is in a kernel for a long time, in a process of their own."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from delayprop.fast.cpu.threads import in_threads
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.run_folder import Folder
from tests.support.runs.short_runs import run

AT_WORK = "at-work"  # a file in the folder of the run: its kernel has begun
PIECES, OF_A_PIECE = 80, 0.25  # s


@njit(nogil=True)
def spin(until: np.ndarray) -> int:
    """Returns when `until[0]` is above 0, which no one sets."""
    n = 0
    while until[0] == 0:
        n += until[1]
    return n


class Deaf:
    """A training of one step, which takes for ever in one kernel, or 20 s in many pieces."""

    steps, extendable = 1, True

    def __init__(self, kind: str) -> None:
        self.kind = kind
        spin(np.ones(2, np.int64))  # compiles it

    def lines(self, step: int) -> int:
        """None, whatever the step."""
        return 0

    def start(self, folder: Folder) -> None:
        """Prints nothing."""

    def step(self, number: int, folder: Folder, check: Callable[[], None]) -> None:
        """The long step."""
        (folder.path / AT_WORK).touch()
        if self.kind == "kernel":
            spin(np.zeros(2, np.int64))
        with Processes().asked(check):
            in_threads(_piece, range(PIECES))

    def last_inputs(self) -> dict[str, Any]:
        """None."""
        return {}

    def state(self) -> dict[str, Any]:
        """None."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to set."""

    def finish(self, folder: Folder, check: Callable[[], None]) -> int:
        """Done."""
        return 0

    def draw(self, folder: Path) -> list[str]:
        """Nothing."""
        return []


def _piece(number: int) -> None:
    """Time in a kernel, which a signal does not shorten."""
    end = time.monotonic() + OF_A_PIECE
    while time.monotonic() < end:
        time.sleep(0.01)


def main(kind: str, folder: str) -> int:
    """Runs the training `kernel` or `pieces`; returns the exit code."""
    return run(Deaf(kind), Path(folder))
