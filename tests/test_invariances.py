"""One network written in two ways: the spikes, the loss and the gradient are the same, moved to where they belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

import reference
from fast.run import run_case
from spec import (
    Case,
    Connection,
    ConnectionGradient,
    CrossEntropy,
    Gradients,
    Network,
    Population,
    PopulationGradient,
    Result,
    SpikeTimeMSE,
    SpikeTrains,
)
from tests.comparison import CONSTANTS, assert_same_activity, assert_same_gradients, gradient_blocks
from tests.strategies import families, seeded_case
from tests.tolerances import WELL_CONDITIONED
from tests.truth import Problem, difference

CASES = 4
"""Of each family."""

Run = Callable[[Case], Result]
RUNS: dict[str, Run] = {"reference": reference.run, "fast": run_case}
PAIRS = [(run, family) for run in RUNS for family in families(True if run == "fast" else None)]
every_family = pytest.mark.parametrize(("run", "family"), PAIRS)


def cases(family: str, suits: Callable[[Case], bool] = lambda case: True) -> Iterator[Case]:
    """The first cases of a family that suit."""
    found = 0
    for seed in count():
        case = seeded_case(seed, family)
        if suits(case):
            found += 1
            yield case
        if found == CASES or seed == 10 * CASES:
            break
    assert found == CASES


def assert_bitwise(case: Case, found: Result, true: Result) -> None:
    """Not a bit differs."""
    assert found.loss == true.loss
    assert true.readout is None or np.array_equal(found.readout, true.readout)  # type: ignore[arg-type]
    for name, trains in true.spikes.items():
        assert all(np.array_equal(a, b) for a, b in zip(found.spikes[name], trains, strict=True)), name
    assert gradient_blocks(case, found.gradients) == gradient_blocks(case, true.gradients)


def assert_same(case: Case, found: Result, true: Result) -> None:
    """As near as two float64 gradients of one function are."""
    assert_same_activity(case, found, true, true.gradients)
    assert_same_gradients(case, found.gradients, true.gradients, true.kappa_min)


def reads_an_integral(case: Case) -> bool:
    return isinstance(case.loss, CrossEntropy) and case.loss.readout in ("mean_voltage", "exp_weighted_voltage")


def with_synapses(like: Connection, w: np.ndarray, d: np.ndarray) -> Connection:
    """The same synapses with other numbers."""
    weights = w.astype(object)
    weights[~like.exists] = None
    return Connection(like.source, like.target, weights, d)


def with_connections(case: Case, connections: list[Connection], *more: Population) -> Case:
    """The case with other connections, and more populations."""
    return replace(case, network=Network((*case.network.populations, *more), tuple(connections)))


def of_connections(gradients: Gradients, change: Callable[[list[ConnectionGradient]], list]) -> Gradients:
    """The gradients with other connections."""
    return replace(gradients, connections=tuple(change(list(gradients.connections))))


@every_family
def test_a_shift_of_time(run: str, family: str) -> None:
    """Everything 3.7 ms later, `T` too: so are the spikes, and nothing else changes unless a voltage is averaged over T."""
    s = 3.7
    for case in cases(family, lambda case: not reads_an_integral(case)):
        inputs = {name: _later(trains, s) for name, trains in case.inputs.items()}
        loss = case.loss
        if isinstance(loss, SpikeTimeMSE):
            loss = SpikeTimeMSE(loss.population, _later(loss.targets, s))
        result = RUNS[run](case)
        readout = result.readout
        if isinstance(loss, CrossEntropy) and loss.time_scale is not None and readout is not None:
            readout = readout - s / loss.time_scale
        spikes = {name: [train + s for train in trains] for name, trains in result.spikes.items()}
        later = Case(case.network, case.duration + s, inputs, loss)
        assert_same(later, RUNS[run](later), replace(result, spikes=spikes, readout=readout))


def _later(trains: SpikeTrains, s: float) -> SpikeTrains:
    return SpikeTrains(tuple(train + s for train in trains))


def in_units(case: Case, ms: float, unit: float) -> Case:
    """The case with all times in a unit of `1/ms` ms, and all voltages in `1/unit`."""
    populations = [
        replace(p, tau_mem=p.tau_mem * ms, tau_syn=p.tau_syn * ms) if p.tau_mem is not None else p  # type: ignore[operator]
        for p in case.network.populations
    ]
    populations = [
        replace(p, v_th=p.v_th * unit, v_reset=p.v_reset * unit) if p.v_th is not None else p  # type: ignore[operator]
        for p in populations
    ]
    connections = [with_synapses(c, c.w * unit, c.d * ms) for c in case.network.connections]
    loss = case.loss
    if isinstance(loss, SpikeTimeMSE):
        loss = SpikeTimeMSE(loss.population, _times(loss.targets, ms))
    elif loss.time_scale is not None:
        loss = replace(loss, time_scale=loss.time_scale * ms)
    inputs = {name: _times(trains, ms) for name, trains in case.inputs.items()}
    return Case(Network(tuple(populations), tuple(connections)), case.duration * ms, inputs, loss)


def _times(trains: SpikeTrains, factor: float) -> SpikeTrains:
    return SpikeTrains(tuple(train * factor for train in trains))
