"""EventProp on a grid converges to the exact gradient at order 1; a planted fault prevents it."""

import functools
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.grid import stepped
from benchmarks.grid.__main__ import DTS, pinned, same_spikes
from benchmarks.grid.__main__ import measured as measured_networks
from benchmarks.grid.forward import driven, flat, forward, gain
from benchmarks.grid.networks import KINDS, LOSSES, Drawn, drawn, norm, vector
from delayprop.reference.run import run as exact_run
from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, Result, SpecError, SpikeTrains
from tests.support.networks.strategies import seeded_case
from tests.support.report_evidence import Measured

pytestmark = pytest.mark.full

FINE = tuple(2.0**-n for n in range(3, 9))  # ms: five halvings
ORDER = 0.25  # tolerance of a slope over five halvings: the error has kinks where an event changes its step
SMALL = 0.02  # error of the median network at the smallest step
NETWORKS = 14

Stepped = Callable[[list[Case], float], list[Result]]


def relative(found: Result, exact: Result, which: str) -> float:
    return float(np.linalg.norm(vector(found, which) - vector(exact, which)) / norm(exact, which))


@functools.cache
def stable_networks(kind: str, loss: str) -> list[Drawn]:
    """Networks with the exact spikes, in order, at every step of `FINE`, and no pinned maximum."""
    networks = [drawn(kind, loss, "off", seed) for seed in range(NETWORKS)]
    for dt in FINE:
        found = stepped.run_many([network.case for network in networks], dt)
        networks = [n for n, r in zip(networks, found, strict=True) if same_spikes(n.exact, r)[1]]
    return [network for network in networks if not pinned(network.case)]


def slopes_and_last(networks: list[Drawn], run_many: Stepped, which: str) -> tuple[float, float]:
    """The median slope of log error against log dt, and the median error at the smallest step."""
    cases = [network.case for network in networks]
    errors = np.array([[relative(r, n.exact, which) for r, n in zip(run_many(cases, dt), networks, strict=True)]
                       for dt in FINE])
    slopes = np.polyfit(np.log2(FINE), np.log2(errors), 1)[0]
    return float(np.median(slopes)), float(np.median(errors[-1]))


@pytest.mark.check(22)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_converges_to_the_reference_at_order_1(kind: str, loss: str, measured: Measured) -> None:
    networks = stable_networks(kind, loss)
    assert len(networks) >= 2
    for which in ("w", "d"):
        slope, last = slopes_and_last(networks, stepped.run_many, which)
        assert abs(slope - 1) <= ORDER and last <= SMALL, f"{which}: order {slope:.2f}, last error {last:.1e}"
        measured(abs(slope - 1), ORDER, len(networks), f"0 to {NETWORKS - 1}, those of stable order")


FAULTS = {
    "sign of the delay gradient": ("dL_dd[here] += number * by_t", "dL_dd[here] -= number * by_t", "d"),
    "no tau_syn in the weight gradient": ("number * tau_syn[j] * lambda_I[j]", "number * lambda_I[j]", "w"),
    "no jump of lambda_V at a spike": ("(1 + drop[j] / slope) * lambda_V[j]", "lambda_V[j]", "w"),
    "the spike's own time forgotten": ("+ dL_dt_post / slope", "", "d"),
    "delay gradient without lambda_V": ("w * (lambda_V[j] - lambda_I[j])", "-w * lambda_I[j]", "d"),
}
"""A text of `stepped.py`, its replacement, and the gradient in which the fault must show."""


