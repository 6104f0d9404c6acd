"""The numbers of the reference: float64, or mpmath numbers of any precision, in one code.

Every function of this package that needs more than `+ - * /` and powers takes an `Arithmetic` as
its first argument `m`, and uses `m.exp` and the like instead of `math.exp`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from delayprop.spec.checks import whole_number

Real = Any  # a float or an mpmath number
Row = list[Real]
Matrix = list[Row]


@dataclass(frozen=True)
class Arithmetic:
    """One kind of number.

    Attributes:
        real: converts a float to such a number, exactly.
        exp, log, log1p, atan2: elementary functions.
        eigenvalues: of a matrix, complex.
        fsum: the sum of an iterable, rounded once, so the order of the terms does not matter
            (mpmath: unless terms differ by more than about three times the precision).
        u: unit roundoff.
        dtype: NumPy type of an array of such numbers.
    """

    real: Callable[[float], Real]
    exp: Callable[[Real], Real]
    log: Callable[[Real], Real]
    log1p: Callable[[Real], Real]
    atan2: Callable[[Real, Real], Real]
    eigenvalues: Callable[[Matrix], Sequence[Any]]
    fsum: Callable[..., Real]
    u: Real
    dtype: type

    def ratio(self, number: Fraction) -> Real:
        """A number of a text."""
        return float(number) if self.dtype is np.float64 else self.real(number.numerator) / number.denominator


FLOAT64 = Arithmetic(
    float, math.exp, math.log, math.log1p, math.atan2, lambda A: np.linalg.eigvals(np.array(A)).tolist(),
    math.fsum, 2.0**-53, np.float64,
)


def multiprecision(digits: int) -> Arithmetic:
    """mpmath numbers with `digits` decimal digits, in a context of their own.

    Raises:
        SpecError: `digits` is not a whole number from 16 to 100 000.
    """
    whole_number(digits, "digits", 16, 100_000, "float64 is the default")
    context = mpmath.mp.clone()
    context.dps = digits
    return of_context(context)


def of_context(c: Any) -> Arithmetic:
    """The numbers of an mpmath context; those given to it are rounded to its precision."""
    return Arithmetic(
        lambda x: +c.mpf(x), c.exp, c.log, c.log1p, c.atan2,
        lambda A: c.eig(c.matrix(A), left=False, right=False), c.fsum, c.eps / 2, object,
    )


def dot(a: Row, b: Row) -> Real:
    total = a[0] * b[0]
    for k in range(1, len(a)):
        total += a[k] * b[k]
    return total


def times(A: Matrix, x: Row) -> Row:
    """`A x`."""
    return [dot(row, x) for row in A]


def transposed(A: Matrix) -> Matrix:
    return [list(column) for column in zip(*A, strict=True)]
