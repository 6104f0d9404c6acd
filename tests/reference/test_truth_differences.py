"""Differences of the ground truth against closed-form derivatives, and at ties."""

from collections.abc import Iterator
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from delayprop.spec import Case, Network
from tests.support.comparison import block_errors, gradient_blocks
from tests.support.networks.closed_forms import (
    DIFFERENCED,
    EXACT,
    arrival_at_a_crossing,
    one_neuron,
    pinned_maximum,
    spikes_of_a_quadratic,
)
from tests.support.networks.strategies import seeded_case
from tests.support.truth import Key, OrderChanged, Problem, difference, directional, gradient, simulate

W: Key = ("w", 0, 0, 0)
D: Key = ("d", 0, 0, 0)
SECOND_INPUT: Key = ("t_in", "in", 1, 0)


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(70):
        yield


@pytest.mark.parametrize("key", [W, D, ("t_in", "in", 0, 0), ("v_th", "out", 0), ("v_reset", "out", 0)], ids=str)
def test_every_kind_of_parameter(key: Key) -> None:
    case = one_neuron()
    problem = Problem.from_case(case)

    def loss(value: mpf) -> mpf:
        first, second, *_ = spikes_of_a_quadratic(Problem(case, {**problem.values, key: value}, problem.duration))
        return ((first - 10) ** 2 + (second - 20) ** 2) / 2

    expected = mpmath.diff(loss, problem.values[key], h=mpf("1e-20"))
    assert abs(expected) > 1
    assert abs(difference(problem, key) - expected) < DIFFERENCED * (1 + abs(expected))


def test_time_constants_of_a_peak() -> None:
    """`V_max = w r^(1/(1-r))`, `r = tau_syn/tau_mem`, differentiated by hand."""
    case = one_neuron("max_voltage", "li", T=200.0)
    truth = simulate(Problem.from_case(case))
    assert truth.readout is not None
    y, r = truth.readout[0], mpf(8) / 16
    dL_dr = -y * (mpmath.log(r) / (1 - r) ** 2 + 1 / (r * (1 - r))) / (1 + mpmath.exp(y))
    found = gradient(case).populations["out"]
    assert abs(found.dL_dtau_syn[0] - dL_dr / 16) < DIFFERENCED
    assert abs(found.dL_dtau_mem[0] + dL_dr * r / 16) < DIFFERENCED
    assert found.dL_dtau_syn[1] == 0 and found.dL_dv_th is None


def test_a_maximum_pinned_to_an_arrival_moves_with_it() -> None:
    problem = pinned_maximum()
    assert simulate(problem).signature.maxima[0] == ("arrival", frozenset({(1, 0)}))
    u = mpmath.exp(mpf(-2) / 16)
    y, Vdot_minus = 2 * (u - u * u), 2 * (-u + 2 * u * u) / 16
    dL_dt = -Vdot_minus / (1 + mpmath.exp(y))
    assert abs(difference(problem, ("d", 0, 1, 0)) - dL_dt) < DIFFERENCED
    assert abs(difference(problem, ("d", 0, 0, 0)) + dL_dt) < DIFFERENCED
    assert abs(difference(problem, ("w", 0, 1, 0))) < DIFFERENCED


@pytest.mark.parametrize("w, rises_after_one", [(-5.0, False), (-0.8, True)])
def test_a_maximum_pinned_to_two_arrivals_is_a_tie(w: float, rises_after_one: bool) -> None:
    """Each derivative is that of a later arrival: 0 if the other arrival ends the rise alone."""
    problem = pinned_maximum(weights=[[2.0, None], [w, None], [w, None]])
    assert simulate(problem).signature.maxima[0] == ("arrival", frozenset({(1, 0), (2, 0)}))
    with pytest.raises(OrderChanged):
        difference(problem, SECOND_INPUT)
    u = mpmath.exp(mpf(-2) / 16)
    y, I = 2 * (u - u * u), 2 * u * u
    Vdot_between = (I + w - y) / 16
    assert (Vdot_between > 0) == rises_after_one and I + 2 * w < y
    expected = -max(Vdot_between, mpf(0)) / (1 + mpmath.exp(y))
    assert abs(difference(problem, SECOND_INPUT, side=1) - expected) < DIFFERENCED


def test_a_delay_of_0_is_differenced_from_above() -> None:
    case = one_neuron(t_in=0.0, d=0.0)
    first, second, *_ = spikes_of_a_quadratic(Problem.from_case(case))
    found = gradient(case)
    expected = first - 10 + second - 20
    assert abs(found.connections[0].dL_dd[0, 0] - expected) < DIFFERENCED * (1 + abs(expected))
    assert abs(found.inputs["in"][0][0] - expected) < DIFFERENCED * (1 + abs(expected))