@pytest.mark.check(22, control=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_control_with_a_planted_fault_it_does_not(fault: str, measured: Measured) -> None:
    text, wrong, which = FAULTS[fault]
    source = Path(stepped.__file__).read_text(encoding="utf-8")
    assert source.count(text) == 1
    planted = types.ModuleType("stepped_with_a_fault")
    exec(compile(source.replace(text, wrong), fault, "exec"), planted.__dict__)
    networks = stable_networks("recurrent", "spike_time_mse")
    slope, last = slopes_and_last(networks, planted.run_many, which)
    measured(1 - slope, ORDER, len(networks))
    assert last > 3 * SMALL and slope < 1 - ORDER


GRAPHS = ("graph", "heterogeneous", "equal_taus", "delays", "feedback", "recurrent")


def test_any_graph_of_the_specification_converges() -> None:
    """An eighth of the step leaves about an eighth of the error, whatever the graph."""
    ratios, last = [], []
    for family in GRAPHS:
        for seed in range(4):
            drawn_case = seeded_case(seed, family)
            case = replace(drawn_case, duration=float(np.ceil(drawn_case.duration)))
            exact, coarse, fine = exact_run(case), stepped.run(case, 1 / 16), stepped.run(case, 1 / 128)
            usable = same_spikes(exact, coarse)[1] and same_spikes(exact, fine)[1] and not exact.ties
            if not usable or pinned(case) or not (norm(exact, "w") > 0 and norm(exact, "d") > 0):
                continue
            for which in ("w", "d"):
                errors = [relative(found, exact, which) for found in (coarse, fine)]
                if errors[1] > 0:  # 0: a neuron that always spikes has its threshold as its maximum
                    ratios.append(errors[0] / errors[1])
                    last.append(errors[1])
    assert len(ratios) >= 10
    assert 4 < np.median(ratios) < 16 and np.median(last) < SMALL


def test_a_pinned_maximum_has_no_limit_in_the_equations_of_the_paper() -> None:
    """The maximum moves with its inhibitory arrival (`derivations/maximum.py`); a kick does not."""
    networks = [drawn("feed-forward", "max_voltage", "off", seed) for seed in range(40)]
    found = stepped.run_many([network.case for network in networks], 1 / 256)
    errors: dict[bool, list[float]] = {True: [], False: []}
    for network, result in zip(networks, found, strict=True):
        errors[pinned(network.case)].append(relative(result, network.exact, "d"))
    assert len(errors[True]) >= 2
    assert np.median(errors[True]) > 0.05 > SMALL > np.median(errors[False])


def test_a_record_has_the_errors_of_its_network_and_step() -> None:
    _, record = measured_networks("recurrent", "spike_time_mse", "off", (3, 4))
    network = drawn("recurrent", "spike_time_mse", "off", 4)
    assert record["seed"] == 4
    for dt in (1.0, 1 / 8):
        n, found = DTS.index(dt), stepped.run(network.case, dt)
        assert record["error_d"][n] == pytest.approx(relative(found, network.exact, "d"), rel=5e-3)
        true, other = vector(network.exact, "w"), vector(found, "w")
        cosine = true @ other / (np.linalg.norm(true) * np.linalg.norm(other))
        assert record["cosine_w"][n] == pytest.approx(cosine, abs=1e-4)


def one_neuron(w: float, d: float, duration: float) -> Case:
    """One input spike at 0 through one synapse; time constants 20 and 5 ms."""
    populations = (Population("in", "input", 1), Population("out", "lif", 1, 20.0, 5.0, 1.0, 0.0))
    network = Network(populations, (Connection("in", "out", [[w]], d),))
    return Case(network, duration, {"in": SpikeTrains((np.zeros(1),))}, CrossEntropy("first_spike_time", "out", 0, 5.0))


def test_a_spike_found_on_the_way_down_is_counted() -> None:
    """At 10 ms V = w (e^-1/2 - e^-2) / 3 is above the threshold, and I = w e^-2 below V."""
    trace = forward(flat([one_neuron(6.5, 0.0, 40.0)]), 10.0)
    assert trace.train(1).tolist() == [1]
    assert trace.I_minus_V[1, 1] == pytest.approx(6.5 * (4 * np.exp(-2) - np.exp(-0.5)) / 3)
    assert trace.I_minus_V[1, 1] < 0
    assert forward(flat([one_neuron(8.0, 0.0, 40.0)]), 0.5).I_minus_V.min() == 0


@pytest.mark.parametrize(("d", "late"), [(1.5, 2.0), (1.25, 1.0)])
def test_delays_are_whole_steps(d: float, late: float) -> None:
    at_once = stepped.run(one_neuron(9.0, 0.0, 40.0), 1.0).spikes["out"][0]
    delayed = stepped.run(one_neuron(9.0, d, 40.0), 1.0).spikes["out"][0]
    assert len(at_once) and np.array_equal(delayed, at_once + late)


def test_a_slope_of_0_is_an_error() -> None:
    arrays = flat([one_neuron(9.0, 0.0, 40.0)])
    trace = forward(arrays, 1.0)
    flat_slope = replace(trace, I_minus_V=0 * trace.I_minus_V)
    with pytest.raises(ArithmeticError, match="its gradient is infinite"):
        stepped.backward(arrays, flat_slope, driven(arrays, flat_slope))


def test_equal_time_constants_have_the_limit_of_near_ones() -> None:
    taus = np.array([5.0, 5.0 * (1 + 1e-9)])
    equal, near = gain(taus, np.array([5.0, 5.0]), 0.5)
    assert equal == pytest.approx(0.1 * np.exp(-0.1), rel=1e-15) and near == pytest.approx(equal, rel=1e-8)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: stepped.run(one_neuron(1.0, 0.0, 40.0), 0.3), "`dt` must be a whole part of the duration, 40 ms"),
    (lambda: stepped.run(one_neuron(1.0, 0.0, 40.0), 50.0), "`dt` must be a whole part of the duration, 40 ms"),
    (lambda: stepped.run(one_neuron(1.0, 0.0, 40.0), 0.0), "`dt` must be"),
    (lambda: stepped.run_many([], 1.0), "`cases` must be a list of at least one case"),
    (lambda: stepped.run_many([one_neuron(1.0, 0.0, T) for T in (40.0, 20.0)], 1.0), r"`cases\[1\].duration` must"),
])
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        call()
