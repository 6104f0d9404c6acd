"""A case of layers in a row, solved neuron by neuron on the plain rung."""

from itertools import groupby

import numpy as np

from delayprop.fast.plain import backward, forward
from delayprop.fast.solving.matrices import matrices
from delayprop.spec import Case, ConnectionGradient, Gradients, Population, Result, SpikeTimeMSE, SpikeTrains


def plain(case: Case) -> Result:
    """The result of a case: connections from one population onto the next, in order, and a loss of
    the spikes of the last one, `SpikeTimeMSE`. Ties are not flagged."""
    assert isinstance(case.loss, SpikeTimeMSE)
    network, trains, layers = case.network, dict(case.inputs), []
    for (source, name), group in groupby(network.connections, lambda c: (c.source, c.target)):
        target, onto = network.population(name), list(group)
        given = SpikeTrains(tuple(trains[source]) * len(onto))
        lanes = [forward.Lane(target, j, onto, given, case.duration) for j in range(target.size)]
        own = [forward.forward_lane(lane) for lane in lanes]
        trains[name] = SpikeTrains(tuple(np.array([spike.t for spike in one]) for one in own))
        layers.append((onto, lanes, own))
    c = layers[-1][0][-1]
    assert len(trains) == 1 + len(layers) and c.target == case.loss.population
    off = [compared(t, targets, case.duration) for t, targets in zip(trains[c.target], case.loss.targets, strict=True)]
    dL_dt, constants = {c.target: [dL_dt for _, dL_dt in off]}, {}
    synapses: list[ConnectionGradient] = []
    for onto, lanes, own in reversed(layers):
        c = onto[0]
        found = [backward.backward_lane(*one) for one in zip(lanes, own, dL_dt[c.target], strict=True)]
        by_source = [np.sum(parts, axis=0) for parts in zip(*(one.dL_dt_pre for one in found), strict=True)]
        dL_dt[c.source] = [sum(by_source[i :: len(c.w)]) for i in range(len(c.w))]
        columns = (np.stack([getattr(one, name) for one in found], axis=1) for name in ("dL_dw", "dL_dd"))
        parts = zip(*(np.split(column, len(onto)) for column in columns), strict=True)
        synapses += reversed([ConnectionGradient(*part) for part in parts])
        rows = np.stack([one.dL_dconstants for one in found], axis=1)
        constants[c.target] = by_constant(network.population(c.target), rows)
    gradients = Gradients(tuple(reversed(synapses)), constants, {name: dL_dt[name] for name in case.inputs})
    kappa = {onto[0].target: [np.array([kappa_of(n, s) for s in one]) for n, one in zip(lanes, own, strict=True)]
             for onto, lanes, own in layers}
    spikes = {onto[0].target: list(trains[onto[0].target]) for onto, _, _ in layers}
    return Result(sum(loss for loss, _ in off), spikes, kappa, None, gradients, ())


def compared(t: np.ndarray, targets: np.ndarray, duration: float) -> tuple[float, np.ndarray]:
    """The loss of a train, and its derivative by each spike."""
    dL_dt, both = np.zeros(len(t)), min(len(t), len(targets))
    dL_dt[:both] = t[:both] - targets[:both]
    return float(np.sum(dL_dt**2) + np.sum((duration - targets[both:]) ** 2)) / 2, dL_dt


def by_constant(population: Population, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The gradient by each constant: through `A`, and through the level and the reset."""
    n = matrices(population.equations, np.array(list(population.values.values())))
    learned = len(n.learned)
    found = {name: np.zeros(population.size) for name in population.values}
    for name in found:
        if name in n.learned:
            found[name] += rows[n.learned.index(name)]
        if name in n.by:
            found[name] += (rows[learned:] * n.by[name]).sum(axis=0)
    return found


def kappa_of(lane: forward.Lane, spike: forward.Spike) -> float:
    """[crossing-slope] The conditioning of an own spike."""
    return float(lane.rise @ spike.state / lane.unit_rate / lane.v_th) ** 2
