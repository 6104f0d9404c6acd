"""The parts of certified networks, for `lower.py`, `average.py` and `higher.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.support.truth import Key

Weights: TypeAlias = list[list[float | None]]
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Certified:
    """A network to certify.

    Attributes:
        about: its subject, a few words for the table.
        document: the case as the JSON object of its file.
        sides: parameters with a one-sided derivative (specification, section 4), and the side.
    """

    about: str
    document: dict
    sides: Mapping[Key, int] = field(default_factory=dict)


class Numbers:
    """Numbers without a pattern, equal on every machine: `k^2` times the golden ratio, modulo 1."""

    def __init__(self, start: int) -> None:
        self.k = start

    def one(self, low: float, high: float) -> float:
        """A number from `low` to `high`, to four decimals."""
        self.k += 1
        return round(low + (high - low) * (self.k**2 * _GOLDEN % 1), 4)

    def row(self, count: int, low: float, high: float) -> list[float]:
        return [self.one(low, high) for _ in range(count)]

    def matrix(self, rows: int, columns: int, low: float, high: float, absent: int = 0) -> Weights:
        """`[rows][columns]`; every `absent`-th entry is None (0: no entry)."""
        drawn = [self.row(columns, low, high) for _ in range(rows)]
        return [
            [None if absent and (i * columns + j) % absent == absent - 1 else w for j, w in enumerate(row)]
            for i, row in enumerate(drawn)
        ]

    def trains(self, counts: Sequence[int], T: float) -> list[list[float]]:
        """Spike trains before `T`; `counts` gives the number of spikes of each."""
        return [sorted(self.row(count, 0.0, T)) for count in counts]
