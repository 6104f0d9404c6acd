"""Derivatives of the loss as differences of two simulations.

With values of 50 digits and a step of 1e-16, the error of a central difference is the square of the
step times the third derivative, plus rounding of 1e-50 / 1e-16: 30 digits, fewer near grazing.
"""

from collections.abc import Mapping

import mpmath

from delayprop.spec import Case, Gradients, Result
from tests.support.parameters import Key, filled
from tests.support.truth.numbers import Real, mpf, real, working_precision
from tests.support.truth.run import Run
from tests.support.truth.simulation import Problem, guard_digits, simulate

DIGITS, STEP = 50, "1e-16"
Direction = Mapping[Key, mpmath.mpf | float]
_STENCILS = {0: ((-1, -0.5), (1, 0.5)), 1: ((0, -1.5), (1, 2.0), (2, -0.5)), -1: ((0, 1.5), (-1, -2.0), (-2, 0.5))}
"""Multiples of the step and their weights: central, or one-sided; both of second order."""


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
    found = simulate(Problem.from_case(case), digits)
    return Result(found.loss, found.spikes, found.kappa, found.readout, gradient(case, digits, h, sides), ())


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
                    run = Run(self.case, self.values | moved, self.T, self.digits, self.here)
                    signatures.add(run.signature())
                total += weight * run.loss()
            if len(signatures) > 1:
                where = next(iter(direction)) if len(direction) == 1 else "the direction given"
                raise OrderChanged(f"the order of events changes within the step at {where}")
            return mpf(total / self.h)
