"""Confidence intervals of 95 %: of a proportion of trials, and of the mean of a few runs; and
McNemar's test of two runs on the same trials."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

LEVEL = 0.95
FEWEST = 3  # values for an interval of their mean: of two, it is 13 times as wide as they are apart
Z = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval of a proportion; it holds near 0 and 1 too."""
    p, n = successes / trials, trials
    middle, half = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + (Z / (2 * n)) ** 2)
    low, high = (middle - half) / (1 + Z**2 / n), (middle + half) / (1 + Z**2 / n)
    return 0.0 if successes == 0 else low, 1.0 if successes == trials else high  # exact there, but for rounding


def mean_half_width(values: Sequence[float]) -> float | None:
    """Half the width of the interval of a mean, by Student's t; None below FEWEST values."""
    n = len(values)
    return student_t(n - 1) * statistics.stdev(values) / math.sqrt(n) if n >= FEWEST else None


def interval_of_percents(values: Sequence[float]) -> tuple[float, float] | None:
    """The interval of a mean of percentages, which ends at 0 and 100; None below FEWEST values."""
    half, mean = mean_half_width(values), statistics.mean(values)
    return None if half is None else (max(0.0, mean - half), min(100.0, mean + half))


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p of McNemar's exact test (Psychometrika 12, 1947): if both runs are equally
    good, a trial that only one of them has right is as likely to be right in either.

    Args:
        only_first, only_second: trials that only the one, or only the other run has right.
    """
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**n)


def student_t(freedom: int) -> float:
    """The two-sided quantile of Student's distribution at `LEVEL`, by bisection."""
    low, high = 0.0, 1e4
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _probability_within(middle, freedom) < LEVEL else (low, middle)
    return high


def _probability_within(t: float, freedom: int) -> float:
    """The probability of `[-t, t]`: finite sums, Abramowitz and Stegun 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= cosine**2 * k / (k + 1)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
