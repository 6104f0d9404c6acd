"""Many cases in one set of arrays.

In NumPy a step costs almost the same for many neurons as for few. So the networks of a study are
stepped together; they share only the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from delayprop.spec import Case, SpecError
from delayprop.spec.errors import Verbatim
from delayprop.spec.population import CONSTANTS

NEVER = (1.0, 1.0, np.inf, 0.0)  # of input neurons, which emit given spikes only; `li` neurons share the threshold


@dataclass(frozen=True, eq=False)
class Flat:
    """All neurons, inputs included, and all synapses: case by case, connection by connection."""

    cases: tuple[Case, ...]
    constants: np.ndarray  # `tau_mem`, `tau_syn`, `v_th`, `v_reset`, each `[neurons]`
    pre: np.ndarray  # source neuron of each synapse
    post: np.ndarray  # its target neuron
    w: np.ndarray
    d: np.ndarray  # ms
    source: np.ndarray  # neuron of each input spike
    time: np.ndarray  # ms
    neuron_at: tuple[dict[str, int], ...]  # per case: number of each population's first neuron

    @property
    def duration(self) -> float:
        """Duration of every trial, ms."""
        return self.cases[0].duration

    def numbers(self, k: int, name: str) -> np.ndarray:
        """The neurons of a population of case k."""
        return self.neuron_at[k][name] + np.arange(self.cases[k].network.population(name).size)


def flat(cases: Sequence[Case]) -> Flat:
    """The arrays of some cases of one duration; `SpecError`: no case, or several durations."""
    if not cases:
        raise SpecError("cases", "a list of at least one case", Verbatim("none"), "give the cases to step")
    neurons, neuron_at, constants = 0, list[dict[str, int]](), []
    synapses, inputs = [(np.empty(0, np.int64),) * 2 + (np.empty(0),) * 2], [(np.empty(0, np.int64), np.empty(0))]
    for k, case in enumerate(cases):
        if case.duration != cases[0].duration:
            expected = f"{cases[0].duration} ms, as in cases[0]"
            raise SpecError(f"cases[{k}].duration", expected, case.duration, "step cases of one duration together")
        at = dict[str, int]()
        for population in case.network.populations:
            at[population.name], neurons = neurons, neurons + population.size
            own = [getattr(population, name) for name in CONSTANTS]
            constants.append([np.full(population.size, x) if v is None else v for v, x in zip(own, NEVER, strict=True)])
        for c in case.network.connections:
            rows, columns = np.nonzero(c.exists)
            synapses.append((rows + at[c.source], columns + at[c.target], c.w[c.exists], c.d[c.exists]))
        for name, trains in case.inputs.items():
            inputs += [(np.full(len(train), at[name] + i), train) for i, train in enumerate(trains)]
        neuron_at.append(at)
    pre, post, w, d = (np.concatenate(column) for column in zip(*synapses, strict=True))
    source, time = (np.concatenate(column) for column in zip(*inputs, strict=True))
    return Flat(tuple(cases), np.concatenate(constants, axis=1), pre, post, w, d, source, time, tuple(neuron_at))
