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
    neurons: tuple[dict[str, np.ndarray], ...]  # per case: the numbers of each population's neurons

    @property
    def duration(self) -> float:
        """Duration of every trial, ms."""
        return self.cases[0].duration


def flat(cases: Sequence[Case]) -> Flat:
    """The arrays of some cases of one duration; `SpecError`: no case, or several durations."""
    if not cases:
        raise SpecError("cases", "a list of at least one case", Verbatim("none"), "give the cases to step")
    count, neurons, constants = 0, list[dict[str, np.ndarray]](), []
    synapses, inputs = [(np.empty(0, np.int64),) * 2 + (np.empty(0),) * 2], [(np.empty(0, np.int64), np.empty(0))]
    for k, case in enumerate(cases):
        if case.duration != cases[0].duration:
            expected = f"{cases[0].duration} ms, as in cases[0]"
            raise SpecError(f"cases[{k}].duration", expected, case.duration, "step cases of one duration together")
        at = dict[str, np.ndarray]()
        for population in case.network.populations:
            at[population.name] = count + np.arange(population.size)
            count += population.size
            own = [getattr(population, name) for name in CONSTANTS]
            constants.append([np.full(population.size, x) if v is None else v for v, x in zip(own, NEVER, strict=True)])
        for c in case.network.connections:
            rows, columns = np.nonzero(c.exists)
            synapses.append((at[c.source][rows], at[c.target][columns], c.w[c.exists], c.d[c.exists]))
        for name, trains in case.inputs.items():
            inputs += [(np.full(len(train), j), train) for j, train in zip(at[name], trains, strict=True)]
        neurons.append(at)
    pre, post, w, d = (np.concatenate(column) for column in zip(*synapses, strict=True))
    source, time = (np.concatenate(column) for column in zip(*inputs, strict=True))
    return Flat(tuple(cases), np.concatenate(constants, axis=1), pre, post, w, d, source, time, tuple(neurons))
