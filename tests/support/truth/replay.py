"""Losses of networks of any neuron at any number of digits, and their central differences.

The order of events is that of a run of the reference in float64. All else is computed anew, without
an adjoint: states by power series over short steps, crossings by Newton's method. That no event is
missing is a test of its own (`tests/reference/test_neurons.py`).
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.events import Arrivals, Crossing, Neuron, Spike, Trial
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, CrossEntropy, RelativeSpikeTimeMSE, Result, SpikeTimeMSE
from tests.support.parameters import Key, filled, keyed, parameters

Vector = list[mpmath.mpf]
RATES = {"mean_voltage": 0, "exp_weighted_voltage": 1}  # of an integral readout, in units of 1/T


def result_of(case: Case, digits: int, step: str) -> Result:
    """The result without ties, its gradient by central differences."""
    trial = simulate(FLOAT64, case)
    with mpmath.workdps(digits):
        values = {key: mpmath.mpf(float(value)) for key, value in keyed(case, parameters(case)).items()}
        here, h = _Replay(case, trial, values), mpmath.mpf(step)

        def slope(key: Key) -> mpmath.mpf:
            late, early = (_Replay(case, trial, {**values, key: values[key] + s}).loss() for s in (h, -h))
            return (late - early) / (2 * h)

        def per_spike(of: Mapping[Spike, mpmath.mpf]) -> dict[str, list[np.ndarray]]:
            return {
                name: [np.array([of[spike] for spike in neuron.spikes], dtype=object) for neuron in neurons]
                for name, neurons in trial.neurons.items()
            }

        y = here.readout()
        readout = None if y is None else np.array(y, dtype=object)
        gradient = filled(case, {key: slope(key) for key in values})
        return Result(here.loss(), per_spike(here.t), per_spike(here.kappa), readout, gradient, ())


class _Replay:
    def __init__(self, case: Case, trial: Trial, values: Mapping[Key, mpmath.mpf]) -> None:
        self.case, self.T = case, mpmath.mpf(float(case.duration))
        self.read, self.rate = trial.neurons[case.loss.population], None
        if (readout := getattr(case.loss, "readout", "")) in RATES:
            self.rate = RATES[readout] / self.T
        self.t: dict[Spike, mpmath.mpf] = {
            spike: values["t_in", name, i, k]
            for name, trains in trial.inputs.items() for i, train in enumerate(trains) for k, spike in enumerate(train)
        }
        self.kappa: dict[Spike, mpmath.mpf] = {}
        self.state: dict[Neuron, tuple[mpmath.mpf, Vector]] = {}
        self.parts: dict[Neuron, Any] = {}
        for neuron in (neuron for neurons in trial.neurons.values() for neuron in neurons):
            equations = case.network.population(neuron.population).equations
            own = {name: values[name, neuron.population, neuron.index] for name in equations.constants}
            self.parts[neuron] = equations.matrices(own, _number)
            self.state[neuron] = mpmath.mpf(0), [mpmath.mpf(0)] * (len(equations.states) + 1)
        for event in trial.events:
            if isinstance(event, Crossing):
                self.cross(event)
            elif isinstance(event, Arrivals):
                self.arrive(event, values)

    def at(self, neuron: Neuron, t: mpmath.mpf) -> Vector:
        """The state at `t`; its last entry is the integral that is read."""
        A, (since, x) = self.parts[neuron].A, self.state[neuron]
        rate, h = self.rate or mpmath.mpf(0), t - since
        norm = max(mpmath.fsum(abs(entry) for entry in row) for row in A) + rate + 1
        steps = int(mpmath.ceil(norm * h)) or 1
        for _ in range(steps):
            term, order = x, 0
            while any(abs(entry) > mpmath.eps * mpmath.mpf("1e-5") for entry in term):
                order += 1
                slopes = [mpmath.fdot(row, term[:-1]) for row in A] + [term[0] + rate * term[-1]]
                term = [slope * h / (steps * order) for slope in slopes]
                x = [a + b for a, b in zip(x, term, strict=True)]
        return x

    def cross(self, event: Crossing) -> None:
        m, t = self.parts[event.neuron], mpmath.mpf(event.t)
        slope = [mpmath.fdot(m.c, column) for column in zip(*m.A, strict=True)]
        while True:
            x = self.at(event.neuron, t)
            rise = mpmath.fdot(slope, x[:-1])
            move = (m.v_th - mpmath.fdot(m.c, x[:-1])) / rise
            t += move
            if abs(move) < mpmath.mpf(10) ** (-mpmath.mp.dps // 2 - 5):  # the next one is below rounding
                break
        x = self.at(event.neuron, t)
        self.t[event.spike] = t
        self.kappa[event.spike] = (mpmath.fdot(slope, x[:-1]) / (max(map(abs, slope)) * m.v_th)) ** 2
        after = [mpmath.fdot(row, x[:-1]) + new for row, new in zip(m.R, m.r, strict=True)]
        self.state[event.neuron] = t, [*after, x[-1]]

    def arrive(self, event: Arrivals, values: Mapping[Key, mpmath.mpf]) -> None:
        ((spike, synapse),) = event.parcels  # arrivals at one instant would be a case of their own
        entry = (synapse.connection, synapse.pre, synapse.post.index)
        t = self.t[spike] + values["d", *entry]
        x = self.at(event.neuron, t)
        x[synapse.into] += values["w", *entry]
        self.state[event.neuron] = t, x

    def readout(self) -> Vector | None:
        if self.rate is None:
            return None
        return [mpmath.exp(-self.rate * self.T) * self.at(neuron, self.T)[-1] / self.T for neuron in self.read]

    def loss(self) -> mpmath.mpf:
        loss, y = self.case.loss, self.readout()
        if isinstance(loss, SpikeTimeMSE):
            pairs = [
                (self.t[neuron.spikes[k]] if k < len(neuron.spikes) else self.T, mpmath.mpf(float(target)))
                for neuron, targets in zip(self.read, loss.targets, strict=True) for k, target in enumerate(targets)
            ]
            return mpmath.fsum((t - target) ** 2 for t, target in pairs) / 2
        if isinstance(loss, RelativeSpikeTimeMSE):
            first = [self.t[neuron.spikes[0]] if neuron.spikes else self.T for neuron in self.read]
            beside = first[: loss.label] + first[loss.label + 1 :]
            return mpmath.fsum((t - first[loss.label] - mpmath.mpf(loss.margin)) ** 2 for t in beside) / 2
        assert y is not None and isinstance(loss, CrossEntropy), "a new readout needs its replay"
        return mpmath.log(mpmath.fsum(mpmath.exp(one) for one in y)) - y[loss.label]


def _number(ratio: Fraction) -> mpmath.mpf:
    return mpmath.mpf(ratio.numerator) / ratio.denominator
