"""Readouts and losses on a grid, and their effect on the adjoint.

The voltage of a step is the one at its end, after a reset. `mean_voltage` is its mean over the
steps, `exp_weighted_voltage` the mean of `exp(-t/T) V` at their ends. `max_voltage` is the largest
voltage, and the first of equal ones (the threshold for a neuron that spikes; the initial 0 depends
on nothing). A spike's time is the end of its step. The losses are those of the specification.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.grid.forward import Flat, Trace
from delayprop.spec import CrossEntropy


@dataclass(frozen=True, eq=False)
class Driven:
    """Losses, one per case, and their effect on the adjoint.

    Attributes:
        loss, y: the loss and the readout of each case (None for a loss of spike times).
        dL_dt: `[steps + 1, neurons]`, direct derivatives of the losses by spike times.
        weight, rate: `[neurons]`; the drive at `t` is `weight exp(-rate t)`.
        kick_step, kick: `[neurons]`, the step at which the maximum is read, -1 for none; and
            `dL/dy` there.
        kick_rise: `I - V` after the arrivals of that step.
    """

    loss: list[float]
    y: list[np.ndarray | None]
    dL_dt: np.ndarray
    weight: np.ndarray
    rate: np.ndarray
    kick_step: np.ndarray
    kick: np.ndarray
    kick_rise: np.ndarray

    def drive(self, t: float) -> np.ndarray:
        """The drive of `lambda_V` at time `t`, `[neurons]`."""
        return self.weight * np.exp(-self.rate * t) if self.rate.any() else self.weight


def driven(arrays: Flat, trace: Trace) -> Driven:
    """Evaluate the loss of every case."""
    shape, T, dt = trace.I_minus_V.shape, arrays.duration, trace.dt
    weight, rate, kick, kick_rise = np.zeros((4, shape[1]))
    found = Driven([], [], np.zeros(shape), weight, rate, np.full(shape[1], -1), kick, kick_rise)
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
        loss, dL_dy = cross_entropy(y, case.loss.label)
        found.loss.append(loss)
        found.y.append(y)
        for j, own, g in zip(read, trains, dL_dy, strict=True):
            if readout == "first_spike_time":
                found.dL_dt[own[:1], j] = -g / scale
            elif readout != "max_voltage":
                weight[j], rate[j] = g / T, rates
            elif not len(own) and (n := int(trace.V[j].argmax())) > 0:
                found.kick_step[j], kick[j], kick_rise[j] = n, g, trace.I[j][n] - trace.V[j][n]
    return found


def cross_entropy(y: np.ndarray, label: int) -> tuple[float, np.ndarray]:
    """`-log softmax(y)[label]`, and its derivative by `y`."""
    shares = np.exp(y - y.max())
    total = shares.sum()
    dL_dy = shares / total
    dL_dy[label] -= 1.0
    return float(np.log(total) + y.max() - y[label]), dL_dy
