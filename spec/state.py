"""The state behind an instant: all of the past that later spikes depend on.

A trial that begins with the state in which another one ended goes on with it: `x` and the spikes
under way, on which the equations between and at later events depend, are all that they depend on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from delayprop.spec import checks
from delayprop.spec.documents import json_object
from delayprop.spec.errors import SpecError, Verbatim
from delayprop.spec.network import Network

TOUCH = 16 * 2.0**-53
"""How far above its threshold, relatively, a level only touches it (specification, section 4)."""


@dataclass(frozen=True, eq=False)
class UnderWay:
    """The arrivals of one connection that are still to come.

    Attributes:
        pre, post: `[n]`: source and target neuron of each.
        t_arr: `[n]`: when it comes, ms after the instant of the state, at least 0.
    """

    pre: np.ndarray
    post: np.ndarray
    t_arr: np.ndarray

    def __len__(self) -> int:
        return len(self.t_arr)


@dataclass(frozen=True, eq=False)
class State:
    """The state of a network at an instant.

    Args:
        x: of populations that are no inputs, by name: `[size, states]`, each neuron's states in
            their order (of `lif` and `li`: `V, I`). A population that is left out is at rest.
        under_way: one entry per connection, in the order of the network, or none at all: the
            arrivals still to come, `[source, target, ms until then]` each, or an `UnderWay`.

    `State()`: all at rest, nothing under way. A case takes float64; of a result with more digits,
    `State(**result.state.to_dict())` is the state in float64.
    """

    x: Mapping[str, Any] = field(default_factory=dict)
    under_way: Sequence[Any] = ()

    def to_dict(self) -> dict:
        """The state as the JSON object of case files and results."""
        under_way = [
            [[int(i), int(j), float(t)] for i, j, t in zip(one.pre, one.post, one.t_arr, strict=True)]
            for one in self.under_way
        ]
        return {"x": {name: np.array(rows, float).tolist() for name, rows in self.x.items()}, "under_way": under_way}


@dataclass(frozen=True, eq=False)
class StateGradient:
    """The derivatives of a loss by a `State`.

    Attributes:
        x: by population, `[size, states]`.
        t_arr: one entry per connection, `[n]`: by the time of each arrival under way.
    """

    x: Mapping[str, np.ndarray]
    t_arr: Sequence[np.ndarray]


def state_of(document: object) -> State:
    """The state that a JSON object describes; `check_state` checks its numbers."""
    given = json_object(document, "state", (), ("x", "under_way"))
    x = json_object(given.get("x", {}), "state.x")
    return State(x, checks.sequence(given.get("under_way", ()), "state.under_way", None, "lists of arrivals"))


def check_state(state: State, network: Network) -> State:
    """The state with its numbers in read-only arrays.

    Raises:
        SpecError: a population that is unknown or an input, another number of neurons, states or
            connections, a number that is not finite, a level above its threshold, an arrival
            through no synapse, or before the instant.
    """
    checks.of_type(state, "state", State, "a `State`", "`State()` is that of a network at rest")
    checks.of_type(state.x, "state.x", Mapping, "a dictionary", "give the states of each neuron, by population")
    simulated = {p.name: p for p in network.populations if p.kind != "input"}
    x = {}
    for name, rows in state.x.items():
        population = simulated[checks.one_of(name, "state.x", simulated)]
        x[name] = _numbers(rows, f"state.x.{name}", population.size, population.equations.states)
        _check_levels(x[name], population, f"state.x.{name}")
    under_way = checks.sequence(state.under_way, "state.under_way", None, "lists of arrivals")
    if under_way:
        checks.sequence(under_way, "state.under_way", len(network.connections), "connection")
    else:
        under_way = [()] * len(network.connections)
    found = [
        _under_way(of_one, connection.exists, f"state.under_way[{c}]")
        for c, (of_one, connection) in enumerate(zip(under_way, network.connections, strict=True))
    ]
    return State(x, tuple(found))


def _numbers(rows: Any, name: str, size: int, states: Sequence[str]) -> np.ndarray:
    found = np.empty((size, len(states)))
    for j, row in enumerate(checks.sequence(rows, name, size, "neuron")):
        for k, value in enumerate(checks.sequence(row, f"{name}[{j}]", len(states), f"state, {', '.join(states)}")):
            found[j, k] = checks.finite_number(value, f"{name}[{j}][{k}]")
    return checks.frozen(found)


def _check_levels(x: np.ndarray, population: Any, name: str) -> None:
    neuron = population.equations
    if neuron.spike is None:
        return
    for j, row in enumerate(x):
        of = neuron.matrices({theta: float(values[j]) for theta, values in population.values.items()}, float)
        level = float(np.dot(of.c, row))
        if level > of.v_th * (1 + TOUCH):
            expected = f"of a level of at most {of.v_th:g}, its threshold"
            raise SpecError(f"{name}[{j}]", expected, level, "a neuron that has reached it is reset")


def _under_way(given: Any, exists: np.ndarray, name: str) -> UnderWay:
    if isinstance(given, UnderWay):
        pre = checks.sequence(given.pre, f"{name}.pre", None, "source neurons")
        others = ((word, getattr(given, word)) for word in ("post", "t_arr"))
        parts = [checks.sequence(numbers, f"{name}.{word}", len(pre), "arrival") for word, numbers in others]
        given = list(zip(pre, *parts, strict=True))
    arrivals = []
    for k, one in enumerate(checks.sequence(given, name, None, "arrivals")):
        where = f"{name}[{k}]"
        i, j, t = checks.sequence(one, where, 3, "source, target and ms until it arrives")
        for index, size in ((i, exists.shape[0]), (j, exists.shape[1])):
            checks.whole_number(index, where, 0, size - 1, "give the numbers of source and target neuron")
        if not exists[i, j]:  # type: ignore[index]
            raise SpecError(where, "an arrival through a synapse", Verbatim(f"none from {i} to {j}"), "leave it out")
        arrivals.append((i, j, checks.non_negative_time(t, f"{where}[2]")))
    columns: Iterable[Any] = zip(*arrivals, strict=True) if arrivals else ((), (), ())
    pre, post, t_arr = columns
    return UnderWay(*map(checks.frozen, (np.array(pre, int), np.array(post, int), np.array(t_arr, float))))
