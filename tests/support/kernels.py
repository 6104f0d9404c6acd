"""Compiles the kernels, once for all test processes; `python -m tests.support.kernels FAMILY`
compiles those of one kind of layer, at both precisions."""

import subprocess
import sys
from collections.abc import Callable

from numba import njit

from tests import ROOT

FAMILIES = ("layers", "recurrent")  # a family with feed-forward layers, and one with a recurrent layer


def compile_kernels() -> None:
    """Starts one process per family, unless a stamp beside the kernels shows a complete cache. Two
    that compile one function for two precisions at one moment might lose an entry of its index."""
    from delayprop.fast.compiling.compiler import KERNELS, cache_folder

    folder = cache_folder(KERNELS[-1])
    if folder is None or (stamp := folder / "complete").exists():
        return
    print("compiling the kernels, once for all test processes (about a minute)", file=sys.stderr, flush=True)
    commands = [[sys.executable, "-m", "tests.support.kernels", family] for family in FAMILIES]
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


def run_both_precisions(family: str) -> None:
    """Compiles the kernels of a family, or loads them from the cache."""
    from delayprop.fast.run import run_case
    from tests.support.networks.strategies import seeded_case

    for precision in ("float64", "float32"):
        run_case(seeded_case(1, family), precision)


if __name__ == "__main__":
    run_both_precisions(*sys.argv[1:])
