"""The flow of a neuron within a bin as polynomials: no `exp` per arrival, and vector instructions.

Between events a state flows by `F(x) = exp(A x) = sum_m A^m x^m / m!`. A bin is at most a quarter
of the neuron's shortest time, so the series falls like `4^-m / m!`; a few terms are right to
rounding, and fewer still after economisation (its last terms are replaced by the best approximation
of lower degree, by Chebyshev). Entries off the diagonal, and the derivatives of all entries by a
constant, are 0 at `x = 0`: their polynomials are without this factor `x`, so that they are right to
rounding at any `x`.

An integral readout adds convolutions of exponentials of `lif` and `li`,

    [p1, ..., pn](x) = exp(-p1 x) * ... * exp(-pn x)
                     = x^(n-1) sum_m (-1)^m h_m(p1, ..., pn) x^m / (n - 1 + m)!

with `h_m` the complete homogeneous symmetric polynomials: no case distinction where rates are
equal.
"""

import math

import numpy as np
from numpy.polynomial.chebyshev import cheb2poly

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import LANES

# `np.int64`, since Numba compiles a function anew for each literal integer. The entries of `F` come
# first, in the order of `fast.layout.rows`, and those of its derivatives. With pm, ps and r, the
# rates of membrane, synapse and of the weight of an integral readout, the convolutions follow:
F_VV, F_VI, F_II = map(np.int64, range(3))
RA, RAB, RAA, RAAB, RABB, RB = map(np.int64, range(9, 15))  # [-r, pm], [-r, pm, ps], [-r, pm, pm], ..., [-r, ps]
TERMS = {4: 6, 8: 11}
"""Terms of a polynomial, by bytes of a number: on [-1, 1] the truncation error stays below u,
relative (a test)."""
EXACT = tuple(range(TERMS[8]))  # as long as the polynomials of `fast.layout.arrays.Layer.exact`
_TAYLOR = 18
_CHEBYSHEV = [cheb2poly([0.0] * m + [1.0]) / 2.0 ** max(m - 1, 0) for m in range(_TAYLOR)]  # highest coefficient 1


def flow_coefficients(A: np.ndarray, A_by: np.ndarray, reached: bool, terms: int) -> np.ndarray:
    """Coefficients `[entries, terms, neurons]` of the blocks of `F`, and of its derivatives.

    Args:
        A: `[neurons, states, states]`, per bin; states in the order V, a current, others.
        A_by: `[constants, neurons, states, states]`: its derivatives by constants.
        reached: whether arrivals reach further states.
        terms: of each polynomial.
    """
    powers = _powers(A)
    found = _block(powers, divided=~np.eye(A.shape[1], dtype=bool), reached=reached, terms=terms)
    everywhere = np.ones(A.shape[1:], dtype=bool)
    for slope in A_by:
        found += _block(_powers_by(A, slope, powers), divided=everywhere, reached=reached, terms=terms)
    return np.stack(found)


def _powers(A: np.ndarray) -> np.ndarray:
    """`A^m / m!`, `[m, neurons, states, states]`."""
    found = [np.broadcast_to(np.eye(A.shape[1]), A.shape)]
    for m in range(1, _TAYLOR + 1):
        found.append(A @ found[-1] / m)
    return np.stack(found)


def _powers_by(A: np.ndarray, slope: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """The derivatives of `_powers` by a constant, of which `A` has the derivative `slope`."""
    found = [np.zeros_like(A)]
    for m in range(1, _TAYLOR + 1):
        found.append((A @ found[-1] + slope @ powers[m - 1]) / m)
    return np.stack(found)


def _block(powers: np.ndarray, divided: np.ndarray, reached: bool, terms: int) -> list[np.ndarray]:
    """Entries of a block, in the order of `fast.layout.rows`, `[terms, neurons]` each; without a
    factor `x` where `divided`."""
    found = []
    for i, k in block_order(powers.shape[-1], reached):
        first = int(divided[i, k])
        found.append(_economised(powers[first : first + _TAYLOR, :, i, k], terms))
    return found


def block_order(states: int, reached: bool) -> list[tuple[int, int]]:
    """Row and column of the entries of a block, in the order of `fast.layout.rows`."""
    of_reached = [(i, k) for k in range(2) for i in range(2, states)] if reached else []
    return [(0, 0), (0, 1), (1, 1), *((i, k) for i in range(states) for k in range(2, states)), *of_reached]


def integral_coefficients(pm: np.ndarray, ps: np.ndarray, rate: float, terms: int) -> np.ndarray:
    """Coefficients `[convolutions, terms, neurons]` of an integral readout of rate `r`, per bin."""
    r = np.full_like(pm, -rate)
    sets = [(r, pm), (r, pm, ps), (r, pm, pm), (r, pm, pm, ps), (r, pm, ps, ps), (r, ps)]
    return np.stack([_economised(_series(rates), terms) for rates in sets])


def _series(rates: tuple[np.ndarray, ...]) -> np.ndarray:
    """`(-1)^m h_m / (n - 1 + m)!`, `[m, neurons]`."""
    h = np.zeros((_TAYLOR, *rates[0].shape))
    h[0] = 1.0
    for p in rates:
        for m in range(1, _TAYLOR):
            h[m] += p * h[m - 1]
    n = len(rates) - 1
    scale = np.array([(-1.0) ** m / math.factorial(n + m) for m in range(_TAYLOR)])
    return h * scale[:, None]


def _economised(series: np.ndarray, terms: int) -> np.ndarray:
    """Economise `[m, neurons]` to `terms` terms on [-1, 1]: replace one term after the other, from
    the highest, by its best approximation."""
    series = series.copy()
    for m in range(len(series) - 1, terms - 1, -1):
        series[:m] -= series[m] * _CHEBYSHEV[m][:m, None]
    return series[:terms]


@inlined
def polynomial(coefficients, which, lane, x, terms):
    """Polynomial `which` of a lane at `x` in [-1, 1], without its factor `x`, or `x^(n-1)`.

    `coefficients`: of one pack, flat.
    """
    last = (which + 1) * len(terms) - 1
    value = coefficients[last * LANES + lane]
    for n in range(1, len(terms)):
        value = value * x + coefficients[(last - n) * LANES + lane]
    return value
