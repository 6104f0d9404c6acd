"""A case with its numbers by key; its loss, readouts and spikes; and derivatives of the loss as
differences of two simulations.

With values of 50 digits and a step of 1e-16, the error of a central difference is the square of the
step times the third derivative, plus rounding of 1e-50 / 1e-16: 30 digits, fewer near grazing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import mpmath
import numpy as np

from delayprop.spec import Case, Gradients, Result
from tests.support.parameters import Key, filled, keyed, parameters
from tests.support.truth.numbers import Real, mpf, real, working_precision
from tests.support.truth.run import Run, Signature

DIGITS, STEP = 50, "1e-16"
Direction = Mapping[Key, mpmath.mpf | float]
_STENCILS = {0: ((-1, -0.5), (1, 0.5)), 1: ((0, -1.5), (1, 2.0), (2, -0.5)), -1: ((0, 1.5), (-1, -2.0), (-2, 0.5))}
"""Multiples of the step and their weights: central, or one-sided; both of second order."""


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
class Truth(Result):
    """The results of a run, without gradient and ties.

    `signature`: the order of events. `margin`: relative distance to another order: of a voltage
    from a threshold that it misses, of two events whose order matters, of the two largest maxima.
    """

    signature: Signature
    margin: float


def simulate(problem: Problem, digits: float = 50) -> Truth:
    """The results of the problem, to about `digits` decimal digits."""
    with working_precision(digits + guard_digits(problem)):
        values = {key: real(value) for key, value in problem.values.items()}
        run = Run(problem.case, values, real(problem.duration), digits)
        readout = run.readout()
        return Truth(
            mpf(run.loss()), _by_population(run, run.spikes), _by_population(run, run.kappa),
            None if readout is None else _array(readout), Gradients((), {}, {}), (), run.signature(), float(run.margin),
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


def _array(numbers: Sequence) -> np.ndarray:
    return np.array([_array(one).tolist() if isinstance(one, list) else mpf(one) for one in numbers], dtype=object)


def _by_population(run: Run, trains: Sequence[Sequence[Real]]) -> dict[str, tuple[np.ndarray, ...]]:
    names = dict.fromkeys(name for name, _ in run.neurons)
    return {
        name: tuple(_array(train) for (owner, _), train in zip(run.neurons, trains, strict=True) if owner == name)
        for name in names
    }


class OrderChanged(ArithmeticError):
    """The order of events changes within the step, so the difference is no derivative."""


def gradient(case: Case, digits: float = DIGITS, h: str = STEP, sides: Mapping[Key, int] | None = None) -> Gradients:
    """The gradient of the loss, as object arrays of numbers of mpmath. Delays and input times
    within the step of 0 are differenced from above; `sides`: further parameters that are
    differenced from one side. Raises `OrderChanged`, as `difference`."""
    around, sides = _Neighbourhood(Problem.from_case(case), digits, h), sides or {}
    slopes = {key: around.slope({key: 1.0}, sides.get(key, around.side(key)), key not in sides)
              for key in around.values}
    return filled(case, slopes)


def truth_of(case: Case, digits: float = DIGITS, h: str = STEP, sides: Mapping[Key, int] | None = None) -> Result:
    """Activity and gradient, without ties; arguments and errors as of `gradient`."""
    return replace(simulate(Problem.from_case(case), digits), gradients=gradient(case, digits, h, sides))


def difference(problem: Problem, along: Key | Direction, h: str = STEP, side: int = 0) -> mpmath.mpf:
    """The derivative by one parameter, or along a direction in the space of all parameters:
    central, or from above or below (`side` +1 or -1). One-sided, the order of events must be
    constant on that side, and may differ at the problem itself, as at a tie. Raises `OrderChanged`
    where it changes."""
    direction = along if isinstance(along, Mapping) else {along: 1.0}
    return _Neighbourhood(problem, DIGITS, h).slope(direction, side, side == 0)


class _Neighbourhood:
    def __init__(self, problem: Problem, digits: float, h: str) -> None:
        self.case, self.digits = problem.case, digits
        self.precision = digits + guard_digits(problem, float(h))
        with working_precision(self.precision):
            self.h, self.T = real(mpmath.mpf(h)), real(problem.duration)
            self.values = {key: real(value) for key, value in problem.values.items()}
            self.here = Run(self.case, self.values, self.T, self.digits)

    def side(self, key: Key) -> int:
        """+1 for a number within the step of a bound at 0, else 0."""
        return 1 if key[0] in ("d", "t_in") and self.values[key] < self.h else 0

    def slope(self, direction: Direction, side: int, as_here: bool) -> mpmath.mpf:
        """The derivative along `direction`; `as_here`: only with the problem's order of events."""
        with working_precision(self.precision):
            steps = {key: self.h * real(amount) for key, amount in direction.items()}
            total = Real(0)
            signatures = {self.here.signature()} if as_here else set()
            for multiple, weight in _STENCILS[side]:
                run = self.here
                if multiple:
                    moved = {key: self.values[key] + multiple * step for key, step in steps.items()}
                    run = Run(self.case, self.values | moved, self.T, self.digits)
                    signatures.add(run.signature())
                total += weight * run.loss()
            if len(signatures) > 1:
                where = next(iter(direction)) if len(direction) == 1 else "the direction given"
                raise OrderChanged(f"the order of events changes within the step at {where}")
            return mpf(total / self.h)
