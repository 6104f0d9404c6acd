"""Loss, gradient and parameters of a case along a direction, in float64 or with more digits."""

from dataclasses import replace
from typing import Any

import numpy as np

from delayprop.reference.adjoint import gradients
from delayprop.reference.arithmetic import Arithmetic
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Connection, Gradients, Network, Population, SpikeTrains


def loss_and_gradient(m: Arithmetic, case: Case) -> tuple[object, Gradients]:
    """Both by the reference."""
    trial = simulate(m, case)
    loss = drive(m, case, trial)
    return loss.loss, gradients(m, case, trial, loss)


def loss_of(m: Arithmetic, case: Case) -> object:
    return drive(m, case, simulate(m, case)).loss


def parameters(case: Case, kind: str) -> list[np.ndarray]:
    """All numbers of one kind, one array per connection, population or input neuron."""
    if kind == "t_in":
        return [train for trains in case.inputs.values() for train in trains]
    owners = case.network.connections if kind in ("w", "d") else case.network.populations
    return [values for owner in owners if (values := getattr(owner, kind)) is not None]


def with_parameters(case: Case, kind: str, new: list[np.ndarray]) -> Case:
    numbers = iter(new)
    connections, populations = case.network.connections, case.network.populations
    if kind == "t_in":
        trains = {name: SpikeTrains(tuple(next(numbers) for _ in old)) for name, old in case.inputs.items()}
        return replace(case, inputs=trains)
    if kind in ("w", "d"):
        changed = []
        for c in connections:
            now = {"w": c.w, "d": c.d, kind: next(numbers)}
            weights = now["w"].astype(object)
            weights[~c.exists] = None
            changed.append(Connection(c.source, c.target, weights, now["d"]))
        return replace(case, network=Network(populations, tuple(changed)))
    own = tuple(p if getattr(p, kind) is None else _with_constant(p, kind, next(numbers)) for p in populations)
    return replace(case, network=Network(own, connections))


def _with_constant(population: Population, name: str, values: np.ndarray) -> Population:
    change: dict[str, Any] = {name: values}
    return replace(population, **change)


def parts(case: Case, gradient: Gradients, kind: str) -> list[np.ndarray]:
    """The gradient in the layout of `parameters`."""
    if kind == "t_in":
        return [train for trains in gradient.inputs.values() for train in trains]
    if kind in ("w", "d"):
        return [getattr(g, f"dL_d{kind}") for g in gradient.connections]
    owners = [p.name for p in case.network.populations if getattr(p, kind) is not None]
    return [getattr(gradient.populations[name], f"dL_d{kind}") for name in owners]


def direction(case: Case, kind: str, seed: int) -> list[np.ndarray]:
    """Random numbers as large as the parameters; positive for times near 0."""
    rng = np.random.default_rng(seed)
    found = []
    for values in parameters(case, kind):
        move = rng.uniform(-1.0, 1.0, values.shape)
        if kind in ("d", "t_in"):
            move = 5.0 * np.where(values < 0.01, np.abs(move), move)
        elif kind != "v_reset":
            move = move * values
        found.append(move)
    return found
