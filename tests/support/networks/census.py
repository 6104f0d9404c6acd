"""The classes of drawn cases, by the ground truth at 20 digits, so that a test can require each."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from delayprop.spec import (
    READOUTS,
    VOLTAGE_READOUTS,
    Case,
    Connection,
    CrossEntropy,
    RelativeSpikeTimeMSE,
    SpikeTimeMSE,
)
from tests.support.parameters import arrivals
from tests.support.truth import Problem, Truth, simulate

OF_CONNECTION: dict[str, Callable[[Case, Connection], object]] = {
    "recurrent": lambda case, c: c.source == c.target and np.any(c.exists & ~np.eye(len(c.w), dtype=bool)),
    "self-connection": lambda case, c: c.source == c.target and np.any(np.diag(c.exists)),
    "feedback": lambda case, c: _layers_ahead(case, c) < 0,
    "skip": lambda case, c: _layers_ahead(case, c) > 1,
    "no synapse": lambda case, c: not c.exists.all(),
    "zero weight": lambda case, c: np.any(c.exists & (c.w == 0)),
    "inhibition": lambda case, c: np.any(c.w < 0),
    "zero delay": lambda case, c: np.any(c.exists & (c.d == 0)),
    "delay beyond the trial": lambda case, c: np.any(c.d > case.duration),
}
OF_NEURONS: dict[str, Callable[[Any], object]] = {
    "heterogeneous": lambda p: len(set(p.tau_mem.tolist())) > 1,
    "tau_mem = tau_syn": lambda p: np.any(p.tau_mem == p.tau_syn),
    "tau_mem near tau_syn": lambda p: np.any((p.tau_mem != p.tau_syn) & (_apart(p) < 1e-3)),
    "tau_mem < tau_syn": lambda p: np.any((p.tau_mem < p.tau_syn) & (_apart(p) > 1e-3)),
    "threshold not 1": lambda p: p.kind == "lif" and np.any(p.v_th != 1),
    "reset below 0": lambda p: p.kind == "lif" and np.any(p.v_reset < 0),
    "reset above 0": lambda p: p.kind == "lif" and np.any(p.v_reset > 0),
}
"""By a connection, or by a population that is no input, of which a case needs one."""

_STRUCTURE = (*OF_CONNECTION, *OF_NEURONS, "two hidden layers", "parallel connections", "input after the end")
_EVENTS = (
    "several spikes of a neuron", "several spikes in one synapse", "simultaneous arrivals", "burst", "silent neuron",
    "missing spike", "spikes without a target",
    *(f"maximum: {place}" for place in ("initial", "interior", "arrival", "end", "spike")),
)
_LOSSES = (
    "spike_time_mse", "relative_spike_time_mse", "first_spike_time of lif",
    *(f"{readout} of {kind}" for readout in VOLTAGE_READOUTS for kind in ("li", "lif")),
)
LOOPS = ("recurrent", "self-connection", "feedback")
CLASSES = _STRUCTURE + _EVENTS + _LOSSES
assert all(any(name.startswith(readout) for name in _LOSSES) for readout in READOUTS)


def require(counts: Counter[str], cases: int, share: float, ignore: Collection[str] = ()) -> None:
    """Fail if any class is rarer than `share` of all cases."""
    rare = {name: counts[name] for name in CLASSES if counts[name] < share * cases and name not in ignore}
    assert not rare, f"of {cases} cases too few are of these classes: {rare}"


def classes(case: Case, truth: Truth | None = None) -> set[str]:
    truth = simulate(Problem.from_case(case), 20) if truth is None else truth
    return {*structure(case), *_events(case, truth), *_loss(case, truth)}


def structure(case: Case) -> Iterator[str]:
    network = case.network
    yield from (name for name, has in OF_CONNECTION.items() if any(has(case, c) for c in network.connections))
    neurons = [p for p in network.populations if p.kind != "input"]
    yield from (name for name, has in OF_NEURONS.items() if any(map(has, neurons)))
    if len([p for p in neurons if p.kind == "lif" and p.name != case.loss.population]) >= 2:
        yield "two hidden layers"
    pairs = [(c.source, c.target) for c in network.connections]
    if len(set(pairs)) < len(pairs):
        yield "parallel connections"
    if any(np.any(train > case.duration) for trains in case.inputs.values() for train in trains):
        yield "input after the end"


def _layers_ahead(case: Case, c: Connection) -> int:
    """How many populations the target comes after the source."""
    names = [p.name for p in case.network.populations]
    return names.index(c.target) - names.index(c.source)


def _apart(p: Any) -> np.ndarray:
    """Relative distance of the two time constants."""
    return np.abs(p.tau_mem - p.tau_syn) / p.tau_mem


def _events(case: Case, truth: Truth) -> Iterator[str]:
    network, T = case.network, case.duration
    spiking = [train for name, trains in truth.spikes.items() if network.population(name).kind == "lif"
               for train in trains]
    inputs = [train[train <= T] for trains in case.inputs.values() for train in trains]
    if any(len(train) > 1 for train in spiking):
        yield "several spikes of a neuron"
    if any(len(train) == 0 for train in spiking):
        yield "silent neuron"
    if any(np.any(train[3:] - train[:-3] < 2.0) for train in [*spiking, *inputs]):
        yield "burst"
    sources: dict[str, Any] = {**truth.spikes, **case.inputs}
    for c in network.connections:
        for i, j in np.argwhere(c.exists).tolist():
            train = np.array(sources[c.source][i], dtype=np.float64)
            if np.any(np.diff(train[train <= T]) < c.d[i, j]):
                yield "several spikes in one synapse"
    if any(_simultaneous(case, name, j) for name in truth.spikes for j in range(network.population(name).size)):
        yield "simultaneous arrivals"
    yield from {f"maximum: {place[0]}" for place in truth.signature.maxima}


def _simultaneous(case: Case, name: str, j: int) -> bool:
    """Whether two input spikes arrive at a neuron at one instant."""
    times = [t + d for _, t, d in arrivals(case, case.inputs, name, j)]
    return len(set(times)) < len(times)


def _loss(case: Case, truth: Truth) -> Iterator[str]:
    loss = case.loss
    if isinstance(loss, CrossEntropy):
        yield f"{loss.readout} of {case.network.population(loss.population).kind}"
    if isinstance(loss, RelativeSpikeTimeMSE):
        yield "relative_spike_time_mse"
    if isinstance(loss, SpikeTimeMSE):
        yield "spike_time_mse"
        spikes = truth.spikes[loss.population]
        if any(len(train) < len(targets) for train, targets in zip(spikes, loss.targets, strict=True)):
            yield "missing spike"
        if any(len(train) > len(targets) for train, targets in zip(spikes, loss.targets, strict=True)):
            yield "spikes without a target"
