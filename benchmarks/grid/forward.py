"""Many cases in one set of arrays, and their forward pass on a grid.

In NumPy a step costs almost the same for many neurons as for few. So the networks of a study are
stepped together; they share only the clock. `stepped.py` lists the choices and their reasons.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from delayprop.spec import Case, SpecError
from delayprop.spec.checks import positive_number
from delayprop.spec.errors import Verbatim
from delayprop.spec.network import CONSTANTS

NEVER = (1.0, 1.0, np.inf, 0.0)
"""Constants of input neurons, which emit given spikes only; `li` neurons share the threshold."""


@dataclass(frozen=True, eq=False)
class Flat:
    """All neurons, inputs included, and all synapses: case by case, connection by connection.

    Attributes:
        constants: `tau_mem`, `tau_syn`, `v_th`, `v_reset`, each `[neurons]`.
        pre, post, w, d: `[synapses]`, source and target neuron, weight, delay (ms).
        source, time: neuron and time of each input spike.
        neuron_at: number of each population's first neuron, one dict per case.
    """

    cases: tuple[Case, ...]
    constants: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    w: np.ndarray
    d: np.ndarray
    source: np.ndarray
    time: np.ndarray
    neuron_at: tuple[dict[str, int], ...]

    @property
    def duration(self) -> float:
        """Duration of every trial, ms."""
        return self.cases[0].duration

    def numbers(self, k: int, name: str) -> np.ndarray:
        """The neurons of a population of case k."""
        return self.neuron_at[k][name] + np.arange(self.cases[k].network.population(name).size)


def flat(cases: Sequence[Case]) -> Flat:
    """The arrays of some cases of one duration.

    Raises:
        SpecError: no case, or cases of different durations.
    """
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


@dataclass(frozen=True, eq=False)
class Trace:
    """The record of a forward pass.

    Attributes:
        delay: `[synapses]`, in steps.
        emitted: `[steps + 1 and more, neurons]`, spikes per step. A delay leads back at most to row
            `-delay`, one of the rows of 0 at the end.
        I_minus_V: `[steps + 1, neurons]`, where a neuron spikes, before its reset.
        V, I: the state `[steps + 1]` of each neuron that is read, after resets and arrivals.
    """

    dt: float
    steps: int
    delay: np.ndarray
    emitted: np.ndarray
    I_minus_V: np.ndarray
    V: dict[int, np.ndarray]
    I: dict[int, np.ndarray]

    def train(self, neuron: int) -> np.ndarray:
        """The steps in which a neuron spikes."""
        return np.flatnonzero(self.emitted[: self.steps + 1, neuron])


def steps_of(duration: float, dt: float) -> int:
    """The number of steps of a trial.

    Raises:
        SpecError: it is not a whole number.
    """
    steps = round(duration / positive_number(dt, "dt", "ms"))
    if steps < 1 or abs(steps * dt - duration) > 1e-9 * duration:
        raise SpecError("dt", f"a whole part of the duration, {duration:g} ms", dt, "give one that divides it")
    return steps


def gain(tau: np.ndarray, other: np.ndarray, dt: float) -> np.ndarray:
    """Gain per step of a variable (`tau`) that is driven by a decaying one (`other`)."""
    x = dt / tau - dt / other
    equal = x == 0
    return dt / tau * np.exp(-dt / tau) * np.where(equal, 1.0, np.expm1(x) / np.where(equal, 1.0, x))


def forward(arrays: Flat, dt: float) -> Trace:
    """Step through the trial.

    Raises:
        SpecError: a step that does not divide the duration.
    """
    steps = steps_of(arrays.duration, dt)
    tau_mem, tau_syn, v_th, v_reset = arrays.constants
    neurons = len(tau_mem)
    delay = np.minimum(np.floor(arrays.d / dt + 0.5), steps + 1).astype(np.int64)
    emitted = np.zeros((steps + 1 + delay.max(initial=0), neurons), dtype=np.int16)
    at = np.floor(arrays.time / dt + 0.5).astype(np.int64)
    within = (at <= steps) & (arrays.time <= arrays.duration)
    np.add.at(emitted, (at[within], arrays.source[within]), 1)
    decay_V, decay_I, to_V = np.exp(-dt / tau_mem), np.exp(-dt / tau_syn), gain(tau_mem, tau_syn, dt)
    I_minus_V = np.zeros((steps + 1, neurons))
    read = np.concatenate([arrays.numbers(k, case.loss.population) for k, case in enumerate(arrays.cases)])
    V, I = np.zeros((2, neurons))
    seen = np.zeros((2, len(read), steps + 1))
    for n in range(steps + 1):
        if n > 0:
            V = decay_V * V + to_V * I
            I = decay_I * I
            fired = V >= v_th
            emitted[n, fired], I_minus_V[n, fired] = 1, (I - V)[fired]
            V = np.where(fired, v_reset, V)
        sent = emitted[n - delay, arrays.pre]
        here = np.flatnonzero(sent)
        np.add.at(I, arrays.post[here], sent[here] * arrays.w[here])
        seen[:, :, n] = V[read], I[read]
    V_read, I_read = (dict(zip(read.tolist(), rows, strict=True)) for rows in seen)
    return Trace(dt, steps, delay, emitted, I_minus_V, V_read, I_read)
