"""Runs whose main thread is in a kernel for a long time, in a process of their own."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
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


def deaf(kind: str) -> Any:
    """A training of one step, which takes for ever in one kernel, or 20 s in many pieces."""
    spin(np.ones(2, np.int64))  # compiles it

    def step(number: int, folder: Folder, check: Callable[[], None]) -> None:
        (folder.path / AT_WORK).touch()
        if kind == "kernel":
            spin(np.zeros(2, np.int64))
        with Processes().asked(check):
            in_threads(_piece, range(PIECES))

    return SimpleNamespace(
        steps=1, extendable=True, lines=lambda step: 0, start=lambda folder: None, step=step, last_inputs=dict,
        state=dict, restore=lambda state: None, finish=lambda folder, check: 0, draw=lambda folder: [],
    )


def _piece(number: int) -> None:
    """Time in a kernel, which a signal does not shorten."""
    end = time.monotonic() + OF_A_PIECE
    while time.monotonic() < end:
        time.sleep(0.01)


def main(kind: str, folder: str) -> int:
    """Runs the training `kernel` or `pieces`; returns the exit code."""
    return run(deaf(kind), Path(folder))
