"""The ground truth against answers that can be written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import mpmath
import pytest
from mpmath import mpf

from spec import Case, Connection, CrossEntropy, Network, Population, SpikeTimeMSE, SpikeTrains
from tests.strategies import seeded_case
from tests.truth import Problem, Truth, simulate

DIGITS = 50
CLOSE = mpf("1e-47")


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(70):
        yield


def one_neuron(loss: str, w: float = 15.0, v_reset: float = -0.25, T: float = 60.0, tau_syn: float = 8.0) -> Case:
    """An input spike at 0.5 ms, a delay of 1.75 ms, two neurons of `tau_mem` 16 ms; only the first has a synapse."""
    kind, _, read = loss.partition(":")
    constants = (16.0, tau_syn) if kind == "li" else (16.0, tau_syn, 1.0, v_reset)
    populations = (Population("in", "input", 1), Population("out", kind, 2, *constants))
    network = Network(populations, (Connection("in", "out", [[w, None]], 1.75),))
    chosen = SpikeTimeMSE("out", [[10.0, 20.0], []]) if read == "mse" else CrossEntropy(read, "out", 0)
    return Case(network, T, {"in": SpikeTrains([[0.5]])}, chosen)


def spikes_of_a_quadratic(w: mpf, d: mpf, t_in: mpf, v_th: mpf, v_reset: mpf) -> list[mpf]:
    """The spikes of `one_neuron` with `tau_mem = 2 tau_syn`.

    With `u = exp(-(t - t_arr)/tau_mem)`, its voltage is `V = w (u - u^2) - (v_th - v_reset) sum_k u/u_k`.
    """
    found: list[mpf] = []
    while True:
        b = w - (v_th - v_reset) * mpmath.fsum(1 / u for u in found)
        discriminant = b * b - 4 * w * v_th
        if b <= 0 or discriminant <= 0:
            return [t_in + d - 16 * mpmath.log(u) for u in found]
        found.append((b + mpmath.sqrt(discriminant)) / (2 * w))


def quadratic(problem: Problem) -> list[mpf]:
    """The spikes of `one_neuron` in closed form."""
    keys = (("w", 0, 0, 0), ("d", 0, 0, 0), ("t_in", "in", 0, 0), ("v_th", "out", 0), ("v_reset", "out", 0))
    return spikes_of_a_quadratic(*(problem.values[key] for key in keys))


def response(w: mpf, t_arr: mpf, spikes: list[mpf], drop: mpf) -> Callable[[mpf], mpf]:
    """V(t) of `one_neuron`, not by the simulation."""

    def V(t: mpf) -> mpf:
        u = mpmath.exp(-(t - t_arr) / 16)
        return w * (u - u * u) * (t > t_arr) - drop * mpmath.fsum(mpmath.exp((s - t) / 16) for s in spikes if s < t)

    return V


def test_spikes_are_the_roots_of_a_quadratic() -> None:
    problem = Problem.from_case(one_neuron("lif:mse"))
    truth = simulate(problem, DIGITS)
    expected = quadratic(problem)
    assert len(expected) == 5
    (found, silent) = truth.spikes["out"]
    assert len(silent) == 0
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < CLOSE
    assert abs(truth.loss - ((expected[0] - 10) ** 2 + (expected[1] - 20) ** 2) / 2) < CLOSE
    V = response(mpf(15), mpf("2.25"), expected, mpf("1.25"))
    slope = mpmath.diff(V, expected[0], direction=-1)
    assert abs(truth.kappa["out"][0][0] - (16 * slope) ** 2) < mpf("1e-15")


def test_a_missing_spike_counts_as_the_end() -> None:
    truth = simulate(Problem.from_case(one_neuron("lif:mse", w=4.2)), DIGITS)
    (t,) = truth.spikes["out"][0]
    assert abs(truth.loss - ((t - 10) ** 2 + (60 - mpf(20)) ** 2) / 2) < CLOSE


@pytest.mark.parametrize("tau_syn", [8.0, 4.0, 24.0, 16.0])
def test_the_height_of_a_response(tau_syn: float) -> None:
    y, silent = simulate(Problem.from_case(one_neuron("li:max_voltage", tau_syn=tau_syn, T=200.0)), DIGITS).readout
    r = mpf(tau_syn) / 16
    expected = 15 * (mpmath.exp(-1) if r == 1 else r ** (1 / (1 - r)))
    assert abs(y - expected) < CLOSE and silent == 0


@pytest.mark.parametrize("kind", ["li", "lif"])
@pytest.mark.parametrize("readout", ["mean_voltage", "exp_weighted_voltage"])
def test_integrals_against_quadrature(kind: str, readout: str) -> None:
    problem = Problem.from_case(one_neuron(f"{kind}:{readout}"))
    spikes = quadratic(problem) if kind == "lif" else []
    V = response(mpf(15), mpf("2.25"), spikes, mpf("1.25"))
    rate = mpf(0) if readout == "mean_voltage" else 1 / mpf(60)
    ends = [mpf("2.25"), *spikes, mpf(60)]
    y = mpmath.fsum(mpmath.quad(lambda t: mpmath.exp(-rate * t) * V(t), piece) for piece in pairwise(ends)) / 60
    truth = simulate(problem, DIGITS)
    assert abs(truth.readout[0] - y) < mpf("1e-30")
    assert abs(truth.loss - mpmath.log(1 + mpmath.exp(-y))) < mpf("1e-30")


@pytest.mark.parametrize("readout", ["mean_voltage", "exp_weighted_voltage"])
def test_integrals_of_equal_constants(readout: str) -> None:
    case = one_neuron(f"lif:{readout}", tau_syn=16.0)
    truth = simulate(Problem.from_case(case), DIGITS)
    nearly = Problem.from_case(case)
    nearly.values["tau_syn", "out", 0] *= 1 + mpf("1e-30")
    assert 0 < abs(simulate(nearly, DIGITS).readout[0] - truth.readout[0]) < mpf("1e-28")


def test_the_first_spike() -> None:
    base = one_neuron("lif:mse")
    case = Case(base.network, base.duration, base.inputs, CrossEntropy("first_spike_time", "out", 1, 5.0))
    truth = simulate(Problem.from_case(case), DIGITS)
    (first, *_) = quadratic(Problem.from_case(case))
    assert abs(truth.readout[0] + first / 5) < CLOSE and truth.readout[1] == -12
    assert abs(truth.loss - mpmath.log(1 + mpmath.exp(12 - first / 5))) < CLOSE


@pytest.mark.parametrize("family", ["recurrent_mixed", "feedback", "near_taus", "mixed"])
def test_spikes_stand_at_threshold(family: str) -> None:
    """Step the state with the matrix exponential from event to event: at every spike V must be the threshold."""
    case = seeded_case(2, family)
    truth = simulate(Problem.from_case(case), 40)
    checked = 0
    for population in case.network.populations:
        for j in range(population.size if population.kind == "lif" else 0):
            rates = mpmath.matrix([[-1 / mpf(population.tau_mem[j]), 1 / mpf(population.tau_mem[j])], [0, 0]])
            rates[1, 1] = -1 / mpf(population.tau_syn[j])
            state, now = mpmath.matrix([0, 0]), mpf(0)
            events = [(t, mpf(0)) for t in truth.spikes[population.name][j]]
            for t, w in sorted([*arrivals(case, truth, population.name, j), *events], key=lambda event: event[0]):
                state, now = mpmath.expm(rates * (t - now)) * state, t
                if w:
                    state[1] += w
                    continue
                assert abs(state[0] - population.v_th[j]) < mpf("1e-30")
                state[0] = mpf(population.v_reset[j])
                checked += 1
    assert checked > 0


def arrivals(case: Case, truth: Truth, name: str, j: int) -> list[tuple[mpf, mpf]]:
    """Time and weight of every arrival at a neuron."""
    sources = {**truth.spikes, **case.inputs}
    found = []
    for connection in case.network.connections:
        for i in range(len(connection.w) if connection.target == name else 0):
            if connection.exists[i, j] and connection.w[i, j]:
                times = [mpf(t) + mpf(connection.d[i, j]) for t in sources[connection.source][i] if t <= case.duration]
                found += [(t, mpf(connection.w[i, j])) for t in times if t <= case.duration]
    return found


@pytest.mark.parametrize("family", ["mixed", "recurrent_mixed", "equal_taus"])
def test_units_do_not_matter(family: str) -> None:
    """Other units of time and voltage give the same spikes in these units."""
    case = seeded_case(1, family)
    problem, other = Problem.from_case(case), Problem.from_case(case)
    ms, unit = mpf("3.7"), mpf("0.31")
    other.duration *= ms
    for key in other.values:
        other.values[key] *= unit if key[0] in ("w", "v_th", "v_reset") else ms
    first, second = simulate(problem, DIGITS), simulate(other, DIGITS)
    assert first.signature == second.signature
    trains = [(a, b) for name in first.spikes for a, b in zip(first.spikes[name], second.spikes[name], strict=True)]
    assert sum(len(a) for a, _ in trains) > 0
    assert all(abs(s * ms - t) < mpf("1e-44") for a, b in trains for s, t in zip(a, b, strict=True))


def test_digits_are_right() -> None:
    for family in ("near_taus", "recurrent", "delays"):
        problem = Problem.from_case(seeded_case(4, family))
        few, many = simulate(problem, DIGITS), simulate(problem, 90)
        assert few.signature == many.signature
        assert abs(few.loss - many.loss) < mpf("1e-48") * (1 + abs(many.loss))


def test_what_comes_after_the_end_does_not_exist() -> None:
    case = one_neuron("lif:mse", T=12.0)
    problem = Problem.from_case(case)
    inside = [t for t in quadratic(problem) if t < 12]
    truth = simulate(problem, DIGITS)
    assert 0 < len(inside) < 5 and len(truth.spikes["out"][0]) == len(inside)
    problem.values["d", 0, 0, 0] = mpf(12)
    assert len(simulate(problem, DIGITS).spikes["out"][0]) == 0
