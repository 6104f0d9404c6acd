"""The check of spike trains before kernels read them, in one pass: in torch it takes as long as a
small layer."""

from __future__ import annotations

import math

from delayprop.fast.compiling.compiler import outermost


@outermost
def are_trains(times, offsets):
    """Whether `offsets` ascend from 0 to the number of `times`, and the times of each train are
    finite, at least 0, and ascend."""
    if offsets[0] != 0 or offsets[-1] != times.size:
        return False
    for train in range(offsets.size - 1):
        before, last = 0.0, offsets[train + 1]
        if not offsets[train] <= last <= times.size:
            return False
        for n in range(offsets[train], last):
            if not before <= times[n] < math.inf:
                return False
            before = times[n]
    return True
