"""Bins of time: bookkeeping, not a grid.

The kernels measure time in bins. An instant is a pair `(bin, rest)`, `0 <= rest <= 1`, so float32
has its full precision at any time. The width is a power of two, so splitting a time is exact.
Nothing is rounded to a bin: results do not depend on the width, beyond rounding (a test).
"""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.physics.polynomials import TERMS
from delayprop.spec import UnsupportedError
from delayprop.spec.errors import Verbatim

SLACK = 64  # in u: for the rounding of a bound
MOST_BINS = 2**26  # counts of spikes per bin then take half a GB


class Clock(NamedTuple):
    """The bins of a trial, `[0, T]` with `T = last + end`.

    The numbers 0 and 1 have the precision of a sweep; `u` is its unit roundoff, and `slack` that of
    a bound.
    `terms` is a tuple as long as the polynomials of `fast.physics.polynomials`, so that their
    length is known to the compiler.
    """

    last: int
    end: float
    u: float
    slack: float
    zero: float
    one: float
    terms: tuple[int, ...]

    def in_precision(self, dtype: type) -> "Clock":
        """For a sweep back in the precision of the weights."""
        return _clock(self.last, self.end, dtype)


def bin_width_for(shortest: float, duration: float) -> float:
    """The usual width of the bins, which is the widest, ms: a power of two.

    It is at most a quarter of the shortest time constant and of the trial.
    """
    return 2.0 ** math.floor(math.log2(min(shortest, duration) / 4))


def clock_for(bin_width: float, duration: float) -> Clock:
    """The bins of a trial of `duration` ms, for a sweep in float64.

    Raises:
        UnsupportedError: there are more bins than can be counted.
    """
    last = math.floor(duration / bin_width)
    if last > MOST_BINS:
        got = Verbatim(f"{duration} ms in bins of {bin_width} ms")
        raise UnsupportedError("duration", f"at most {MOST_BINS} bins long", got, "`python -m reference` needs no bins")
    return _clock(last, (duration - last * bin_width) / bin_width, np.float64)


def _clock(last: int, end: float, dtype: type) -> Clock:
    u = float(np.finfo(dtype).eps) / 2
    return Clock(last, end, u, SLACK * u, dtype(0), dtype(1), tuple(range(TERMS[np.dtype(dtype).itemsize])))


@inlined
def end_of(bin_, clock):
    """Where a bin ends, in bins: at `T` in the last one."""
    return float(clock.end) if bin_ == clock.last else 1.0
