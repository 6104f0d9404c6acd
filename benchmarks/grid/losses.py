"""Readouts and losses on a grid, and their effect on the adjoint.

The voltage of a step is the one at its end, after a reset. `mean_voltage` is its mean over the
steps, `exp_weighted_voltage` the mean of `exp(-t/T) V` at their ends. `max_voltage` is the largest
voltage, and the first of equal ones (the threshold for a neuron that spikes; the initial 0 depends
on nothing). A spike's time is the end of its step. The losses are those of the specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.grid.flat import Flat
from benchmarks.grid.forward import Trace
from delayprop.spec import Case, CrossEntropy


@dataclass(frozen=True, eq=False)
class Driven:
    """Losses, one per case, and their effect on the adjoint.

    Attributes:
        loss, y: `[cases]`, and the readout of each case (None for a loss of spike times).
        dL_dt: `[spikes]`, direct derivatives of the losses by spike times.
        weight, rate: `[neurons]`; the drive at `t` is `weight exp(-rate t)`. `weight` is None if no
            integral is read.
        kick_step, kick_neuron, kick: steps and neurons at which maxima are read, in order of time,
            and `dL/dy` there.
        kick_rise: `I - V` after the arrivals of that step.
    """

    loss: np.ndarray
    y: list[np.ndarray | None]
    dL_dt: np.ndarray
    weight: np.ndarray | None
    rate: np.ndarray
    kick_step: np.ndarray
    kick_neuron: np.ndarray
    kick: np.ndarray
    kick_rise: np.ndarray

    def drive(self, t: float) -> np.ndarray | None:
        """The drive of `lambda_V` at time `t`, `[neurons]`; None without a drive."""
        if self.weight is None:
            return None
        return self.weight * np.exp(-self.rate * t) if self.rate.any() else self.weight


def driven(arrays: Flat, trace: Trace) -> Driven:
    """Evaluate the loss of every case."""
    neurons, T = len(arrays.tau_mem), arrays.duration
    order = np.argsort(trace.neuron, kind="stable")
    first = np.searchsorted(trace.neuron[order], np.arange(neurons + 1))
    loss, ys, dL_dt = np.zeros(len(arrays.cases)), list[np.ndarray | None](), np.zeros(len(trace.step))
    weight, rate, kicks, at = np.zeros(neurons), np.zeros(neurons), list[tuple[int, int, float, float]](), 0
    for k, case in enumerate(arrays.cases):
        size = case.network.population(case.loss.population).size
        read = trace.read[at : at + size]
        V, I, at = trace.V[:, at : at + size], trace.I[:, at : at + size], at + size
        trains = [order[first[j] : first[j + 1]] for j in read]
        if not isinstance(case.loss, CrossEntropy):
            loss[k] = _spike_times(case, trace, trains, dL_dt)
            ys.append(None)
            continue
        readout = case.loss.readout
        if readout == "first_spike_time":
            scale = float(case.loss.time_scale or 0.0)
            y = np.array([-(trace.dt * trace.step[own[0]] if len(own) else T) / scale for own in trains])
        elif readout == "max_voltage":
            y = np.where([len(own) > 0 for own in trains], arrays.v_th[read], V.max(axis=0))
        else:
            rates = 0.0 if readout == "mean_voltage" else 1 / T
            t = trace.dt * np.arange(1, trace.steps + 1)
            y = np.exp(-rates * t) @ V[1:] / trace.steps
        loss[k], dL_dy = cross_entropy(y, case.loss.label)
        ys.append(y)
        if readout == "first_spike_time":
            for own, g in zip(trains, dL_dy, strict=True):
                dL_dt[own[:1]] = -g / scale
        elif readout == "max_voltage":
            largest = V.argmax(axis=0)
            kicks += [
                (int(n), int(j), g, I[n, column] - V[n, column])
                for column, (n, j, g, own) in enumerate(zip(largest, read, dL_dy, trains, strict=True))
                if n > 0 and not len(own)
            ]
        else:
            weight[read], rate[read] = dL_dy / T, rates
    kicks.sort()
    steps, where, sizes, rises = (np.array([kick[n] for kick in kicks]) for n in range(4))
    return Driven(
        loss, ys, dL_dt, weight if weight.any() else None, rate, steps.astype(np.int64), where.astype(np.int64), sizes,
        rises,
    )


def cross_entropy(y: np.ndarray, label: int) -> tuple[float, np.ndarray]:
    """`-log softmax(y)[label]`, and its derivative by `y`."""
    shares = np.exp(y - y.max())
    total = shares.sum()
    dL_dy = shares / total
    dL_dy[label] -= 1.0
    return float(np.log(total) + y.max() - y[label]), dL_dy


def _spike_times(case: Case, trace: Trace, trains: list[np.ndarray], dL_dt: np.ndarray) -> float:
    """`1/2 sum (t - target)^2`, with its derivatives in `dL_dt`. A missing spike counts as `T`."""
    assert not isinstance(case.loss, CrossEntropy)
    total = 0.0
    for own, targets in zip(trains, case.loss.targets, strict=True):
        for k, target in enumerate(targets):
            error = (trace.dt * trace.step[own[k]] if k < len(own) else case.duration) - target
            total += error**2 / 2
            if k < len(own):
                dL_dt[own[k]] = error
    return total
