"""First weights at which the neurons of a layer spike about as often as asked, on given spikes.

Input is rarely stationary, so no formula of its rates tells how often neurons spike. A scale is
searched instead: the weights `m z`, with `z` drawn once from N(1, 1), make more spikes the larger
`m` is. The search starts where the mean current would reach the threshold.
"""

import math
from collections.abc import Callable

from delayprop.fast.nn.spikes import Spikes
from delayprop.spec import SpecError
from delayprop.spec.checks import positive_number

TRIALS = 8  # at most, that are simulated
CLOSE = 0.02  # relative: the search ends
BRIEFEST = 2.0  # ms: hardly any trial is shorter
DOUBLINGS, HALVINGS = 60, 30


def typical(spikes: Spikes, rate: float) -> Spikes:
    """The trials that are simulated; `SpecError`: silent input, or a `rate` out of range."""
    if positive_number(rate, "rate") > spikes.duration:
        expected = f"at most one spike per ms, {spikes.duration:g}"
        remedy = "`rate` counts the spikes of a neuron in a whole trial"
        if spikes.duration < BRIEFEST:
            remedy = "are the times in seconds? `Spikes` takes ms"
        raise SpecError("rate", expected, rate, remedy)
    few = spikes[:TRIALS].detach()
    if not len(few.times):
        raise SpecError("spikes", "", "has no spikes", "give typical input of the layer")
    return few


def scale_for(rate: float, rate_at: Callable[[float], float], start: float) -> float:
    """The scale of weights whose spikes per neuron and trial come nearest to `rate`, from a first
    guess; `SpecError`: none reaches it. `rate_at`: infinite where neurons spike too fast."""
    best = (math.inf, 0.0)

    def found(scale: float) -> float:
        nonlocal best
        rate_here = rate_at(scale)
        best = min(best, (abs(rate_here - rate), scale))
        return rate_here

    low, high = 0.0, start
    for _ in range(DOUBLINGS):
        if found(high) >= rate:
            break
        low, high = high, 2 * high
    else:
        fault = f"is {rate:g} spikes per neuron and trial, and no weights reach more than {rate - best[0]:.3g}"
        raise SpecError("rate", "", fault, "give more input spikes, shorter delays, or a lower rate")
    for _ in range(HALVINGS):
        if best[0] <= CLOSE * rate:
            break
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < rate else (low, middle)
    return best[1]
