"""Readouts and losses: their values, and their effect on the adjoint.

A loss acts on the adjoint in three ways, collected in `Drive`: a kick of `lambda_V` (a maximum), a
running drive of `lambda_V` (an integral of the voltage), and a derivative by a spike time.
"""

from dataclasses import dataclass, field

from delayprop.reference.arithmetic import Arithmetic, Real
from delayprop.reference.events import Arrivals, Event, Neuron, Spike, Trial
from delayprop.reference.flow import flow, time_to_peak, weighted_integral
from delayprop.spec import Case, CrossEntropy, SpikeTimeMSE, Tie


@dataclass(eq=False)
class Maximum(Event):
    """The largest voltage of a neuron, after its event `follows`.

    `pinned`: arrivals that end the rise, or None. `V, I`: the state at the maximum, before them.
    """

    follows: Event
    pinned: Arrivals | None


@dataclass
class Drive:
    """The effect of a loss on the adjoint.

    Attributes:
        loss: its value.
        y: the readout, one number per neuron; None for a loss of spike times.
        dL_dt_post: direct derivatives by spike times.
        dL_dy: derivative by the readout of each neuron, if a maximum or an integral is read.
        maxima: the maximum of each neuron; no entry if the readout does not depend on the state.
        rate: the integral readout is `(1/T) int exp(-rate t) V dt`; None if no integral is read.
        dL_dv_th: direct derivative by a threshold, the maximum of a neuron that spikes.
        ties: ties of the maxima.
    """

    loss: Real
    y: list[Real] | None = None
    dL_dt_post: dict[Spike, Real] = field(default_factory=dict)
    dL_dy: dict[Neuron, Real] = field(default_factory=dict)
    maxima: dict[Neuron, Maximum] = field(default_factory=dict)
    rate: Real | None = None
    dL_dv_th: dict[Neuron, Real] = field(default_factory=dict)
    ties: set[Tie] = field(default_factory=set)


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
        return _max_voltage(m, case.loss, neurons, trial.T)
    rate = {"mean_voltage": m.real(0.0), "exp_weighted_voltage": 1 / trial.T}[case.loss.readout]
    y = [_weighted_mean_voltage(m, neuron, trial.T, rate) for neuron in neurons]
    loss, dL_dy = _cross_entropy(m, y, case.loss.label)
    return Drive(loss, y, dL_dy=dict(zip(neurons, dL_dy, strict=True)), rate=rate)


def _cross_entropy(m: Arithmetic, y: list[Real], label: int) -> tuple[Real, list[Real]]:
    """`-log softmax(y)[label]` and its derivative by `y`, accurate near a certain softmax too."""
    top = max(y)
    exps = [m.exp(y_j - top) for y_j in y]
    others = m.fsum(exps[:label] + exps[label + 1 :])
    total = m.fsum(exps)
    dL_dy = [e / total for e in exps]
    dL_dy[label] = -others / total  # p - 1 without the cancellation
    loss = m.log1p(others) if y[label] == top else m.log(total) + (top - y[label])
    return loss, dL_dy


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


def _weighted_mean_voltage(m: Arithmetic, neuron: Neuron, T: Real, rate: Real) -> Real:
    """`(1/T) int exp(-rate t) V dt` over the trial; `V = 0` before the first event."""
    pieces, times = [], [*(event.t for event in neuron.events), T]
    for event, t_next in zip(neuron.events, times[1:], strict=True):
        integral = weighted_integral(m, event.V, event.I, t_next - event.t, rate, neuron.constants)
        pieces.append(m.exp(-rate * event.t) * integral)
    return m.fsum(pieces) / T


def _max_voltage(m: Arithmetic, loss: CrossEntropy, neurons: list[Neuron], T: Real) -> Drive:
    """The maximum of a neuron that spikes is its threshold; other maxima are searched for."""
    y: list[Real] = []
    maxima: dict[Neuron, Maximum] = {}
    ties: set[Tie] = set()
    for neuron in neurons:
        if neuron.spikes:
            y.append(neuron.constants.v_th)
            continue
        maximum, kinds = _maximum(m, neuron, T)
        ties |= {Tie(neuron.population, neuron.index, kind) for kind in kinds}
        y.append(maximum.V if maximum else m.real(0.0))
        if maximum:
            maxima[neuron] = maximum
    value, gradient = _cross_entropy(m, y, loss.label)
    dL_dy = dict(zip(neurons, gradient, strict=True))
    dL_dv_th = {neuron: dL_dy[neuron] for neuron in neurons if neuron.spikes}
    return Drive(value, y, dL_dy=dL_dy, maxima=maxima, dL_dv_th=dL_dv_th, ties=ties)


def _maximum(m: Arithmetic, neuron: Neuron, T: Real) -> tuple[Maximum | None, list[str]]:
    """The earliest largest voltage of a silent neuron (None: the initial 0), and its ties."""
    best, V_best, equal = None, m.real(0.0), False
    for number, event in enumerate(neuron.events):
        following = neuron.events[number + 1] if number + 1 < len(neuron.events) else None
        candidate = _maximum_between(m, event, following, T)
        if candidate is None:
            continue
        margin = 16 * m.u * abs(V_best)
        if candidate.V > V_best + margin:
            best, V_best, equal = candidate, candidate.V, False
        elif best and candidate.V >= V_best - margin:
            equal = True
    ties = ["equal_maxima"] if equal else []
    if best and best.pinned and len(best.pinned.parcels) > 1:
        ties.append("simultaneous_arrivals_at_maximum")
    return best, ties


def _maximum_between(m: Arithmetic, event: Event, following: Event | None, T: Real) -> Maximum | None:
    """The local maximum of `V` from `event` to `following`: interior, pinned, or at `T`.

    None if `V` does not rise, or rises on. (A voltage that rises at `I <= 0` stays below 0.)
    """
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
