"""When a level of a neuron rises through a value, and when it turns: isolated, then refined.

A function `f = row.x` of a free state obeys `(exp(rate t) f)' = exp(rate t) row (A + rate) x`, so
between two zeros of `row (A + rate) x` it has at most one zero. The product of all these factors is
0 (Cayley and Hamilton), so each factor leaves a function with one eigenvalue less. The last one is
`exp(-rate t)`, which has no zero, or an oscillation, whose zeros are known. So no zero is missed,
whatever the shape of `f` and over any time.
"""

import math
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from delayprop.reference.arithmetic import FLOAT64, Arithmetic, Real, Row, dot, times, transposed
from delayprop.reference.equations import Equations
from delayprop.reference.flow import squared
from delayprop.spec.neuron import has_loop
from delayprop.spec.population import STIFFEST

MOST_TURNS = 2**26  # of an oscillation (specification, section 10)
NOISE = 1e4  # in u t: a step of Newton's that may no longer become half as long


class Turns:
    """[isolation, isolation-explicit] The times at which `row.x` of a free state stops rising or
    falling.

    Attributes:
        rows: `row A`, then each times a further factor `A + rate`, the fastest rate first.
        pair: rate and angular frequency of the oscillation that is left, or None.
        between: the difference of the two slowest rates.
    """

    def __init__(self, equations: Equations, row: Row) -> None:
        self.e, self.row, n = equations, row, equations.states
        m = equations.m
        A = [line[:n] for line in equations.A[:n]]
        found = m.eigenvalues(A) if has_loop(A) else [A[k][k] for k in range(n)]
        rounding = m.u**0.5 * max(abs(value) for value in found)
        turning = max(found, key=lambda value: value.imag)
        self.pair = (-turning.real, turning.imag) if turning.imag > rounding else None
        others = [value for value in found if not self.pair or abs(abs(value.imag) - turning.imag) > rounding]
        rates = sorted((-value.real for value in others), reverse=True)
        self.between = rates[-2] - rates[-1] if len(rates) > 1 else m.real(0.0)
        self.rows = [times(transposed(A), row[:n])]
        for rate in rates if self.pair else rates[:-1]:
            shifted = [[entry + rate * (i == k) for k, entry in enumerate(line)] for i, line in enumerate(A)]
            self.rows.append(times(transposed(shifted), self.rows[-1]))
        self.powers = [self.rows[0]]  # row A, row A^2, ...
        for _ in range(n - 1):
            self.powers.append(times(transposed(A), self.powers[-1]))

    def rises(self, x: Row) -> bool:
        """Whether `row.x` rises behind the state `x`: the sign of the first derivative not 0."""
        found = (dot(power, x[: self.e.states]) for power in self.powers)
        return next((value for value in found if value != 0), self.e.m.real(0.0)) > 0

    def __call__(self, x: Row, until: Real) -> Iterator[Real]:
        """In order, all within (0, until)."""
        return self._zeros(0, x, until)

    def _zeros(self, k: int, x: Row, until: Real) -> Iterator[Real]:
        if self.pair is not None and k == len(self.rows) - 1:
            yield from self._of_oscillation(*self.pair, x, until)
            return
        if self.pair is None and k >= len(self.rows) - 2:
            yield from self._of_two(x, until) if k == len(self.rows) - 2 else ()
            return
        a, f_a = self.e.m.real(0.0), self._value(k, x)
        for b in self._ends(k + 1, x, until):
            f_b = self._value(k, self.state(x, b))
            if f_a != 0 and f_b != 0 and (f_a < 0) != (f_b < 0):
                yield refined(self.e.m, lambda t: self._value_and_rate(k, x, t), a, b, f_a < 0)
            if f_b != 0:  # a zero at the end of a piece is found in the next one
                a, f_a = b, f_b

    def _ends(self, k: int, x: Row, until: Real) -> Iterator[Real]:
        yield from self._zeros(k, x, until)
        yield until

    def _of_two(self, x: Row, until: Real) -> Iterator[Real]:
        """The zero of `exp(-rate t) (f + g (exp(d t) - 1)/d)`, the last function but one."""
        f, g, d = self._value(-2, x), self._value(-1, x), self.between
        if f == 0 or g == 0 or (f < 0) == (g < 0) or (past := -d * f / g) <= -1:
            return
        t = -f / g * (self.e.m.log1p(past) / past if past != 0 else 1)
        if t < until:
            yield t

    def reach(self, x: Row) -> float:
        """A bound of `row.x` from the state `x` on."""
        return self._growth * max(abs(float(entry)) for entry in x[: self.e.states])

    @cached_property
    def _growth(self) -> float:
        """A bound of `row exp(A h)` in size over all `h`; infinite if the states do not decay.

        The norm of `exp(A h)` is taken at steps between which it grows by at most a factor e, until
        it is below 1/2.
        """
        n = self.e.states
        A = np.array([[float(entry) for entry in line[:n]] for line in self.e.A[:n]])
        norm, largest = float(np.abs(A).sum(axis=1).max()), float(sum(abs(float(entry)) for entry in self.row[:n]))
        step: np.ndarray = np.array(squared(FLOAT64, A.tolist(), 1 / norm))
        here = np.eye(n)
        bound = 1.0
        for _ in range(int(STIFFEST * n)):
            here = here @ step
            size = float(np.abs(here).sum(axis=1).max())
            if size < 0.5:
                return largest * bound * math.e
            bound = max(bound, size)
        return math.inf

    def _of_oscillation(self, rate: Real, omega: Real, x: Row, until: Real) -> Iterator[Real]:
        """The zeros of `exp(-rate t) (f cos(omega t) + g sin(omega t))`."""
        m, row = self.e.m, self.rows[-1]
        f = self._value(-1, x)
        g = (dot(row, self.rates(x)) + rate * f) / omega
        if f == 0 and g == 0:
            return
        half = m.atan2(m.real(0.0), m.real(-1.0))
        phase = m.atan2(f, -g)  # tan(omega t) = -f/g
        for turn in range(MOST_TURNS):
            if (t := (phase + turn * half) / omega) >= until:
                return
            if t > 0:
                yield t
        raise ArithmeticError("a neuron oscillates without end; shorten the trial, or let its states decay")

    def _value(self, k: int, x: Row) -> Real:
        return dot(self.rows[k], x[: self.e.states])

    def _value_and_rate(self, k: int, x: Row, t: Real) -> tuple[Real, Real]:
        there = self.state(x, t)
        return self._value(k, there), dot(self.rows[k], self.rates(there))

    def state(self, x: Row, h: Real) -> Row:
        return times(self.e.flow(h), x)

    def rates(self, x: Row) -> Row:
        return times(self.e.A, x)[: self.e.states]


