"""The ground truth and its differences against closed-form answers, also at ties."""

from collections.abc import Iterator
from itertools import pairwise

import mpmath
import pytest
from mpmath import mpf

from delayprop.spec import Case
from tests.support.networks.closed_forms import (
    DIFFERENCED,
    DIGITS,
    EXACT,
    arrival_at_a_crossing,
    one_neuron,
    pinned_maximum,
    response,
    spikes_of_a_quadratic,
)
from tests.support.networks.strategies import seeded_case
from tests.support.truth import Key, OrderChanged, Problem, difference, gradient, simulate

STEPPED = mpf("1e-30")  # error of a quadrature, which stops at the digits it needs
W: Key = ("w", 0, 0, 0)
D: Key = ("d", 0, 0, 0)
SECOND_INPUT: Key = ("t_in", "in", 1, 0)


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(70):
        yield


def readout_of(case: Case) -> list[mpf]:
    y = simulate(Problem.from_case(case), DIGITS).readout
    assert y is not None
    return list(y)


def test_spikes_are_the_roots_of_a_quadratic() -> None:
    problem = Problem.from_case(one_neuron())
    truth = simulate(problem, DIGITS)
    expected = spikes_of_a_quadratic(problem)
    assert len(expected) == 5
    (found, silent) = truth.spikes["out"]
    assert len(silent) == 0
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < EXACT
    assert abs(truth.loss - ((expected[0] - 10) ** 2 + (expected[1] - 20) ** 2) / 2) < 100 * EXACT
    u = mpmath.exp(-(expected[0] - mpf("2.25")) / 16)
    assert abs(truth.kappa["out"][0][0] - (15 * (2 * u * u - u)) ** 2) < 100 * EXACT


@pytest.mark.parametrize("tau_syn", [8.0, 4.0, 24.0, 16.0])
def test_the_height_of_a_response(tau_syn: float) -> None:
    y, silent = readout_of(one_neuron("max_voltage", "li", tau_syn=tau_syn, T=200.0))
    r = mpf(tau_syn) / 16
    expected = 15 * (mpmath.exp(-1) if r == 1 else r ** (1 / (1 - r)))
    assert abs(y - expected) < EXACT and silent == 0


@pytest.mark.parametrize("kind", ["li", "lif"])
@pytest.mark.parametrize("readout", ["mean_voltage", "exp_weighted_voltage"])
def test_integrals_against_quadrature(kind: str, readout: str) -> None:
    case = one_neuron(readout, kind)
    spikes = spikes_of_a_quadratic(Problem.from_case(case)) if kind == "lif" else []
    V = response(spikes)
    rate = mpf(0) if readout == "mean_voltage" else 1 / mpf(60)
    ends = [mpf("2.25"), *spikes, mpf(60)]
    pieces = [mpmath.quad(lambda t: mpmath.exp(-rate * t) * V(t), piece) for piece in pairwise(ends)]
    truth = simulate(Problem.from_case(case), DIGITS)
    y = mpmath.fsum(pieces) / 60
    assert abs(readout_of(case)[0] - y) < STEPPED
    assert abs(truth.loss - mpmath.log(1 + mpmath.exp(-y))) < STEPPED


@pytest.mark.parametrize("readout", ["mean_voltage", "exp_weighted_voltage", "max_voltage", "first_spike_time"])
def test_equal_time_constants_are_a_limit(readout: str) -> None:
    problem = Problem.from_case(one_neuron(readout, tau_syn=16.0))
    at = simulate(problem, DIGITS)
    problem.values["tau_syn", "out", 0] *= 1 + mpf("1e-30")
    near = simulate(problem, DIGITS)
    assert len(at.spikes["out"][0]) > 3
    off = max(abs(a - b) for a, b in zip(at.spikes["out"][0], near.spikes["out"][0], strict=True))
    assert mpf("1e-33") < off < mpf("1e-27")
    assert abs(at.loss - near.loss) < mpf("1e-28")


def test_the_first_spike() -> None:
    case = one_neuron("first_spike_time")
    truth = simulate(Problem.from_case(case), DIGITS)
    first, *_ = spikes_of_a_quadratic(Problem.from_case(case))
    y, silent = readout_of(case)
    assert abs(y + first / 5) < EXACT and silent == -12
    assert abs(truth.loss - mpmath.log(1 + mpmath.exp(first / 5 - 12))) < EXACT


@pytest.mark.parametrize("family", ["near_taus", "recurrent", "delays"])
def test_all_digits_are_right(family: str) -> None:
    problem = Problem.from_case(seeded_case(4, family))
    few, many = simulate(problem, DIGITS), simulate(problem, 90)
    assert few.signature == many.signature
    assert abs(few.loss - many.loss) < EXACT * (1 + abs(many.loss))


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
