"""The equations of one neuron in numbers: matrices, and their derivatives by each constant.

`spec.neuron` reads the texts; the same reading with numbers that carry a derivative gives the
derivatives. A readout that is an integral of the voltage adds a state `y' = rate y + V`, which
nothing else reads: `exp(-rate T) y(T)` is the integral of `exp(-rate t) V`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from delayprop.reference.arithmetic import Arithmetic, Matrix, Real, Row, dot, times, transposed
from delayprop.reference.flow import Exponential
from delayprop.spec.neuron import Matrices, Neuron

READ = 0  # the voltage that a readout reads: the first state


@dataclass(frozen=True)
class Derivatives:
    """Of the matrices of a neuron by one constant; `flow`: of `exp(A h)`, None if it is 0."""

    flow: Exponential | None
    c: Row
    v_th: Real
    R: Matrix
    r: Row


class Equations:
    """`x' = A x` between events; an own spike where `c.x` reaches `v_th` from below: `R x + r`.

    Args:
        values: the constants of the neuron by name.
        rate: of the integral that is read, or None; its state is the last one.

    Attributes:
        A, c, v_th, R, r: as in `spec.neuron.Matrices`.
        flow: `exp(A h)`.
        slope: the row of the rate of the level, `c A`.
        states: number of states without the integral.
    """

    def __init__(self, m: Arithmetic, neuron: Neuron, values: Mapping[str, Real], rate: Real | None = None) -> None:
        self.m, self.neuron, self.values, self.rate = m, neuron, values, rate
        self.states, self.can_spike = len(neuron.states), neuron.spike is not None
        found = neuron.matrices(values, m.ratio)
        self.A, self.c, self.R, self.r = self._with_integral(found, m.real(1.0), rate)
        self.v_th = found.v_th
        self.flow = Exponential(m, self.A)
        self.slope = times(transposed(self.A), self.c)

    @cached_property
    def derivatives(self) -> dict[str, Derivatives]:
        """By name of each constant."""
        m, zero = self.m, self.m.real(0.0)
        by = {}
        for name in self.values:
            moved = {other: _Moving(value, m.real(float(other == name))) for other, value in self.values.items()}
            found = self.neuron.matrices(moved, lambda number: _Moving(m.ratio(number), zero))
            (v_th,), c, r = ([entry.move for entry in row] for row in ([found.v_th], found.c, found.r))
            A, R = ([[entry.move for entry in row] for row in part] for part in (found.A, found.R))
            moves = Matrices(A, c, v_th, R, r)
            A, c, R, r = self._with_integral(moves, zero, None if self.rate is None else zero)
            flow = Exponential(m, self.A, A) if any(entry != 0 for row in A for entry in row) else None
            by[name] = Derivatives(flow, c, v_th, R, r)
        return by

    def _with_integral(self, found: Matrices, one: Real, rate: Real | None) -> tuple[Matrix, Row, Matrix, Row]:
        """[readout, readout-events] `A, c, R, r`, with a row for the integral that is read."""
        if rate is None:
            return found.A, found.c, found.R, found.r
        zero = self.m.real(0.0)
        beside = [one if state == READ else zero for state in range(self.states)]
        A = [*([*row, zero] for row in found.A), [*beside, rate]]
        R = [*([*row, zero] for row in found.R), [*[zero] * self.states, one]]
        return A, [*found.c, zero], R, [*found.r, zero]

    @cached_property
    def touch(self) -> Real:
        """Width of "at the threshold", in units of the level (specification, section 4)."""
        return 16 * self.m.u * self.v_th

    @cached_property
    def rate_of_level(self) -> Real:
        """A rate of the level: the largest entry of `c A` over that of `c`, `1/tau_mem` for LIF."""
        return max(map(abs, self.slope)) / max(map(abs, self.c))

    @cached_property
    def _slope_over_rate(self) -> Row:
        return [entry / self.rate_of_level for entry in self.slope]

    def drive(self, x: Row) -> Real:
        """`c.A x` over this rate, `I - V` for LIF: equal entries subtract without rounding."""
        return dot(self._slope_over_rate, x)

    @cached_property
    def push(self) -> Row | None:
        """By state: how far it raises the level in all time, while the states that this reads stay;
        None if the others do not decay.

        Only a guess at the number of spikes to come, so float64 will do.
        """
        others = [k for k in range(self.states) if self.c[k] == 0]
        A = np.array([[float(self.A[i][k]) for k in others] for i in others]).reshape(len(others), len(others))
        found = np.zeros(len(self.A))
        if np.linalg.matrix_rank(A) < len(others):
            return None
        found[others] = np.linalg.solve(-A.T, [float(self.slope[k]) for k in others])
        return [self.m.real(weight) for weight in found.tolist()]


@dataclass(frozen=True)
class _Moving:
    """A number, and its derivative by one constant."""

    value: Real
    move: Real

    def __neg__(self) -> "_Moving":
        return _Moving(-self.value, -self.move)

    def __add__(self, other: "_Moving") -> "_Moving":
        return _Moving(self.value + other.value, self.move + other.move)

    def __mul__(self, other: "_Moving") -> "_Moving":
        return _Moving(self.value * other.value, self.value * other.move + self.move * other.value)

    def __truediv__(self, other: "_Moving") -> "_Moving":
        ratio = self.value / other.value
        return _Moving(ratio, (self.move - ratio * other.move) / other.value)
