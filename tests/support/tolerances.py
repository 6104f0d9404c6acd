"""The tolerances of the product, each with its reason.

`u` is the unit roundoff: 2^-53 in float64, 2^-24 in float32. A tolerance follows from the cost of
the arithmetic, not from measurements. In float64 a fault of 0.1 % in a gradient exceeds the limits
of agreement and of the identities by orders of magnitude.
"""

import math

U64, U32 = 2.0**-53, 2.0**-24

WELL_CONDITIONED = 1e-11  # a float64 gradient: some thousand operations in sequence, a few u each
CANCELLATION = 1e-3  # of the largest block, for a block that cancels: `WELL_CONDITIONED` then allows 100 u of it
VANISHES = 1e-20  # a largest block below this is 0: losses of 50 digits and a step of 1e-16 leave 34 digits
TRUTH = 1e-25  # a gradient at 50 digits against differences with an error of 1e-32 times the third derivative
DISCARDED = 0.05  # the share of draws discarded for a changed order of events; more would select easy cases
SLOPE = 0.05  # a Taylor slope in float64: the next power of the step adds 1 %, rounding of the last step 1 %
CONSTANT = 0.01  # a Taylor remainder at a step of 6e-5: the third derivative, and the rounding of a difference
SLOPE_40 = 5e-4  # a Taylor slope at 40 digits: at steps of 1e-6 only the next power of the step errs
MEASURABLE = 1e3  # in u of the loss: remainders above are known to about 1 %, as the slopes above require
DOT_PRODUCT = 1e-13  # tangent against adjoint, as a share of absolute terms: 1000 u, linear in one record of events
SAME_NETWORK = 1e-11  # two float64 gradients of one network in two notations (shifted, relayed, in other units)
SAME_SUM = 1e-12  # one sum in two orders (batch, permutation): bitwise equal terms, some hundred of them
DIFFERENCE_OF_TIE = 1e-10  # a one-sided derivative at a tie: a voltage with a slope meets the tie only to 16 u
GROWTH = 0.01  # an exponent over six decades: the remainder of the next order


def relative(u: float, kappa_min: float | None) -> float:
    """Relative error allowed per block; a crossing costs 1/kappa (specification, section 5)."""
    return max(WELL_CONDITIONED * u / U64, 0.0 if kappa_min is None else 100 * u / float(kappa_min))


def times(u: float, kappa_min: float | None, duration: float, spikes: int = 0) -> float:
    """Error allowed per spike time, ms: rounding moves a crossing by u tau_mem / sqrt(kappa), and
    each of the `spikes` before it by as much."""
    return (100 + spikes) * u * duration / math.sqrt(min(1.0, 1.0 if kappa_min is None else float(kappa_min)))


def identity(u: float) -> float:
    """Residual allowed per conservation identity, as a share of the sum of absolute terms."""
    return 1e-12 if u == U64 else 1e-5


def sum_of_arrivals(u: float, count: int, bins: float) -> float:
    """Error allowed in the gradient of a synapse, as a share of the sum of its absolute terms: some
    ten operations per term, and 128 terms added in the precision of the weights; then float64 adds
    `count` terms in sequence at most, and takes the adjoint back over `bins`, 4 roundings each. A
    tick, `u` of a bin, by which an arrival may move, is not in it: it counts within some bins of
    the instant that is read."""
    return 16 * u + (count + 4 * bins) * U64
