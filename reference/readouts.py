"""Readouts and losses: their values, and their effect on the adjoint.

A loss acts on the adjoint in three ways, collected in `Drive`: a kick of the voltage's sensitivity
(a sample or a maximum), the sensitivity to an integral at the end, a derivative by a spike time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from delayprop.reference.arithmetic import Arithmetic, Real, times
from delayprop.reference.crossing import Turns
from delayprop.reference.equations import READ, Equations
from delayprop.reference.events import Arrivals, Crossing, Event, Neuron, Spike, Start, Trial
from delayprop.reference.simulate import integral_rate, state_at
from delayprop.spec import Case, CrossEntropy, RelativeSpikeTimeMSE, SpikeTimeMSE, Tie, VoltageMSE
from delayprop.spec.readouts import FIRST_SPIKE_TIME, MAX_VOLTAGE


@dataclass(eq=False)
class Reading(Event):
    """A voltage of a neuron that is read, after its event `follows`: a sample, or a maximum.

    Attributes:
        pinned: the event that ends the rise to a maximum, arrivals or the neuron's own spike; it
            carries the reading along. None: no event does.
        dL_dV: the derivative of the loss by the voltage.
    """

    follows: Event
    pinned: Event | None = None
    dL_dV: Real = 0.0

    @property
    def V(self) -> Real:
        return self.x_minus[READ]


@dataclass
class Drive:
    """The effect of a loss on the adjoint.

    Attributes:
        loss: its value.
        y: the readout, a number per neuron, of samples a list of them; None for a loss of spike
            times.
        dL_dt_post: direct derivatives by spike times.
        readings: the voltages that are read, of each neuron in order of time; none that do not
            depend on the state.
        dL_dintegral: derivative by the integral of each neuron at `T`, its last state.
        ties: ties of the readings.
    """

    loss: Real
    y: list | None = None
    dL_dt_post: dict[Spike, Real] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    dL_dintegral: dict[Neuron, Real] = field(default_factory=dict)
    ties: set[Tie] = field(default_factory=set)


def drive(m: Arithmetic, case: Case, trial: Trial) -> Drive:
    """Evaluate the loss of the case on a trial."""
    neurons = trial.neurons[case.loss.population]
    if isinstance(case.loss, SpikeTimeMSE):
        return _spike_time_mse(m, case.loss, neurons, trial.T)
    if isinstance(case.loss, RelativeSpikeTimeMSE):
        return _relative_spike_time_mse(m, case.loss, neurons, trial.T)
    if isinstance(case.loss, VoltageMSE):
        return _voltage_mse(m, case.loss, neurons)
    if case.loss.reads == FIRST_SPIKE_TIME:
        assert case.loss.time_scale is not None
        scale = m.real(case.loss.time_scale)
        y = [-(neuron.spikes[0].t if neuron.spikes else trial.T) / scale for neuron in neurons]
        loss, dL_dy = _cross_entropy(m, y, case.loss.label)
        dL_dt_post = {n.spikes[0]: -g / scale for n, g in zip(neurons, dL_dy, strict=True) if n.spikes}
        return Drive(loss, y, dL_dt_post)
    if case.loss.reads == MAX_VOLTAGE:
        return _max_voltage(m, case.loss, neurons, trial.T)
    rate = integral_rate(m, case)
    assert rate is not None
    weight = m.exp(-rate * trial.T) / trial.T
    y = [weight * state_at(neuron, trial.T)[-1] for neuron in neurons]
    loss, dL_dy = _cross_entropy(m, y, case.loss.label)
    return Drive(loss, y, dL_dintegral={n: weight * slope for n, slope in zip(neurons, dL_dy, strict=True)})


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


def _relative_spike_time_mse(m: Arithmetic, loss: RelativeSpikeTimeMSE, neurons: list[Neuron], T: Real) -> Drive:
    t_first = [neuron.spikes[0].t if neuron.spikes else T for neuron in neurons]
    own, margin = t_first[loss.label], m.real(loss.margin)
    errors = [m.real(0.0) if j == loss.label else t - own - margin for j, t in enumerate(t_first)]
    slopes = [*errors]
    slopes[loss.label] = -m.fsum(errors)
    dL_dt_post = {n.spikes[0]: slope for n, slope in zip(neurons, slopes, strict=True) if n.spikes}
    return Drive(m.fsum([error**2 / 2 for error in errors]), None, dL_dt_post)


def _voltage_mse(m: Arithmetic, loss: VoltageMSE, neurons: list[Neuron]) -> Drive:
    """[sample] Before its first event a neuron is at 0, whatever its parameters are."""
    found, errors, readings, ties = [], [], [], set()
    for neuron, targets in zip(neurons, loss.targets, strict=True):
        y = []
        for s, target in zip(map(m.real, loss.times.tolist()), map(m.real, targets.tolist()), strict=True):
            V = m.real(0.0)
            if earlier := [event for event in neuron.events if event.t <= s]:
                x = times(neuron.equations.flow(s - earlier[-1].t), earlier[-1].x_plus)
                V = x[READ]
                readings.append(Reading(neuron, s, x, x, earlier[-1], None, V - target))
            if any(_is_at(event, s) for event in neuron.events):
                ties.add(Tie(neuron.population, neuron.index, "event_at_sample"))
            y.append(V)
            errors.append(V - target)
        found.append(y)
    return Drive(m.fsum([error**2 / 2 for error in errors]), found, readings=readings, ties=ties)


def _is_at(event: Event, s: Real) -> bool:
    """Whether an event is at the instant of a sample, to within rounding (specification, 4)."""
    if isinstance(event, Crossing):
        return abs(s - event.t) * event.slope <= event.neuron.equations.touch
    return event.t == s and not isinstance(event, Start)


def _max_voltage(m: Arithmetic, loss: CrossEntropy, neurons: list[Neuron], T: Real) -> Drive:
    """The maximum of a neuron that spikes is at its first spike; other maxima are searched for."""
    y: list[Real] = []
    maxima: dict[Neuron, Reading] = {}
    ties: set[Tie] = set()
    turns: dict[Equations, Turns] = {}
    for neuron in neurons:
        kinds: list[str] = []
        if (maximum := _at_first_spike(neuron)) is None:
            e = neuron.equations
            if e not in turns:
                turns[e] = Turns(e, [m.real(float(k == READ)) for k in range(len(e.A))])
            maximum, kinds = _maximum(m, turns[e], neuron, T)
        ties |= {Tie(neuron.population, neuron.index, kind) for kind in kinds}
        y.append(maximum.V if maximum else m.real(0.0))
        if maximum:
            maxima[neuron] = maximum
    value, gradient = _cross_entropy(m, y, loss.label)
    for neuron, dL_dy in zip(neurons, gradient, strict=True):
        if neuron in maxima:
            maxima[neuron].dL_dV = dL_dy
    return Drive(value, y, readings=list(maxima.values()), ties=ties)


def _at_first_spike(neuron: Neuron) -> Reading | None:
    """Its level is the voltage alone (specification, section 2)."""
    for follows, event in pairwise(neuron.events):
        if isinstance(event, Crossing):
            return Reading(neuron, event.t, event.x_minus, event.x_minus, follows, event)
    return None


def _maximum(m: Arithmetic, turns: Turns, neuron: Neuron, T: Real) -> tuple[Reading | None, list[str]]:
    """The earliest largest voltage of a silent neuron, and its ties; None: the initial 0 of a
    neuron without a state."""
    best, V_best, equal, at_start = None, m.real(0.0), False, None
    if neuron.events and isinstance(start := neuron.events[0], Start):
        at_start, V_best = Reading(neuron, start.t, start.x_plus, start.x_plus, start), start.x_plus[READ]
        best = None if turns.rises(start.x_plus) else at_start
    for event, following in pairwise([*neuron.events, None]):
        assert event is not None
        for candidate in _maxima_between(turns, event, following, T):
            if turns.pair and turns.reach(candidate.x_minus) < V_best:
                break
            margin = 16 * m.u * abs(V_best)
            if candidate.V > V_best + margin:
                best, V_best, equal = candidate, candidate.V, False
            elif best and candidate.V >= V_best - margin:
                equal = True
    best = best or at_start
    ties = ["equal_maxima"] if equal else []
    if best and isinstance(best.pinned, Arrivals) and len(best.pinned.parcels) > 1:
        ties.append("simultaneous_arrivals_at_maximum")
    return best, ties


def _maxima_between(turns: Turns, event: Event, following: Event | None, T: Real) -> Iterator[Reading]:
    """The local maxima of `V` after `event`, and the one at `following`, or at `T`, if it rises to
    there and not on."""
    neuron, x = event.neuron, event.x_plus
    until = (following.t if following else T) - event.t
    rising = turns.rises(x)
    for h in turns(x, until):
        if rising:
            there = turns.state(x, h)
            yield Reading(neuron, event.t + h, there, there, event)
        rising = not rising
    if rising and (following is None or not turns.rises(following.x_plus)):
        there = turns.state(x, until) if following is None else following.x_minus
        yield Reading(neuron, event.t + until, there, there, event, following)
