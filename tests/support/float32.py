"""The distribution of errors in float32."""

from dataclasses import dataclass, field

import numpy as np

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import Case, Result
from tests.support.comparison import compared, largest_block
from tests.support.parameters import changed, parameters, with_parameters
from tests.support.tolerances import VANISHES

MEDIAN_32, P99_32 = 1e-6, 3e-4
"""Quantiles of errors in float32, with float32 weights. The second is that of blocks that are 0 in
truth, since large terms cancel."""


@dataclass
class Float32:
    """Networks in float32 against the reference. `errors`: the largest block error of each network
    with a gradient."""

    device: str = "cpu"
    errors: list[float] = field(default_factory=list)

    def add(self, case: Case, name: str) -> None:
        """Compare a network, its parameters rounded to float32; it has the right spikes."""
        case = in_float32(case)
        found, true = run_case(case, "float32", self.device), reference.run(case)
        assert counts(found) == counts(true), f"{name}: {counts(found)} spikes, true {counts(true)}"
        if largest_block(case, true.gradients) > VANISHES:
            self.errors.append(max(block.error for block in compared(case, found.gradients, true.gradients)))

    def judge(self) -> tuple[float, float]:
        """Asserts the median and the 99th percentile of the errors; returns both."""
        median, p99 = np.quantile(self.errors, [0.5, 0.99]).tolist()
        print(f"{len(self.errors)} networks: median {median:.1e}, 99 % {p99:.1e}, largest {max(self.errors):.1e}")
        assert median <= MEDIAN_32 and p99 <= P99_32
        return median, p99


def in_float32(case: Case) -> Case:
    """The case with weights, delays and constants rounded to float32."""

    def rounded(kind: str, values: np.ndarray) -> np.ndarray:
        return values if kind == "t_in" else values.astype(np.float32).astype(float)

    return with_parameters(case, changed(parameters(case), rounded))


def counts(result: Result) -> dict[str, list[int]]:
    return {name: [len(train) for train in trains] for name, trains in result.spikes.items()}
