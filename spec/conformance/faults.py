"""The known fault that a simulator's errors resemble.

This package holds no dynamics, so the effect of a fault is data: `faults.json` lists, for every
case, the blocks that each fault changes, as the reference gives them with the fault planted
(`tests/tools/make_fault_signatures.py`).

Two distances are compared: from the numbers found to the fault, and to the right results. Both are
the root mean square of the relative errors of blocks, over all blocks found that the fault changes
or that are wrong. So a fault that changes a block which the simulator has right is far away.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from delayprop.spec.conformance.grading import GRADES, Block, log10_norm
from delayprop.spec.conformance.layout import GRADIENTS

FORMAT = "conformance-faults/1"
WRONG = 10.0 ** -dict(GRADES)["single precision"]
"""Relative error of a block beyond the rounding of float32."""

NEAR, NEARER = 1e-2, 10.0
"""A fault is named if its distance is below `NEAR`, and `NEARER` times below that to the truth.

A simulator with this very fault is as near as its rounding, 1e-4 or less, and no two known faults
are that near (a test compares all pairs). The factor is for faults that are small themselves: an
unrelated error of 0.5 % is as near to 0.1 % as to 0.
"""

BEYOND = 1e100
"""Relative errors up to which squares fit float64."""

SAME = 1e-6
"""Faults nearer to each other than this, in all blocks found, cannot be told apart."""


@dataclass(frozen=True, eq=False)
class Fault:
    """A known fault.

    Attributes:
        name, what: its name, and its effect.
        blocks: its wrong numbers, by case and path of the block.
    """

    name: str
    what: str
    blocks: dict[tuple[str, str], np.ndarray]


@dataclass(frozen=True)
class Likeness:
    """The nearest known fault.

    Attributes:
        name, what: the fault.
        also: names of faults with equal numbers in all blocks found.
        distance, truth: distances to the fault and to the right results, over the same blocks.
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
        factor: the number; 0 where all are 0.
        residual: the norm that is left, relative to the gradients found.
        blocks, of: number of blocks with this factor, and of blocks found.
    """

    quantities: tuple[str, ...]
    factor: float
    residual: float
    blocks: int
    of: int


@cache
def known() -> tuple[Fault, ...]:
    """All known faults."""
    document = json.loads((files("delayprop.spec.conformance") / "faults.json").read_text(encoding="utf-8"))
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
    """The fault nearest to the blocks found.

    None if no block is wrong, no fault changes one of them, or a relative error exceeds `BEYOND`.

    Args:
        found: names of cases, with their blocks; blocks without numbers are skipped.
    """
    given = {(case, block.path): block for case, block in found if block.found is not None}
    errors = {key: _error(block) for key, block in given.items()}
    wrong = {key for key, error in errors.items() if error > WRONG}
    if not wrong or max(errors.values()) > BEYOND:
        return None
    measured = []
    for fault in faults:
        touched = {key: block for key in fault.blocks if (block := given.get(key)) is not None}
        changed = {key for key, block in touched.items() if _off(fault.blocks[key], block.true, block.floor) > WRONG}
        if changed:
            over = sorted(wrong | changed)
            to_fault = _mean([_off(given[k].found, fault.blocks.get(k, given[k].true), given[k].floor) for k in over])
            measured.append((to_fault, _mean([errors[key] for key in over]), fault))
    if not measured:
        return None
    distance, truth, nearest = min(measured, key=lambda one: one[0])
    others = [fault for *_, fault in measured if fault is not nearest]
    also = tuple(fault.name for fault in others if not _told_apart(fault, nearest, given))
    return Likeness(nearest.name, nearest.what, also, distance, truth)


def _told_apart(a: Fault, b: Fault, given: dict[tuple[str, str], Block]) -> bool:
    """Whether two faults differ in a block found."""
    return any(
        _off(a.blocks.get(key, block.true), b.blocks.get(key, block.true), block.floor) > SAME
        for key, block in given.items()
    )


def _error(block: Block) -> float:
    return _off(block.found, block.true, block.floor)


def _off(found: np.ndarray | None, target: np.ndarray, floor: float) -> float:
    """The relative error; 1 if the lengths differ, as with other spike counts."""
    if found is None or found.shape != target.shape:
        return 1.0
    exponent = log10_norm(found - target) - max(log10_norm(target), math.log10(floor))
    return 10.0**exponent if exponent < 300 else math.inf


def _mean(errors: list[float]) -> float:
    """The root mean square."""
    return math.sqrt(math.fsum(error**2 for error in errors) / len(errors))


def factors(found: Sequence[Block]) -> list[Factor]:
    """The common factor of all gradients found; else of one kind, or of a kind's wrong blocks."""
    blocks = [b for b in found if b.quantity in GRADIENTS and b.state == "graded" and b.true.any()]
    by_kind = {kind: some for kind in GRADIENTS if (some := [b for b in blocks if b.quantity == kind])}
    everywhere = _factor(tuple(by_kind), blocks, len(blocks))
    if everywhere is not None:
        return [everywhere]
    alone: list[Factor] = []
    for kind, some in by_kind.items():
        wrong = [b for b in some if _error(b) > WRONG]
        one = _factor((kind,), some, len(some)) or _factor((kind,), wrong, len(some))
        if one is None:
            continue
        for k, other in enumerate(alone):
            whole = (one.blocks == one.of) == (other.blocks == other.of)
            if whole and abs(one.factor - other.factor) <= WRONG * abs(one.factor):
                residual = max(other.residual, one.residual)
                kinds, counts = other.quantities + one.quantities, (other.blocks + one.blocks, other.of + one.of)
                alone[k] = Factor(kinds, other.factor, residual, *counts)
                break
        else:
            alone.append(one)
    return alone


def _factor(kinds: tuple[str, ...], blocks: Sequence[Block], of: int) -> Factor | None:
    """The factor of these blocks, each scaled to size 1; None if there is none, or it is 1."""
    if len(blocks) < 2 or any(_error(b) > BEYOND for b in blocks):
        return None  # a single number is a multiple of any other
    sizes = [np.linalg.norm(b.true) for b in blocks]
    pairs = [(b.found / size, b.true / size) for b, size in zip(blocks, sizes, strict=True) if b.found is not None]
    x, y = (np.concatenate(side) for side in zip(*pairs, strict=True))
    factor, size = float(x @ y / (y @ y)), float(np.linalg.norm(x))
    residual = float(np.linalg.norm(x - factor * y)) / size if size else 0.0
    plain = residual < NEAR and abs(factor - 1) > max(WRONG, NEARER * residual)
    return Factor(kinds, factor, residual, len(blocks), of) if plain else None
