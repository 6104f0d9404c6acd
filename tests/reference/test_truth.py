"""The ground truth and its differences against closed-form answers, also at ties."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import mpmath
import pytest
from mpmath import mpf

from delayprop.spec import Case
from tests.support.networks.documents import loss_of, one_response, spiking, two_neurons
from tests.support.networks.strategies import seeded_case
from tests.support.truth import Key, OrderChanged, Problem, difference, gradient, simulate

EXACT = mpf("1e-47")  # difference of two results of 50 digits, for values from 1 to 100; mpmath computes with 70
DIFFERENCED = mpf("1e-28")  # error of a central difference for a derivative near 1: 1e-32 times the third derivative
STEPPED = mpf("1e-30")  # error of a quadrature, which stops at the digits it needs
W: Key = ("w", 0, 0, 0)
D: Key = ("d", 0, 0, 0)
SECOND_INPUT: Key = ("t_in", "in", 1, 0)


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(70):
        yield


def readout_of(case: Case) -> list[mpf]:
    y = simulate(Problem.from_case(case)).readout
    assert y is not None
    return list(y)


def spikes_of_a_quadratic(problem: Problem) -> list[mpf]:
    """The spikes of `one_response` with `tau_mem = 2 tau_syn`.

    With `u = exp(-(t - t_arr)/tau_mem)`, its voltage is

        V = w (u - u^2) - (v_th - v_reset) sum_k u/u_k
    """
    values = problem.values
    w, v_th = values["w", 0, 0, 0], values["v_th", "out", 0]
    drop = v_th - values["v_reset", "out", 0]
    found: list[mpf] = []
    while True:
        b = w - drop * mpmath.fsum(1 / u for u in found)
        discriminant = b * b - 4 * w * v_th
        if b <= 0 or discriminant <= 0:
            t_arr = values["t_in", "in", 0, 0] + values["d", 0, 0, 0]
            return [t_arr - 16 * mpmath.log(u) for u in found]
        found.append((b + mpmath.sqrt(discriminant)) / (2 * w))


def response(spikes: list[mpf]) -> Callable[[mpf], mpf]:
    """V(t) of `one_response` between its spikes."""

    def V(t: mpf) -> mpf:
        u = mpmath.exp(-(t - mpf("2.25")) / 16)
        resets = mpmath.fsum(mpmath.exp((t_k - t) / 16) for t_k in spikes if t_k < t)
        return 15 * (u - u * u) * (t > 2.25) - mpf("1.25") * resets

    return V


def pinned_maximum(read: str = "max_voltage", weights: Sequence = ([2.0, None], [-5.0, None])) -> Problem:
    """Excitation at 1 ms; one or more inhibitory arrivals at 3 ms end the rise of the voltage."""
    inhibiting = len(weights) - 1
    delays, inputs = [[1.0, None], *[[0.5, None]] * inhibiting], [[0.0], *[[2.5]] * inhibiting]
    return Problem.from_case(two_neurons({"kind": "li"}, list(weights), delays, inputs, loss_of(read), 40.0))


def arrival_at_a_crossing() -> tuple[Problem, mpf]:
    """`one_response` with an inhibitory arrival at its first spike, and the time of both."""
    first, *_ = spikes_of_a_quadratic(Problem.from_case(one_response()))
    weights, delays = [[15.0, None], [-9.0, None]], [[1.75, None], [0.0, None]]
    problem = Problem.from_case(two_neurons(spiking(), weights, delays, [[0.5], [3.0]], loss_of("spikes"), 60.0))
    problem.values["t_in", "in", 1, 0] = first
    return problem, first


def test_spikes_are_the_roots_of_a_quadratic() -> None:
    problem = Problem.from_case(one_response())
    truth = simulate(problem)
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
    y, silent = readout_of(one_response("max_voltage", "li", tau_syn=tau_syn, T=200.0))
    r = mpf(tau_syn) / 16
    expected = 15 * (mpmath.exp(-1) if r == 1 else r ** (1 / (1 - r)))
    assert abs(y - expected) < EXACT and silent == 0


@pytest.mark.parametrize("kind", ["li", "lif"])
@pytest.mark.parametrize("readout", ["mean_voltage", "exp_weighted_voltage"])
def test_integrals_against_quadrature(kind: str, readout: str) -> None:
    case = one_response(readout, kind)
    spikes = spikes_of_a_quadratic(Problem.from_case(case)) if kind == "lif" else []
    V = response(spikes)
    rate = mpf(0) if readout == "mean_voltage" else 1 / mpf(60)
    ends = [mpf("2.25"), *spikes, mpf(60)]
    pieces = [mpmath.quad(lambda t: mpmath.exp(-rate * t) * V(t), piece) for piece in pairwise(ends)]
    truth = simulate(Problem.from_case(case))
    y = mpmath.fsum(pieces) / 60
    assert abs(readout_of(case)[0] - y) < STEPPED
    assert abs(truth.loss - mpmath.log(1 + mpmath.exp(-y))) < STEPPED


def test_the_first_spike() -> None:
    case = one_response("first_spike_time")
    truth = simulate(Problem.from_case(case))
    first, *_ = spikes_of_a_quadratic(Problem.from_case(case))
    y, silent = readout_of(case)
    assert abs(y + first / 5) < EXACT and silent == -12
    assert abs(truth.loss - mpmath.log(1 + mpmath.exp(first / 5 - 12))) < EXACT


@pytest.mark.parametrize("family", ["near_taus", "recurrent", "delays"])
def test_all_digits_are_right(family: str) -> None:
    problem = Problem.from_case(seeded_case(4, family))
    few, many = simulate(problem), simulate(problem, 90)
    assert few.signature == many.signature
    assert abs(few.loss - many.loss) < EXACT * (1 + abs(many.loss))


@pytest.mark.parametrize("key", [W, D, ("t_in", "in", 0, 0), ("v_th", "out", 0), ("v_reset", "out", 0)], ids=str)
def test_every_kind_of_parameter(key: Key) -> None:
    case = one_response()
    problem = Problem.from_case(case)

    def loss(value: mpf) -> mpf:
        first, second, *_ = spikes_of_a_quadratic(Problem(case, {**problem.values, key: value}, problem.duration))
        return ((first - 10) ** 2 + (second - 20) ** 2) / 2

    expected = mpmath.diff(loss, problem.values[key], h=mpf("1e-20"))
    assert abs(expected) > 1
    assert abs(difference(problem, key) - expected) < DIFFERENCED * (1 + abs(expected))


def test_time_constants_of_a_peak() -> None:
    """`V_max = w r^(1/(1-r))`, `r = tau_syn/tau_mem`, differentiated by hand."""
    case = one_response("max_voltage", "li", T=200.0)
    truth = simulate(Problem.from_case(case))
    assert truth.readout is not None
    y, r = truth.readout[0], mpf(8) / 16
    dL_dr = -y * (mpmath.log(r) / (1 - r) ** 2 + 1 / (r * (1 - r))) / (1 + mpmath.exp(y))
    found = gradient(case).populations["out"]
    assert abs(found["tau_syn"][0] - dL_dr / 16) < DIFFERENCED
    assert abs(found["tau_mem"][0] + dL_dr * r / 16) < DIFFERENCED
    assert found["tau_syn"][1] == 0 and "v_th" not in found


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
    problem = Problem.from_case(one_response(w=4.0))  # the peak is w/4, a number without rounding
    problem.values["v_th", "out", 0] = 1 + mpf(above)
    assert len(simulate(problem).spikes["out"][0]) == count


def test_an_arrival_at_a_peak_that_touches() -> None:
    problem, _ = arrival_at_a_crossing()
    t_peak = mpf("2.25") + 16 * mpmath.log(2)
    problem.values |= {W: mpf(4), SECOND_INPUT: t_peak, ("w", 0, 1, 0): mpf("0.5")}
    (spike,) = simulate(problem).spikes["out"][0]
    assert abs(spike - t_peak) < EXACT


def test_a_spike_at_the_end_counts() -> None:
    problem = Problem.from_case(one_response())
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
