"""Gradients that are the right ones times one number, as with another unit or sign."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from delayprop.spec.conformance.grading import GRADES, Block
from delayprop.spec.conformance.layout import GRADIENTS

NEAR = 1e-2
"""Share of the gradients that a factor may leave over; it must change ten times as much."""

ROUNDING = 10.0 ** -dict(GRADES)["single precision"]
HUGE = -100.0
"""Right digits below which squares could leave float64."""


@dataclass(frozen=True)
class Factor:
    """A common factor, by least squares.

    Attributes:
        quantities: kinds of gradients.
        factor: the number; 0 where all are 0.
        residual: the norm that is left, relative to the gradients found.
    """

    quantities: tuple[str, ...]
    factor: float
    residual: float


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
