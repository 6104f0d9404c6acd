"""Many cases in one set of arrays, their forward pass on a grid, and their losses.

In NumPy a step costs almost the same for many neurons as for few. So the networks of a study are
stepped together; they share only the clock. `stepped.py` lists the choices and their reasons.

The voltage of a step is the one at its end, after a reset. `mean_voltage` is its mean over the
steps, `exp_weighted_voltage` the mean of `exp(-t/T) V` at their ends. `max_voltage` is the largest
voltage, and the first of equal ones (the threshold for a neuron that spikes; the initial 0 depends
on nothing). A spike's time is the end of its step. The losses are those of the specification.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from delayprop.spec import Case, CrossEntropy, SpecError
from delayprop.spec.checks import positive_number
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


@dataclass(frozen=True, eq=False)
class Trace:
    """The record of a forward pass. A delay leads back at most to row `-delay` of `emitted`, one of
    the rows of 0 at the end."""

    dt: float
    steps: int
    delay: np.ndarray  # `[synapses]`, in steps
    emitted: np.ndarray  # `[steps + 1 and more, neurons]`, spikes per step
    I_minus_V: np.ndarray  # `[steps + 1, neurons]`, where a neuron spikes, before its reset
    V: dict[int, np.ndarray]  # `[steps + 1]` of each neuron that is read, after its resets

    def train(self, neuron: int) -> np.ndarray:
        """The steps in which a neuron spikes."""
        return np.flatnonzero(self.emitted[: self.steps + 1, neuron])


def gain(tau: np.ndarray, other: np.ndarray, dt: float) -> np.ndarray:
    """Gain per step of a variable (`tau`) that is driven by a decaying one (`other`)."""
    x = dt / tau - dt / other
    equal = x == 0
    return dt / tau * np.exp(-dt / tau) * np.where(equal, 1.0, np.expm1(x) / np.where(equal, 1.0, x))


def forward(arrays: Flat, dt: float) -> Trace:
    """Step through the trial; `SpecError`: a step that does not divide the duration."""
    steps = round(arrays.duration / positive_number(dt, "dt", "ms"))
    if steps < 1 or abs(steps * dt - arrays.duration) > 1e-9 * arrays.duration:
        raise SpecError("dt", f"a whole part of the duration, {arrays.duration:g} ms", dt, "give one that divides it")
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
    seen = np.zeros((len(read), steps + 1))
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
        seen[:, n] = V[read]
    return Trace(dt, steps, delay, emitted, I_minus_V, dict(zip(read.tolist(), seen, strict=True)))


@dataclass(frozen=True, eq=False)
class Driven:
    """Losses, one per case, and their effect on the adjoint, `[neurons]` but for `dL_dt`."""

    loss: list[float]
    y: list[np.ndarray | None]  # the readout; None for a loss of spike times
    dL_dt: np.ndarray  # `[steps + 1, neurons]`, direct derivatives of the losses by spike times
    weight: np.ndarray  # of the drive at `t`, `weight exp(-rate t)`
    rate: np.ndarray
    kick_step: np.ndarray  # at which the maximum is read; -1: none is
    kick: np.ndarray  # `dL/dy` there

    def drive(self, t: float) -> np.ndarray:
        """The drive of `lambda_V` at time `t`, `[neurons]`."""
        return self.weight * np.exp(-self.rate * t) if self.rate.any() else self.weight


def driven(arrays: Flat, trace: Trace) -> Driven:
    """Evaluate the loss of every case."""
    shape, T, dt = trace.I_minus_V.shape, arrays.duration, trace.dt
    weight, rate, kick = np.zeros((3, shape[1]))
    found = Driven([], [], np.zeros(shape), weight, rate, np.full(shape[1], -1), kick)
    t = dt * np.arange(1, trace.steps + 1)
    for k, case in enumerate(arrays.cases):
        read = arrays.numbers(k, case.loss.population).tolist()
        trains = [trace.train(j) for j in read]
        if not isinstance(case.loss, CrossEntropy):
            total = 0.0
            for j, own, targets in zip(read, trains, case.loss.targets, strict=True):
                late = [T] * max(0, len(targets) - len(own))  # a missing spike counts as T
                errors = np.array([*(dt * own[: len(targets)]), *late]) - targets
                found.dL_dt[own[: len(targets)], j] = errors[: len(own)]
                total += float(errors @ errors) / 2
            found.loss.append(total)
            found.y.append(None)
            continue
        readout, scale = case.loss.readout, float(case.loss.time_scale or 1.0)
        rates = 1 / T if readout == "exp_weighted_voltage" else 0.0
        if readout == "first_spike_time":
            y = np.array([-(dt * own[0] if len(own) else T) / scale for own in trains])
        elif readout == "max_voltage":
            v_th = arrays.constants[2]
            y = np.array([v_th[j] if len(own) else trace.V[j].max() for j, own in zip(read, trains, strict=True)])
        else:
            y = np.array([np.exp(-rates * t) @ trace.V[j][1:] / trace.steps for j in read])
        total = np.logaddexp.reduce(y)
        dL_dy = np.exp(y - total)
        dL_dy[case.loss.label] -= 1.0
        found.loss.append(float(total - y[case.loss.label]))
        found.y.append(y)
        for j, own, g in zip(read, trains, dL_dy, strict=True):
            if readout == "first_spike_time":
                found.dL_dt[own[:1], j] = -g / scale
            elif readout != "max_voltage":
                weight[j], rate[j] = g / T, rates
            elif not len(own) and (n := int(trace.V[j].argmax())) > 0:
                found.kick_step[j], kick[j] = n, g
    return found
