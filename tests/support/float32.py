"""The distribution of errors in float32, and the networks that may lose a spike."""

from dataclasses import dataclass, field

import numpy as np

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import Case, Result
from tests.support.comparison import compared, largest_block
from tests.support.parameters import changed, parameters, with_parameters
from tests.support.tolerances import VANISHES
from tests.support.truth import Problem, simulate

MEDIAN_32, P99_32 = 1e-6, 3e-4
"""Quantiles of errors in float32, with float32 weights. The second is that of blocks that are 0 in
truth, since large terms cancel."""

MARGIN_32 = 1e-6
"""The distance from grazing at which float32 may lose or gain a spike: some ticks of 2^-24 of a
bin. Relative, of a voltage and its threshold, of two instants, or kappa."""


@dataclass
class Float32:
    """Networks in float32 against the reference. `errors`: the largest block error of each network
    with the right spikes and a gradient; `lost`: those with other spike counts, with margins."""

    device: str = "cpu"
    errors: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def add(self, case: Case, name: str) -> None:
        """Compare a network, its parameters rounded to float32; it has the right spikes, unless
        they nearly graze."""
        case = in_float32(case)
        found, true = run_case(case, "float32", self.device), reference.run(case)
        if counts(found) == counts(true):
            if largest_block(case, true.gradients) > VANISHES:
                self.errors.append(max(block.error for block in compared(case, found.gradients, true.gradients)))
            return
        truth = simulate(Problem.from_case(case), 20)
        margin = min(truth.margin, np.inf if truth.kappa_min is None else float(truth.kappa_min))
        self.lost.append(f"{name}: {counts(found)} spikes, true {counts(true)}, margin {margin:.1e}")
        assert margin < MARGIN_32, self.lost[-1]

    def judge(self) -> tuple[float, float]:
        """Asserts the median and the 99th percentile of the errors; returns both."""
        median, p99 = np.quantile(self.errors, [0.5, 0.99]).tolist()
        print(f"{len(self.errors)} networks: median {median:.1e}, 99 % {p99:.1e}, largest {max(self.errors):.1e}")
        print(f"{len(self.lost)} with other numbers of spikes", *self.lost, sep="\n")
        assert median <= MEDIAN_32 and p99 <= P99_32
        return median, p99


def in_float32(case: Case) -> Case:
    """The case with weights, delays and constants rounded to float32."""

    def rounded(kind: str, values: np.ndarray) -> np.ndarray:
        return values if kind == "t_in" else values.astype(np.float32).astype(float)

    return with_parameters(case, changed(parameters(case), rounded))


def counts(result: Result) -> dict[str, list[int]]:
    return {name: [len(train) for train in trains] for name, trains in result.spikes.items()}
