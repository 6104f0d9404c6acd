"""Differences of the ground truth against derivatives that can be written down; and what it does at ties."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from spec import Case, Connection, CrossEntropy, Network, Population, SpikeTrains
from tests.comparison import block_errors, gradient_blocks
from tests.strategies import seeded_case
from tests.test_truth import one_neuron, quadratic
from tests.truth import Key, OrderChanged, Problem, difference, directional, gradient, simulate

W, D, T_IN = ("w", 0, 0, 0), ("d", 0, 0, 0), ("t_in", "in", 0, 0)
V_TH, V_RESET = ("v_th", "out", 0), ("v_reset", "out", 0)


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(70):
        yield


def rise_and_fall(readout: str = "max_voltage") -> Problem:
    """Excitation at 1 ms, inhibition at 3 ms while the voltage still rises; `tau_mem` 16 ms, `tau_syn` 8 ms."""
    populations = (Population("in", "input", 2), Population("out", "li", 2, 16.0, 8.0))
    connection = Connection("in", "out", [[2.0, None], [-5.0, None]], [[1.0, 0.0], [0.5, 0.0]])
    network = Network(populations, (connection,))
    return Problem.from_case(Case(network, 40.0, {"in": SpikeTrains([[0.0], [2.5]])}, CrossEntropy(readout, "out", 0)))


def crossing_at_an_arrival() -> tuple[Problem, mpf]:
    """`one_neuron`, and a second input that arrives and inhibits at the very time of its first spike."""
    base = one_neuron("lif:mse")
    first, *_ = quadratic(Problem.from_case(base))
    populations = (Population("in", "input", 2), base.network.population("out"))
    connection = Connection("in", "out", [[15.0, None], [-9.0, None]], [[1.75, 0.0], [0.0, 0.0]])
    case = Case(Network(populations, (connection,)), 60.0, {"in": SpikeTrains([[0.5], [3.0]])}, base.loss)
    problem = Problem.from_case(case)
    problem.values["t_in", "in", 1, 0] = first
    return problem, first


@pytest.mark.parametrize("key", [W, D, T_IN, V_TH, V_RESET], ids=lambda key: key[0])
def test_every_kind_of_parameter(key: Key) -> None:
    """Against the derivative of the closed form."""
    case = one_neuron("lif:mse")
    problem = Problem.from_case(case)

    def loss(value: mpf) -> mpf:
        moved = Problem(case, {**problem.values, key: value}, problem.duration)
        first, second, *_ = quadratic(moved)
        return ((first - 10) ** 2 + (second - 20) ** 2) / 2

    expected = mpmath.diff(loss, problem.values[key], h=mpf("1e-20"))
    assert abs(expected) > mpf("1e-3") or key == V_RESET
    assert abs(difference(problem, key) - expected) < mpf("1e-28") * (1 + abs(expected))


def test_time_constants_of_a_peak() -> None:
    """`V_max = w r^(1/(1-r))`, `r = tau_syn/tau_mem`, differentiated by hand."""
    case = one_neuron("li:max_voltage", T=200.0)
    y = simulate(Problem.from_case(case)).readout[0]
    dL_dy = -1 / (1 + mpmath.exp(y))
    r = mpf(8) / 16
    dy_dr = y * (mpmath.log(r) / (1 - r) ** 2 + 1 / (r * (1 - r)))
    found = gradient(case).populations["out"]
    assert abs(found.dL_dtau_syn[0] - dL_dy * dy_dr / 16) < mpf("1e-28")
    assert abs(found.dL_dtau_mem[0] + dL_dy * dy_dr * r / 16) < mpf("1e-28")
    assert found.dL_dtau_syn[1] == 0 and found.dL_dv_th is None


def test_a_maximum_pinned_to_an_arrival_moves_with_it() -> None:
    problem = rise_and_fall()
    truth = simulate(problem)
    assert truth.signature.maxima[0] == ("arrival", frozenset({(1, 0)}))
    u = mpmath.exp(mpf(-2) / 16)
    y, Vdot_minus = 2 * (u - u * u), 2 * (-u + 2 * u * u) / 16
    dL_dy = -1 / (1 + mpmath.exp(y))
    assert abs(difference(problem, ("d", 0, 1, 0)) - dL_dy * Vdot_minus) < mpf("1e-28")
    assert abs(difference(problem, ("d", 0, 0, 0)) + dL_dy * Vdot_minus) < mpf("1e-28")
    assert difference(problem, ("w", 0, 1, 0)) == 0


def test_several_arrivals_that_pin_a_maximum_are_a_tie() -> None:
    problem = rise_and_fall()
    problem.values["t_in", "in", 0, 0] = mpf("2.5")  # both now arrive at 3 ms, where V has not yet risen
    problem.values["d", 0, 0, 0] = mpf("0.5")
    problem.values["w", 0, 1, 0] = mpf(-1)
    assert simulate(problem).signature.maxima[0][0] == "interior"
    assert difference(problem, ("d", 0, 1, 0)) != 0  # arrivals at one instant commute: no tie here


def test_a_delay_of_0_is_differenced_from_above() -> None:
    base = one_neuron("lif:mse")
    network = Network(base.network.populations, (Connection("in", "out", [[15.0, None]], 0.0),))
    case = Case(network, 60.0, {"in": SpikeTrains([[0.0]])}, base.loss)
    first, second, *_ = quadratic(Problem.from_case(case))
    found = gradient(case)
    assert abs(found.connections[0].dL_dd[0, 0] - (first - 10 + second - 20)) < mpf("1e-28")
    assert abs(found.inputs["in"][0][0] - (first - 10 + second - 20)) < mpf("1e-28")


def test_a_crossing_comes_before_an_arrival_at_its_instant() -> None:
    problem, first = crossing_at_an_arrival()
    truth = simulate(problem)
    assert abs(truth.spikes["out"][0][0] - first) < mpf("1e-45")
    assert truth.margin < 1e-40
    with pytest.raises(OrderChanged, match="order of events"):
        difference(problem, ("t_in", "in", 1, 0))
    later = difference(problem, ("t_in", "in", 1, 0), side=1)
    problem.values["t_in", "in", 1, 0] += mpf("1e-10")
    assert abs(difference(problem, ("t_in", "in", 1, 0)) - later) < mpf("1e-7")


def test_a_spike_at_the_end_counts() -> None:
    problem = Problem.from_case(one_neuron("lif:mse"))
    _, second, *_ = quadratic(problem)
    for shift, count in ((0, 2), (mpf("1e-40"), 2), (-mpf("1e-40"), 1)):
        problem.duration = second + shift
        assert len(simulate(problem, 50).spikes["out"][0]) == count
    problem.duration = second
    with pytest.raises(OrderChanged):
        difference(problem, D)
    assert abs(difference(problem, D, side=-1) - (quadratic(problem)[0] - 10 + second - 20)) < mpf("1e-28")


def test_an_arrival_at_the_end_counts() -> None:
    problem = rise_and_fall("mean_voltage")
    problem.duration = mpf(3)
    assert simulate(problem).signature.arrivals[0] == (frozenset({(0, 0), (1, 0)}),)
    problem.duration -= mpf("1e-40")
    assert simulate(problem).signature.arrivals[0] == (frozenset({(0, 0)}),)


@pytest.mark.parametrize("above, count", [("1e-30", 0), ("0", 0), ("-1e-30", 1)])
def test_a_peak_that_only_touches_the_threshold_is_no_spike(above: str, count: int) -> None:
    problem = Problem.from_case(one_neuron("lif:mse", w=4.0))  # the peak is w/4, a number without rounding
    problem.values[V_TH] = 1 + mpf(above)
    assert len(simulate(problem).spikes["out"][0]) == count


def test_an_arrival_that_makes_a_voltage_at_threshold_rise_is_a_spike() -> None:
    problem, _ = crossing_at_an_arrival()
    t_peak = mpf("2.25") + 16 * mpmath.log(2)
    problem.values |= {W: mpf(4), ("t_in", "in", 1, 0): t_peak, ("w", 0, 1, 0): mpf("0.5")}
    (spike,) = simulate(problem).spikes["out"][0]
    assert abs(spike - t_peak) < mpf("1e-20")


def test_equal_time_constants_are_no_special_place() -> None:
    """The gradient is continuous there, from both sides."""
    case = seeded_case(2, "equal_taus")
    at = gradient(case)
    for factor in (1 + 1e-13, 1 - 1e-13):
        populations = tuple(
            Population(p.name, p.kind, p.size, p.tau_mem * factor, p.tau_syn, p.v_th, p.v_reset)
            if p.kind != "input"
            else p
            for p in case.network.populations
        )
        near = gradient(Case(Network(populations, case.network.connections), case.duration, case.inputs, case.loss))
        assert 0 < max(block_errors(case, near, at).values()) < 1e-9


@pytest.mark.parametrize("family", ["layers", "recurrent", "near_taus", "delays", "zero_delays"])
def test_digits_of_a_gradient(family: str) -> None:
    """Half the step and twice the digits change nothing that counts."""
    case = seeded_case(6, family)
    errors = block_errors(case, gradient(case), gradient(case, digits=80, h="1e-24"))
    assert 0 < max(errors.values()) < 1e-26


def test_a_direction_is_the_sum_of_its_parts() -> None:
    case = seeded_case(3, "recurrent_mixed")
    problem = Problem.from_case(case)
    numbers = [number for block in gradient_blocks(case, gradient(case)).values() for number in block]
    assert len(numbers) == len(problem.values)
    keys = list(problem.values)
    rng = np.random.default_rng(0)
    direction = dict(zip(keys, rng.normal(size=len(keys)), strict=True))
    parts = mpmath.fsum(difference(problem, key) * amount for key, amount in direction.items())
    assert abs(directional(problem, direction) - parts) < mpf("1e-27") * (1 + abs(parts))
    assert abs(mpmath.fsum(numbers) - directional(problem, dict.fromkeys(keys, 1.0))) < mpf("1e-27") * (1 + abs(parts))
