"""How many digits of each block are right, and what that is called.

The digits of a block are `-log10` of the Euclidean norm of the error, relative to the norm of the block. A block that
cancels, or vanishes, would be divided by almost nothing; it is held against a thousandth of the largest block of the
gradient of its case, both in natural units: a typical weight, a threshold, a time constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spec.case import Case
from spec.conformance.cases import Stored
from spec.conformance.layout import GRADIENTS, Place, counts, found_at, numbers, places, plain
from spec.errors import SpecError

CANCELLATION = 1e-3
MOST_DIGITS = -math.log10(2.0**-53)
"""What is stored is rounded to float64: an error below its unit roundoff cannot be told from none."""

OF_SPIKES = ("spikes", "kappa")
"""Quantities with one number a spike."""

GRADES = (("exact", 10.0), ("single precision", 4.0), ("approximate", 1.0))
"""The name of a grade and the digits that it takes; below all of them is `wrong`.

Exact: event by event in float64, where rounding leaves 11 digits or more of these cases. Single precision: float32
keeps 7, and the order of its sums, or a crossing, takes up to 3. Approximate: the first digit is right.
"""


@dataclass(frozen=True, eq=False)
class Block:
    """One block of one case.

    Attributes:
        quantity, path: see `layout.Place`.
        state: `graded`, `left out`, `failed` (see `reason`), or `another network`: other spikes, another gradient.
        digits: right digits where graded, None elsewhere.
        reason: one line where it failed or the network is another.
        found: the numbers given, None where there are none.
        true: the right ones.
        floor: a norm below that is as good as 0.
    """

    quantity: str
    path: str
    state: str
    digits: float | None
    reason: str | None
    found: np.ndarray | None
    true: np.ndarray
    floor: float


def grade(digits: float) -> str:
    """The grade of that many right digits."""
    return next((name for name, least in GRADES if digits >= least), "wrong")


def right_digits(found: np.ndarray, true: np.ndarray, floor: float) -> float:
    """Right digits of a block; negative where the error is larger than the block. Logarithms keep it finite."""
    error = log10_norm(found - true)
    return min(MOST_DIGITS, max(log10_norm(true), _log10(floor)) - error)


def log10_norm(values: np.ndarray) -> float:
    """`log10` of the Euclidean norm, also where the norm itself would overflow; minus infinity of zeros."""
    largest = float(abs(values).max(initial=0.0))
    return _log10(largest) + _log10(float(np.linalg.norm(values / largest))) if largest else -math.inf


def _log10(number: float) -> float:
    return math.log10(number) if number else -math.inf


def blocks(one: Stored, document: Mapping[str, object]) -> list[Block]:
    """Every block of the case, graded; those of another network where a neuron has more spikes, or fewer."""
    true = [(place, np.array(numbers(place.expected, place.expected, place.path))) for place in places(one.expected)]
    floors = _floors(one, true)
    graded: list[Block] = []
    for place, values in true:
        graded.append(_block(place, values, floors[place.path], document))
    other = next((block.reason for block in graded if block.state == "another network"), None)
    return graded if other is None else [_of_another(block, other) for block in graded]


def _block(place: Place, true: np.ndarray, floor: float, document: Mapping[str, object]) -> Block:
    def block(state: str, digits: float | None, reason: str | None, found: np.ndarray | None) -> Block:
        return Block(place.quantity, place.path, state, digits, reason, found, true, floor)

    try:
        value = found_at(document, place)
        if value is None:
            return block("left out", None, None, None)
        found = np.array(numbers(value, place.expected, place.path, place.quantity in OF_SPIKES))
    except SpecError as error:
        return block("failed", None, str(error), None)
    if place.quantity in OF_SPIKES:
        of, should = counts(plain(value)), counts(place.expected)
        if of != should:
            j = next(j for j, (a, b) in enumerate(zip(of, should, strict=True)) if a != b)
            reason = f"{place.path}[{j}]: {of[j]} spikes, right are {should[j]}"
            return block("another network" if place.quantity == "spikes" else "failed", None, reason, found)
    return block("graded", right_digits(found, true, floor), None, found)


def _of_another(block: Block, reason: str) -> Block:
    """A block whose numbers could be read, in a case whose spikes are others."""
    if block.found is None or block.quantity == "spikes":
        return block
    parts = (block.found, block.true, block.floor)
    return Block(block.quantity, block.path, "another network", None, reason, *parts)


def _floors(one: Stored, true: Sequence[tuple[Place, np.ndarray]]) -> dict[str, float]:
    """For each block the norm, in its own unit, below which it counts as 0."""
    units = {place.path: _unit(one.case, place) for place, _ in true}
    sizes = [units[place.path] * np.linalg.norm(values) for place, values in true if place.quantity in GRADIENTS]
    largest = float(max(sizes, default=0.0)) or abs(one.expected["loss"])  # a silent network: all gradients are 0
    floors = {}
    for place, _ in true:
        scale = largest if place.quantity in (*GRADIENTS, "loss") else 1.0
        unit = 1.0 if place.quantity == "loss" else 1 / units[place.path]
        floors[place.path] = CANCELLATION * scale * unit
    return floors


def _unit(case: Case, place: Place) -> float:
    """The natural unit of what a block is differentiated by; of a forward quantity, one over its own."""
    thresholds = [v for population in case.network.populations if population.v_th is not None for v in population.v_th]
    threshold = float(np.mean(thresholds)) if thresholds else 1.0
    if place.quantity == "w":
        c = place.steps[2]
        assert isinstance(c, int)
        weights = case.network.connections[c].w[case.network.connections[c].exists]
        return float(np.sqrt(np.mean(weights**2))) if weights.any() else threshold
    if place.quantity in ("v_th", "v_reset"):
        return threshold
    if place.quantity in ("loss", "kappa"):
        return 1.0
    tau = float(np.mean(np.concatenate([p.tau_mem for p in case.network.populations if p.tau_mem is not None])))
    return {"readout": 1 / threshold, "spikes": 1 / tau}.get(place.quantity, tau)
