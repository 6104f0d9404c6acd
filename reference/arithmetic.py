"""The numbers the reference computes with: float64, or mpmath numbers of any precision, through the same text.

Every function of this package that needs more than `+ - * /` and powers takes an `Arithmetic` as its first argument
`m` and uses `m.exp` and the like, where other code would use `math.exp`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from spec.checks import whole_number

Real = Any  # a float or an mpmath number


@dataclass(frozen=True)
class Arithmetic:
    """One kind of number.

    Attributes:
        real: makes such a number of a float, exactly.
        exp, log, log1p: elementary functions.
        fsum: the sum of an iterable, rounded once, so that the order of the terms does not matter (mpmath: unless terms
            differ by more than about three times the precision).
        u: unit roundoff.
        dtype: numpy's type for an array of such numbers.
    """

    real: Callable[[float], Real]
    exp: Callable[[Real], Real]
    log: Callable[[Real], Real]
    log1p: Callable[[Real], Real]
    fsum: Callable[..., Real]
    u: Real
    dtype: type


FLOAT64 = Arithmetic(
    real=float, exp=math.exp, log=math.log, log1p=math.log1p, fsum=math.fsum, u=2.0**-53, dtype=np.float64
)


def multiprecision(digits: int) -> Arithmetic:
    """mpmath numbers of that many decimal digits, in a context of their own.

    Raises:
        SpecError: `digits` is no whole number, or not from 16 to 100 000.
    """
    whole_number(digits, "digits", 16, 100_000, "float64 is the default")
    context = mpmath.mp.clone()
    context.dps = digits
    return Arithmetic(
        real=context.mpf,
        exp=context.exp,
        log=context.log,
        log1p=context.log1p,
        fsum=context.fsum,
        u=context.eps / 2,
        dtype=object,
    )
