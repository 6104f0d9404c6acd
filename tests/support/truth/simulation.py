"""A case with its numbers by key, and its loss, readouts and spikes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mpmath
import numpy as np

from delayprop.spec import Case
from tests.support.parameters import Key, keyed, parameters
from tests.support.truth.numbers import Real, mpf, real, working_precision
from tests.support.truth.run import Run, Signature


@dataclass
class Problem:
    """A case, of which only the structure is used, and its numbers: `values`, every parameter of
    the gradient, may be changed in place; `duration`: `T`, ms."""

    case: Case
    values: dict[Key, mpmath.mpf]
    duration: mpmath.mpf

    @classmethod
    def from_case(cls, case: Case) -> "Problem":
        """The case with its own numbers, exactly."""
        values = {key: mpmath.mpf(float(number)) for key, number in keyed(case, parameters(case)).items()}
        return cls(case, values, mpmath.mpf(float(case.duration)))


@dataclass(frozen=True, eq=False)
class Truth:
    """The results of a run: loss, readout (None for spike times), spikes and kappa by population.

    `signature`: the order of events. `margin`: relative distance to another order: of a voltage
    from a threshold that it misses, of two events whose order matters, of the two largest maxima.
    """

    loss: mpmath.mpf
    readout: np.ndarray | None
    spikes: Mapping[str, tuple[np.ndarray, ...]]
    kappa: Mapping[str, tuple[np.ndarray, ...]]
    signature: Signature
    margin: float

    @property
    def kappa_min(self) -> mpmath.mpf | None:
        """The smallest conditioning of all spikes."""
        return min((k for trains in self.kappa.values() for train in trains for k in train), default=None)


def simulate(problem: Problem, digits: float = 50) -> Truth:
    """The results of the problem, to about `digits` decimal digits."""
    with working_precision(digits + guard_digits(problem)):
        values = {key: real(value) for key, value in problem.values.items()}
        run = Run(problem.case, values, real(problem.duration), digits)
        readout = run.readout()
        return Truth(
            mpf(run.loss()), None if readout is None else _array(readout), _by_population(run, run.spikes),
            _by_population(run, run.kappa), run.signature(), float(run.margin),
        )


def guard_digits(problem: Problem, step: float = 0.0) -> float:
    """Digits that cancellation costs, with a reserve: where `tau_mem` is near `tau_syn` (twice: the
    time of a peak divides by the difference again), and where `T / tau` is large. `step`: the nudge
    of a time constant (ms), by which equal constants then differ."""
    lost = 0.0
    for (kind, *neuron), tau_mem in problem.values.items():
        if kind == "tau_mem":
            tau_syn = problem.values["tau_syn", *neuron]
            with mpmath.workdps(200):
                apart = float(abs(tau_mem - tau_syn))
            if apart <= 10 * step:
                apart = step / 10
            near = math.log10(tau_mem / apart) if apart else 0.0
            lost = max(lost, 2 * max(near, 0.0) + math.log10(1 + problem.duration / min(tau_mem, tau_syn)))
    return 15 + lost


def _array(numbers: Sequence[Real]) -> np.ndarray:
    return np.array([mpf(number) for number in numbers], dtype=object)


def _by_population(run: Run, trains: Sequence[Sequence[Real]]) -> dict[str, tuple[np.ndarray, ...]]:
    names = dict.fromkeys(name for name, _ in run.neurons)
    return {
        name: tuple(_array(train) for (owner, _), train in zip(run.neurons, trains, strict=True) if owner == name)
        for name in names
    }
