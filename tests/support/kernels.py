"""Compiles the kernels, once for all test processes.

`python -m tests.support.kernels layers float64` compiles those of a kind of layer and a precision.
"""

import subprocess
import sys
from collections.abc import Callable

from numba import njit

from tests import ROOT

SHARES = (
    ("layers", "float64", "recurrent_output", "float32"), ("recurrent_output", "float64", "layers", "float32"),
)
"""Families and precisions, by process: feed-forward layers, and a recurrent layer alone."""


def compile_kernels() -> None:
    """Starts two processes, unless a stamp beside the kernels shows a complete cache. Each begins
    with float64: two that compile one function for two precisions at one moment might lose an entry
    of its index."""
    from delayprop.fast.compiling.compiler import KERNELS, cache_folder

    folder = cache_folder(KERNELS[-1])
    if folder is None or (stamp := folder / "complete").exists():
        return
    print("compiling the kernels, once for all test processes (about a minute)", file=sys.stderr, flush=True)
    commands = [[sys.executable, "-m", "tests.support.kernels", *share] for share in SHARES]
    started = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    for command, code in zip(commands, [process.wait() for process in started], strict=True):
        if code:
            raise subprocess.CalledProcessError(code, command)
    stamp.touch()


def from_python(function: Callable) -> Callable:
    """A function of a kernel as one that Python can call, compiled."""

    @njit
    def called(*arguments):
        return function(*arguments)

    return called


def run_once(*kernels: str) -> None:
    """Compiles the kernels of families, each followed by a precision, or loads them."""
    from delayprop.fast.run import run_case
    from tests.support.networks.strategies import seeded_case

    for family, precision in zip(kernels[::2], kernels[1::2], strict=True):
        run_case(seeded_case(1, family), precision)


if __name__ == "__main__":
    run_once(*sys.argv[1:])
