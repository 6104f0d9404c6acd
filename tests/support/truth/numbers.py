"""Conversion between mpmath and MPFR, and the working precision."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

import gmpy2
import mpmath

Real: TypeAlias = gmpy2.mpfr  # the type of a number inside a simulation, at the precision of the context

exp: Callable[[Real], Real] = gmpy2.exp
log: Callable[[Real], Real] = gmpy2.log
sqrt: Callable[[Real], Real] = gmpy2.sqrt
INFINITY = gmpy2.inf()


def working_precision(digits: float) -> AbstractContextManager:
    """Arithmetic of `digits` decimal digits; a division by 0 or a NaN raises."""
    bits = int(digits * 3.3219281) + 2
    return gmpy2.context(precision=bits, trap_divzero=True, trap_invalid=True, trap_overflow=True)


def real(value: mpmath.mpf | float) -> Real:
    """`value`, rounded to the working precision."""
    sign, mantissa, exponent, _ = mpmath.mpf(value)._mpf_ if isinstance(value, float | int) else value._mpf_
    if not mantissa and exponent:
        raise ValueError(f"`value` must be a finite number, got {value}")
    number = Real(-mantissa if sign else mantissa)
    return gmpy2.mul_2exp(number, exponent) if exponent >= 0 else gmpy2.div_2exp(number, -exponent)


def mpf(number: Real) -> mpmath.mpf:
    """`number` with all its digits, at any precision of mpmath."""
    mantissa, exponent = number.as_mantissa_exp()
    return mpmath.mp.make_mpf(mpmath.libmp.from_man_exp(int(mantissa), int(exponent)))
