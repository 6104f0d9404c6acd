"""Intervals of 95 %: of a share of trials, and of the mean of a few runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

LEVEL = 0.95
Z = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)


def of_share(right: int, trials: int) -> tuple[float, float]:
    """Where a share lies that was `right` in so many trials: Wilson's score interval, which holds near 0 and 1 too."""
    p, n = right / trials, trials
    middle, half = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + (Z / (2 * n)) ** 2)
    return (middle - half) / (1 + Z**2 / n), (middle + half) / (1 + Z**2 / n)


def half_of_mean(values: Sequence[float]) -> float | None:
    """Half the width of the interval of a mean, by Student's t; None for a single value, which tells no spread."""
    n = len(values)
    return quantile(n - 1) * statistics.stdev(values) / math.sqrt(n) if n > 1 else None


def quantile(freedom: int) -> float:
    """The `t` within which Student's distribution holds `LEVEL`, two-sided; found by halving."""
    low, high = 0.0, 1e4
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < LEVEL else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """The probability of `[-t, t]`: Abramowitz and Stegun 26.7.3 and 26.7.4, finite sums for whole numbers."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= cosine**2 * k / (k + 1)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
