"""Both implementations, and the comparison of a result with the ground truth."""

from collections.abc import Callable

import pytest

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import Case, Result
from tests.support.comparison import Agreement, assert_not_all_zero, assert_same_results
from tests.support.truth import truth_of

Run = Callable[[Case], Result]
RUNS: dict[str, Run] = {"reference": reference.run, "fast": run_case}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
every_readout = pytest.mark.parametrize(
    "read", ["spikes", "first_spike_time", "max_voltage", "mean_voltage", "exp_weighted_voltage"]
)


def assert_true(case: Case, result: Result) -> Agreement:
    """Asserts spikes, loss and gradient of the ground truth, and a gradient other than 0."""
    true = truth_of(case)
    assert_not_all_zero(case, true.gradients)
    return assert_same_results(case, result, true)
