"""EventProp on a grid converges to the exact gradient at order 1; a planted fault prevents it."""

import json
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.grid import __main__ as study
from benchmarks.grid import stepped
from benchmarks.grid.flat import flat
from benchmarks.grid.networks import drawn, norm, vector
from benchmarks.grid.stepped import Grid, gain
from delayprop.reference.run import run as exact_run
from delayprop.spec import Case, Result, SpecError
from tests import ROOT
from tests.support.networks.documents import lif, loss_of, read, wire
from tests.support.networks.strategies import seeded_case
from tests.support.report_evidence import Measured

pytestmark = pytest.mark.full

ORDER = 0.25  # tolerance of a slope over five halvings: the error has kinks where an event changes its step
SMALL = 0.02  # error of the median network at the smallest step
SEEDS = range(14)
RECORD = json.loads((ROOT / "results" / "grid.json").read_text(encoding="utf-8"))["gradients"]["networks"]
GROUPS = {f"{group['kind']}, {group['loss']}, {group['where']}": group for group in RECORD}


def relative(found: Result, exact: Result, which: str) -> float:
    return float(np.linalg.norm(vector(found, which) - vector(exact, which)) / norm(exact, which))


def order_and_last(networks: list[dict], which: str) -> tuple[float, float]:
    """The order of convergence, and the median error at the smallest step, of stable networks."""
    last = [network[f"error_{which}"][-1] for network in study.stable(networks)]
    assert len(last) >= 2
    return study.order(networks, which)["median"], float(np.median(last))


