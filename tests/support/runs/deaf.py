"""A run whose main thread is in a kernel for ever, in a process of its own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import njit

from delayprop.fast.training.run_folder import Folder
from tests.support.runs.short_runs import run

AT_WORK = "at-work"  # a file in the folder of the run: its kernel has begun


@njit(nogil=True)
def spin(until: np.ndarray) -> int:
    """Returns when `until[0]` is above 0, which no one sets."""
    n = 0
    while until[0] == 0:
        n += until[1]
    return n


def main(folder: str) -> int:
    """Runs a training of one step, which takes for ever; returns the exit code."""
    spin(np.ones(2, np.int64))  # compiles it

    def step(number: int, folder: Folder, check: Any) -> None:
        (folder.path / AT_WORK).touch()
        spin(np.zeros(2, np.int64))

    deaf: Any = SimpleNamespace(
        steps=1, extendable=True, lines=lambda step: 0, start=lambda folder: None, step=step, last_inputs=dict,
        state=dict, restore=lambda state: None, finish=lambda folder, check: 0,
    )
    return run(deaf, Path(folder))
