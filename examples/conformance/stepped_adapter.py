"""EventProp on a time grid, with delays in whole steps, as published implementations compute it.

    python stepped_adapter.py [--dt 1] CASE.json

System: our own, modelled on mlGeNN (its event_prop_compiler.py), with the equations of the paper
(arXiv 2501.07331). It takes and returns the types of `spec`, so its conventions are ours.

Offers: cases of `lif` and `li` whose duration is a whole number of steps; gradients of weights and
delays.

Left out: neurons as data, gradients of constants and input times. This file is the template for a
Python simulator that shares an environment with `spec`; the others read the case file themselves.

Settings: float64; `--dt`. The choices:

- **Time** is `n dt` with `n = 0 ... T/dt`; `T` must be a whole number of steps. Input times and
  delays are rounded to whole steps, halves up, when they are used, like `round(d)` there. The
  parameters stay real numbers, so an optimiser can move them by less than a step.
- **Forward, per step:** `V` and `I` flow exactly (no Euler). Neurons with `V >= v_th` spike at the
  end of the step, at most once; their `I - V` before the reset is stored. Then arrivals add to `I`.
  A delay of 0 steps arrives in the step of its spike. A voltage that rises above threshold and
  falls again within a step is missed.
- **Backward, per step:** arrivals read `lambda` (weight: `-tau_syn lambda_I`, delay:
  `w (lambda_V - lambda_I)`) before a spike or a maximum of the same step changes it: a crossing
  counts as before the arrival (specification, section 4). Then spikes jump with the stored values,
  `(1 + (v_th - v_reset) / (I - V)) lambda_V + dL_dt_post / (I - V)`. Then a maximum kicks. Then
  `lambda` flows back exactly, under the drive of an integral readout, constant within the step.
- **Falling spikes:** if a neuron passed its peak within the step, `I - V` is negative although
  `dV/dt` at the crossing was positive, so the jump has the wrong sign. This is kept.
  A value of 0 raises.
- **Pinned maxima:** a maximum that an inhibitory arrival makes moves with the arrival. The paper's
  equations lack this term (`python -m derivations --errata`), and so does this module.
- **Readouts:** the voltage of a step is the one at its end, after a reset. `mean_voltage` is its
  mean over the steps, `exp_weighted_voltage` the mean of `exp(-t/T) V` at their ends. `max_voltage`
  is the largest voltage, and the first of equal ones (the threshold for a neuron that spikes; the
  initial 0 depends on nothing). A spike's time is the end of its step. The losses are those of the
  specification.
"""

import argparse
import json
import sys
from dataclasses import dataclass

import numpy as np

from delayprop.spec import (
    Case,
    ConnectionGradient,
    Gradients,
    RelativeSpikeTimeMSE,
    Result,
    SpecError,
    SpikeTimeMSE,
    VoltageMSE,
    load_case,
)
from delayprop.spec.checks import positive_number
from delayprop.spec.population import CONSTANTS

NEVER = (1.0, 1.0, np.inf, 0.0)  # of input neurons, which emit given spikes only; `li` neurons share the threshold


@dataclass(frozen=True, eq=False)
class Flat:
    """All neurons of a case, inputs included, and all synapses, connection by connection."""

    constants: np.ndarray  # `tau_mem`, `tau_syn`, `v_th`, `v_reset`, each `[neurons]`
    pre: np.ndarray  # source neuron of each synapse
    post: np.ndarray  # its target neuron
    w: np.ndarray
    d: np.ndarray  # ms
    source: np.ndarray  # neuron of each input spike
    time: np.ndarray  # ms
    neurons: dict[str, np.ndarray]  # the numbers of each population's neurons


def flat(case: Case) -> Flat:
    count, at, constants = 0, dict[str, np.ndarray](), []
    synapses, inputs = [(np.empty(0, np.int64),) * 2 + (np.empty(0),) * 2], [(np.empty(0, np.int64), np.empty(0))]
    for population in case.network.populations:
        if population.kind == "neuron":
            expected, remedy = "`lif` or `li`: the grid steps no other equations", "use another simulator"
            raise SpecError(f"populations.{population.name}.kind", expected, population.kind, remedy)
        at[population.name] = count + np.arange(population.size)
        count += population.size
        own = [getattr(population, name) for name in CONSTANTS]
        constants.append([np.full(population.size, x) if v is None else v for v, x in zip(own, NEVER, strict=True)])
    for c in case.network.connections:
        rows, columns = np.nonzero(c.exists)
        synapses.append((at[c.source][rows], at[c.target][columns], c.w[c.exists], c.d[c.exists]))
    for name, trains in case.inputs.items():
        inputs += [(np.full(len(train), j), train) for j, train in zip(at[name], trains, strict=True)]
    pre, post, w, d = (np.concatenate(column) for column in zip(*synapses, strict=True))
    source, time = (np.concatenate(column) for column in zip(*inputs, strict=True))
    return Flat(np.concatenate(constants, axis=1), pre, post, w, d, source, time, at)


