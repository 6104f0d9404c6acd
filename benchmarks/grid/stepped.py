"""EventProp on a time grid, with delays in whole steps, as published implementations compute it.

Modelled on mlGeNN (its event_prop_compiler.py), with the equations of the paper (arXiv 2501.07331)
as `derivations/formulas.py` states them. The choices:

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
  `dV/dt` at the crossing was positive, so the jump has the wrong sign. This is kept, and counted
  (`falling` in the record). A value of 0 raises.
- **Pinned maxima:** a maximum that an inhibitory arrival makes moves with the arrival. The paper's
  equations lack this term (`python -m derivations --errata`), and so does this module.
- **Readouts:** the voltage of a step is the one at its end, after a reset. `mean_voltage` is its
  mean over the steps, `exp_weighted_voltage` the mean of `exp(-t/T) V` at their ends. `max_voltage`
  is the largest voltage, and the first of equal ones (the threshold for a neuron that spikes; the
  initial 0 depends on nothing). A spike's time is the end of its step. The losses are those of the
  specification.

Gradients are those of weights and delays; results hold none of constants and input times.
"""

import numpy as np

from benchmarks.grid.flat import Flat, flat
from delayprop.spec import Case, ConnectionGradient, Gradients, RelativeSpikeTimeMSE, Result, SpecError, SpikeTimeMSE
from delayprop.spec.checks import positive_number


def run(case: Case, dt: float) -> Result:
    """Loss and gradient by weights and delays of one case on a grid of `dt` ms; errors: as `Grid`
    and `Grid.backward`."""
    return Grid(flat([case]), dt).results()[0]


def gain(tau: np.ndarray, other: np.ndarray, dt: float) -> np.ndarray:
    """Gain per step of a variable (`tau`) that is driven by a decaying one (`other`)."""
    x = dt / tau - dt / other
    equal = x == 0
    return dt / tau * np.exp(-dt / tau) * np.where(equal, 1.0, np.expm1(x) / np.where(equal, 1.0, x))


