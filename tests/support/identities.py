"""Conservation identities: an exact gradient obeys them, because the model has no absolute units.

The derivative of the loss by a common factor (or shift) of all parameters is, by the chain rule, a
sum over the gradient. It also follows directly from the change of unit or origin:

    A  unit of voltage    w, v_th, v_reset times s: same spikes, voltages times s
                          sum w g_w + v_th g_v_th + v_reset g_v_reset
                              = sum_j y_j dL/dy_j, over voltages y
    B  unit of time       d, tau_mem, tau_syn, t_in and T times s: spike times times s
                          sum d g_d + tau_mem g_tau_mem + tau_syn g_tau_syn + t_in g_t_in
                              = sum_k t_k dL/dt_k - sum_j dL/dy_j T dy_j/dT
    C  origin of time     t_in later by s: so are all spikes, and the last s before T is lost
                          sum g_t_in = sum_k dL/dt_k + sum_j dL/dy_j dy_j/ds
                          The same with sum g_d of all connections from other populations
                          into one and those that it reaches

The gradient has no entry for `T`, so its effect on voltages stands on the right. It takes the state
at `T` and one more integral, which this file computes from the spikes in closed form, without code
of either implementation.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from delayprop.spec import Case, CrossEntropy, RelativeSpikeTimeMSE, Result, SpikeTimeMSE
from delayprop.spec.population import CONSTANTS
from tests.support.comparison import largest_block, time_unit
from tests.support.parameters import arrivals, blocks, parameters
from tests.support.tolerances import U32, VANISHES, identity


def identities(case: Case, result: Result) -> dict[str, list[float]]:
    """The terms of A, B and C, with a minus for the right side; each list adds up to 0. C has one
    list for the inputs, `C`, and one per population, `C` and its name."""
    terms: dict[str, list[float]] = {"A": [], "B": [], "C": []}
    gradients = result.gradients
    for ((kind, owner, *_), g), (_, values) in zip(blocks(gradients), blocks(parameters(case)), strict=True):
        there = case.network.connections[owner].exists if kind in ("w", "d") else ...
        terms["A" if kind in ("w", "v_th", "v_reset") else "B"] += (values * g)[there].tolist()
        terms["C"] += g.tolist() if kind == "t_in" else []
    for t, dL_dt in by_spike_time(case, result):
        terms["B"].append(-t * dL_dt)
    of_loss = [-dL_dt for _, dL_dt in by_spike_time(case, result)]
    for j, (y, dL_dy) in enumerate(by_voltage(case, result)):
        T_dy_dT, dy_ds = by_end(case, result, j)
        terms["A"].append(-y * dL_dy)
        terms["B"].append(T_dy_dT * dL_dy)
        of_loss.append(-dy_ds * dL_dy)
    terms["C"] += of_loss
    for name in gradients.populations:
        later = _reached(case, name)
        if case.loss.population in later:
            pairs = zip(case.network.connections, gradients.connections, strict=True)
            into = [g.dL_dd[c.exists] for c, g in pairs if c.target in later and c.source not in later]
            terms[f"C {name}"] = [*np.concatenate([np.zeros(0), *into]).tolist(), *of_loss]
    return terms


def _reached(case: Case, name: str) -> set[str]:
    """A population and all that its spikes reach."""
    reached = {name}
    while new := {c.target for c in case.network.connections if c.source in reached} - reached:
        reached |= new
    return reached


def by_spike_time(case: Case, result: Result) -> list[tuple[float, float]]:
    loss = case.loss
    trains = result.spikes[loss.population]
    if isinstance(loss, SpikeTimeMSE):
        pairs = [pair for train, targets in zip(trains, loss.targets, strict=True) for pair in zip(train, targets)]
        return [(float(t), float(t - target)) for t, target in pairs]
    if isinstance(loss, RelativeSpikeTimeMSE):
        return [(float(t[0]), slope) for t, slope in zip(trains, _relative(loss, trains, case.duration)) if len(t)]
    assert isinstance(loss, CrossEntropy), "a new readout needs its identity"
    if loss.time_scale is None:
        return []
    slopes = _by_readout(loss, result)
    return [(float(t[0]), -g / loss.time_scale) for t, g in zip(trains, slopes, strict=True) if len(t)]


def _relative(loss: RelativeSpikeTimeMSE, trains: Sequence[np.ndarray], T: float) -> list[float]:
    """`dl/dt_first` of each neuron."""
    t_first = np.array([train[0] if len(train) else T for train in trains], np.longdouble)
    errors = t_first - t_first[loss.label] - loss.margin
    errors[loss.label] = 0.0
    slopes = errors.copy()
    slopes[loss.label] = -errors.sum()
    return [float(slope) for slope in slopes]


def by_voltage(case: Case, result: Result) -> list[tuple[float, float]]:
    loss = case.loss
    if not isinstance(loss, CrossEntropy) or loss.time_scale is not None or result.readout is None:
        return []
    return list(zip(result.readout.astype(float).tolist(), _by_readout(loss, result), strict=True))


def by_end(case: Case, result: Result, j: int) -> tuple[float, float]:
    """Of a voltage readout: `T dy_j/dT` at fixed parameters, `dy_j/ds` for inputs later by `s`."""
    assert isinstance(case.loss, CrossEntropy) and result.readout is not None
    T, y, name = case.duration, float(result.readout[j]), case.loss.population
    spikes = [float(t) for t in result.spikes[name][j]]
    population = case.network.population(name)
    given = [getattr(population, constant) for constant in CONSTANTS]
    tau_mem, tau_syn, v_th, v_reset = (0.0 if values is None else float(values[j]) for values in given)
    drop = v_th - v_reset
    trains: dict[str, Any] = {**result.spikes, **case.inputs}
    arrived = [(float(w), float(t + d)) for w, t, d in arrivals(case, trains, name, j) if t + d <= T]

    def response(s: float) -> float:
        x = (1 / tau_syn - 1 / tau_mem) * s
        return s / tau_mem * math.exp(-s / tau_mem) * (-math.expm1(-x) / x if x else 1.0)

    I = math.fsum(w * math.exp((a - T) / tau_syn) for w, a in arrived)
    resets = [-drop * math.exp((t - T) / tau_mem) for t in spikes]
    V = math.fsum([*resets, *(w * response(T - a) for w, a in arrived)])
    if case.loss.readout == "mean_voltage":
        return V - y, -V / T
    if case.loss.readout == "max_voltage":
        at_end = not spikes and I > V > 0 and abs(V - y) <= identity(U32) * y
        slope = (I - V) / tau_mem if at_end else 0.0
        return T * slope, -slope
    assert case.loss.readout == "exp_weighted_voltage", "a new readout needs its identity"
    # int t exp(-t/T) V dt: the equations of motion times t exp(-t/T), integrated over the trial
    r_mem, r_syn = 1 / (1 / tau_mem + 1 / T), 1 / (1 / tau_syn + 1 / T)
    integral_I = r_syn * (math.fsum(w * math.exp(-a / T) for w, a in arrived) - I / math.e)
    moment_I = r_syn * (math.fsum(w * a * math.exp(-a / T) for w, a in arrived) - T * I / math.e + integral_I)
    late_resets = math.fsum(-drop * t * math.exp(-t / T) for t in spikes)
    moment_V = r_mem * (moment_I / tau_mem + late_resets - T * V / math.e + T * y)
    return V / math.e - y + moment_V / T**2, -(y + V / math.e) / T


def _by_readout(loss: CrossEntropy, result: Result) -> list[float]:
    assert result.readout is not None
    y = result.readout.astype(float)
    p = np.exp(y - y.max())
    p /= p.sum()
    p[loss.label] = -math.fsum(np.delete(p, loss.label))  # p - 1 without the cancellation
    return p.tolist()


def residuals(case: Case, result: Result, u: float) -> dict[str, float]:
    """The sum of the terms of each identity, as a share of the sum of their absolute values. All
    terms of C may cancel within themselves (a maximum that moves with the input). The rest is then
    compared with the largest block of the gradient. Identities without terms are left out."""
    found: dict[str, float] = {}
    for law, terms in identities(case, result).items():
        name = law[0]
        largest = largest_block(case, result.gradients) / (time_unit(case) if name == "C" else 1.0)
        size = max(math.fsum(map(abs, terms)), 100 * u / identity(u) * largest)
        if size > VANISHES:
            found[name] = max(abs(math.fsum(terms)) / size, found.get(name, 0.0))
    return found
