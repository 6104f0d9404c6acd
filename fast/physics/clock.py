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

    `first`: a multiple of BATCH, at most the bin of the oldest spike under way at 0. Arrivals in
    bins before 0 are part of the state at 0. `until`: arrivals later in the last bin are left out:
    `end`; just below it if another trial goes on from `T`, of which they are then part. `goes_on`:
    whether one does. The numbers 0 and 1 have the precision of a sweep; `u` is its unit roundoff,
    and `slack` that of a bound.
    `terms` is a tuple as long as the polynomials of `fast.physics.polynomials`, so that their
    length is known to the compiler.
    """

    first: int
    last: int
    end: float
    until: float
    goes_on: bool
    u: float
    slack: float
    zero: float
    one: float
    terms: tuple[int, ...]

    def in_precision(self, dtype: type) -> "Clock":
        """For a sweep back in the precision of the weights."""
        return _clock(self.first, self.last, self.end, self.goes_on, dtype)

    def of_recording(self, first: int, bits: int, goes_on: bool) -> "Clock":
        """With `first` and `goes_on`, and `T` rounded to a tick, of which a bin has `2**bits`."""
        end = round(self.end * 2.0**bits)
        return _clock(first, self.last + (end >> bits), (end & (2**bits - 1)) * 2.0**-bits, goes_on, np.float64)


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
    return _clock(0, last, (duration - last * bin_width) / bin_width, False, np.float64)


def _clock(first: int, last: int, end: float, goes_on: bool, dtype: type) -> Clock:
    u = float(np.finfo(dtype).eps) / 2
    # -1, since a processor may take the number just below 0 for 0.
    until = end if not goes_on else math.nextafter(end, -1.0) if end else -1.0
    terms = tuple(range(TERMS[np.dtype(dtype).itemsize]))
    return Clock(first, last, end, until, goes_on, u, SLACK * u, dtype(0), dtype(1), terms)


@inlined
def end_of(bin_, clock):
    """Where a bin ends, in bins: at `T` in the last one."""
    return float(clock.end) if bin_ == clock.last else 1.0