def gain(tau: np.ndarray, other: np.ndarray, dt: float) -> np.ndarray:
    """Gain per step of a variable (`tau`) that is driven by a decaying one (`other`)."""
    x = dt / tau - dt / other
    equal = x == 0
    return dt / tau * np.exp(-dt / tau) * np.where(equal, 1.0, np.expm1(x) / np.where(equal, 1.0, x))


class Grid:
    """A case stepped through its trial; `SpecError`: a step that does not divide the duration.

    Attributes:
        emitted: spikes per step, `[steps + 1 and more, neurons]`. A delay leads back at most to row
            `-delay`, one of the rows of 0 at the end.
        I_minus_V: `[steps + 1, neurons]`, where a neuron spikes, before its reset.
        V: `[steps + 1, neurons]`, after resets.
        loss, y: its value, and the readout, None for a loss of spike times.
        dL_dt: direct derivatives of the loss by spike times, `[steps + 1, neurons]`.
        weight, rate: of the drive of `lambda_V` at `t`, `weight exp(-rate t)`, `[neurons]`.
        kick_step, kick: step at which a maximum is read (-1: none is), and `dL/dy` there.
    """

    def __init__(self, case: Case, dt: float) -> None:
        steps = round(case.duration / positive_number(dt, "dt", "ms"))
        if steps < 1 or abs(steps * dt - case.duration) > 1e-9 * case.duration:
            expected = f"a whole part of the duration, {case.duration:g} ms"
            raise SpecError("dt", expected, dt, "give one that divides it")
        self.case, self.arrays, self.dt, self.steps = case, flat(case), dt, steps
        arrays, neurons = self.arrays, self.arrays.constants.shape[1]
        self.delay = np.minimum(np.floor(arrays.d / dt + 0.5), steps + 1).astype(np.int64)
        self.emitted = np.zeros((steps + 1 + self.delay.max(initial=0), neurons), dtype=np.int16)
        self.I_minus_V, self.V, self.dL_dt = np.zeros((3, steps + 1, neurons))
        self.weight, self.rate, self.kick = np.zeros((3, neurons))
        self.kick_step = np.full(neurons, -1)
        self.y: np.ndarray | None = None
        self._forward()
        self.loss = self._read()

    def train(self, neuron: int) -> np.ndarray:
        """The steps in which a neuron spikes."""
        return np.flatnonzero(self.emitted[: self.steps + 1, neuron])

    def _forward(self) -> None:
        arrays, dt = self.arrays, self.dt
        tau_mem, tau_syn, v_th, v_reset = arrays.constants
        at = np.floor(arrays.time / dt + 0.5).astype(np.int64)
        within = (at <= self.steps) & (arrays.time <= self.case.duration)
        np.add.at(self.emitted, (at[within], arrays.source[within]), 1)
        decay_V, decay_I, to_V = np.exp(-dt / tau_mem), np.exp(-dt / tau_syn), gain(tau_mem, tau_syn, dt)
        V, I = np.zeros((2, len(tau_mem)))
        for n in range(self.steps + 1):
            if n > 0:
                V = decay_V * V + to_V * I
                I = decay_I * I
                fired = V >= v_th
                self.emitted[n, fired], self.I_minus_V[n, fired] = 1, (I - V)[fired]
                V = np.where(fired, v_reset, V)
            sent = self.emitted[n - self.delay, arrays.pre]
            here = np.flatnonzero(sent)
            np.add.at(I, arrays.post[here], sent[here] * arrays.w[here])
            self.V[n] = V

    def _read(self) -> float:
        """The loss; sets `y`, and the effect on the adjoint."""
        loss, T, dt = self.case.loss, self.case.duration, self.dt
        trains = [(j, self.train(j)) for j in self.arrays.neurons[loss.population].tolist()]
        if isinstance(loss, VoltageMSE):
            raise SpecError("loss.kind", "another: the grid samples no voltage", loss.kind, "use another simulator")
        if isinstance(loss, SpikeTimeMSE):
            total = 0.0
            for (j, own), targets in zip(trains, loss.targets, strict=True):
                late = [T] * max(0, len(targets) - len(own))  # a missing spike counts as T
                errors = np.array([*(dt * own[: len(targets)]), *late]) - targets
                self.dL_dt[own[: len(targets)], j] = errors[: len(own)]
                total += float(errors @ errors) / 2
            return total
        if isinstance(loss, RelativeSpikeTimeMSE):
            t_first = np.array([dt * own[0] if len(own) else T for _, own in trains])
            errors = t_first - t_first[loss.label] - loss.margin
            errors[loss.label] = 0.0
            slopes = np.where(np.arange(len(errors)) == loss.label, -errors.sum(), errors)
            for (j, own), slope in zip(trains, slopes, strict=True):
                self.dL_dt[own[:1], j] = slope
            return float(errors @ errors) / 2
        scale, rate = float(loss.time_scale or 1.0), 1 / T if loss.readout == "exp_weighted_voltage" else 0.0
        if loss.readout == "first_spike_time":
            y = np.array([-(dt * own[0] if len(own) else T) / scale for _, own in trains])
        elif loss.readout == "max_voltage":
            y = np.array([self.arrays.constants[2, j] if len(own) else self.V[:, j].max() for j, own in trains])
        else:
            decay = np.exp(-rate * dt * np.arange(1, self.steps + 1))
            y = np.array([decay @ self.V[1:, j] / self.steps for j, _ in trains])
        log_sum = np.logaddexp.reduce(y)
        dL_dy = np.exp(y - log_sum)
        dL_dy[loss.label] -= 1.0
        self.y = y
        for (j, own), g in zip(trains, dL_dy, strict=True):
            if loss.readout == "first_spike_time":
                self.dL_dt[own[:1], j] = -g / scale
            elif loss.readout != "max_voltage":
                self.weight[j], self.rate[j] = g / T, rate
            elif not len(own) and (n := int(self.V[:, j].argmax())) > 0:
                self.kick_step[j], self.kick[j] = n, g
        return float(log_sum - y[loss.label])

    def backward(self) -> tuple[np.ndarray, np.ndarray]:
        """`dL/dw` and `dL/dd` of every synapse, `[synapses]`, by stepping the adjoint back;
        `ArithmeticError`: a spike's `I - V` is 0."""
        arrays, dt = self.arrays, self.dt
        tau_mem, tau_syn, v_th, v_reset = arrays.constants
        drop, spiking = v_th - v_reset, np.isfinite(v_th)  # nan-ok: without a threshold it is infinite
        decay_V, decay_I, to_I = np.exp(-dt / tau_mem), np.exp(-dt / tau_syn), gain(tau_syn, tau_mem, dt)
        lambda_V, lambda_I = np.zeros((2, len(tau_mem)))
        dL_dw, dL_dd = np.zeros((2, len(arrays.w)))
        dL_dt = self.dL_dt.copy()
        for n in range(self.steps, -1, -1):
            drive = self.weight * np.exp(-self.rate * (n * dt)) if self.rate.any() else self.weight
            sent = self.emitted[n - self.delay, arrays.pre]
            here = np.flatnonzero(sent)
            j, w, number = arrays.post[here], arrays.w[here], sent[here]
            by_t = w * (lambda_V[j] - lambda_I[j])
            dL_dw[here] -= number * tau_syn[j] * lambda_I[j]
            dL_dd[here] += number * by_t
            np.add.at(dL_dt, (n - self.delay[here], arrays.pre[here]), by_t)
            j = np.flatnonzero(self.emitted[n] * spiking)
            slope = self.I_minus_V[n, j]
            if not slope.all():
                raise ArithmeticError("a spike's `I - V` is 0 at the end of its step, so its gradient is infinite")
            dL_dt_post = dL_dt[n, j] + drive[j] * drop[j]
            lambda_V[j] = (1 + drop[j] / slope) * lambda_V[j] + dL_dt_post / slope
            j = np.flatnonzero(self.kick_step == n)
            lambda_V[j] -= self.kick[j] / tau_mem[j]
            lambda_I = decay_I * (lambda_I + drive) + to_I * (lambda_V + drive) - drive
            lambda_V = decay_V * (lambda_V + drive) - drive
        return dL_dw, dL_dd

    def result(self) -> Result:
        """The loss and its gradient, which is 0 where no synapse is."""
        arrays, (dL_dw, dL_dd) = self.arrays, self.backward()
        spikes, kappa, slope = {}, {}, self.I_minus_V / arrays.constants[2]
        for population in self.case.network.populations:
            if population.kind != "input":
                steps = [(j, self.train(j)) for j in arrays.neurons[population.name].tolist()]
                spikes[population.name] = [self.dt * n for _, n in steps]
                kappa[population.name] = [slope[n, j] ** 2 for j, n in steps]
        connections, at = [], 0
        for connection in self.case.network.connections:
            end, matrices = at + int(connection.exists.sum()), np.zeros((2, *connection.w.shape))
            matrices[:, connection.exists] = dL_dw[at:end], dL_dd[at:end]
            connections.append(ConnectionGradient(*matrices))
            at = end
        return Result(self.loss, spikes, kappa, self.y, Gradients(tuple(connections), {}, {}), ())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dt", type=float, default=1.0, metavar="MS")
    parser.add_argument("case")
    options = parser.parse_args()
    case = load_case(options.case)
    try:
        found = Grid(case, options.dt).result()
    except SpecError as error:  # the case is legal, so the grid does not fit it
        print(error, file=sys.stderr)
        return 5
    print(json.dumps(found.to_dict(case.network), allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
