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
- **Readouts and losses:** `forward.py`.

Gradients are those of weights and delays; results hold none of constants and input times.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.grid.forward import Driven, Flat, Trace, driven, flat, forward, gain
from delayprop.spec import Case, ConnectionGradient, Gradients, Result


def run(case: Case, dt: float) -> Result:
    """Loss and gradient by weights and delays of one case on a grid of `dt` ms; see `run_many`."""
    return run_many([case], dt)[0]


def run_many(cases: Sequence[Case], dt: float) -> list[Result]:
    """One result per case; all cases have one duration and are stepped together. Errors: as `flat`,
    `forward` and `backward`."""
    arrays = flat(cases)
    trace = forward(arrays, dt)
    loss = driven(arrays, trace)
    return results(arrays, trace, loss, *backward(arrays, trace, loss))


def backward(arrays: Flat, trace: Trace, loss: Driven) -> tuple[np.ndarray, np.ndarray]:
    """`dL/dw` and `dL/dd` of every synapse, `[synapses]`, by stepping the adjoint back;
    `ArithmeticError`: a spike's `I - V` is 0."""
    dt, (tau_mem, tau_syn, v_th, v_reset) = trace.dt, arrays.constants
    drop, spiking = v_th - v_reset, np.isfinite(v_th)
    decay_V, decay_I, to_I = np.exp(-dt / tau_mem), np.exp(-dt / tau_syn), gain(tau_syn, tau_mem, dt)
    lambda_V, lambda_I = np.zeros((2, len(tau_mem)))
    dL_dw, dL_dd = np.zeros((2, len(arrays.w)))
    dL_dt = loss.dL_dt.copy()
    for n in range(trace.steps, -1, -1):
        drive = loss.drive(n * dt)
        sent = trace.emitted[n - trace.delay, arrays.pre]
        here = np.flatnonzero(sent)
        j, w, number = arrays.post[here], arrays.w[here], sent[here]
        by_t = w * (lambda_V[j] - lambda_I[j])
        dL_dw[here] -= number * tau_syn[j] * lambda_I[j]
        dL_dd[here] += number * by_t
        np.add.at(dL_dt, (n - trace.delay[here], arrays.pre[here]), by_t)
        j = np.flatnonzero(trace.emitted[n] * spiking)
        slope = trace.I_minus_V[n, j]
        if not slope.all():
            raise ArithmeticError("a spike's `I - V` is 0 at the end of its step, so its gradient is infinite")
        dL_dt_post = dL_dt[n, j] + drive[j] * drop[j]
        lambda_V[j] = (1 + drop[j] / slope) * lambda_V[j] + dL_dt_post / slope
        j = np.flatnonzero(loss.kick_step == n)
        lambda_V[j] -= loss.kick[j] / tau_mem[j]
        lambda_I = decay_I * (lambda_I + drive) + to_I * (lambda_V + drive) - drive
        lambda_V = decay_V * (lambda_V + drive) - drive
    return dL_dw, dL_dd


def results(arrays: Flat, trace: Trace, loss: Driven, dL_dw: np.ndarray, dL_dd: np.ndarray) -> list[Result]:
    """The result of each case; the gradient is 0 where no synapse is."""
    found, at, slope = [], 0, trace.I_minus_V / arrays.constants[2]
    for k, case in enumerate(arrays.cases):
        spikes, kappa = {}, {}
        for population in case.network.populations:
            if population.kind != "input":
                steps = [(j, trace.train(j)) for j in arrays.numbers(k, population.name).tolist()]
                spikes[population.name] = [trace.dt * n for _, n in steps]
                kappa[population.name] = [slope[n, j] ** 2 for j, n in steps]
        connections = []
        for connection in case.network.connections:
            end, matrices = at + int(connection.exists.sum()), np.zeros((2, *connection.w.shape))
            matrices[:, connection.exists] = dL_dw[at:end], dL_dd[at:end]
            connections.append(ConnectionGradient(*matrices))
            at = end
        found.append(Result(loss.loss[k], spikes, kappa, loss.y[k], Gradients(tuple(connections), {}, {}), ()))
    return found
