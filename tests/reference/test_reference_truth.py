"""The reference against the ground truth: differences of 50-digit simulations without adjoint; and
against the tangent of the loss, which equals the gradient times the direction (dot-product test).

Two tests are of this truth: the digits of its differences, and that they leave out no parameter.
"""

from collections.abc import Iterator
from functools import cache
from itertools import count

import mpmath
import pytest

import delayprop.reference as reference
from delayprop.spec import Case, Result
from delayprop.spec.population import CONSTANTS
from tests.support.comparison import (
    Agreement,
    assert_same_gradients,
    assert_same_results,
    block_errors,
    gradient_blocks,
    largest_block,
    scaled,
)
from tests.support.effort import many
from tests.support.networks.strategies import families, seeded_case
from tests.support.report_evidence import Measured
from tests.support.tangent import dot_product, random_direction
from tests.support.tolerances import DISCARDED, DOT_PRODUCT, TRUTH, VANISHES, WELL_CONDITIONED
from tests.support.truth import OrderChanged, Problem, difference, gradient, truth_of

CASES = min(20, many(20))
"""Per family: 320 in all. A report takes no more: of the next 20 cases of one family, three depend
on the side (weights of 0 beside a pinned maximum), and a family may discard 5 %."""

QUICK = 3  # per family, in the core
AT_50_DIGITS = many(2)  # per family: 32 in all
TANGENTS = many(10)  # per family, not counting gradients of 0: 160 in all
DIFFERENCED = mpmath.mpf("1e-28")  # error of a central difference for a derivative near 1


@cache
def with_truth(seed: int, family: str) -> tuple[Case, Result | None]:
    """A case and its true result; None if the order of events changes within the step."""
    case = seeded_case(seed, family)
    try:
        return case, truth_of(case)
    except OrderChanged:
        return case, None


def truths(family: str, enough: int) -> Iterator[tuple[Case, Result]]:
    """Cases of a family by seed, and true results, until `enough` of these have a gradient."""
    silent = discarded = 0
    for seed in count():
        case, true = with_truth(seed, family)
        if true is None:
            discarded += 1
            continue
        yield case, true
        silent += largest_block(case, true.gradients) < VANISHES
        if seed + 1 - silent - discarded == enough:
            break
    assert discarded <= enough * DISCARDED, f"{discarded} cases discarded beside {enough}"
    assert silent <= enough, f"{silent} cases without a gradient beside {enough}"


@pytest.mark.parametrize("enough", [QUICK, pytest.param(CASES, marks=[pytest.mark.full, pytest.mark.check(8)])])
@pytest.mark.parametrize("family", families())
def test_float64(family: str, enough: int, measured: Measured) -> None:
    """Every block has a relative error of at most max(1e-11, 100 u / kappa_min)."""
    seen: list[Agreement] = []
    for case, true in truths(family, enough):
        result = reference.run(case)
        seen.append(assert_same_results(case, result, true))
        if largest_block(case, true.gradients) > VANISHES:
            error = max(block_errors(case, result.gradients, true.gradients).values())
            measured.keep("float64", {"error": error, "kappa": true.kappa_min and float(true.kappa_min)})
    measured(max(a.used for a in seen), 1.0, len(seen), f"from 0, {enough} of each family")
    assert sum(a.cancelled for a in seen) <= DISCARDED * sum(a.blocks for a in seen)


@pytest.mark.check(3)
@pytest.mark.parametrize("family", families())
def test_50_digits(family: str, measured: Measured) -> None:
    """At 50 digits reference and differences agree to 25: the reference is the derivative."""
    used = []
    for case, true in truths(family, AT_50_DIGITS):
        result = reference.run(case, digits=50)
        gradients = result.gradients, true.gradients
        used.append(assert_same_gradients(case, *gradients, result.kappa_min, limit=TRUTH).used)
    measured(max(used) * TRUTH, TRUTH, len(used), f"from 0, {AT_50_DIGITS} of each family")


