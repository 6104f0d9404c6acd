"""Derivatives of the loss as differences of two simulations.

With values of 50 digits and a step of 1e-16, the error of a central difference is the square of the
step times the third derivative, plus rounding of 1e-50 / 1e-16: 30 digits, fewer near grazing.
"""

from collections.abc import Mapping

import mpmath
import numpy as np

from delayprop.spec import Case, ConnectionGradient, Gradients, PopulationGradient
from tests.support.truth.numbers import Real, mpf, real, working_precision
from tests.support.truth.problem import CONSTANTS, Key, Problem
from tests.support.truth.run import Run
from tests.support.truth.simulation import guard_digits

DIGITS, STEP = 50, "1e-16"
_STENCILS = {0: ((-1, -0.5), (1, 0.5)), 1: ((0, -1.5), (1, 2.0), (2, -0.5)), -1: ((0, 1.5), (-1, -2.0), (-2, 0.5))}
"""Multiples of the step and their weights: central, or one-sided; both of second order."""


class OrderChanged(ArithmeticError):
    """The order of events changes within the step, so the difference is no derivative."""

    def __init__(self, key: object) -> None:
        self.key = key
        super().__init__(f"the order of events changes within the step at {key}")


def gradient(
    case: Case, digits: float = DIGITS, h: str = STEP, sides: Mapping[Key, int] | None = None
) -> Gradients:
    """The gradient of the loss, as object arrays of numbers of mpmath.

    Delays and input times within the step of 0 are differenced from above; `sides`: further
    parameters that are differenced from one side. Raises `OrderChanged`, as `difference`.
    """
    around, sides = _Neighbourhood(Problem.from_case(case), digits, h), sides or {}
    with working_precision(around.precision):
        slopes = {
            key: mpf(around.slope({key: Real(1)}, sides.get(key, around.side(key)), key, key not in sides))
            for key in around.values
        }
    return _gradients(case, slopes)


def difference(problem: Problem, key: Key, digits: float = DIGITS, h: str = STEP, side: int = 0) -> mpmath.mpf:
    """The derivative by one parameter: central, or from above or below (`side` +1 or -1).

    One-sided, the order of events must be constant on that side, and may differ at the problem
    itself, as at a tie. Raises `OrderChanged` where it changes.
    """
    around = _Neighbourhood(problem, digits, h)
    with working_precision(around.precision):
        return mpf(around.slope({key: Real(1)}, side, key, side == 0))


def directional(
    problem: Problem, direction: Mapping[Key, mpmath.mpf | float], digits: float = DIGITS, h: str = STEP, side: int = 0
) -> mpmath.mpf:
    """The derivative along a direction in the space of all parameters; see `difference`."""
    around = _Neighbourhood(problem, digits, h)
    with working_precision(around.precision):
        amounts = {key: real(amount) for key, amount in direction.items()}
        return mpf(around.slope(amounts, side, "the direction given", side == 0))


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

    def slope(self, direction: Mapping[Key, Real], side: int, name: object, as_here: bool) -> Real:
        """The derivative along `direction`; `as_here`: only with the problem's order of events."""
        total = Real(0)
        signatures = {self.here.signature()} if as_here else set()
        for multiple, weight in _STENCILS[side]:
            run = self.here
            if multiple:
                moved = {key: self.values[key] + multiple * self.h * amount for key, amount in direction.items()}
                run = Run(self.case, self.values | moved, self.T, self.digits, self.here)
                signatures.add(run.signature())
            total += weight * run.loss()
        if len(signatures) > 1:
            raise OrderChanged(name)
        return total / self.h


def _gradients(case: Case, slopes: Mapping[Key, mpmath.mpf]) -> Gradients:
    def array(shape: tuple[int, ...], *prefix: str | int) -> np.ndarray:
        numbers = np.empty(shape, dtype=object)
        for index in np.ndindex(shape):
            numbers[index] = slopes.get((*prefix, *index), mpmath.mpf(0))
        return numbers

    network = case.network
    populations = {}
    for p in network.populations:
        if p.kind != "input":
            legal = [constant for constant in CONSTANTS if getattr(p, constant) is not None]
            populations[p.name] = PopulationGradient(*(array((p.size,), constant, p.name) for constant in legal))
    return Gradients(
        tuple(
            ConnectionGradient(array(connection.w.shape, "w", c), array(connection.d.shape, "d", c))
            for c, connection in enumerate(network.connections)
        ),
        populations,
        {
            name: tuple(array((len(train),), "t_in", name, i) for i, train in enumerate(trains))
            for name, trains in case.inputs.items()
        },
    )
