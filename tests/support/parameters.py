"""The parameters of a case in the layout of its gradient, so that one walk serves both; and the
arrivals of a case."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from delayprop.spec import Case, ConnectionGradient, Gradients, Network, SpikeTrains

Key = tuple[Any, ...]
"""The key of a parameter: ("w" or "d", connection, pre, post), (a constant, population, neuron) or
("t_in", population, neuron, k)."""


def parameters(case: Case) -> Gradients:
    """Every number of a case, in the place of its derivative."""
    receiving = [p for p in case.network.populations if p.kind != "input"]
    return Gradients(
        tuple(ConnectionGradient(c.w, c.d) for c in case.network.connections),
        {p.name: p.values for p in receiving},
        {name: list(trains) for name, trains in case.inputs.items()},
    )


def arrivals(case: Case, trains: Mapping[str, Sequence | SpikeTrains], name: str, j: int) -> Iterator[tuple]:
    """Weight, spike time and delay (ms) of each arrival at neuron `j` of a population, given the
    trains of its sources; also of those after the end."""
    for c in case.network.connections:
        if c.target == name and c.source in trains:
            for i in np.flatnonzero(c.exists[:, j]).tolist():
                yield from ((c.w[i, j], t, c.d[i, j]) for t in trains[c.source][i])


def filled(case: Case, slopes: Mapping[Key, Any]) -> Gradients:
    """The gradient with these numbers, of any type; 0 for the others, of absent synapses."""
    found = changed(parameters(case), lambda _, values: np.zeros(values.shape, dtype=object))
    for place, numbers in blocks(found):
        for index in np.ndindex(numbers.shape):
            numbers[index] = slopes.get((*place, *index), 0)
    return found


def with_parameters(case: Case, new: Gradients) -> Case:
    """The case with other numbers, and with its synapses."""
    pairs = zip(case.network.connections, new.connections, strict=True)
    network = Network(
        tuple(p.with_values(new.populations.get(p.name, {})) for p in case.network.populations),
        tuple(replace(c, w=by.dL_dw, d=by.dL_dd) for c, by in pairs),
    )
    inputs = {name: SpikeTrains(tuple(trains)) for name, trains in new.inputs.items()}
    return replace(case, network=network, inputs=inputs)


def blocks(of: Gradients) -> Iterator[tuple[Key, np.ndarray]]:
    """Every array, and the part of the key that its numbers share."""
    for c, connection in enumerate(of.connections):
        yield ("w", c), connection.dL_dw
        yield ("d", c), connection.dL_dd
    for name, by in of.populations.items():
        yield from (((constant, name), values) for constant, values in by.items())
    for name, trains in of.inputs.items():
        yield from ((("t_in", name, i), train) for i, train in enumerate(trains))


def keyed(case: Case, of: Gradients) -> dict[Key, Any]:
    """Every number by its key, without entries for absent synapses."""
    exists = [connection.exists for connection in case.network.connections]
    return {
        (*place, *index): values[index]
        for place, values in blocks(of)
        for index in np.ndindex(values.shape)
        if place[0] not in ("w", "d") or exists[place[1]][index]
    }


def changed(of: Gradients, change: Callable[[str, np.ndarray], np.ndarray]) -> Gradients:
    """Every array changed, in the order of `blocks`, given its kind: `w`, `d`, `t_in`, ..."""

    return Gradients(
        tuple(ConnectionGradient(change("w", g.dL_dw), change("d", g.dL_dd)) for g in of.connections),
        {name: {one: change(one, values) for one, values in by.items()} for name, by in of.populations.items()},
        {name: [change("t_in", train) for train in trains] for name, trains in of.inputs.items()},
    )


def moved(case: Case, direction: Gradients, step: float) -> Case:
    """The case with every parameter moved by `step` along a direction."""
    moves = iter([move for _, move in blocks(direction)])
    return with_parameters(case, changed(parameters(case), lambda _, values: values + step * next(moves)))
