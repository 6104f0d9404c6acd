"""The dot-product test: the tangent of the loss equals the gradient times the direction."""

from itertools import count

import mpmath
import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.spec.population import CONSTANTS
from tests.support.comparison import scaled
from tests.support.effort import many
from tests.support.networks.strategies import families, seeded_case
from tests.support.parameters import keyed
from tests.support.report_evidence import Measured
from tests.support.tangent import directional_derivative, dot_product, exponential, random_direction
from tests.support.tolerances import DOT_PRODUCT, WELL_CONDITIONED
from tests.support.truth import OrderChanged, Problem, difference

CASES = many(10)  # per family, not counting gradients of 0: 160 in all


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
        if len(found) == CASES:
            break
        assert seed < 3 * CASES + 5, "too many gradients are 0"
    measured(max(found), DOT_PRODUCT, len(found), f"from 0, {CASES} of each family")
    assert max(found) <= DOT_PRODUCT


@pytest.mark.parametrize("family", families())
def test_tangent_is_the_true_one(family: str) -> None:
    checked = 0
    for seed in range(5):
        case = seeded_case(seed, family)
        direction = random_direction(reference.run(case).gradients, seed)
        try:
            true = difference(Problem.from_case(case), keyed(case, direction))
        except OrderChanged:
            continue
        checked += 1
        tangent = directional_derivative(case, direction)
        assert abs(tangent - true) <= WELL_CONDITIONED * max(abs(true), 1.0), f"seed {seed}: {tangent}, true {true}"
    assert checked >= 4


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


@pytest.mark.parametrize("size", [1e-9, 0.3, 2.0, 40.0])
def test_exponential(size: float) -> None:
    matrix = size * np.array([[-1.0, 1.0, 0.0], [0.0, -3.0, 0.5], [0.2, 0.0, -0.7]])
    with mpmath.workdps(30):
        true = np.array(mpmath.expm(mpmath.matrix(matrix.tolist())).tolist(), dtype=float)
    assert np.abs(exponential(matrix) - true).max() <= DOT_PRODUCT * np.abs(true).max()
