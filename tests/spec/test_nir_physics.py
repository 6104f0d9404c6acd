"""A graph says the same physics as its network: NIR's own equations, in small steps, against `reference`.

Steps of time are first order: an error is a number of steps, the same number at half the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import pytest

from reference import run
from spec import Case, CrossEntropy, Network, Result, SpikeTrains
from spec.nir_graph import UNITS, from_nir, to_nir
from tests.support.networks.nir_euler import Activity, integrate
from tests.support.networks.nir_networks import busy
from tests.support.networks.strategies import seeded_case

FAR = 40
"""Steps that a spike may be off: about one for each of the spikes before it, more where a crossing is flat."""

VOLTAGE = 10
"""Steps of ms times thresholds that a largest voltage may be off."""

STEPS = (0.02, 0.01)


def integrated(graph: Any, case: Case, unit: str, step: float) -> Activity:
    """The graph with the inputs of the case; all that is given and returned in ms."""
    ms = UNITS[unit]
    inputs = {name: [(train / ms).tolist() for train in trains] for name, trains in case.inputs.items()}
    found = integrate(graph, inputs, case.duration / ms, step / ms)
    return Activity({n: [[t * ms for t in train] for train in s] for n, s in found.spikes.items()}, found.highest)


def off(found: Activity, exact: Result) -> float:
    """How far spikes are from where they should be, ms; infinite if their number is not right."""
    trains = [(a, b) for name in found.spikes for a, b in zip(found.spikes[name], exact.spikes[name], strict=True)]
    if any(len(a) != len(b) for a, b in trains):
        return np.inf
    return max(float(np.max(np.abs(np.array(a) - b), initial=0.0)) for a, b in trains)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("unit", UNITS)
def test_the_graph_spikes_when_the_network_does(unit: str, step: float) -> None:
    case = busy()
    exact, found = run(case), integrated(to_nir(case.network, unit=unit), case, unit, step)
    assert all(len(train) > 4 for train in exact.spikes["hid"]) and exact.readout is not None
    assert off(found, exact) < FAR * step
    assert np.abs(found.highest["out"] - exact.readout).max() < VOLTAGE * step < 0.1 * abs(exact.readout).min()


@pytest.mark.parametrize("seed", [1, 5, 10, 14, 15, 27, 29, 31])
def test_drawn_graphs_spike_when_their_networks_do(seed: int) -> None:
    """Graphs, long delays, loops, feedback, all at once; none silent."""
    case = seeded_case(seed)
    exact, found = run(case), integrated(to_nir(case.network), case, "ms", STEPS[1])
    assert sum(len(train) for trains in exact.spikes.values() for train in trains) > 0
    assert off(found, exact) < FAR * STEPS[1]


def without_w_in(graph: Any) -> None:
    for name in ("hid", "out"):
        graph.nodes[name].w_in[:] = 1.0


def half_w_in(graph: Any) -> None:
    graph.nodes["out"].w_in *= 0.5


def swapped_taus(graph: Any) -> None:
    node = graph.nodes["hid"]
    node.tau_mem, node.tau_syn = node.tau_syn, node.tau_mem


def no_delay(graph: Any) -> None:
    graph.nodes["connection0_delays"].delay[:] = 0.0


def turned(graph: Any) -> None:
    graph.nodes["connection1_weights"].weight = graph.nodes["connection1_weights"].weight.T


FAULTS: tuple[Callable[[Any], None], ...] = (without_w_in, half_w_in, swapped_taus, no_delay, turned)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_control_a_fault_of_the_graph_is_seen(fault: Callable[[Any], None]) -> None:
    """Above all a current that steps by `w_in / tau_syn` where `w_in` is left at 1."""
    case = busy()
    exact, graph = run(case), to_nir(case.network)
    fault(graph)
    found = integrated(graph, case, "ms", STEPS[0])
    voltages = float(np.abs(found.highest["out"] - np.array(exact.readout)).max())
    assert off(found, exact) > FAR * STEPS[0] or voltages > VOLTAGE * STEPS[0]


def foreign() -> Any:
    """In seconds and float32, with `w_in` that is not `tau_syn`, a Scale, a Delay on each side, and a bias of 0."""
    def f(numbers: object) -> np.ndarray:
        return np.array(numbers, dtype=np.float32)

    lif = nir.CubaLIF(
        tau_mem=f([0.012, 0.009, 0.015]), tau_syn=f([0.004, 0.005, 0.003]), r=f([1, 1, 1]), v_leak=f([0, 0, 0]),
        v_threshold=f([1, 0.8, 1.2]), v_reset=f([0, -0.2, 0.1]), w_in=f([0.004, 0.01, 0.002]),
    )
    li = nir.CubaLI(tau_mem=f([0.02]), tau_syn=f([0.006]), r=f([1]), v_leak=f([0]), w_in=f(0.003))
    return nir.NIRGraph.from_list(
        nir.Input(np.array([2])), nir.Delay(f([0.0013, 0.0004])),
        nir.Affine(f([[4, 3], [2, 1.5], [8, -3]]), f([0, 0, 0])), nir.Scale(f([1.1, 1.3, 1.2])), lif,
        nir.Delay(f([0.002, 0.003, 0.001])), nir.Linear(f([[1.5, -0.5, 0.9]])), nir.Delay(f([0.0007])), li,
    )


def case_of(network: Network) -> Case:
    trains = SpikeTrains(([0.7, 4.1, 9.0, 15.5, 17.0], [1.9, 6.0, 20.0]))  # type: ignore[arg-type]
    return Case(network, 40.0, {"input": trains}, CrossEntropy("max_voltage", "cubali", 0))


def test_a_graph_of_another_tool_spikes_when_its_network_does() -> None:
    case = case_of(from_nir(foreign(), unit="s"))
    exact, found = run(case), integrated(foreign(), case, "s", STEPS[1])
    assert all(len(train) > 1 for train in exact.spikes["cubalif"]) and exact.readout is not None
    assert off(found, exact) < FAR * STEPS[1]
    assert np.abs(found.highest["cubali"] - exact.readout).max() < VOLTAGE * STEPS[1]


def test_control_another_unit_is_another_network() -> None:
    case = case_of(from_nir(foreign(), unit="s"))
    other = case_of(from_nir(foreign(), unit="ms"))
    assert off(integrated(foreign(), case, "s", STEPS[1]), run(other)) == np.inf
