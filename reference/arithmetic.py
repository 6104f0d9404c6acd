"""The numbers the reference computes with: float64, or mpmath numbers of any precision, through the same text.

Every function of this package that calculates takes an `Arithmetic` as its first argument `m` and uses `m.exp` and
the like, where other code would use `math.exp`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath

from spec.checks import whole_number

Real = Any  # a float or an mpmath number


@dataclass(frozen=True)
class Arithmetic:
    """One kind of number.

    Attributes:
        real: makes such a number of a float, exactly.
        exp, log, log1p: elementary functions.
        fsum: the sum of an iterable, rounded once, so that the order of the terms does not matter.
        u: unit roundoff.
    """

    real: Callable[[float], Real]
    exp: Callable[[Real], Real]
    log: Callable[[Real], Real]
    log1p: Callable[[Real], Real]
    fsum: Callable[..., Real]
    u: Real


FLOAT64 = Arithmetic(float, math.exp, math.log, math.log1p, math.fsum, 2.0**-53)


def multiprecision(digits: int) -> Arithmetic:
    """mpmath numbers of that many decimal digits, in a context of their own.

    Raises:
        SpecError: fewer digits than float64 has.
    """
    whole_number(digits, "digits", 16, 100_000, "float64 is the default")
    context = mpmath.mp.clone()
    context.dps = digits
    return Arithmetic(context.mpf, context.exp, context.log, context.log1p, context.fsum, context.eps / 2)
