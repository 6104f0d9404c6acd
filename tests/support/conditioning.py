"""Conditioning: the effect of a change of the last digit of the parameters on the results.

Every rounding of a stable computation is as good as a relative change, by some `u`, of a weight, a
delay, a time or a constant. So a computed result is the exact one of a network nearby, and its
error is at most some `u` times the condition number, the relative change of a result per relative
change of the parameters. One spike of conditioning kappa has 1/kappa. In a chain of spikes each
passes the error of its time on, enlarged by about 1/sqrt(kappa) of the next, so no single kappa
bounds the error of the last; the condition number does. A few draws of the signs estimate it
(Kenney, Laub, SIAM J. Sci. Comput. 15, 36-61, 1994), at 30 digits: it owes nothing to the float64
results that it judges.
"""

import json
from collections.abc import Iterator
from itertools import count

import delayprop.reference as reference
from delayprop.spec import Case, Result, case_from_text, case_to_dict
from tests.support.certified import right_digits
from tests.support.comparison import block_errors, time_unit
from tests.tools.make_certified import by_adjoint

PATTERNS = 4  # number of sign patterns of the nudge; where a peak meets a threshold, some move both alike

DIGITS = 30
STEP = 1e-12  # relative: float64 holds the change to four digits, and results change linearly in it

_PARAMETERS = ("weights", "delays", "tau_mem", "tau_syn", "threshold", "reset")


def conditioned(document: dict, ulp: float) -> float:
    """Right digits after a nudge of every number by `ulp` of itself: the worst of all patterns."""
    true = by_adjoint(document)
    return min(right_digits(by_adjoint(nudged(document, ulp, pattern)), true) for pattern in range(PATTERNS))


def condition(case: Case, true: Result) -> float:
    """The condition number of a case: the largest relative change of a block of the gradient, or of
    a spike time in units of `tau_mem`, per relative change of all parameters; `true` has 30 digits.
    A spike that comes or goes is an AssertionError: the case lies at a tie."""
    found: list[float] = []
    for pattern in range(PATTERNS):
        moved = reference.run(case_from_text(json.dumps(nudged(case_to_dict(case), STEP, pattern))), DIGITS)
        found += block_errors(case, moved.gradients, true.gradients).values()
        for name, trains in true.spikes.items():
            for train, other in zip(trains, moved.spikes[name], strict=True):
                assert len(train) == len(other), f"{name}: another number of spikes"
                found += [float(abs(a - b)) / time_unit(case) for a, b in zip(train, other, strict=True)]
    return max(found, default=0.0) / STEP


def nudged(document: dict, ulp: float, pattern: int) -> dict:
    """The document with every parameter `p` as `p (1 +- ulp)`; the signs look random."""
    signs = (1 if k * k * (5**0.5 - 1) * (pattern + 0.5) % 1 < 0.5 else -1 for k in count(1))
    moved = json.loads(json.dumps(document))
    for entry in (*moved["connections"], *moved["populations"]):
        entry |= {key: _moved(entry[key], ulp, signs) for key in _PARAMETERS if key in entry}
    moved["inputs"] = {name: _moved(trains, ulp, signs) for name, trains in moved["inputs"].items()}
    return moved


def _moved(value: object, ulp: float, signs: Iterator[int]) -> object:
    if isinstance(value, list):
        return [_moved(entry, ulp, signs) for entry in value]
    return value * (1 + next(signs) * ulp) if isinstance(value, float | int) else value