class Grid:
    """Cases stepped through their trials; `SpecError`: a step that does not divide the duration.

    Attributes:
        emitted: spikes per step, `[steps + 1 and more, neurons]`. A delay leads back at most to row
            `-delay`, one of the rows of 0 at the end.
        I_minus_V: `[steps + 1, neurons]`, where a neuron spikes, before its reset.
        V: `[steps + 1, neurons]`, after resets.
        loss, y: of each case; the readout is None for a loss of spike times.
        dL_dt: direct derivatives of the losses by spike times, `[steps + 1, neurons]`.
        weight, rate: of the drive of `lambda_V` at `t`, `weight exp(-rate t)`, `[neurons]`.
        kick_step, kick: step at which a maximum is read (-1: none is), and `dL/dy` there.
    """

    def __init__(self, arrays: Flat, dt: float) -> None:
        steps = round(arrays.duration / positive_number(dt, "dt", "ms"))
        if steps < 1 or abs(steps * dt - arrays.duration) > 1e-9 * arrays.duration:
            expected = f"a whole part of the duration, {arrays.duration:g} ms"
            raise SpecError("dt", expected, dt, "give one that divides it")
        neurons = arrays.constants.shape[1]
        self.arrays, self.dt, self.steps = arrays, dt, steps
        self.delay = np.minimum(np.floor(arrays.d / dt + 0.5), steps + 1).astype(np.int64)
        self.emitted = np.zeros((steps + 1 + self.delay.max(initial=0), neurons), dtype=np.int16)
        self.I_minus_V, self.V, self.dL_dt = np.zeros((3, steps + 1, neurons))
        self.weight, self.rate, self.kick = np.zeros((3, neurons))
        self.kick_step = np.full(neurons, -1)
        self.loss: list[float] = []
        self.y: list[np.ndarray | None] = []
        self._forward()
        for k in range(len(arrays.cases)):
            self._read(k)

    def train(self, neuron: int) -> np.ndarray:
        """The steps in which a neuron spikes."""
        return np.flatnonzero(self.emitted[: self.steps + 1, neuron])

    def _forward(self) -> None:
        arrays, dt = self.arrays, self.dt
        tau_mem, tau_syn, v_th, v_reset = arrays.constants
        at = np.floor(arrays.time / dt + 0.5).astype(np.int64)
        within = (at <= self.steps) & (arrays.time <= arrays.duration)
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

    def _read(self, k: int) -> None:
        """The loss of case k, and its effect on the adjoint."""
        loss, T, dt = self.arrays.cases[k].loss, self.arrays.duration, self.dt
        trains = [(j, self.train(j)) for j in self.arrays.neurons[k][loss.population].tolist()]
        if isinstance(loss, SpikeTimeMSE):
            total = 0.0
            for (j, own), targets in zip(trains, loss.targets, strict=True):
                late = [T] * max(0, len(targets) - len(own))  # a missing spike counts as T
                errors = np.array([*(dt * own[: len(targets)]), *late]) - targets
                self.dL_dt[own[: len(targets)], j] = errors[: len(own)]
                total += float(errors @ errors) / 2
            self.loss.append(total)
            self.y.append(None)
            return
        if isinstance(loss, RelativeSpikeTimeMSE):
            t_first = np.array([dt * own[0] if len(own) else T for _, own in trains])
            errors = t_first - t_first[loss.label] - loss.margin
            errors[loss.label] = 0.0
            slopes = np.where(np.arange(len(errors)) == loss.label, -errors.sum(), errors)
            for (j, own), slope in zip(trains, slopes, strict=True):
                self.dL_dt[own[:1], j] = slope
            self.loss.append(float(errors @ errors) / 2)
            self.y.append(None)
            return
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
        self.loss.append(float(log_sum - y[loss.label]))
        self.y.append(y)
        for (j, own), g in zip(trains, dL_dy, strict=True):
            if loss.readout == "first_spike_time":
                self.dL_dt[own[:1], j] = -g / scale
            elif loss.readout != "max_voltage":
                self.weight[j], self.rate[j] = g / T, rate
            elif not len(own) and (n := int(self.V[:, j].argmax())) > 0:
                self.kick_step[j], self.kick[j] = n, g

    def backward(self) -> tuple[np.ndarray, np.ndarray]:
        """`dL/dw` and `dL/dd` of every synapse, `[synapses]`, by stepping the adjoint back;
        `ArithmeticError`: a spike's `I - V` is 0."""
        arrays, dt = self.arrays, self.dt
        tau_mem, tau_syn, v_th, v_reset = arrays.constants
        drop, spiking = v_th - v_reset, np.isfinite(v_th)
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

    def results(self) -> list[Result]:
        """The result of each case; the gradient is 0 where no synapse is."""
        arrays, (dL_dw, dL_dd) = self.arrays, self.backward()
        found, at, slope = [], 0, self.I_minus_V / arrays.constants[2]
        for k, case in enumerate(arrays.cases):
            spikes, kappa = {}, {}
            for population in case.network.populations:
                if population.kind != "input":
                    steps = [(j, self.train(j)) for j in arrays.neurons[k][population.name].tolist()]
                    spikes[population.name] = [self.dt * n for _, n in steps]
                    kappa[population.name] = [slope[n, j] ** 2 for j, n in steps]
            connections = []
            for connection in case.network.connections:
                end, matrices = at + int(connection.exists.sum()), np.zeros((2, *connection.w.shape))
                matrices[:, connection.exists] = dL_dw[at:end], dL_dd[at:end]
                connections.append(ConnectionGradient(*matrices))
                at = end
            found.append(Result(self.loss[k], spikes, kappa, self.y[k], Gradients(tuple(connections), {}, {}), ()))
        return found
