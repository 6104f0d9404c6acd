"""The forward pass on a grid; `stepped.py` lists the choices and their reasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.grid.flat import Flat
from delayprop.spec import SpecError
from delayprop.spec.checks import one_of, positive_number

ROUNDINGS = ("nearest", "down")


@dataclass(frozen=True, eq=False)
class Trace:
    """The record of a forward pass.

    Attributes:
        step, neuron, I_minus_V: `[spikes]`, for each spike of a neuron, in order of time.
        arrival_step, arrival_synapse, arrival_spike: `[arrivals]`, in order of time; the spike is
            -1 for an arrival from an input.
        read: neurons whose voltage is read.
        V, I: `[steps + 1, read]`, their state at the end of each step, after resets and arrivals.
    """

    dt: float
    steps: int
    step: np.ndarray
    neuron: np.ndarray
    I_minus_V: np.ndarray
    arrival_step: np.ndarray
    arrival_synapse: np.ndarray
    arrival_spike: np.ndarray
    read: np.ndarray
    V: np.ndarray
    I: np.ndarray

    @property
    def falling(self) -> np.ndarray:
        """Mask `[spikes]` of spikes whose neuron's voltage falls at the end of the step."""
        return self.I_minus_V < 0


def steps_of(duration: float, dt: float) -> int:
    """The number of steps of a trial.

    Raises:
        SpecError: it is not a whole number.
    """
    steps = round(duration / positive_number(dt, "dt", "ms"))
    if steps < 1 or abs(steps * dt - duration) > 1e-9 * duration:
        raise SpecError("dt", f"a whole part of the duration, {duration:g} ms", dt, "give one that divides it")
    return steps


def in_steps(times: np.ndarray, dt: float, rounding: str) -> np.ndarray:
    """Times as whole numbers of steps.

    Raises:
        SpecError: an unknown rounding.
    """
    half = {"nearest": 0.5, "down": 0.0}[one_of(rounding, "rounding", ROUNDINGS)]
    return np.floor(times / dt + half).astype(np.int64)


def gain(tau: np.ndarray, other: np.ndarray, dt: float) -> np.ndarray:
    """Gain per step of a variable (`tau`) that is driven by a decaying one (`other`)."""
    x = dt / tau - dt / other
    equal = x == 0
    return dt / tau * np.exp(-dt / tau) * np.where(equal, 1.0, np.expm1(x) / np.where(equal, 1.0, x))


def forward(arrays: Flat, dt: float, rounding: str = "nearest") -> Trace:
    """Step through the trial."""
    steps, neurons = steps_of(arrays.duration, dt), len(arrays.tau_mem)
    delay, v_th, v_reset = in_steps(arrays.d, dt, rounding), arrays.v_th, arrays.v_reset
    decay_V, decay_I = np.exp(-dt / arrays.tau_mem), np.exp(-dt / arrays.tau_syn)
    to_V = gain(arrays.tau_mem, arrays.tau_syn, dt)
    arriving = np.zeros((steps + 1, neurons))
    spikes: list[tuple[int, np.ndarray, np.ndarray]] = []
    arrivals: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    count = 0

    def send(source: np.ndarray, step: np.ndarray | int, spike: np.ndarray | int) -> None:
        """Schedule the arrivals of the spikes of some sources."""
        first = arrays.first[source]
        sent = arrays.first[source + 1] - first
        of = np.repeat(np.arange(len(source)), sent)
        synapse = arrays.sorted[np.arange(len(of)) - (np.cumsum(sent) - sent)[of] + first[of]]
        at = np.broadcast_to(step, source.shape)[of] + delay[synapse]
        due = at <= steps
        at, synapse, by = at[due], synapse[due], np.broadcast_to(spike, source.shape)[of][due]
        np.add.at(arriving, (at, arrays.post[synapse]), arrays.w[synapse])
        arrivals.append((at, synapse, by))

    send(arrays.source, in_steps(arrays.time, dt, rounding), -1)
    read = read_neurons(arrays)
    V, I = np.zeros(neurons), arriving[0].copy()
    V_read, I_read = np.zeros((2, steps + 1, len(read)))
    I_read[0] = I[read]
    for n in range(1, steps + 1):
        V = decay_V * V + to_V * I
        I = decay_I * I
        fired = np.flatnonzero(V >= v_th)
        if len(fired):
            spikes.append((n, fired, I[fired] - V[fired]))
            send(fired, n, np.arange(count, count + len(fired)))
            count += len(fired)
            V[fired] = v_reset[fired]
        I += arriving[n]
        V_read[n], I_read[n] = V[read], I[read]
    at, synapse, by = (np.concatenate(column) for column in zip(*arrivals, strict=True))
    order = np.argsort(at, kind="stable")
    return Trace(
        dt, steps, np.repeat([n for n, _, _ in spikes], [len(fired) for _, fired, _ in spikes]).astype(np.int64),
        np.concatenate([np.empty(0, dtype=np.int64), *(fired for _, fired, _ in spikes)]),
        np.concatenate([np.empty(0), *(left for _, _, left in spikes)]),
        at[order], synapse[order], by[order], read, V_read, I_read,
    )


def read_neurons(arrays: Flat) -> np.ndarray:
    """The neurons of the populations that the losses read."""
    found = []
    for case, at in zip(arrays.cases, arrays.neuron_at, strict=True):
        name = case.loss.population
        found.append(np.arange(at[name], at[name] + case.network.population(name).size))
    return np.concatenate(found)
