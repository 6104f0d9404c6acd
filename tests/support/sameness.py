"""Two ways to write one network give one result: bitwise, or to rounding."""

import numpy as np

from delayprop.spec import Case, Result
from tests.support.comparison import assert_same_activity, assert_same_gradients, block_errors, gradient_blocks
from tests.support.tolerances import SAME_NETWORK, SAME_SUM, U64, WELL_CONDITIONED, relative


def assert_bitwise(case: Case, found: Result, true: Result) -> None:
    assert found.loss == true.loss
    assert true.readout is None or np.array_equal(found.readout, true.readout)  # type: ignore[arg-type]
    for name, trains in true.spikes.items():
        assert all(np.array_equal(a, b) for a, b in zip(found.spikes[name], trains, strict=True)), name
    assert gradient_blocks(case, found.gradients) == gradient_blocks(case, true.gradients)


def assert_same(case: Case, found: Result, true: Result, limit: float = SAME_NETWORK) -> float:
    """Asserts float64 gradients equal to the limit, less near grazing; returns the used share."""
    assert_same_activity(case, found, true, true.gradients)
    return assert_same_gradients(
        case, found.gradients, true.gradients, true.kappa_min, limit=_allowed(true, limit)
    ).used


def share(case: Case, found: Result, true: Result, limit: float = SAME_NETWORK) -> float:
    """Largest error of a block of the gradient, as a share of what `assert_same` allows."""
    return max(block_errors(case, found.gradients, true.gradients).values()) / _allowed(true, limit)


def _allowed(true: Result, limit: float) -> float:
    return limit / WELL_CONDITIONED * relative(U64, true.kappa_min)


def assert_equal(run: str, case: Case, found: Result, true: Result) -> float:
    """Asserts bitwise equality in the reference; in `fast` equality up to the order of sums."""
    if run == "reference":
        assert_bitwise(case, found, true)
        return 0.0
    return assert_same(case, found, true, SAME_SUM)
