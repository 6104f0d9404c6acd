"""Cases side by side: one set of arrays for all their neurons, synapses and input spikes.

What a step on a grid costs in NumPy hardly depends on how many neurons it moves, so the networks of a study, or the
trials of a batch, are stepped together. They share nothing but the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spec import Case, ConnectionGradient, Network, SpecError
from spec.errors import Verbatim


@dataclass(frozen=True, eq=False)
class Flat:
    """All neurons `[neurons]`, all synapses `[synapses]` (case by case, connection by connection, row by row).

    A source is a neuron, by its number, or an input, numbered after all neurons.

    Attributes:
        cases: whose neurons these are.
        tau_mem, tau_syn, v_th, v_reset: `[neurons]`; the threshold of an `li` neuron is infinite.
        pre, post, w, d: `[synapses]`, source, target neuron, weight, delay (ms).
        sorted, first: synapses by source: those of source `s` are `sorted[first[s] : first[s + 1]]`.
        source, time: input spikes within the trial.
        neuron_at: number of the first neuron of each population, one dict a case.
        synapse_at: number of the first synapse of each case, and the end.
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
        """Of every trial, ms."""
        return self.cases[0].duration

    def with_parameters(self, w: np.ndarray, d: np.ndarray) -> Flat:
        """The same with the weights and delays of one network `[synapses of a case]` in every case."""
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


@dataclass(frozen=True, eq=False)
class _Numbered:
    """One network: its neurons numbered from 0, its inputs from 0 too, with a mask of the synapses from inputs."""

    neuron_at: dict[str, int]
    input_at: dict[str, int]
    neurons: int
    inputs: int
    constants: np.ndarray
    pre: np.ndarray
    from_input: np.ndarray
    post: np.ndarray
    w: np.ndarray
    d: np.ndarray


def flat(cases: Sequence[Case]) -> Flat:
    """The arrays of some cases of one duration.

    Raises:
        SpecError: no case, or cases of different durations.
    """
    if not cases:
        raise SpecError("cases", "a list of at least one case", Verbatim("none"), "give what is to be stepped")
    for k, case in enumerate(cases):
        if case.duration != cases[0].duration:
            expected = f"{cases[0].duration} ms, as in cases[0]"
            raise SpecError(f"cases[{k}].duration", expected, case.duration, "step cases of one duration together")
    known: dict[int, _Numbered] = {}
    for case in cases:
        if id(case.network) not in known:
            known[id(case.network)] = _numbered(case.network)
    parts = [known[id(case.network)] for case in cases]
    neuron_at = np.cumsum([0, *(part.neurons for part in parts)])
    input_at = neuron_at[-1] + np.cumsum([0, *(part.inputs for part in parts)])
    shift = [(int(n), int(m)) for n, m in zip(neuron_at[:-1], input_at[:-1], strict=True)]
    pre = np.concatenate([np.where(p.from_input, p.pre + m, p.pre + n) for p, (n, m) in zip(parts, shift, strict=True)])
    source, time = _inputs(cases, parts, shift)
    tau_mem, tau_syn, v_th, v_reset = np.concatenate([part.constants for part in parts], axis=1)
    return Flat(
        tuple(cases), tau_mem, tau_syn, v_th, v_reset, pre,
        np.concatenate([part.post + n for part, (n, _) in zip(parts, shift, strict=True)]),
        np.concatenate([part.w for part in parts]), np.concatenate([part.d for part in parts]),
        np.argsort(pre, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(pre, minlength=int(input_at[-1])))]),
        source, time,
        tuple({name: at + n for name, at in part.neuron_at.items()} for part, (n, _) in zip(parts, shift, strict=True)),
        np.cumsum([0, *(len(part.w) for part in parts)]),
    )


def _inputs(
    cases: Sequence[Case], parts: list[_Numbered], shift: list[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Source and time of every input spike within its trial."""
    sources, times = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for case, part, (_, first) in zip(cases, parts, shift, strict=True):
        for name, trains in case.inputs.items():
            for i, train in enumerate(trains):
                within = train[train <= case.duration]
                sources.append(np.full(len(within), first + part.input_at[name] + i))
                times.append(within)
    return np.concatenate(sources), np.concatenate(times)


def _numbered(network: Network) -> _Numbered:
    neuron_at, input_at, neurons, inputs = dict[str, int](), dict[str, int](), 0, 0
    constants = [np.empty((4, 0))]
    for population in network.populations:
        if population.kind == "input":
            input_at[population.name], inputs = inputs, inputs + population.size
            continue
        neuron_at[population.name], neurons = neurons, neurons + population.size
        v_th = np.full(population.size, np.inf) if population.v_th is None else population.v_th
        v_reset = np.zeros(population.size) if population.v_reset is None else population.v_reset
        constants.append(np.array([population.tau_mem, population.tau_syn, v_th, v_reset]))
    pre, given, post, w, d = [], [], [], [np.empty(0)], [np.empty(0)]
    for connection in network.connections:
        rows, columns = np.nonzero(connection.exists)
        is_input = connection.source in input_at
        pre.append(rows + (input_at if is_input else neuron_at)[connection.source])
        given.append(np.full(len(rows), is_input))
        post.append(columns + neuron_at[connection.target])
        w.append(connection.w[connection.exists])
        d.append(connection.d[connection.exists])
    whole, none = np.empty(0, dtype=np.int64), np.empty(0, dtype=bool)
    return _Numbered(
        neuron_at, input_at, neurons, inputs, np.concatenate(constants, axis=1), np.concatenate([whole, *pre]),
        np.concatenate([none, *given]), np.concatenate([whole, *post]), np.concatenate(w), np.concatenate(d),
    )
