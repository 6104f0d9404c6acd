"""The reference against the ground truth: differences of 50-digit simulations without adjoint; and
against the tangent of the loss, which equals the gradient times the direction (dot-product test).

Two tests are of this truth: the digits of its differences, and that they leave out no parameter.

Taylor remainders: the loss along a direction leaves its tangent with the square of the step.

For a step `eps` in a direction `v` of one kind of parameter, and the tested gradient `g`,

    |L(p + eps v) - L(p)|              falls as eps
    |L(p + eps v) - L(p) - eps g v|    falls as eps^2, if and only if g v is the derivative

The loss is smooth at a fixed order of events; directions that change it are discarded and counted.
Slopes have limits on both sides: too steep is wrong too.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import count, pairwise
from typing import Any

import mpmath
import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.reference.adjoint import gradients
from delayprop.reference.arithmetic import FLOAT64, Arithmetic, multiprecision
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Gradients, Result
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
from tests.support.parameters import blocks, changed, moved, parameters
from tests.support.report_evidence import Measured
from tests.support.tangent import dot_product, random_direction
from tests.support.tolerances import (
    CONSTANT,
    DISCARDED,
    DOT_PRODUCT,
    MEASURABLE,
    SLOPE,
    SLOPE_40,
    TRUTH,
    VANISHES,
    WELL_CONDITIONED,
)
from tests.support.truth import OrderChanged, Problem, difference, gradient, truth_of
from tests.support.truth import simulate as true_activity

CASES = min(20, many(20))
"""Per family: 320 in all. A report takes no more: of the next 20 cases of one family, three depend
on the side (weights of 0 beside a pinned maximum), and a family may discard 5 %."""

KINDS = ("w", "d", *CONSTANTS, "t_in")
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
        used.append(
            assert_same_gradients(case, result.gradients, true.gradients, result.kappa_min, limit=TRUTH).used
        )
    measured(max(used) * TRUTH, TRUTH, len(used), f"from 0, {AT_50_DIGITS} of each family")


@pytest.mark.check(3, 8, control=True)
@pytest.mark.parametrize("factor", [1.001, -1.0, 0.0], ids=["0.1 % off", "flipped", "missing"])
@pytest.mark.parametrize("kind", KINDS)
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
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [1.001, -1.0], ids=["0.1 % off", "flipped"])
def test_the_dot_product_notices(kind: str, factor: float, measured: Measured) -> None:
    case = seeded_case(1, "recurrent")
    gradient = reference.run(case).gradients
    direction = random_direction(gradient, 0)
    right, size = dot_product(case, gradient, direction)
    wrong, wrong_size = dot_product(case, scaled(gradient, kind, factor), direction)
    measured(wrong / wrong_size, DOT_PRODUCT, 1)
    assert right <= DOT_PRODUCT * size and wrong > DOT_PRODUCT * wrong_size


def in_core(*kinds: str) -> list[object]:
    return [kind if kind in kinds else pytest.param(kind, marks=pytest.mark.release) for kind in KINDS]


STEPS = 2.0 ** -np.arange(11.0, 18.0)
STEPS_40 = 2.0 ** -np.arange(20.0, 24.0)
FITTED = 4  # number of steps in the fit of a slope: the smallest steps above rounding


def slopes(m: Arithmetic, case: Case, kind: str, seed: int, steps: np.ndarray, factor: float = 1.0) -> str | np.ndarray:
    """The slopes of both remainders, with the gradient times `factor`; or why there are none: no
    dependence on these parameters (`zero`), another order of events (`changed`), or too many
    remainders hidden by rounding (`flat`)."""
    found = remainders(m, case, kind, seed, steps, factor)
    if isinstance(found, str):
        return found
    loss, pairs = found
    measurable = [n for n, pair in enumerate(pairs) if min(map(abs, pair)) > MEASURABLE * m.u * loss][-FITTED:]
    if len(measurable) < FITTED:
        return "flat"
    logs = [[float(mpmath.log(abs(r))) for r in pairs[n]] for n in measurable]
    return np.polyfit(np.log(steps[measurable]), np.array(logs), 1)[0]


def direction(case: Case, kind: str, seed: int) -> Gradients:
    """Random numbers as large as the parameters of this kind; positive for times near 0."""
    rng = np.random.default_rng(seed)

    def move(name: str, values: np.ndarray) -> np.ndarray:
        if name != kind:
            return np.zeros(values.shape)
        drawn = rng.uniform(-1.0, 1.0, values.shape)
        if kind in ("d", "t_in"):
            return 5.0 * np.where(values < 0.01, np.abs(drawn), drawn)
        return drawn if kind == "v_reset" else drawn * values

    return changed(parameters(case), move)


def numbers(of: Gradients, kind: str) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(values.ravel() for (name, *_), values in blocks(of) if name == kind)])


def remainders(
    m: Arithmetic, case: Case, kind: str, seed: int, steps: np.ndarray, factor: float = 1.0
) -> str | tuple[Any, list[list[Any]]]:
    trial = simulate(m, case)
    read = drive(m, case, trial)
    loss: Any = read.loss
    v = direction(case, kind, seed)
    slopes, base = numbers(gradients(m, case, trial, read), kind) * factor, numbers(parameters(case), kind)
    if float(np.abs(slopes * numbers(v, kind)).sum()) <= MEASURABLE * m.u * loss:
        return "zero"
    order = true_activity(Problem.from_case(case), 20).signature
    found = []
    for eps in steps:
        there = moved(case, v, eps)
        if true_activity(Problem.from_case(there), 20).signature != order:
            return "changed"
        change = drive(m, there, simulate(m, there)).loss - loss
        linear = m.fsum(
            slope * (m.real(float(new)) - m.real(float(old)))
            for slope, new, old in zip(slopes, numbers(parameters(there), kind), base, strict=True)
        )
        found.append([change, change - linear])
    return loss, found


def assert_slopes(
    m: Arithmetic, kind: str, seeds: int, steps: np.ndarray, tolerance: float, measured: Measured
) -> None:
    seen, worst = Counter[str](), 0.0
    for family in families():
        for seed in range(seeds):
            found = slopes(m, seeded_case(seed, family), kind, seed, steps)
            if isinstance(found, str):
                seen[found] += 1
                continue
            seen["fitted"] += 1
            off = float(np.abs(found - [1.0, 2.0]).max())
            worst = max(worst, off)
            assert off <= tolerance, f"{family}, seed {seed}: slopes {found}"
    measured(worst, tolerance, seen["fitted"], f"0 to {seeds - 1} of each family")
    assert seen["fitted"] >= seeds * len(families()) / 2
    assert seen["changed"] + seen["flat"] <= DISCARDED * seeds * len(families())


@pytest.mark.check(5)
@pytest.mark.parametrize("kind", in_core("w", "d"))
def test_slopes_in_float64(kind: str, measured: Measured) -> None:
    assert_slopes(FLOAT64, kind, many(3), STEPS, SLOPE, measured)


@pytest.mark.check(4)
@pytest.mark.parametrize("kind", in_core())
def test_slopes_at_40_digits(kind: str, measured: Measured) -> None:
    assert_slopes(multiprecision(40), kind, many(1), STEPS_40, SLOPE_40, measured)


SEEDS_OF_CONSTANT = many(3)
CONVERGED = 1e-3  # relative change of a second difference that may remain when the step is halved


def constant_is_off(case: Case, kind: str, seed: int, factor: float = 1.0) -> float | None:
    """Relative error of the remainder against half the second difference of the loss, or None; at
    the largest step with a converged second difference, in which the gradient cancels."""
    found = remainders(FLOAT64, case, kind, seed, STEPS, factor)
    if isinstance(found, str):
        return None
    loss, pairs = found
    second = [twice[0] - 2 * once[0] for twice, once in pairwise(pairs)]
    for n, (here, finer) in enumerate(pairwise(second)):
        if abs(finer) <= 100 * MEASURABLE * FLOAT64.u * loss:
            return None
        if abs(here / finer - 4) <= 4 * CONVERGED:
            return float(abs(pairs[n + 1][1] / (here / 2) - 1))
    return None


@pytest.mark.full
@pytest.mark.check(6)
@pytest.mark.parametrize("kind", in_core("d"))
def test_the_remainder_is_the_second_derivative(kind: str, measured: Measured) -> None:
    """Within 1 %: an error of second order has the right slope, but fails here."""
    cases = [seeded_case(seed, family) for family in families() for seed in range(SEEDS_OF_CONSTANT)]
    found = [constant_is_off(case, kind, n) for n, case in enumerate(cases)]
    offs = [off for off in found if off is not None]
    measured(max(offs), CONSTANT, len(offs), f"0 to {SEEDS_OF_CONSTANT - 1} of each family")
    assert max(offs) <= CONSTANT and len(offs) >= len(cases) / 3


@pytest.mark.check(6, control=True)
@pytest.mark.parametrize("kind", KINDS)
def test_control_a_thousandth_changes_the_constant(kind: str, measured: Measured) -> None:
    for seed in range(10):
        case = seeded_case(seed, "recurrent")
        right, wrong = (constant_is_off(case, kind, seed, factor) for factor in (1.0, 1.001))
        if right is not None and wrong is not None:
            measured(wrong, CONSTANT, 1)
            assert right <= CONSTANT < wrong
            return
    pytest.fail("none of these networks has a constant")


@pytest.mark.check(4, control=True)
@pytest.mark.parametrize("kind", ["w", "d"])
def test_control_a_millionth_shows_at_40_digits(kind: str, measured: Measured) -> None:
    found = slopes(multiprecision(40), seeded_case(1, "recurrent"), kind, 0, STEPS_40, 1 + 1e-6)
    assert not isinstance(found, str)
    measured(2 - found[1], SLOPE_40, 1)
    assert 2 - found[1] > SLOPE_40


@pytest.mark.check(5, control=True)
@pytest.mark.parametrize("factor", [1.001, -1.0], ids=["0.1 % off", "flipped"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_slopes_notice(kind: str, factor: float, measured: Measured) -> None:
    """With a gradient that is not the derivative, the second slope falls towards 1."""
    case = seeded_case(1, "recurrent")
    right, wrong = (slopes(FLOAT64, case, kind, 0, STEPS, f) for f in (1.0, factor))
    assert not isinstance(right, str) and not isinstance(wrong, str)
    measured(2 - wrong[1], SLOPE, 1)
    assert abs(right[1] - 2) <= SLOPE < 2 - wrong[1]
    if factor == -1.0:
        for name, f in (("right", 1.0), ("flipped", factor)):
            curve = remainders(FLOAT64, case, kind, 0, STEPS, f)
            assert not isinstance(curve, str)
            loss, pairs = curve
            measured.keep("taylor", {
                "kind": kind, "gradient": name, "steps": STEPS.tolist(), "R0": [float(abs(a)) for a, _ in pairs],
                "R1": [float(abs(b)) for _, b in pairs], "rounding": float(MEASURABLE * FLOAT64.u * loss),
            })