def first_rise(turns: Turns, x: Row, until: Real) -> Real | None:
    """The first time in [0, until] at which the level reaches the threshold and rises; None: never.

    A turn above the threshold by rounding only touches it (specification, section 4).
    """
    e = turns.e
    m, below = e.m, dot(e.c, x) - e.v_th
    if not any(x):
        return None

    def level(t: Real) -> tuple[Real, Real]:
        there = turns.state(x, t)
        return dot(e.c, there) - e.v_th, dot(e.slope, there)

    a, rising = m.real(0.0), turns.rises(x)
    if below >= 0 and rising:  # by rounding, or arrivals made a level rise that stood at the threshold
        return a
    for b in turns(x, until):
        if rising and level(b)[0] > e.touch:
            return refined(m, level, a, b, True)
        if turns.pair and turns.reach(turns.state(x, b)) < e.v_th:
            return None
        a, rising = b, not rising
    if rising and level(until)[0] >= 0:
        return refined(m, level, a, until, True)
    return None


def refined(m: Arithmetic, f: Callable[[Real], tuple[Real, Real]], low: Real, high: Real, rises: bool) -> Real:
    """The zero of `f`, which gives value and rate, in [low, high], where its sign changes once.

    Newton steps; a bisection where they leave it, or do not become half as long in two steps.
    """
    t, last, before_last = low, high - low, high - low
    while True:
        value, rate = f(t)
        if value == 0:
            return t
        low, high = (t, high) if (value < 0) == rises else (low, t)
        step = -value / rate if rate != 0 else 2 * (low - high)
        if high < t + step <= high + 4 * m.u * high:  # the zero is at the end, to within rounding
            step = high - t
        if not low <= t + step <= high or 2 * abs(step) > before_last:
            if low <= t + step <= high and last <= NOISE * m.u * t:  # rounding decides the step
                return t
            step = (low + high) / 2 - t
        before_last, last, t = last, abs(step), t + step
        if last <= 2 * m.u * t:
            return t
