"""Convolutions of exponentials, exactly."""

import mpmath


def convolution(rates: tuple[float, ...], x: float) -> mpmath.mpf:
    """`exp(-p1 x) * ... * exp(-pn x)` over `x^(n-1)`, as a series that allows equal rates."""
    h = [mpmath.mpf(1)] + [mpmath.mpf(0)] * 40
    for p in rates:
        for m in range(1, len(h)):
            h[m] += mpmath.mpf(p) * h[m - 1]
    n = len(rates) - 1
    return mpmath.fsum((-mpmath.mpf(x)) ** m * h[m] / mpmath.factorial(n + m) for m in range(len(h)))
