"""The dot-product test: the tangent of the loss equals the gradient times the direction."""

import math
from itertools import count

import mpmath
import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.spec import Case, Gradients
from tests.support.comparison import CONSTANTS, gradient_blocks, scaled
from tests.support.effort import many
from tests.support.networks.strategies import families, seeded_case
from tests.support.report_evidence import Measured
from tests.support.tangent import Direction, directional_derivative, exponential, random_direction
from tests.support.tolerances import DOT_PRODUCT, WELL_CONDITIONED
from tests.support.truth import Key, OrderChanged, Problem, directional

CASES = many(10)  # per family, not counting gradients of 0: 160 in all


def residual(case: Case, gradient: Gradients, direction: Direction) -> float | None:
    """Tangent minus gradient times direction, over the sum of absolute terms; None if that is 0."""
    blocks, moves = gradient_blocks(case, gradient), gradient_blocks(case, direction)
    terms = [float(g * move) for name, block in blocks.items() for g, move in zip(block, moves[name], strict=True)]
    tangent, size = directional_derivative(case, direction), math.fsum(map(abs, terms))
    if size == 0:
        assert tangent == 0
        return None
    return abs(math.fsum([*terms, -tangent])) / size


@pytest.mark.check(7)
@pytest.mark.parametrize("family", families())
def test_tangent_is_adjoint_times_direction(family: str, measured: Measured) -> None:
    """In a random direction of all parameters `dL = sum_p dL/dp dp`, to 1e-13 of absolute terms."""
    found: list[float] = []
    for seed in count():
        case = seeded_case(seed, family)
        gradient = reference.run(case).gradients
        one = residual(case, gradient, random_direction(gradient, seed))
        found += [] if one is None else [one]
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
            true = directional(Problem.from_case(case), _by_key(case, direction))
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
    right, wrong = residual(case, gradient, direction), residual(case, scaled(gradient, kind, factor), direction)
    assert right is not None and wrong is not None
    measured(wrong, DOT_PRODUCT, 1)
    assert right <= DOT_PRODUCT < wrong


@pytest.mark.parametrize("size", [1e-9, 0.3, 2.0, 40.0])
def test_exponential(size: float) -> None:
    matrix = size * np.array([[-1.0, 1.0, 0.0], [0.0, -3.0, 0.5], [0.2, 0.0, -0.7]])
    with mpmath.workdps(30):
        true = np.array(mpmath.expm(mpmath.matrix(matrix.tolist())).tolist(), dtype=float)
    assert np.abs(exponential(matrix) - true).max() <= DOT_PRODUCT * np.abs(true).max()


def _by_key(case: Case, direction: Direction) -> dict[Key, float]:
    """The direction by the keys of the ground truth, with one entry per existing parameter."""
    by: dict[Key, float] = {}
    for c, (connection, moves) in enumerate(zip(case.network.connections, direction.connections, strict=True)):
        for i, j in np.argwhere(connection.exists).tolist():
            by["w", c, i, j], by["d", c, i, j] = float(moves.dL_dw[i, j]), float(moves.dL_dd[i, j])
    for name, constants in direction.populations.items():
        for constant in CONSTANTS:
            for j, move in enumerate(() if (m := getattr(constants, f"dL_d{constant}")) is None else m):
                by[constant, name, j] = float(move)
    for name, trains in direction.inputs.items():
        by |= {("t_in", name, i, k): float(move) for i, train in enumerate(trains) for k, move in enumerate(train)}
    return by
