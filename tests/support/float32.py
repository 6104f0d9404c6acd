"""Errors of networks in float32, as a distribution, and which networks may lose a spike."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

import reference
from fast.run import run_case
from spec import Case, Result
from tests.support.comparison import compared, largest_block
from tests.support.tolerances import VANISHES
from tests.support.truth import Problem, simulate

MEDIAN_32, P99_32 = 1e-5, 1e-3
"""Of the errors of networks in float32: 200 u where one is well conditioned, 20 000 u in the worst
of a hundred."""

MARGIN_32 = 1e-4
"""How near to grazing float32 may lose or gain a spike: 2000 u, the sum of some hundred
exponentials. Relative, of a voltage and its threshold or of two instants; and of kappa."""


@dataclass
class Float32:
    """Networks in float32 held against the reference.

    Attributes:
        device: where they run.
        errors: the largest error of a block, of each network that has the right spikes and a
            gradient.
        lost: networks with other numbers of spikes, each with its margin.
    """

    device: str = "cpu"
    errors: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def add(self, case: Case, name: str) -> None:
        """Compare one more; a network that is not near grazing must have the right spikes."""
        found, true = run_case(case, "float32", self.device), reference.run(case)
        if counts(found) == counts(true):
            if largest_block(case, true.gradients) > VANISHES:
                self.errors.append(max(block.error for block in compared(case, found.gradients, true.gradients)))
            return
        margin = grazing_margin(case)
        self.lost.append(f"{name}: {counts(found)} spikes, true {counts(true)}, margin {margin:.1e}")
        assert margin < MARGIN_32, self.lost[-1]

    def judge(self) -> None:
        """Hold the distribution of errors against its limits."""
        median, p99 = self.quantiles()
        print(f"{len(self.errors)} networks: median {median:.1e}, 99 % {p99:.1e}, largest {max(self.errors):.1e}")
        print(f"{len(self.lost)} with other numbers of spikes", *self.lost, sep="\n")
        assert median <= MEDIAN_32 and p99 <= P99_32

    def quantiles(self) -> tuple[float, float]:
        """Of the errors: half of them are below the first, 99 % below the second."""
        median, p99 = np.quantile(self.errors, [0.5, 0.99]).tolist()
        return median, p99


def counts(result: Result) -> dict[str, list[int]]:
    """Numbers of spikes."""
    return {name: [len(train) for train in trains] for name, trains in result.spikes.items()}


def grazing_margin(case: Case) -> float:
    """How far the case is from another number of spikes, by the ground truth."""
    truth = simulate(Problem.from_case(case), 20)
    return min(truth.margin, np.inf if truth.kappa_min is None else float(truth.kappa_min))
