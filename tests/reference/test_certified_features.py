"""The certified set covers each difficulty, readout and loss, and common errors of simulators."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from delayprop.spec import READOUTS, Case, Connection, Population, SpikeTimeMSE, load_case
from tests.support.certified import CLASSES, certified_values, files


def synapses(case: Case) -> list[tuple[Connection, int, int]]:
    return [(c, int(i), int(j)) for c in case.network.connections for i, j in np.argwhere(c.exists)]


def receiving(case: Case) -> list[Population]:
    return [population for population in case.network.populations if population.kind != "input"]


def arrives_at_the_end(case: Case) -> bool:
    return any(
        Fraction(float(t)) + Fraction(float(c.d[i, j])) == Fraction(case.duration)
        for c, i, j in synapses(case)
        if c.source in case.inputs
        for t in case.inputs[c.source][i]
    )


def ends_in_free_spikes(case: Case) -> bool:
    """The last spikes of a neuron that is read, and drives nothing, come after its targets."""
    if not isinstance(case.loss, SpikeTimeMSE) or case.loss.population in {c.source for c in case.network.connections}:
        return False
    trains = certified_values(case)["spikes"][case.loss.population]
    return any(len(train) > len(targets) > 0 for train, targets in zip(trains, case.loss.targets, strict=True))


def parallel(case: Case) -> bool:
    pairs = [(connection.source, connection.target) for connection in case.network.connections]
    return len(set(pairs)) < len(pairs)


FEATURES: dict[str, Callable[[Case], bool]] = {
    "spikes after which nothing matters": ends_in_free_spikes,
    "an arrival exactly at T": arrives_at_the_end,
    "a delay beyond T": lambda case: any(c.d[i, j] > case.duration for c, i, j in synapses(case)),
    "a delay of 0": lambda case: any(c.d[i, j] == 0 for c, i, j in synapses(case)),
    "equal time constants": lambda case: any(np.any(p.tau_mem == p.tau_syn) for p in receiving(case)),
    "almost equal time constants": lambda case: any(
        np.any((p.tau_mem != p.tau_syn) & np.isclose(p.tau_mem, p.tau_syn, 1e-11, 0.0))
        for p in receiving(case)
    ),
    "constants of each neuron": lambda case: any(len(set(np.atleast_1d(p.tau_mem))) > 1 for p in receiving(case)),
    "inhibition": lambda case: any(c.w[i, j] < 0 for c, i, j in synapses(case)),
    "a self-connection": lambda case: any(c.source == c.target and i == j for c, i, j in synapses(case)),
    "parallel connections": parallel,
    "absent synapses": lambda case: any(not c.exists.all() for c in case.network.connections),
    "a silent neuron": lambda case: any([] in trains for trains in certified_values(case)["spikes"].values()),
    "an input spike after T": lambda case: any(t > case.duration for ts in case.inputs.values() for u in ts for t in u),
    "kappa below 2e-10": lambda case: float(certified_values(case)["kappa_min"] or 1) < 2e-10,
} | {readout: lambda case, readout=readout: getattr(case.loss, "readout", None) == readout for readout in READOUTS}
FEATURES["spike_time_mse"] = lambda case: isinstance(case.loss, SpikeTimeMSE)


def test_every_class_and_feature_is_there() -> None:
    """No feature is in every case, so each could be missing."""
    assert all(len(files(difficulty)) >= 8 for difficulty in CLASSES)
    cases = [load_case(path) for path in files()]
    found = {name: sum(map(has, cases)) for name, has in FEATURES.items()}
    print(found)
    assert [name for name, number in found.items() if not 0 < number < len(cases)] == []
