"""EventProp on a time grid, with delays in whole steps, as published implementations compute it.

Modelled on mlGeNN (its event_prop_compiler.py), with the equations of the paper (arXiv 2501.07331)
as `derivations/formulas.py` states them. The choices:

- **Time** is `n dt` with `n = 0 ... T/dt`; `T` must be a whole number of steps. Input times and
  delays are rounded to whole steps when they are used, like `round(d)` there. The parameters stay
  real numbers, so an optimiser can move them by less than a step. "nearest" rounds halves up,
  "down" cuts.
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
  (`Trace.falling`). A value of 0 raises.
- **Pinned maxima:** a maximum that an inhibitory arrival makes moves with the arrival. The paper's
  equations lack this term (`python -m derivations --errata`), and so does this module unless
  `pinned` asks for it (max-pinned-tie).
- **Readouts and losses:** `losses.py`.

Gradients are those of weights and delays; results hold none of constants and input times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.grid.flat import Flat, flat
from benchmarks.grid.forward import Trace, forward, gain
from benchmarks.grid.losses import Driven, driven
from delayprop.spec import Case, Gradients, Result


def run(case: Case, dt: float, rounding: str = "nearest", pinned: bool = False) -> Result:
    """Loss and gradient by weights and delays of one case on a grid of `dt` ms; see `run_many`."""
    return run_many([case], dt, rounding, pinned)[0]


def run_many(cases: Sequence[Case], dt: float, rounding: str = "nearest", pinned: bool = False) -> list[Result]:
    """One result per case; all cases have one duration and are stepped together.

    Args:
        pinned: whether the delay gradient has the term of maxima that move with an arrival.

    Raises:
        SpecError: a step that is not positive or does not divide the duration, an unknown rounding,
            or different durations.
        ArithmeticError: a spike's `I - V` is 0, so that its gradient is infinite.
    """
    arrays = flat(cases)
    trace = forward(arrays, dt, rounding)
    acting = driven(arrays, trace)
    return results(arrays, trace, acting, *backward(arrays, trace, acting, pinned))


def backward(arrays: Flat, trace: Trace, loss: Driven, pinned: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """`dL/dw` and `dL/dd` of every synapse, `[synapses]`, by stepping the adjoint back.

    Raises:
        ArithmeticError: a spike's `I - V` is 0.
    """
    if not np.all(trace.I_minus_V):
        raise ArithmeticError("a spike's `I - V` is 0 at the end of its step, so its gradient is infinite")
    dt, drop = trace.dt, arrays.v_th - arrays.v_reset
    decay_V, decay_I = np.exp(-dt / arrays.tau_mem), np.exp(-dt / arrays.tau_syn)
    to_I = gain(arrays.tau_syn, arrays.tau_mem, dt)
    lambda_V, lambda_I = np.zeros(len(arrays.tau_mem)), np.zeros(len(arrays.tau_mem))
    post = arrays.post[trace.arrival_synapse]
    w, tau_syn = arrays.w[trace.arrival_synapse], arrays.tau_syn[post]
    by_w, by_t = np.zeros(len(post)), np.zeros(len(post))
    carried = carrying(arrays, trace, loss) if pinned else np.zeros(len(post))
    dL_dt = np.append(loss.dL_dt, 0.0)  # the last entry collects input spikes
    every = np.arange(trace.steps + 2)
    arrival_at = np.searchsorted(trace.arrival_step, every)
    spike_at, kick_at = np.searchsorted(trace.step, every), np.searchsorted(loss.kick_step, every)
    for n in range(trace.steps, -1, -1):
        drive = loss.drive(n * dt)
        here = slice(arrival_at[n], arrival_at[n + 1])
        if here.start < here.stop:
            now_V, now_I = lambda_V[post[here]], lambda_I[post[here]]
            by_w[here], by_t[here] = -tau_syn[here] * now_I, w[here] * (now_V - now_I) + carried[here]
            np.add.at(dL_dt, trace.arrival_spike[here], by_t[here])
        fired = slice(spike_at[n], spike_at[n + 1])
        if fired.start < fired.stop:
            j, slope = trace.neuron[fired], trace.I_minus_V[fired]
            dL_dt_post = dL_dt[:-1][fired] if drive is None else dL_dt[:-1][fired] + drive[j] * drop[j]
            lambda_V[j] = (1 + drop[j] / slope) * lambda_V[j] + dL_dt_post / slope
        kicked = slice(kick_at[n], kick_at[n + 1])
        if kicked.start < kicked.stop:
            j = loss.kick_neuron[kicked]
            lambda_V[j] -= loss.kick[kicked] / arrays.tau_mem[j]
        if drive is None:
            lambda_I = decay_I * lambda_I + to_I * lambda_V
            lambda_V = decay_V * lambda_V
        else:
            lambda_I = decay_I * (lambda_I + drive) + to_I * (lambda_V + drive) - drive
            lambda_V = decay_V * (lambda_V + drive) - drive
    size = len(arrays.w)
    return np.bincount(trace.arrival_synapse, by_w, size), np.bincount(trace.arrival_synapse, by_t, size)


def carrying(arrays: Flat, trace: Trace, loss: Driven) -> np.ndarray:
    """The term of pinned maxima, `[arrivals]`; 0 for an arrival that makes no maximum."""
    kick = np.full(len(arrays.tau_mem), -1)
    kick[loss.kick_neuron] = np.arange(len(loss.kick))
    post = arrays.post[trace.arrival_synapse]
    makes = kick[post] >= 0
    found, own = np.zeros(len(post)), kick[post[makes]]
    rise = (loss.kick_rise[own] - arrays.w[trace.arrival_synapse[makes]]) / arrays.tau_mem[post[makes]]
    falls = (loss.kick_step[own] == trace.arrival_step[makes]) & (loss.kick_rise[own] <= 0)
    found[makes] = np.where(falls & (rise > 0), loss.kick[own] * rise, 0.0)
    return found


def results(arrays: Flat, trace: Trace, loss: Driven, dL_dw: np.ndarray, dL_dd: np.ndarray) -> list[Result]:
    """The result of each case."""
    order = np.argsort(trace.neuron, kind="stable")  # spikes neuron by neuron
    first = np.searchsorted(trace.neuron[order], np.arange(len(arrays.tau_mem) + 1))
    times, kappa = trace.dt * trace.step[order], (trace.I_minus_V / arrays.v_th[trace.neuron])[order] ** 2
    found = []
    for k, (case, at) in enumerate(zip(arrays.cases, arrays.neuron_at, strict=True)):
        own = {p.name: range(at[p.name], at[p.name] + p.size) for p in case.network.populations if p.kind != "input"}
        trains, grazing = (
            {name: [values[first[j] : first[j + 1]] for j in neurons] for name, neurons in own.items()}
            for values in (times, kappa)
        )
        gradients = Gradients(arrays.gradients(k, dL_dw, dL_dd), {}, {})
        found.append(Result(float(loss.loss[k]), trains, grazing, loss.y[k], gradients, ()))
    return found
