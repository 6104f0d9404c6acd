"""The numbers of the reference: float64, or mpmath numbers of any precision, in one code.

Every function of this package that needs more than `+ - * /` and powers takes an `Arithmetic` as
its first argument `m`, and uses `m.exp` and the like instead of `math.exp`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from delayprop.spec.checks import whole_number

Real = Any  # a float or an mpmath number


@dataclass(frozen=True)
class Arithmetic:
    """One kind of number.

    Attributes:
        real: converts a float to such a number, exactly.
        exp, log, log1p: elementary functions.
        fsum: the sum of an iterable, rounded once, so the order of the terms does not matter
            (mpmath: unless terms differ by more than about three times the precision).
        u: unit roundoff.
        dtype: NumPy type of an array of such numbers.
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
    """mpmath numbers with `digits` decimal digits, in a context of their own.

    Raises:
        SpecError: `digits` is not a whole number from 16 to 100 000.
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
