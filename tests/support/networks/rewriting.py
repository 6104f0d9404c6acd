"""One network in another notation, and the places of its results.

Each function returns the rewritten case, and the function from a result of the original case to the
result expected of the rewritten case.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from delayprop.spec import (
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
from tests.support.comparison import CONSTANTS, changed

Rewritten = tuple[Case, Callable[[Result], Result]]
SPARE = Population("spare", "lif", 2, *(np.full(2, value) for value in (10.0, 5.0, 1.0, 0.0)))
"""Two neurons beside those of a network."""

TIMES = ("tau_mem", "tau_syn")


def trains_of(trains: Sequence[np.ndarray] | SpikeTrains) -> SpikeTrains:
    return SpikeTrains(tuple(np.asarray(train) for train in trains))


def with_numbers(like: Connection, w: np.ndarray, d: np.ndarray) -> Connection:
    """A connection of the same synapses with other weights and delays."""
    weights = np.asarray(w).astype(object)
    weights[~like.exists] = None
    return Connection(like.source, like.target, weights, d)


def with_constants(population: Population, change: Callable[[str, np.ndarray], np.ndarray]) -> Population:
    """A population of the same neurons with other constants."""
    given = {name: getattr(population, name) for name in CONSTANTS if getattr(population, name) is not None}
    changed: dict[str, Any] = {name: change(name, values) for name, values in given.items()}
    return replace(population, **changed)


def with_connections(case: Case, connections: Sequence[Connection]) -> Case:
    return replace(case, network=Network(case.network.populations, tuple(connections)))


def with_gradients_of(result: Result, change: Callable[[list[ConnectionGradient]], list[ConnectionGradient]]) -> Result:
    connections = change(list(result.gradients.connections))
    return replace(result, gradients=replace(result.gradients, connections=tuple(connections)))


def later(case: Case, s: float) -> Rewritten:
    """The case with all times later by `s` ms, targets and `T` too."""
    inputs = {name: trains_of([train + s for train in trains]) for name, trains in case.inputs.items()}
    loss = case.loss
    if isinstance(loss, SpikeTimeMSE):
        loss = SpikeTimeMSE(loss.population, trains_of([train + s for train in loss.targets]))

    def move(result: Result) -> Result:
        spikes = {name: [train + s for train in trains] for name, trains in result.spikes.items()}
        readout = result.readout
        if isinstance(case.loss, CrossEntropy) and case.loss.time_scale is not None and readout is not None:
            readout = readout - s / case.loss.time_scale
        return replace(result, spikes=spikes, readout=readout)

    return Case(case.network, case.duration + s, inputs, loss), move


def in_units(case: Case, ms: float, unit: float) -> Rewritten:
    """The case in other units: a millisecond becomes `ms`, a unit of voltage becomes `unit`."""

    def change(name: str, values: np.ndarray) -> np.ndarray:
        return values * (ms if name in TIMES else unit)

    network = Network(
        tuple(with_constants(p, change) for p in case.network.populations),
        tuple(with_numbers(c, c.w * unit, c.d * ms) for c in case.network.connections),
    )
    inputs = {name: trains_of([train * ms for train in trains]) for name, trains in case.inputs.items()}
    loss, of_loss = case.loss, 1.0
    if isinstance(loss, SpikeTimeMSE):
        loss, of_loss = SpikeTimeMSE(loss.population, trains_of([train * ms for train in loss.targets])), ms**2
    elif loss.time_scale is not None:
        loss = replace(loss, time_scale=loss.time_scale * ms)

    def move(result: Result) -> Result:
        factors = {"w": of_loss / unit, "v_th": of_loss / unit, "v_reset": of_loss / unit}
        gradients = changed(result.gradients, lambda kind, values: values * factors.get(kind, of_loss / ms))
        spikes = {name: [train * ms for train in trains] for name, trains in result.spikes.items()}
        return replace(result, loss=result.loss * of_loss, spikes=spikes, gradients=gradients)

    return Case(network, case.duration * ms, inputs, loss), move


def permuted(case: Case, seed: int) -> Rewritten:
    """The case with neurons of every population, populations and connections in another order."""
    rng = np.random.default_rng(seed)
    order = {p.name: rng.permutation(p.size) for p in case.network.populations}
    of_connections = rng.permutation(len(case.network.connections))
    connections = [case.network.connections[c] for c in of_connections]

    def matrix(values: np.ndarray, c: Connection) -> np.ndarray:
        return values[order[c.source]][:, order[c.target]]

    def trains(name: str, given: Sequence[np.ndarray] | SpikeTrains) -> list[np.ndarray]:
        return [given[int(n)] for n in order[name]]

    rewired = []
    for c in connections:
        weights = matrix(c.w, c).astype(object)
        weights[~matrix(c.exists, c)] = None
        rewired.append(Connection(c.source, c.target, weights, matrix(c.d, c)))
    populations = [with_constants(p, lambda _, v, p=p: v[order[p.name]]) for p in case.network.populations]  # type: ignore[misc]
    loss, read = case.loss, order[case.loss.population]
    if isinstance(loss, SpikeTimeMSE):
        loss = SpikeTimeMSE(loss.population, trains_of(trains(loss.population, loss.targets)))
    else:
        loss = replace(loss, label=int(np.flatnonzero(read == loss.label)[0]))
    inputs = {name: trains_of(trains(name, given)) for name, given in case.inputs.items()}

    def move(result: Result) -> Result:
        g = result.gradients

        def constants(name: str, by: PopulationGradient) -> PopulationGradient:
            columns = [getattr(by, f"dL_d{constant}") for constant in CONSTANTS]
            return PopulationGradient(*(None if v is None else v[order[name]] for v in columns))  # type: ignore[arg-type]

        moved = [g.connections[n] for n in of_connections]
        gradients = Gradients(
            tuple(
                ConnectionGradient(matrix(by.dL_dw, c), matrix(by.dL_dd, c))
                for by, c in zip(moved, connections, strict=True)
            ),
            {name: constants(name, by) for name, by in g.populations.items()},
            {name: trains(name, given) for name, given in g.inputs.items()},
        )
        spikes = {name: trains(name, given) for name, given in result.spikes.items()}
        kappa = {name: trains(name, given) for name, given in result.kappa.items()}
        readout = None if result.readout is None else result.readout[read]
        return replace(result, spikes=spikes, kappa=kappa, readout=readout, gradients=gradients)

    return Case(Network(tuple(populations[::-1]), tuple(rewired)), case.duration, inputs, loss), move
