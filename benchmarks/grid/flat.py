"""Many cases in one set of arrays: all their neurons, synapses and input spikes.

In NumPy a step on a grid costs almost the same for many neurons as for few. So the networks of a
study, or the trials of a batch, are stepped together. They share only the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from delayprop.spec import Case, ConnectionGradient, Network, SpecError
from delayprop.spec.errors import Verbatim
from delayprop.spec.network import CONSTANTS

NEVER = (1.0, 1.0, np.inf, 0.0)
"""Constants of input neurons, which emit given spikes only; `li` neurons share the threshold."""


@dataclass(frozen=True, eq=False)
class Flat:
    """All neurons, inputs included, and all synapses: case by case, connection by connection.

    Attributes:
        cases: the cases, in order.
        tau_mem, tau_syn, v_th, v_reset: `[neurons]`; the threshold of an `li` neuron is infinite.
        pre, post, w, d: `[synapses]`, source and target neuron, weight, delay (ms).
        sorted, first: the synapses of source `s` are `sorted[first[s] : first[s + 1]]`.
        source, time: neuron and time of each input spike within its trial.
        neuron_at: number of each population's first neuron, one dict per case.
        synapse_at: number of each case's first synapse, and the end.
    """

    cases: tuple[Case, ...]
    tau_mem: np.ndarray
    tau_syn: np.ndarray
    v_th: np.ndarray
    v_reset: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    w: np.ndarray
    d: np.ndarray
    sorted: np.ndarray
    first: np.ndarray
    source: np.ndarray
    time: np.ndarray
    neuron_at: tuple[dict[str, int], ...]
    synapse_at: np.ndarray

    @property
    def duration(self) -> float:
        """Duration of every trial, ms."""
        return self.cases[0].duration

    def with_parameters(self, w: np.ndarray, d: np.ndarray) -> Flat:
        """These arrays with other weights and delays, `[synapses of a case]`, for every case."""
        return replace(self, w=np.tile(w, len(self.cases)), d=np.tile(d, len(self.cases)))

    def gradients(self, case: int, dL_dw: np.ndarray, dL_dd: np.ndarray) -> tuple[ConnectionGradient, ...]:
        """The matrices of one case, from gradients `[synapses]`; 0 where no synapse is."""
        at, found = int(self.synapse_at[case]), []
        for connection in self.cases[case].network.connections:
            end = at + int(connection.exists.sum())
            matrices = np.zeros((2, *connection.w.shape))
            matrices[:, connection.exists] = dL_dw[at:end], dL_dd[at:end]
            found.append(ConnectionGradient(*matrices))
            at = end
        return tuple(found)


class _Numbered(NamedTuple):
    """One network with its neurons numbered from 0."""

    neuron_at: dict[str, int]
    constants: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    w: np.ndarray
    d: np.ndarray


def flat(cases: Sequence[Case]) -> Flat:
    """The arrays of some cases of one duration.

    Raises:
        SpecError: no case, or cases of different durations.
    """
    if not cases:
        raise SpecError("cases", "a list of at least one case", Verbatim("none"), "give the cases to step")
    for k, case in enumerate(cases):
        if case.duration != cases[0].duration:
            expected = f"{cases[0].duration} ms, as in cases[0]"
            raise SpecError(f"cases[{k}].duration", expected, case.duration, "step cases of one duration together")
    networks = {id(case.network): case.network for case in cases}
    known = {key: _numbered(network) for key, network in networks.items()}
    parts = [known[id(case.network)] for case in cases]
    *starts, neurons = np.cumsum([0, *(part.constants.shape[1] for part in parts)]).tolist()
    pre, post = (
        np.concatenate([numbers + start for numbers, start in zip(column, starts, strict=True)])
        for column in ([part.pre for part in parts], [part.post for part in parts])
    )
    neuron_at = tuple(
        {name: start + n for name, n in part.neuron_at.items()} for part, start in zip(parts, starts, strict=True)
    )
    source, time = _inputs(cases, neuron_at)
    tau_mem, tau_syn, v_th, v_reset = np.concatenate([part.constants for part in parts], axis=1)
    return Flat(
        tuple(cases), tau_mem, tau_syn, v_th, v_reset, pre, post,
        np.concatenate([part.w for part in parts]), np.concatenate([part.d for part in parts]),
        np.argsort(pre, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(pre, minlength=neurons))]),
        source, time, neuron_at, np.cumsum([0, *(len(part.w) for part in parts)]),
    )


def _inputs(cases: Sequence[Case], neuron_at: Sequence[dict[str, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Neuron and time of every input spike within its trial."""
    sources, times = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for case, at in zip(cases, neuron_at, strict=True):
        for name, trains in case.inputs.items():
            for i, train in enumerate(trains):
                within = train[train <= case.duration]
                sources.append(np.full(len(within), at[name] + i))
                times.append(within)
    return np.concatenate(sources), np.concatenate(times)


def _numbered(network: Network) -> _Numbered:
    neuron_at, neurons, constants = dict[str, int](), 0, []
    for population in network.populations:
        neuron_at[population.name], neurons = neurons, neurons + population.size
        own = [getattr(population, name) for name in CONSTANTS]
        constants.append([np.full(population.size, x) if v is None else v for v, x in zip(own, NEVER, strict=True)])
    pre, post, w, d = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)], [np.empty(0)]
    for connection in network.connections:
        rows, columns = np.nonzero(connection.exists)
        pre.append(rows + neuron_at[connection.source])
        post.append(columns + neuron_at[connection.target])
        w.append(connection.w[connection.exists])
        d.append(connection.d[connection.exists])
    arrays = [np.concatenate(parts) for parts in (pre, post, w, d)]
    return _Numbered(neuron_at, np.concatenate(constants, axis=1), *arrays)