@pytest.mark.check(3, 8, control=True)
@pytest.mark.parametrize("factor", [1.001, -1.0, 0.0], ids=["0.1 % off", "flipped", "missing"])
@pytest.mark.parametrize("kind", ["w", "d", "t_in", *CONSTANTS])
def test_the_comparison_names_a_wrong_block(kind: str, factor: float, measured: Measured) -> None:
    ending = {"w": ".weights", "d": ".delays", "t_in": "inputs.in"}.get(kind, f".{kind}")
    case, result = next(truths("recurrent", 2))
    true = result.gradients
    errors = block_errors(case, scaled(true, kind, factor), true)
    measured(max(errors.values()), WELL_CONDITIONED, 1)
    wrong = [name for name, error in errors.items() if error > WELL_CONDITIONED]
    assert wrong and all(name.endswith(ending) for name in wrong)
    with pytest.raises(AssertionError, match=r"(?s)tolerance 1\.0e-11 \(kappa_min .*error .* found .* true"):
        assert_same_gradients(case, scaled(true, kind, factor), true, kappa_min=0.1)


@pytest.mark.parametrize("family", ["layers", "recurrent", "near_taus", "delays", "zero_delays"])
def test_the_digits_of_a_gradient(family: str) -> None:
    case = seeded_case(6, family)
    assert 0 < max(block_errors(case, gradient(case), gradient(case, digits=80, h="1e-24")).values()) < 1e-26


def test_every_parameter_is_in_the_gradient() -> None:
    """The count is of the case itself: a kind of parameter left out of all keys would show."""
    case = seeded_case(9, "recurrent_mixed")
    problem = Problem.from_case(case)
    with mpmath.workdps(70):
        numbers = [number for block in gradient_blocks(case, gradient(case)).values() for number in block]
        along_all = difference(problem, dict.fromkeys(problem.values, 1.0))
        assert abs(mpmath.fsum(numbers) - along_all) < DIFFERENCED * (1 + mpmath.fsum(numbers, absolute=True))
    synapses = sum(int(connection.exists.sum()) for connection in case.network.connections)
    constants = sum({"input": 0, "li": 2, "lif": 4}[p.kind] * p.size for p in case.network.populations)
    times = sum(len(train) for trains in case.inputs.values() for train in trains)
    assert len(numbers) == len(problem.values) == 2 * synapses + constants + times


@pytest.mark.check(7)
@pytest.mark.parametrize("family", families())
def test_tangent_is_adjoint_times_direction(family: str, measured: Measured) -> None:
    """In a random direction of all parameters `dL = sum_p dL/dp dp`, to 1e-13 of absolute terms."""
    found: list[float] = []
    for seed in count():
        case = seeded_case(seed, family)
        gradient = reference.run(case).gradients
        off, size = dot_product(case, gradient, random_direction(gradient, seed))
        assert size or not off
        found += [off / size] if size else []
        if len(found) == TANGENTS:
            break
        assert seed < 3 * TANGENTS + 5, "too many gradients are 0"
    measured(max(found), DOT_PRODUCT, len(found), f"from 0, {TANGENTS} of each family")
    assert max(found) <= DOT_PRODUCT


@pytest.mark.check(7, control=True)
@pytest.mark.parametrize("kind", ["w", "d", "t_in", *CONSTANTS])
@pytest.mark.parametrize("factor", [1.001, -1.0], ids=["0.1 % off", "flipped"])
def test_the_dot_product_notices(kind: str, factor: float, measured: Measured) -> None:
    case = seeded_case(1, "recurrent")
    gradient = reference.run(case).gradients
    direction = random_direction(gradient, 0)
    right, size = dot_product(case, gradient, direction)
    wrong, wrong_size = dot_product(case, scaled(gradient, kind, factor), direction)
    measured(wrong / wrong_size, DOT_PRODUCT, 1)
    assert right <= DOT_PRODUCT * size and wrong > DOT_PRODUCT * wrong_size
