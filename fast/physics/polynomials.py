"""Flow factors within a bin as polynomials: no `exp` per arrival, and vector instructions.

Every factor that the kernels need at a time `x` within a bin is a convolution of exponentials,

    [p1, ..., pn](x) = exp(-p1 x) * ... * exp(-pn x)
                     = x^(n-1) sum_m (-1)^m h_m(p1, ..., pn) x^m / (n - 1 + m)!

with `h_m` the complete homogeneous symmetric polynomials: no case distinction where rates are
equal. A bin is at most a quarter of every time constant, so the series falls like `4^-m / m!`; a
few terms are right to rounding, and fewer still after economisation (its last terms are replaced by
the best approximation of lower degree, by Chebyshev).
"""

import math

import numpy as np
from numpy.polynomial.chebyshev import cheb2poly

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import LANES

# `np.int64`, since Numba compiles a function anew for each literal integer.
# With pm, ps and r, the rates of membrane, synapse and of the weight of an integral readout:
A, B, AB, PS_AB, AAB, ABB = map(np.int64, range(6))  # [pm], [ps], [pm, ps], ps [pm, ps], [pm, pm, ps], [pm, ps, ps]
RA, RAB, RAA, RAAB, RABB, RB = map(np.int64, range(6, 12))  # [-r, pm], [-r, pm, ps], [-r, pm, pm], ..., [-r, ps]
TERMS = {4: 6, 8: 11}
"""Terms of a polynomial, by bytes of a number: on [-1, 1] the truncation error stays below u,
relative (a test)."""
EXACT = tuple(range(TERMS[8]))  # as long as the polynomials of `fast.layout.arrays.Layer.exact`
_TAYLOR = 18
_CHEBYSHEV = [cheb2poly([0.0] * m + [1.0]) / 2.0 ** max(m - 1, 0) for m in range(_TAYLOR)]  # highest coefficient 1


def coefficients(pm: np.ndarray, ps: np.ndarray, rate: float, dtype: type) -> np.ndarray:
    """Coefficients `[packs, polynomial, term, lane]` of neurons with these rates.

    Args:
        pm, ps: `[packs, LANES]`, per bin, at most 1/4.
        rate: `r`, per bin; negative: no integral readout, so no polynomials of `r`.
    """
    r = np.full_like(pm, -rate)
    sets: list[tuple[np.ndarray, ...]] = [(pm,), (ps,), (pm, ps), (pm, ps), (pm, pm, ps), (pm, ps, ps)]
    if rate >= 0:
        sets += [(r, pm), (r, pm, ps), (r, pm, pm), (r, pm, pm, ps), (r, pm, ps, ps), (r, ps)]
    found = np.stack([_economised(_series(rates), TERMS[np.dtype(dtype).itemsize]) for rates in sets], axis=1)
    found[:, PS_AB] *= ps[:, None]
    return found.astype(dtype)


def _series(rates: tuple[np.ndarray, ...]) -> np.ndarray:
    """`(-1)^m h_m / (n - 1 + m)!`, `[packs, m, lane]`."""
    h = np.zeros((_TAYLOR, *rates[0].shape))
    h[0] = 1.0
    for p in rates:
        for m in range(1, _TAYLOR):
            h[m] += p * h[m - 1]
    n = len(rates) - 1
    scale = np.array([(-1.0) ** m / math.factorial(n + m) for m in range(_TAYLOR)])
    return np.moveaxis(h * scale[:, None, None], 0, 1)


def _economised(series: np.ndarray, terms: int) -> np.ndarray:
    """Economise to `terms` terms on [-1, 1]: replace one term after the other, from the highest, by
    its best approximation."""
    series = series.copy()
    for m in range(series.shape[1] - 1, terms - 1, -1):
        series[:, :m] -= series[:, m : m + 1] * _CHEBYSHEV[m][None, :m, None]
    return series[:, :terms]


@inlined
def polynomial(coefficients, which, lane, x, terms):
    """Polynomial `which` of a lane at `x` in [-1, 1], without its power `x^(n-1)`.

    `coefficients`: of one pack, flat.
    """
    last = (which + 1) * len(terms) - 1
    value = coefficients[last * LANES + lane]
    for n in range(1, len(terms)):
        value = value * x + coefficients[(last - n) * LANES + lane]
    return value
