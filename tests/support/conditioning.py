"""Conditioning: the digits of the results that the last digit of the parameters decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

from tests.support.certified.parts import Certified
from tests.support.certified.stored import right_digits
from tests.tools.make_certified import by_adjoint

PATTERNS = 4  # number of sign patterns of the nudge; where a peak meets a threshold, some move both alike

_PARAMETERS = ("weights", "delays", "tau_mem", "tau_syn", "threshold", "reset")


def conditioned(network: Certified, ulp: float) -> float:
    """Right digits after a nudge of every number by `ulp` of itself: the worst of all patterns.

    Raises:
        ArithmeticError: it is open whether a number of the gradient is 0.
    """
    true = by_adjoint(network)
    moved = (Certified("", nudged(network.document, ulp, pattern)) for pattern in range(PATTERNS))
    return min(right_digits(by_adjoint(one), true) for one in moved)


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
