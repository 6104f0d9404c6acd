"""One network in another notation, and the places of its results.

Each function returns the rewritten case, and the function from a result of the original case to the
result expected of the rewritten case.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from delayprop.spec import (
    Case,
    Connection,
    CrossEntropy,
    Network,
    Population,
    RelativeSpikeTimeMSE,
    SpikeTimeMSE,
    SpikeTrains,
    VoltageMSE,
)
from delayprop.spec.results import ConnectionGradient, Gradients, Result
from tests.support.parameters import changed, parameters, with_parameters

Rewritten = tuple[Case, Callable[[Result], Result]]
SPARE = Population("spare", "lif", 2, *(np.full(2, value) for value in (10.0, 5.0, 1.0, 0.0)))
"""Two neurons beside those of a network."""


def with_connections(case: Case, connections: Sequence[Connection]) -> Case:
    return replace(case, network=Network(case.network.populations, tuple(connections)))


def with_gradients_of(result: Result, change: Callable[[list[ConnectionGradient]], list[ConnectionGradient]]) -> Result:
    connections = change(list(result.gradients.connections))
    return replace(result, gradients=replace(result.gradients, connections=tuple(connections)))


def later(case: Case, s: float) -> Rewritten:
    """The case with all times later by `s` ms, targets and `T` too."""
    inputs = {name: SpikeTrains(tuple(train + s for train in trains)) for name, trains in case.inputs.items()}
    loss = case.loss
    if isinstance(loss, SpikeTimeMSE):
        loss = SpikeTimeMSE(loss.population, SpikeTrains(tuple(train + s for train in loss.targets)))

    def move(result: Result) -> Result:
        spikes = {name: [train + s for train in trains] for name, trains in result.spikes.items()}
        readout = result.readout
        if isinstance(case.loss, CrossEntropy) and case.loss.time_scale is not None and readout is not None:
            readout = readout - s / case.loss.time_scale
        return replace(result, spikes=spikes, readout=readout)

    return Case(case.network, case.duration + s, inputs, loss), move


def in_units(case: Case, ms: float, unit: float) -> Rewritten:
    """The case in other units: a millisecond becomes `ms`, a unit of voltage becomes `unit`."""
    units = {"w": unit, "v_th": unit, "v_reset": unit}
    rewritten = with_parameters(case, changed(parameters(case), lambda kind, values: values * units.get(kind, ms)))
    loss, of_loss = case.loss, 1.0
    if isinstance(loss, SpikeTimeMSE):
        loss, of_loss = SpikeTimeMSE(loss.population, SpikeTrains(tuple(train * ms for train in loss.targets))), ms**2
    elif isinstance(loss, RelativeSpikeTimeMSE):
        loss, of_loss = replace(loss, margin=loss.margin * ms), ms**2
    elif isinstance(loss, CrossEntropy) and loss.time_scale is not None:
        loss = replace(loss, time_scale=loss.time_scale * ms)

    def move(result: Result) -> Result:
        gradients = changed(result.gradients, lambda kind, values: values * (of_loss / units.get(kind, ms)))
        spikes = {name: [train * ms for train in trains] for name, trains in result.spikes.items()}
        return replace(result, loss=result.loss * of_loss, spikes=spikes, gradients=gradients)

    return replace(rewritten, duration=case.duration * ms, loss=loss), move


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

    def numbers(of: Gradients) -> Gradients:
        pairs = zip([of.connections[n] for n in of_connections], connections, strict=True)
        return Gradients(
            tuple(ConnectionGradient(matrix(by.dL_dw, c), matrix(by.dL_dd, c)) for by, c in pairs),
            {name: {one: v[order[name]] for one, v in by.items()} for name, by in of.populations.items()},
            {name: trains(name, given) for name, given in of.inputs.items()},
        )

    loss, read = case.loss, order[case.loss.population]
    if isinstance(loss, SpikeTimeMSE):
        loss = SpikeTimeMSE(loss.population, SpikeTrains(tuple(trains(loss.population, loss.targets))))
    else:
        assert not isinstance(loss, VoltageMSE)
        loss = replace(loss, label=int(np.flatnonzero(read == loss.label)[0]))

    def move(result: Result) -> Result:
        spikes, kappa = ({name: trains(name, given) for name, given in of.items()}
                         for of in (result.spikes, result.kappa))
        readout = None if result.readout is None else result.readout[read]
        return replace(result, spikes=spikes, kappa=kappa, readout=readout, gradients=numbers(result.gradients))

    synapses = (replace(c, w=matrix(c.w, c), d=matrix(c.d, c), exists=matrix(c.exists, c)) for c in connections)
    rewired = replace(case, network=Network(case.network.populations[::-1], tuple(synapses)), loss=loss)
    return with_parameters(rewired, numbers(parameters(case))), move
