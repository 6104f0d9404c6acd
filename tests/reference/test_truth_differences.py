"""The ground truth by other ways: a walk from event to event, more digits, and a count by hand."""

from collections.abc import Iterator

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from delayprop.spec import Case
from tests.support.comparison import block_errors, gradient_blocks
from tests.support.networks.strategies import seeded_case
from tests.support.truth import Problem, Truth, difference, gradient, simulate

DIFFERENCED = mpf("1e-28")  # error of a central difference for a derivative near 1
STEPPED = mpf("1e-30")  # error of a matrix exponential, which stops at the digits it needs


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(70):
        yield


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
    """The times and weights of all arrivals at a neuron until the end."""
    found = []
    for connection in case.network.connections:
        for i in range(len(connection.w) if connection.target == name else 0):
            given = connection.source in case.inputs
            train = case.inputs[connection.source][i] if given else truth.spikes[connection.source][i]
            if connection.exists[i, j] and connection.w[i, j]:
                times = [mpf(t) + mpf(connection.d[i, j]) for t in train if t <= case.duration]
                found += [(t, mpf(connection.w[i, j])) for t in times if t <= case.duration]
    return found


@pytest.mark.parametrize("family", ["layers", "recurrent", "near_taus", "delays", "zero_delays"])
def test_the_digits_of_a_gradient(family: str) -> None:
    case = seeded_case(6, family)
    assert 0 < max(block_errors(case, gradient(case), gradient(case, digits=80, h="1e-24")).values()) < 1e-26


def test_a_direction_is_the_sum_of_its_parts() -> None:
    problem = Problem.from_case(seeded_case(9, "recurrent_mixed"))
    keys = list(problem.values)
    direction = dict(zip(keys, np.random.default_rng(0).normal(size=len(keys)).tolist(), strict=True))
    parts = [difference(problem, key) * amount for key, amount in direction.items()]
    size = mpmath.fsum(abs(part) for part in parts)
    assert size > 0
    assert abs(difference(problem, direction) - mpmath.fsum(parts)) < DIFFERENCED * (1 + size)


def test_every_parameter_is_in_the_gradient() -> None:
    """The count is of the case itself: a kind of parameter left out of all keys would show."""
    case = seeded_case(9, "recurrent_mixed")
    problem = Problem.from_case(case)
    numbers = [number for block in gradient_blocks(case, gradient(case)).values() for number in block]
    synapses = sum(int(connection.exists.sum()) for connection in case.network.connections)
    constants = sum({"input": 0, "li": 2, "lif": 4}[p.kind] * p.size for p in case.network.populations)
    times = sum(len(train) for trains in case.inputs.values() for train in trains)
    assert len(numbers) == len(problem.values) == 2 * synapses + constants + times
    along_all = difference(problem, dict.fromkeys(problem.values, 1.0))
    assert abs(mpmath.fsum(numbers) - along_all) < DIFFERENCED * (1 + mpmath.fsum(abs(n) for n in numbers))
