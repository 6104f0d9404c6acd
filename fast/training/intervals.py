"""Confidence intervals of 95 %: of a proportion of trials, and of the mean of a few runs; and
McNemar's test of two runs on the same trials."""

import math
import statistics
from collections.abc import Sequence

import mpmath

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
    good, a trial that only one of them has right is as likely to be right in either."""
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**n)


def student_t(freedom: int) -> float:
    """The two-sided quantile of Student's distribution at `LEVEL`."""

    def outside(t: float) -> mpmath.mpf:
        return mpmath.betainc(freedom / 2, 0.5, 0, freedom / (freedom + t**2), regularized=True) - (1 - LEVEL)

    return float(mpmath.findroot(outside, (Z, 20.0), solver="anderson"))
