"""The ground truth and its differences against closed-form answers, also at ties."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import mpmath
import pytest
from mpmath import mpf

from delayprop.spec import Case
from tests.support.networks.documents import loss_of, one_response, spiking, two_neurons
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


@pytest.mark.parametrize("tau_syn", [8.0, 4.0, 24.0])
def test_a_peak(tau_syn: float) -> None:
    """`V_max = w r^(1/(1-r))`, `r = tau_syn/tau_mem`, differentiated by hand."""
    case = one_response("max_voltage", "li", tau_syn=tau_syn, T=200.0)
    r = mpf(tau_syn) / 16
    y, silent = readout_of(case)
    assert abs(y - 15 * r ** (1 / (1 - r))) < EXACT and silent == 0
    dL_dr = -y * (mpmath.log(r) / (1 - r) ** 2 + 1 / (r * (1 - r))) / (1 + mpmath.exp(y))
    found = gradient(case).populations["out"]
    assert abs(found["tau_syn"][0] - dL_dr / 16) < DIFFERENCED
    assert abs(found["tau_mem"][0] + dL_dr * r / 16) < DIFFERENCED
    assert found["tau_syn"][1] == 0 and "v_th" not in found


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
