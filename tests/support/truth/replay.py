"""A trial computed again along the events of the reference, with other numbers and no adjoint.

The order of events is that of a run of the reference in float64. All else is computed anew. At 110
digits, with power series over short steps and Newton's method, two replays give a difference of
losses: `result_of`. With complex numbers, one gives a tangent (`tests/support/tangent.py`). That no
event is missing is a test of its own (`tests/reference/test_neurons.py`).
"""

from collections.abc import Mapping
from typing import Any

import mpmath
import numpy as np

from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.events import Arrivals, Crossing, Event, Neuron, Spike, Trial
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, CrossEntropy, Result
from tests.support.parameters import Key, filled, keyed, parameters
from tests.support.truth.run import first_spikes, loss_of

RATES = {"mean_voltage": 0, "exp_weighted_voltage": 1}  # of an integral readout, in units of 1/T


def result_of(case: Case, digits: int, step: str) -> Result:
    """The result without ties, its gradient by central differences."""
    trial = simulate(FLOAT64, case)
    with mpmath.workdps(digits):
        values = {key: mpmath.mpf(float(value)) for key, value in keyed(case, parameters(case)).items()}
        here, h = Replay(case, trial, values), mpmath.mpf(step)

        def slope(key: Key) -> mpmath.mpf:
            late, early = (Replay(case, trial, {**values, key: values[key] + s}).loss() for s in (h, -h))
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


class Replay:
    """A replay in numbers of mpmath, at its precision; `values`: every parameter."""

    dtype: type = object
    number: Any = staticmethod(lambda ratio: mpmath.mpf(ratio.numerator) / ratio.denominator)  # of the text

    def __init__(self, case: Case, trial: Trial, values: Mapping[Key, Any]) -> None:
        self.case, self.values, self.T = case, values, mpmath.mpf(float(case.duration))
        self.read, self.rate = trial.neurons[case.loss.population], None
        if (readout := getattr(case.loss, "readout", "")) in RATES:
            self.rate = RATES[readout] / self.T
        self.t: dict[Spike, Any] = {
            spike: values["t_in", name, i, k]
            for name, trains in trial.inputs.items() for i, train in enumerate(trains) for k, spike in enumerate(train)
        }
        self.kappa: dict[Spike, Any] = {}
        self.state: dict[Neuron, tuple[Any, np.ndarray]] = {}
        self.matrices: dict[Neuron, list[Any]] = {}
        for neuron in (neuron for neurons in trial.neurons.values() for neuron in neurons):
            self.matrices[neuron] = self.matrices_of(neuron)
            self.state[neuron] = 0, self.matrices[neuron][4] * 0
        for event in trial.events:
            if isinstance(event, Crossing):
                self.cross(event)
            elif isinstance(event, Arrivals):
                self.arrive(event)

    def matrices_of(self, neuron: Neuron) -> list[Any]:
        """A, c, v_th, R, r; with an integral that is read as one more state."""
        equations = self.case.network.population(neuron.population).equations
        own = {name: self.values[name, neuron.population, neuron.index] for name in equations.constants}
        m = equations.matrices(own, self.number)
        parts: list[np.ndarray] = [np.array(part, self.dtype) for part in (m.A, m.c, m.R, m.r)]
        A, c, R, r = parts
        if self.rate is not None and neuron in self.read:
            A, R = [np.pad(part, ((0, 1), (0, 1))) for part in (A, R)]
            A[-1, 0], A[-1, -1], R[-1, -1] = 1, self.rate, 1
            c, r = np.append(c, 0), np.append(r, 0)
        return [A, c, m.v_th, R, r]

    def flow(self, A: np.ndarray, h: Any, x: np.ndarray) -> np.ndarray:
        """`exp(A h) x`."""
        steps = max(1, int(mpmath.ceil((abs(A).sum(axis=1).max() + 1) * h)))
        for _ in range(steps):
            term, order = x, 0
            while max(abs(term)) > mpmath.eps * mpmath.mpf("1e-5"):
                order += 1
                term = A @ term * (h / (steps * order))
                x = x + term
        return x

    def at(self, neuron: Neuron, t: Any) -> np.ndarray:
        """The state at `t`; its last entry is the integral that is read, if one is."""
        since, x = self.state[neuron]
        return self.flow(self.matrices[neuron][0], t - since, x)

    def crossing(self, event: Crossing) -> tuple[Any, np.ndarray]:
        """Time of the spike, and the state just before it."""
        A, c, v_th, _, _ = self.matrices[event.neuron]
        t, move = mpmath.mpf(event.t), mpmath.mpf(1)
        while abs(move) >= mpmath.mpf(10) ** (-mpmath.mp.dps // 2 - 5):  # else the next one is below rounding
            x = self.at(event.neuron, t)
            move = (v_th - c @ x) / (c @ A @ x)
            t += move
        x = self.at(event.neuron, t)
        slope = c @ A
        self.kappa[event.spike] = (slope @ x / (max(abs(slope)) * v_th)) ** 2
        return t, x

    def keep(self, event: Event, t: Any, x: np.ndarray) -> None:
        """Keep the state after an event."""
        self.state[event.neuron] = t, x

    def cross(self, event: Crossing) -> None:
        t, x = self.crossing(event)
        _, _, _, R, r = self.matrices[event.neuron]
        self.t[event.spike] = t
        self.keep(event, t, R @ x + r)

    def arrive(self, event: Arrivals) -> None:
        for spike, synapse in event.parcels:
            entry = (synapse.connection, synapse.pre, synapse.post.index)
            t = self.t[spike] + self.values["d", *entry]
            x = self.at(event.neuron, t)
            x[synapse.into] += self.values["w", *entry]
            self.state[event.neuron] = t, x
        self.keep(event, t, x)

    def readout(self) -> list | None:
        loss = self.case.loss
        if not isinstance(loss, CrossEntropy):
            return None
        if loss.time_scale is not None:
            return first_spikes(self.trains(), self.T, mpmath.mpf(loss.time_scale))
        assert self.rate is not None, "a new readout needs its replay"
        return [mpmath.exp(-self.rate * self.T) * self.at(neuron, self.T)[-1] / self.T for neuron in self.read]

    def trains(self) -> list[list]:
        """The spike times of each neuron that is read."""
        return [[self.t[spike] for spike in neuron.spikes] for neuron in self.read]

    def loss(self) -> Any:
        return loss_of(self.case.loss, self.trains(), self.T, self.readout(), mpmath.mpf, mpmath.exp, mpmath.log)