@pytest.mark.check(22)
@pytest.mark.parametrize("name", GROUPS)
def test_networks_are_those_of_the_record_and_converge_at_order_1(name: str, measured: Measured) -> None:
    """To the reference; from the record they differ by rounding only."""
    group = GROUPS[name]
    networks = study.measured(group["kind"], group["loss"], group["where"], SEEDS)
    for network, recorded in zip(networks, group["networks"], strict=False):
        for key in ("seed", "redrawn", "spikes", "kept", "ordered", "pinned", "falling"):
            assert network[key] == recorded[key]
        for key in study.QUANTITIES:
            assert network[key] == pytest.approx(recorded[key], rel=0.02, abs=2e-4)
    for which in "wd" if group["where"] == "off" else "":  # on the grid all ties
        order, last = order_and_last(networks, which)
        assert abs(order - 1) <= ORDER and last <= SMALL, f"{which}: order {order:.2f}, last error {last:.1e}"
        measured(abs(order - 1), ORDER, len(study.stable(networks)), f"0 to {SEEDS[-1]}, those of stable order")


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
def test_control_with_a_planted_fault_it_does_not(
    fault: str, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, wrong, which = FAULTS[fault]
    source = Path(stepped.__file__).read_text(encoding="utf-8")
    assert source.count(text) == 1
    planted = types.ModuleType("stepped_with_a_fault")
    exec(compile(source.replace(text, wrong), fault, "exec"), planted.__dict__)
    monkeypatch.setattr(study, "Grid", planted.Grid)
    networks = study.measured("recurrent", "spike_time_mse", "off", SEEDS)
    order, last = order_and_last(networks, which)
    measured(1 - order, ORDER, len(study.stable(networks)))
    assert last > 3 * SMALL and order < 1 - ORDER


GRAPHS = ("graph", "heterogeneous", "equal_taus", "delays", "feedback", "recurrent")


def test_any_graph_of_the_specification_converges() -> None:
    """An eighth of the step leaves about an eighth of the error, whatever the graph."""
    ratios, last = [], []
    for family in GRAPHS:
        for seed in range(4):
            drawn_case = seeded_case(seed, family)
            case = replace(drawn_case, duration=float(np.ceil(drawn_case.duration)))
            exact, coarse, fine = exact_run(case), stepped.run(case, 1 / 16), stepped.run(case, 1 / 128)
            usable = study.same_spikes(exact, coarse)[1] and study.same_spikes(exact, fine)[1] and not exact.ties
            if not usable or study.pinned(case) or not (norm(exact, "w") > 0 and norm(exact, "d") > 0):
                continue
            for which in ("w", "d"):
                errors = [relative(found, exact, which) for found in (coarse, fine)]
                if errors[1] > 0:  # 0: a neuron that always spikes has its threshold as its maximum
                    ratios.append(errors[0] / errors[1])
                    last.append(errors[1])
    assert len(ratios) >= 10
    assert 4 < np.median(ratios) < 16 and np.median(last) < SMALL


def test_a_record_has_the_errors_of_its_network_and_step() -> None:
    _, record = study.measured("recurrent", "spike_time_mse", "off", (3, 4))
    network = drawn("recurrent", "spike_time_mse", "off", 4)
    assert record["seed"] == 4
    for dt in (1.0, 1 / 8):
        n, found = study.DTS.index(dt), stepped.run(network.case, dt)
        assert record["error_d"][n] == pytest.approx(relative(found, network.exact, "d"), rel=5e-3)
        true, other = vector(network.exact, "w"), vector(found, "w")
        cosine = true @ other / (np.linalg.norm(true) * np.linalg.norm(other))
        assert record["cosine_w"][n] == pytest.approx(cosine, abs=1e-4)


def one_neuron(w: float, d: float, duration: float) -> Case:
    """One input spike at 0 through one synapse; time constants 20 and 5 ms."""
    return read(duration, [[0.0]], [lif("out", 1)], [wire("in", "out", [[w]], d)], loss_of("first_spike_time"))


def test_a_spike_found_on_the_way_down_is_counted() -> None:
    """At 10 ms V = w (e^-1/2 - e^-2) / 3 is above the threshold, and I = w e^-2 below V."""
    grid = Grid(flat([one_neuron(6.5, 0.0, 40.0)]), 10.0)
    assert grid.train(1).tolist() == [1]
    assert grid.I_minus_V[1, 1] == pytest.approx(6.5 * (4 * np.exp(-2) - np.exp(-0.5)) / 3)
    assert grid.I_minus_V[1, 1] < 0
    assert Grid(flat([one_neuron(8.0, 0.0, 40.0)]), 0.5).I_minus_V.min() == 0


@pytest.mark.parametrize(("d", "late"), [(1.5, 2.0), (1.25, 1.0)])
def test_delays_are_whole_steps(d: float, late: float) -> None:
    at_once = stepped.run(one_neuron(9.0, 0.0, 40.0), 1.0).spikes["out"][0]
    delayed = stepped.run(one_neuron(9.0, d, 40.0), 1.0).spikes["out"][0]
    assert len(at_once) and np.array_equal(delayed, at_once + late)


def test_a_slope_of_0_is_an_error() -> None:
    grid = Grid(flat([one_neuron(9.0, 0.0, 40.0)]), 1.0)
    grid.I_minus_V[:] = 0.0
    with pytest.raises(ArithmeticError, match="its gradient is infinite"):
        grid.backward()


def test_equal_time_constants_have_the_limit_of_near_ones() -> None:
    taus = np.array([5.0, 5.0 * (1 + 1e-9)])
    equal, near = gain(taus, np.array([5.0, 5.0]), 0.5)
    assert equal == pytest.approx(0.1 * np.exp(-0.1), rel=1e-15) and near == pytest.approx(equal, rel=1e-8)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: stepped.run(one_neuron(1.0, 0.0, 40.0), 0.3), "`dt` must be a whole part of the duration, 40 ms"),
    (lambda: stepped.run(one_neuron(1.0, 0.0, 40.0), 50.0), "`dt` must be a whole part of the duration, 40 ms"),
    (lambda: stepped.run(one_neuron(1.0, 0.0, 40.0), 0.0), "`dt` must be"),
    (lambda: flat([]), "`cases` must be a list of at least one case"),
    (lambda: flat([one_neuron(1.0, 0.0, T) for T in (40.0, 20.0)]), r"`cases\[1\].duration` must"),
])
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        call()
