"""Readouts and losses: their values, and what they put into the adjoint.

A loss acts on the adjoint in three ways, gathered in `Drive`: a kick of `lambda_V` at an instant (a maximum), a running
drive of `lambda_V` (an integral of the voltage), and a derivative by a spike's time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reference.arithmetic import Arithmetic, Real
from reference.flow import flow, time_to_peak, weighted_integral
from reference.simulate import Arrivals, Event, Neuron, Spike, Trial
from spec import Case, CrossEntropy, SpikeTimeMSE, Tie


@dataclass(eq=False)
class Maximum(Event):
    """The largest voltage of a neuron, after its event `follows`; `pinned`: arrivals that end the rise, if any."""

    follows: Event
    pinned: Arrivals | None


@dataclass
class Drive:
    """What the loss does to the adjoint.

    Attributes:
        loss: its value.
        y: the readout, one number a neuron; None for a loss of spike times alone.
        dL_dt_post: derivative by the times of spikes, where the loss depends on them directly.
        dL_dy: derivative by the readout of each neuron that has a maximum or an integral read.
        maxima: where each neuron's voltage is read; no entry if the readout does not depend on the state.
        rate: the integral readout is `(1/T) int exp(-rate t) V dt`; None if none is read.
        dL_dv_th: explicit derivative by a threshold (the maximum of a neuron that spikes is its threshold).
    """

    loss: Real
    y: list[Real] | None = None
    dL_dt_post: dict[Spike, Real] = field(default_factory=dict)
    dL_dy: dict[Neuron, Real] = field(default_factory=dict)
    maxima: dict[Neuron, Maximum] = field(default_factory=dict)
    rate: Real | None = None
    dL_dv_th: dict[Neuron, Real] = field(default_factory=dict)


def drive(m: Arithmetic, case: Case, trial: Trial) -> Drive:
    """Evaluate the loss of the case on a trial."""
    neurons = trial.neurons[case.loss.population]
    if isinstance(case.loss, SpikeTimeMSE):
        return _spike_time_mse(m, case.loss, neurons, trial.T)
    if case.loss.readout == "first_spike_time":
        assert case.loss.time_scale is not None
        scale = m.real(case.loss.time_scale)
        y = [-(neuron.spikes[0].t if neuron.spikes else trial.T) / scale for neuron in neurons]
        loss, dL_dy = _cross_entropy(m, y, case.loss.label)
        dL_dt_post = {n.spikes[0]: -g / scale for n, g in zip(neurons, dL_dy, strict=True) if n.spikes}
        return Drive(loss, y, dL_dt_post)
    if case.loss.readout == "max_voltage":
        return _max_voltage(m, case.loss, neurons, trial)
    rate = m.real(0.0) if case.loss.readout == "mean_voltage" else 1 / trial.T
    y = [_mean_voltage(m, neuron, trial.T, rate) for neuron in neurons]
    loss, dL_dy = _cross_entropy(m, y, case.loss.label)
    return Drive(loss, y, dL_dy=dict(zip(neurons, dL_dy, strict=True)), rate=rate)


def _cross_entropy(m: Arithmetic, y: list[Real], label: int) -> tuple[Real, list[Real]]:
    """`-log softmax(y)[label]` and its derivative by `y`, accurate also where the softmax is nearly certain."""
    top = max(y)
    exps = [m.exp(y_j - top) for y_j in y]
    others = m.fsum(exps[:label] + exps[label + 1 :])
    total = m.fsum(exps)
    probabilities = [e / total for e in exps]
    probabilities[label] = -others / total  # p - 1 without the cancellation
    loss = m.log1p(others) if y[label] == top else m.log(total) + (top - y[label])
    return loss, probabilities


def _spike_time_mse(m: Arithmetic, loss: SpikeTimeMSE, neurons: list[Neuron], T: Real) -> Drive:
    terms, dL_dt_post = [], {}
    for neuron, targets in zip(neurons, loss.targets, strict=True):
        for k, target in enumerate(targets):
            spike = neuron.spikes[k] if k < len(neuron.spikes) else None
            error = (spike.t if spike else T) - m.real(float(target))
            terms.append(error**2 / 2)
            if spike:
                dL_dt_post[spike] = error
    return Drive(m.fsum(terms), None, dL_dt_post)


def _mean_voltage(m: Arithmetic, neuron: Neuron, T: Real, rate: Real) -> Real:
    pieces = []
    for event, t_next in zip(neuron.events, [e.t for e in neuron.events[1:]] + [T], strict=True):
        integral = weighted_integral(m, event.V, event.I, t_next - event.t, rate, neuron.constants)
        pieces.append(m.exp(-rate * event.t) * integral)
    return m.fsum(pieces) / T


def _max_voltage(m: Arithmetic, loss: CrossEntropy, neurons: list[Neuron], trial: Trial) -> Drive:
    maxima = {neuron: _maximum(m, neuron, trial) for neuron in neurons if not neuron.spikes}
    y = [neuron.constants.v_th if neuron.spikes else _height(maxima[neuron]) for neuron in neurons]
    value, gradient = _cross_entropy(m, y, loss.label)
    dL_dy = dict(zip(neurons, gradient, strict=True))
    return Drive(
        value,
        y,
        dL_dy=dL_dy,
        maxima={neuron: maximum for neuron, maximum in maxima.items() if maximum},
        dL_dv_th={neuron: dL_dy[neuron] for neuron in neurons if neuron.spikes},
    )


def _height(maximum: Maximum | None) -> Real:
    return maximum.V if maximum else 0.0


def _maximum(m: Arithmetic, neuron: Neuron, trial: Trial) -> Maximum | None:
    """The earliest largest voltage of a neuron that does not spike; None if it is the initial 0."""
    best: Maximum | None = None
    for number, event in enumerate(neuron.events):
        following = neuron.events[number + 1] if number + 1 < len(neuron.events) else None
        candidate = _maximum_between(m, event, following, trial.T)
        if candidate is None:
            continue
        margin = 16 * m.u * abs(_height(best))
        if candidate.V > _height(best) + margin:
            best = candidate
        elif best and candidate.V >= best.V - margin:
            trial.ties.add(Tie(neuron.population, neuron.index, "equal_maxima"))
    if best and best.pinned and len(best.pinned.parcels) > 1:
        trial.ties.add(Tie(neuron.population, neuron.index, "simultaneous_arrivals_at_maximum"))
    return best


def _maximum_between(m: Arithmetic, event: Event, following: Event | None, T: Real) -> Maximum | None:
    """The local maximum of `V` after `event`, up to the next event: interior, pinned to it, or at `T`."""
    neuron, V, I = event.neuron, event.V, event.I
    if I <= V or I <= 0:
        return None
    t_next = following.t if following else T
    h = time_to_peak(m, V, I, neuron.constants)
    if h is not None and event.t + h < t_next:
        V_peak, I_peak = flow(m, V, I, h, neuron.constants)
        return Maximum(neuron, event.t + h, V_peak, I_peak, event, None)
    V_last, I_last = flow(m, V, I, t_next - event.t, neuron.constants)
    if following is None:
        return Maximum(neuron, T, V_last, I_last, event, None)
    if isinstance(following, Arrivals) and following.I <= V_last:
        return Maximum(neuron, t_next, V_last, I_last, event, following)
    return None
