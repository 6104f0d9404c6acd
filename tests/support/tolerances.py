"""Every tolerance of the suite, with its reason. No test has a number of its own.

`u` is the unit roundoff: 2^-53 in float64, 2^-24 in float32. A tolerance says what the arithmetic
costs, so it does not depend on what was measured. A fault of 0.1 % stands many orders of magnitude
above each.
"""

from __future__ import annotations

import math

U64, U32 = 2.0**-53, 2.0**-24

WELL_CONDITIONED = 1e-11
"""A float64 gradient: some thousand operations, one after the other, each adding a few u."""

CANCELLATION = 1e-3
"""A block that cancels is held against this share of the largest: with `WELL_CONDITIONED`, to 100 u
of the largest."""

VANISHES = 1e-20
"""A largest block below this is 0: 34 digits are left of a difference of losses of 50 digits over a
step of 1e-16."""

TRUTH = 1e-25
"""A gradient at 50 digits against differences, which with a step of 1e-16 miss 1e-32 of the third
derivative."""

DISCARDED = 0.05
"""The share of draws that may be left out since the order of events changes; more would be a choice
of easy cases."""

SLOPE = 0.05
"""Of a Taylor slope in float64: the next power of the step adds 1 %, rounding of the last step
another."""

CONSTANT = 0.01
"""Of a Taylor remainder at a step of 6e-5: what the third derivative adds, and the rounding of a
difference."""

SLOPE_40 = 5e-4
"""Of a Taylor slope at 40 digits, to three decimals: with steps of 1e-6 the next power of the step
is all that errs."""

MEASURABLE = 1e3
"""In u of a loss: a remainder above that is known to some 1 %, as the slopes above need it."""

DOT_PRODUCT = 1e-13
"""Tangent against adjoint, of the sum of absolute terms: both are linear in the same recorded
events, 1000 u."""

SAME_NETWORK = 1e-11
"""Two ways to write one network (shifted, relayed, in other units): two float64 gradients."""

SAME_SUM = 1e-12
"""One sum in another order (batch, permutation): the terms are bitwise the same, the sum is of some
hundred."""

DIFFERENCE_OF_TIE = 1e-10
"""A one-sided derivative at a tie: the tie itself is only met to 16 u, by a voltage with a
slope."""

GROWTH = 0.01
"""Of an exponent over six decades: what is left of the next order."""


def relative(u: float, kappa_min: float | None) -> float:
    """The error allowed a block of a gradient: a crossing of conditioning kappa costs 1/kappa
    (specification, 5)."""
    return max(WELL_CONDITIONED * u / U64, 0.0 if kappa_min is None else 100 * u / float(kappa_min))


def times(u: float, kappa_min: float | None, duration: float, spikes: int = 0) -> float:
    """The error allowed a spike time, ms: rounding moves a crossing by u tau_mem / sqrt(kappa), and
    that the next.

    Args:
        spikes: how many of the neuron came before.
    """
    return (100 + spikes) * u * duration / math.sqrt(min(1.0, 1.0 if kappa_min is None else float(kappa_min)))


def identity(u: float) -> float:
    """The residual allowed a conservation identity, of the sum of its absolute terms: 1e-12 or
    1e-5, some u a term."""
    return 1e-12 if u == U64 else 1e-5
