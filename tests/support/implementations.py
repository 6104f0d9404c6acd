"""Both implementations, and their comparison with each other and with the ground truth."""

from collections.abc import Callable

import pytest

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import Case, Result
from tests.support.comparison import Agreement, assert_not_all_zero, assert_same_results
from tests.support.conditioning import condition
from tests.support.truth import truth_of

DIGITS = 30  # of the reference that decides where float64 disagrees
Run = Callable[[Case], Result]
RUNS: dict[str, Run] = {"reference": reference.run, "fast": run_case}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
every_readout = pytest.mark.parametrize(
    "read", ["spikes", "first_spike_time", "max_voltage", "mean_voltage", "exp_weighted_voltage"]
)


def name_of(run: Run) -> str:
    """The name in `RUNS`: which implementation this is."""
    (name,) = [name for name, one in RUNS.items() if one is run]
    return name


def assert_true(case: Case, result: Result) -> Agreement:
    """Asserts spikes, loss and gradient of the ground truth, and a gradient other than 0."""
    true = truth_of(case)
    assert_not_all_zero(case, true.gradients)
    return assert_same_results(case, result, true)


def agreement(case: Case, run: Run = run_case, chains: bool = True) -> Agreement:
    """Compare all numbers; where float64 disagrees, the reference at 30 digits decides. `chains`:
    whether the condition number may bound rounding, where spikes enlarge each other's errors."""
    found, true = run(case), reference.run(case)
    assert found.ties == true.ties
    try:
        return assert_same_results(case, found, true)
    except AssertionError:
        exact = reference.run(case, DIGITS)
        assert found.ties == exact.ties
    try:
        return assert_same_results(case, found, exact)
    except AssertionError:
        if not chains:
            raise
        return assert_same_results(case, found, exact, kappa=1 / condition(case, exact))
