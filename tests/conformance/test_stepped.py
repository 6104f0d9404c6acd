"""EventProp on a time grid converges to the exact gradient at order 1, but with a planted fault."""

import hashlib
import json
import types
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.events import Arrivals
from delayprop.reference.readouts import drive
from delayprop.reference.run import run as exact_run
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Result, SpecError
from tests import ROOT
from tests.support.networks.documents import lif, loss_of, read, wire
from tests.support.networks.neurons import network
from tests.support.networks.strategies import seeded_case
from tests.support.report_evidence import Measured

ADAPTER = ROOT / "examples" / "conformance" / "stepped_adapter.py"
GRAPHS = ("graph", "heterogeneous", "equal_taus", "delays", "feedback", "recurrent")
COARSE, FINE = 1 / 16, 1 / 128  # steps, ms
ORDER = 0.25  # tolerance of the median order
RECORD = "60a4dd3c7d12f4a26b5a64c33470e43eb3a3029387d85716a884b3b1aed36eb7"  # SHA-256; commit f82bb8d3 tests its sums
SMALL = 0.02  # error of the median network at the fine step


def program(source: str) -> types.ModuleType:
    """The adapter with this text."""
    module = types.ModuleType("stepped_adapter")
    exec(compile(source, str(ADAPTER), "exec"), module.__dict__)
    return module


STEPPED = program(ADAPTER.read_text(encoding="utf-8"))


def stepped(case: Case, dt: float, module: types.ModuleType = STEPPED) -> Result:
    found: Result = module.Grid(case, dt).result()
    return found


def gradient(found: Result, which: str) -> np.ndarray:
    return np.concatenate([getattr(part, f"dL_d{which}").ravel() for part in found.gradients.connections])


def same_spikes(exact: Result, found: Result) -> bool:
    """Whether every neuron spikes as often, and all spikes in the same order."""
    pairs = [(a, b) for name in exact.spikes for a, b in zip(exact.spikes[name], found.spikes[name], strict=True)]
    if any(len(a) != len(b) for a, b in pairs):
        return False
    true, other = (np.concatenate([pair[n] for pair in pairs]) for n in range(2))
    return bool(np.all(np.diff(other[np.argsort(true, kind="stable")]) >= 0))


def moved_maximum(case: Case) -> bool:
    """Whether the loss reads a maximum that inhibitory arrivals make: the grid lacks its term."""
    readings = drive(FLOAT64, case, simulate(FLOAT64, case)).readings
    return any(isinstance(reading.pinned, Arrivals) for reading in readings)


@cache
def usable() -> tuple[tuple[Case, Result], ...]:
    """Networks with the exact spikes on both grids, without ties, and with both gradients."""
    found = []
    for family in GRAPHS:
        for seed in range(8):
            drawn = seeded_case(seed, family)
            case = replace(drawn, duration=float(np.ceil(drawn.duration)))
            exact = exact_run(case)
            if exact.ties or moved_maximum(case) or not all(gradient(exact, which).any() for which in "wd"):
                continue
            if all(same_spikes(exact, stepped(case, dt)) for dt in (COARSE, FINE)):
                found.append((case, exact))
    return tuple(found)


def order_and_last(which: str, module: types.ModuleType = STEPPED) -> tuple[float, float, int]:
    """The median order of convergence, the median relative error on the fine grid, and the number
    of networks; one that is exact on the fine grid (its neurons always spike) is left out."""
    errors = []
    for case, exact in usable():
        true = gradient(exact, which)
        apart = [gradient(stepped(case, dt, module), which) - true for dt in (COARSE, FINE)]
        errors.append([float(np.linalg.norm(one) / np.linalg.norm(true)) for one in apart])
    coarse, fine = np.array([pair for pair in errors if pair[1] > 0]).T
    return float(np.median(np.log(coarse / fine) / np.log(COARSE / FINE))), float(np.median(fine)), len(fine)


@pytest.mark.full
@pytest.mark.check(22)
@pytest.mark.parametrize("which", ["w", "d"])
def test_the_gradient_converges_at_order_1(which: str, measured: Measured) -> None:
    order, last, count = order_and_last(which)
    assert count >= 15 and abs(order - 1) <= ORDER and last <= SMALL, (order, last, count)
    measured(abs(order - 1), ORDER, count, "0 to 7 of six kinds of graphs")


