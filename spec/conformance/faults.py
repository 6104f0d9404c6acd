"""Which known fault wrong numbers resemble.

This package holds no dynamics, so what a fault gives is data: `faults.json` has, for every case, the blocks that each
fault changes, as the reference gave them with the fault planted in it (`tests/tools/make_fault_signatures.py`).

Two numbers are held against each other, both the root of the mean square of relative errors of blocks: the distance of
what was found to the fault, and to the right results. The blocks are those that the fault changes and those that are
wrong, of what was found in all cases; so a fault that changes what the simulator has right is far away.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from spec.conformance.grading import GRADES, Block, log10_norm
from spec.conformance.layout import GRADIENTS

FORMAT = "conformance-faults/1"
WRONG = 10.0 ** -dict(GRADES)["single precision"]
"""A relative error of a block that float32 does not explain."""

NEAR, NEARER = 1e-2, 10.0
"""A fault is named if it is that near, and that many times nearer than the truth. A simulator with that very fault is
as near as its rounding, 1e-4 or less, and no known fault is so near to another (a test holds all against all). The
factor is for faults that are themselves small: whoever is 0.5 % off in some other way is as near to 0.1 % as to 0."""

BEYOND = 1e100
"""Relative errors whose squares still have room in float64."""

SAME = 1e-6
"""Faults nearer to each other than that, in all that was found, cannot be told apart."""


@dataclass(frozen=True, eq=False)
class Fault:
    """A known fault.

    Attributes:
        name, what: what it is called, and what it does.
        blocks: by case and path, the numbers that it gives where they are not the right ones.
    """

    name: str
    what: str
    blocks: dict[tuple[str, str], np.ndarray]


@dataclass(frozen=True)
class Likeness:
    """The known fault that is nearest.

    Attributes:
        name, what: the fault.
        also: names of others that give the same in all that was found.
        distance, truth: to the fault, and to the right results, over the same blocks.
    """

    name: str
    what: str
    also: tuple[str, ...]
    distance: float
    truth: float

    @property
    def clear(self) -> bool:
        """Whether it is near enough to be named."""
        return self.distance < NEAR and self.distance * NEARER <= self.truth


@dataclass(frozen=True)
class Factor:
    """Gradients that are the right ones times one number, by least squares.

    Attributes:
        quantities: kinds of gradients.
        factor: the number; 0 where all is 0.
        residual: what is left, relative to what was found.
        blocks, of: how many blocks have the factor, of how many found.
    """

    quantities: tuple[str, ...]
    factor: float
    residual: float
    blocks: int
    of: int


@cache
def known() -> tuple[Fault, ...]:
    """All known faults."""
    document = json.loads((files("spec.conformance") / "faults.json").read_text(encoding="utf-8"))
    assert document["format"] == FORMAT
    return tuple(
        Fault(
            entry["name"],
            entry["what"],
            {(case, path): np.array(v) for case, given in entry["cases"].items() for path, v in given.items()},
        )
        for entry in document["faults"]
    )


def likeness(found: Sequence[tuple[str, Block]], faults: Sequence[Fault]) -> Likeness | None:
    """The fault that is nearest to the blocks found; None if none of these is wrong, or no fault touches them.

    None also if something is more than `BEYOND` times too large: numbers that far out resemble nothing.

    Args:
        found: names of cases, and blocks; those without numbers are passed over.
    """
    given = {(case, block.path): block for case, block in found if block.found is not None}
    wrong = {key for key, block in given.items() if _off(block.found, block.true, block.floor) > WRONG}
    if not wrong or any(_off(block.found, block.true, block.floor) > BEYOND for block in given.values()):
        return None
    measured = []
    for fault in faults:
        changed = {
            key
            for key, numbers in fault.blocks.items()
            if key in given and _off(numbers, given[key].true, given[key].floor) > WRONG
        }
        if changed:
            over = [(given[key], fault.blocks.get(key, given[key].true)) for key in sorted(wrong | changed)]
            to_fault = _mean([_off(block.found, numbers, block.floor) for block, numbers in over])
            to_truth = _mean([_off(block.found, block.true, block.floor) for block, _ in over])
            measured.append((to_fault, to_truth, fault))
    if not measured:
        return None
    distance, truth, nearest = min(measured, key=lambda one: one[0])
    others = [fault for *_, fault in measured if fault is not nearest]
    also = tuple(fault.name for fault in others if not _told_apart(fault, nearest, given))
    return Likeness(nearest.name, nearest.what, also, distance, truth)


def _told_apart(a: Fault, b: Fault, given: dict[tuple[str, str], Block]) -> bool:
    """Whether two faults differ in what was found."""
    return any(
        _off(a.blocks.get(key, block.true), b.blocks.get(key, block.true), block.floor) > SAME
        for key, block in given.items()
    )


def _off(found: np.ndarray | None, target: np.ndarray, floor: float) -> float:
    """The relative error; 1 where the lengths differ, as those of spike trains may."""
    if found is None or found.shape != target.shape:
        return 1.0
    largest = max(log10_norm(target), math.log10(floor))
    exponent = log10_norm(found - target) - largest
    return 10.0**exponent if exponent < 300 else math.inf


def _mean(errors: list[float]) -> float:
    """The root of the mean square."""
    return math.sqrt(math.fsum(error**2 for error in errors) / len(errors))


def factors(found: Sequence[Block]) -> list[Factor]:
    """A common factor of all gradients that were found; or else of kinds of them, or of the wrong ones of kinds."""
    blocks = [b for b in found if b.quantity in GRADIENTS and b.state == "graded" and b.true.any()]
    by_kind = {kind: [b for b in blocks if b.quantity == kind] for kind in GRADIENTS}
    everywhere = _factor(tuple(kind for kind, some in by_kind.items() if some), blocks, len(blocks))
    if everywhere is not None:
        return [everywhere]
    alone: list[Factor] = []
    for kind, some in by_kind.items():
        wrong = [b for b in some if _off(b.found, b.true, b.floor) > WRONG]
        one = _factor((kind,), some, len(some)) or _factor((kind,), wrong, len(some))
        if one is None:
            continue
        fellow = next((k for k, other in enumerate(alone) if _alike(one, other)), None)
        if fellow is None:
            alone.append(one)
        else:
            alone[fellow] = _joined(alone[fellow], one)
    return alone


def _alike(a: Factor, b: Factor) -> bool:
    """Whether two kinds have one factor, and both in all blocks or both in some."""
    return abs(a.factor - b.factor) <= WRONG * abs(a.factor) and (a.blocks == a.of) == (b.blocks == b.of)


def _joined(a: Factor, b: Factor) -> Factor:
    quantities = a.quantities + b.quantities
    return Factor(quantities, a.factor, max(a.residual, b.residual), a.blocks + b.blocks, a.of + b.of)


def _factor(kinds: tuple[str, ...], blocks: Sequence[Block], of: int) -> Factor | None:
    """The factor of these blocks, each relative to its own size; None if there is none, or it is 1."""
    if len(blocks) < 2 or any(_off(b.found, b.true, b.floor) > BEYOND for b in blocks):
        return None  # of one block of one number anything is a multiple
    sizes = [np.linalg.norm(b.true) for b in blocks]
    pairs = [(b.found / size, b.true / size) for b, size in zip(blocks, sizes, strict=True) if b.found is not None]
    x, y = (np.concatenate(side) for side in zip(*pairs, strict=True))
    factor, size = float(x @ y / (y @ y)), float(np.linalg.norm(x))
    residual = float(np.linalg.norm(x - factor * y)) / size if size else 0.0
    plain = residual < NEAR and abs(factor - 1) > max(WRONG, NEARER * residual)
    return Factor(kinds, factor, residual, len(blocks), of) if plain else None
