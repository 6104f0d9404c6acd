"""Right digits of each block, their grade, and factors that gradients have in common.

The right digits of a block are `-log10` of the Euclidean norm of its error, relative to the norm of
the block. For a block that cancels or vanishes this would divide by almost nothing. Such a block is
compared with a thousandth of the largest block of its case's gradient, both in natural units: a
typical weight, a threshold, a time constant.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from delayprop.spec.case import Case
from delayprop.spec.conformance.cases import Stored
from delayprop.spec.conformance.layout import GRADIENTS, Place, found_at, numbers, places, plain
from delayprop.spec.errors import SpecError

CANCELLATION = 1e-3
MOST_DIGITS = -math.log10(2.0**-53)  # stored results are float64; an error below its unit roundoff looks like none

OF_SPIKES = ("spikes", "kappa")  # quantities with one number per spike

GRADES = (("exact", 10.0), ("single precision", 4.0), ("approximate", 1.0))
"""Each grade with the digits that it takes; anything below is `wrong`.

Exact: event by event in float64, where rounding leaves at least 11 digits of these cases. Single
precision: float32 has 7 digits, of which the order of its sums, or a crossing, takes up to 3.
Approximate: the first digit is right.
"""

NEAR = 1e-2  # share of the gradients that a common factor may leave over; it must change ten times as much
ROUNDING = 10.0 ** -dict(GRADES)["single precision"]
HUGE = -100.0  # right digits below which squares could leave float64


@dataclass(frozen=True, eq=False)
class Block:
    """One block of one case. `state`: `graded`, `left out`, `failed`, or `another network` (other
    spikes, so another gradient)."""

    quantity: str  # see `layout.Place`
    path: str
    true: np.ndarray  # the right numbers
    floor: float  # norm below which a block counts as 0
    state: str = "left out"
    digits: float | None = None  # right ones, of a graded block
    reason: str | None = None  # one line if it failed or the network is another
    found: np.ndarray | None = None  # the numbers given


def grade(digits: float) -> str:
    return next((name for name, least in GRADES if digits >= least), "wrong")


def right_digits(found: np.ndarray, true: np.ndarray, floor: float) -> float:
    """Right digits of a block, finite; negative if the error is larger than the block."""
    return min(MOST_DIGITS, max(log10_norm(true), _log10(floor)) - log10_norm(found - true))


def log10_norm(values: np.ndarray) -> float:
    """`log10` of the Euclidean norm, even where the norm overflows; minus infinity for zeros."""
    largest = float(abs(values).max(initial=0.0))
    return _log10(largest) + _log10(float(np.linalg.norm(values / largest))) if largest else -math.inf


def _log10(number: float) -> float:
    return math.log10(number) if number else -math.inf


def blocks(one: Stored, document: Mapping[str, object]) -> list[Block]:
    """Every block of the case, graded; `another network` if a neuron has more or fewer spikes."""
    true = [(place, np.array(numbers(place.expected, place.expected, place.path))) for place in places(one.expected)]
    floors = _floors(one, true)
    graded = [_block(place, values, floors[place.path], document) for place, values in true]
    reason = next((block.reason for block in graded if block.state == "another network"), None)
    if reason is None:
        return graded
    return [
        block if block.found is None or block.quantity == "spikes"
        else replace(block, state="another network", digits=None, reason=reason)
        for block in graded
    ]


def _block(place: Place, true: np.ndarray, floor: float, document: Mapping[str, object]) -> Block:
    block, per_spike = Block(place.quantity, place.path, true, floor), place.quantity in OF_SPIKES
    try:
        value = plain(found_at(document, place))
        if value is None:
            return block
        found = np.array(numbers(value, place.expected, place.path, per_spike))
    except SpecError as error:
        return replace(block, state="failed", reason=str(error))
    for j, (train, expected) in enumerate(zip(value, place.expected) if per_spike else ()):  # type: ignore[call-overload]
        if len(train) != len(expected):
            reason = f"{place.path}[{j}]: {len(train)} spikes, right are {len(expected)}"
            state = "another network" if place.quantity == "spikes" else "failed"
            return replace(block, state=state, reason=reason, found=found)
    return replace(block, state="graded", digits=right_digits(found, true, floor), found=found)


def _floors(one: Stored, true: Sequence[tuple[Place, np.ndarray]]) -> dict[str, float]:
    """For each block the norm, in the block's unit, below which it counts as 0."""
    units = {place.path: _unit(one.case, place) for place, _ in true}
    sizes = [units[place.path] * np.linalg.norm(values) for place, values in true if place.quantity in GRADIENTS]
    largest = float(max(sizes, default=0.0)) or abs(one.expected["loss"])  # a silent network: all gradients are 0
    scales = dict.fromkeys((*GRADIENTS, "loss"), largest)
    return {place.path: CANCELLATION * scales.get(place.quantity, 1.0) * (1 / units[place.path]) for place, _ in true}


def _unit(case: Case, place: Place) -> float:
    """The natural unit of a gradient's parameter; the inverse of its own unit for other blocks."""
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


@dataclass(frozen=True)
class Factor:
    """A common factor, by least squares."""

    quantities: tuple[str, ...]  # kinds of gradients
    factor: float  # 0 where all are 0
    residual: float  # the norm that is left, relative to the gradients found


def factors(found: Sequence[Block]) -> list[Factor]:
    """The common factor of all gradients found; else the factors of single kinds."""
    blocks = [b for b in found if b.quantity in GRADIENTS and b.state == "graded" and b.true.any()]
    kinds = tuple(kind for kind in GRADIENTS if any(block.quantity == kind for block in blocks))
    everywhere = _factor(kinds, blocks)
    if everywhere is not None:
        return [everywhere]
    alone = (_factor((kind,), [block for block in blocks if block.quantity == kind]) for kind in kinds)
    return [factor for factor in alone if factor is not None]


def _factor(kinds: tuple[str, ...], blocks: Sequence[Block]) -> Factor | None:
    """The factor of these blocks, each scaled to size 1; None if there is none, or it is 1."""
    if len(blocks) < 2 or any(block.digits is None or block.digits < HUGE for block in blocks):
        return None  # a single number is a multiple of any other
    sizes = [np.linalg.norm(block.true) for block in blocks]
    x = np.concatenate([block.found / size for block, size in zip(blocks, sizes, strict=True)])  # type: ignore[operator]
    y = np.concatenate([block.true / size for block, size in zip(blocks, sizes, strict=True)])
    factor, size = float(x @ y / (y @ y)), float(np.linalg.norm(x))
    residual = float(np.linalg.norm(x - factor * y)) / size if size else 0.0
    plain = residual < NEAR and abs(factor - 1) > max(ROUNDING, 10 * residual)
    return Factor(kinds, factor, residual) if plain else None