def test_a_crossing_comes_before_an_arrival_at_its_instant() -> None:
    problem, first = arrival_at_a_crossing()
    truth = simulate(problem)
    assert abs(truth.spikes["out"][0][0] - first) < EXACT
    assert truth.margin < 1e-40
    with pytest.raises(OrderChanged, match="order of events"):
        difference(problem, SECOND_INPUT)
    later = difference(problem, SECOND_INPUT, side=1)
    problem.values[SECOND_INPUT] += mpf("1e-10")
    assert 0 < abs(difference(problem, SECOND_INPUT) - later) < mpf("1e-7")


@pytest.mark.parametrize("above, count", [("1e-30", 0), ("0", 0), ("-1e-30", 1)])
def test_a_peak_that_only_touches_the_threshold_is_no_spike(above: str, count: int) -> None:
    problem = Problem.from_case(one_neuron(w=4.0))  # the peak is w/4, a number without rounding
    problem.values["v_th", "out", 0] = 1 + mpf(above)
    assert len(simulate(problem).spikes["out"][0]) == count


def test_an_arrival_at_a_peak_that_touches() -> None:
    problem, _ = arrival_at_a_crossing()
    t_peak = mpf("2.25") + 16 * mpmath.log(2)
    problem.values |= {W: mpf(4), SECOND_INPUT: t_peak, ("w", 0, 1, 0): mpf("0.5")}
    (spike,) = simulate(problem).spikes["out"][0]
    assert abs(spike - t_peak) < EXACT


@pytest.mark.parametrize("delta", [1e-13, -1e-13])
def test_equal_time_constants_are_no_special_place(delta: float) -> None:
    case = seeded_case(5, "equal_taus")
    populations = tuple(
        p if p.tau_mem is None else replace(p, tau_mem=p.tau_mem * (1 + delta)) for p in case.network.populations
    )
    near = Case(Network(populations, case.network.connections), case.duration, case.inputs, case.loss)
    assert 0 < max(block_errors(case, gradient(near), gradient(case)).values()) < 1e4 * abs(delta)


@pytest.mark.parametrize("family", ["layers", "recurrent", "near_taus", "delays", "zero_delays"])
def test_the_digits_of_a_gradient(family: str) -> None:
    case = seeded_case(6, family)
    errors = block_errors(case, gradient(case), gradient(case, digits=80, h="1e-24"))
    assert 0 < max(errors.values()) < 1e-26


def test_a_direction_is_the_sum_of_its_parts() -> None:
    case = seeded_case(9, "recurrent_mixed")
    problem = Problem.from_case(case)
    keys = list(problem.values)
    direction = dict(zip(keys, np.random.default_rng(0).normal(size=len(keys)).tolist(), strict=True))
    parts = [difference(problem, key) * amount for key, amount in direction.items()]
    size = mpmath.fsum(abs(part) for part in parts)
    assert size > 0
    assert abs(directional(problem, direction) - mpmath.fsum(parts)) < DIFFERENCED * (1 + size)


def test_a_spike_at_the_end_counts() -> None:
    problem = Problem.from_case(one_neuron())
    first, second, *_ = spikes_of_a_quadratic(problem)
    for shift, count in ((mpf(0), 2), (mpf("1e-40"), 2), (-mpf("1e-40"), 1)):
        problem.duration = second + shift
        assert len(simulate(problem).spikes["out"][0]) == count
    problem.duration = second
    with pytest.raises(OrderChanged):
        difference(problem, D)
    expected = first - 10 + second - 20
    assert abs(difference(problem, D, side=-1) - expected) < DIFFERENCED * (1 + abs(expected))


def test_an_arrival_at_the_end_counts() -> None:
    problem = pinned_maximum("mean_voltage")
    problem.duration = mpf(3)
    assert simulate(problem).signature.arrivals[0] == (frozenset({(0, 0), (1, 0)}),)
    problem.duration -= mpf("1e-40")
    assert simulate(problem).signature.arrivals[0] == (frozenset({(0, 0)}),)


def test_every_parameter_is_in_the_gradient() -> None:
    case = seeded_case(9, "recurrent_mixed")
    problem = Problem.from_case(case)
    numbers = [number for block in gradient_blocks(case, gradient(case)).values() for number in block]
    assert len(numbers) == len(problem.values)
    along_all = directional(problem, dict.fromkeys(problem.values, 1.0))
    assert abs(mpmath.fsum(numbers) - along_all) < DIFFERENCED * (1 + mpmath.fsum(abs(n) for n in numbers))
