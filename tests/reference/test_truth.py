"""The ground truth against closed-form answers."""

from collections.abc import Iterator
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from delayprop.spec import Case
from tests.support.networks.closed_forms import DIGITS, EXACT, one_neuron, response, spikes_of_a_quadratic
from tests.support.networks.strategies import seeded_case
from tests.support.truth import Problem, Truth, simulate

STEPPED = mpf("1e-30")  # error of a matrix exponential or a quadrature, which stop at the digits they need


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


@pytest.mark.parametrize("family", ["recurrent_mixed", "feedback", "near_taus", "mixed"])
def test_spikes_stand_at_threshold(family: str) -> None:
    """Matrix exponentials step the state from event to event: at every spike V is the threshold."""
    case = seeded_case(2, family)
    truth = simulate(Problem.from_case(case), 40)
    checked = 0
    for population in case.network.populations:
        if population.v_th is None or population.v_reset is None:
            continue
        for j in range(population.size):
            tau_mem, tau_syn = (mpf(float(np.asarray(tau)[j])) for tau in (population.tau_mem, population.tau_syn))
            rates = mpmath.matrix([[-1 / tau_mem, 1 / tau_mem], [0, -1 / tau_syn]])
            state, now = mpmath.matrix([0, 0]), mpf(0)
            spikes = [(t, mpf(0)) for t in truth.spikes[population.name][j]]
            for t, w in sorted([*arrivals(case, truth, population.name, j), *spikes], key=lambda event: event[0]):
                state, now = mpmath.expm(rates * (t - now)) * state, t
                if w:
                    state[1] += w
                    continue
                assert abs(state[0] - population.v_th[j]) < STEPPED
                state[0] = mpf(population.v_reset[j])
                checked += 1
    assert checked > 0


def arrivals(case: Case, truth: Truth, name: str, j: int) -> list[tuple[mpf, mpf]]:
    found = []
    for connection in case.network.connections:
        for i in range(len(connection.w) if connection.target == name else 0):
            given = connection.source in case.inputs
            train = case.inputs[connection.source][i] if given else truth.spikes[connection.source][i]
            if connection.exists[i, j] and connection.w[i, j]:
                times = [mpf(t) + mpf(connection.d[i, j]) for t in train if t <= case.duration]
                found += [(t, mpf(connection.w[i, j])) for t in times if t <= case.duration]
    return found


def test_events_after_the_end_have_no_effect() -> None:
    problem = Problem.from_case(one_neuron(T=12.0))
    inside = [t for t in spikes_of_a_quadratic(problem) if t < 12]
    assert 0 < len(inside) < 5
    assert len(simulate(problem, DIGITS).spikes["out"][0]) == len(inside)
    problem.values["d", 0, 0, 0] = mpf(12)
    assert len(simulate(problem, DIGITS).spikes["out"][0]) == 0


@pytest.mark.parametrize("family", ["near_taus", "recurrent", "delays"])
def test_all_digits_are_right(family: str) -> None:
    problem = Problem.from_case(seeded_case(4, family))
    few, many = simulate(problem, DIGITS), simulate(problem, 90)
    assert few.signature == many.signature
    assert abs(few.loss - many.loss) < EXACT * (1 + abs(many.loss))