FAULTS = {
    "sign of the delay gradient": ("dL_dd[here] += number * by_t", "dL_dd[here] -= number * by_t", "d"),
    "no tau_syn in the weight gradient": ("number * tau_syn[j] * lambda_I[j]", "number * lambda_I[j]", "w"),
    "no jump of lambda_V at a spike": ("(1 + drop[j] / slope) * lambda_V[j]", "lambda_V[j]", "w"),
    "the spike's own time forgotten": ("+ dL_dt_post / slope", "", "d"),
    "delay gradient without lambda_V": ("w * (lambda_V[j] - lambda_I[j])", "-w * lambda_I[j]", "d"),
}
"""A text of the adapter, its replacement, and the gradient in which the fault must show."""


@pytest.mark.full
@pytest.mark.check(22, control=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_control_with_a_planted_fault_it_does_not(fault: str, measured: Measured) -> None:
    text, wrong, which = FAULTS[fault]
    source = ADAPTER.read_text(encoding="utf-8")
    assert source.count(text) == 1
    order, last, count = order_and_last(which, program(source.replace(text, wrong)))
    measured(1 - order, ORDER, count)
    assert order < 1 - ORDER and last > 3 * SMALL


@pytest.mark.check(22)
def test_the_order_of_the_recorded_study_is_1(measured: Measured) -> None:
    """At least 100 networks, five halvings, with either parameter and kind."""
    content = (ROOT / "results" / "grid.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == RECORD, "no command writes it"
    record = json.loads(content)
    assert len(record["gradients"]["summary"]["order"]) == 4
    for entry in record["gradients"]["summary"]["order"]:
        assert entry["count"] >= 100 and abs(entry["median"] - 1) <= ORDER
        measured(abs(entry["median"] - 1), ORDER, entry["count"], "of the record results/grid.json")


def one_neuron(w: float, d: float, duration: float = 40.0) -> Case:
    """One input spike at 0 through one synapse; time constants 20 and 5 ms."""
    return read(duration, [[0.0]], [lif("out", 1)], [wire("in", "out", [[w]], d)], loss_of("first_spike_time"))


@pytest.mark.parametrize(("d", "late"), [(1.5, 2.0), (1.25, 1.0)])
def test_delays_are_whole_steps(d: float, late: float) -> None:
    at_once, delayed = (stepped(one_neuron(9.0, delay), 1.0).spikes["out"][0] for delay in (0.0, d))
    assert len(at_once) and np.array_equal(delayed, at_once + late)


def test_a_spike_found_on_the_way_down_has_a_negative_slope() -> None:
    """At 10 ms V = w (e^-1/2 - e^-2) / 3 is above the threshold, and I = w e^-2 below V."""
    grid = STEPPED.Grid(one_neuron(6.5, 0.0), 10.0)
    assert grid.train(1).tolist() == [1]
    assert grid.I_minus_V[1, 1] == pytest.approx(6.5 * (4 * np.exp(-2) - np.exp(-0.5)) / 3)
    assert grid.I_minus_V[1, 1] < 0 == STEPPED.Grid(one_neuron(8.0, 0.0), 0.5).I_minus_V.min()


def test_equal_time_constants_have_the_limit_of_near_ones() -> None:
    equal, near = STEPPED.gain(np.array([5.0, 5.0 * (1 + 1e-9)]), np.array([5.0, 5.0]), 0.5)
    assert equal == pytest.approx(0.1 * np.exp(-0.1), rel=1e-15) and near == pytest.approx(equal, rel=1e-8)


def test_a_slope_of_0_is_an_error() -> None:
    grid = STEPPED.Grid(one_neuron(9.0, 0.0), 1.0)
    grid.I_minus_V[:] = 0.0
    with pytest.raises(ArithmeticError, match="its gradient is infinite"):
        grid.backward()


@pytest.mark.parametrize("dt", [0.3, 50.0, 0.0])
def test_a_step_that_does_not_fit_is_refused(dt: float) -> None:
    with pytest.raises(SpecError, match="`dt` must be"):
        stepped(one_neuron(1.0, 0.0), dt)


def test_neurons_of_other_equations_are_refused() -> None:
    with pytest.raises(SpecError, match="the grid steps no other equations"):
        stepped(network("rise", 0, "mean_voltage"), 1.0)
