"""The tangent of a trial: the derivative of its state along a direction of all parameters.

The sweep runs forward in time, without an adjoint. Each parameter is a complex number `p + i s dp`
with a tiny `s`, so the imaginary part of any result is `s` times its tangent, to all digits. A
replay (`tests/support/truth/replay.py`) with these numbers has the loss and its tangent:

- Between events the state obeys `x' = A x`, solved by the exponential of the complex matrix.
- A parcel of weight `w` arrives at a complex time.
- At a crossing `c.x(t_k) = v_th` before, and `R x + r` after. The complex `t_k` is one Newton step
  from the real one.
- An integral of `V` is one more state.

Real parts are those of the reference, event by event; its derivatives are not used.
"""

import math

import numpy as np

from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.events import Arrivals, Crossing, Event
from delayprop.reference.readouts import Reading, drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Gradients, VoltageMSE
from tests.support.comparison import gradient_blocks
from tests.support.parameters import changed, keyed, parameters
from tests.support.truth.replay import Replay

Direction = Gradients  # a direction in the space of all parameters, in the layout of a gradient
STEP = 1e-30  # `s`


def dot_product(
    case: Case, gradient: Gradients, direction: Direction, tangent: float | None = None
) -> tuple[float, float]:
    """The distance of the tangent (computed, if not given) from the gradient times the direction;
    the sum of the absolute terms of this product."""
    tangent = float(_Tangent(case, direction).loss().imag) / STEP if tangent is None else tangent
    blocks, moves = gradient_blocks(case, gradient), gradient_blocks(case, direction)
    terms = [float(g * move) for name, block in blocks.items() for g, move in zip(block, moves[name], strict=True)]
    return abs(math.fsum([*terms, -tangent])), math.fsum(map(abs, terms))


def random_direction(like: Gradients, seed: int) -> Direction:
    """Independent normal numbers, one per parameter."""
    rng = np.random.default_rng(seed)
    return changed(like, lambda _, values: rng.normal(size=values.shape))


def exponential(matrix: np.ndarray) -> np.ndarray:
    """`exp(matrix)`: powers of a scaled matrix, then squared back."""
    halvings = max(0, math.frexp(float(np.abs(matrix).sum(axis=1).max()))[1] + 1)
    scaled = matrix / 2.0**halvings
    total = term = np.eye(len(matrix))
    for order in range(1, 16):
        term = term @ scaled / order
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total


class _Tangent(Replay):
    dtype, number = complex, staticmethod(complex)

    def __init__(self, case: Case, direction: Direction) -> None:
        trial = simulate(FLOAT64, case)
        self.readings = drive(FLOAT64, case, trial).readings
        self.pinned = {one.pinned: one for one in self.readings if one.pinned}
        self.V: dict[Reading, complex] = {}
        here, moves = keyed(case, parameters(case)), keyed(case, direction)
        super().__init__(case, trial, {key: complex(here[key], STEP * float(moves[key])) for key in here})

    def flow(self, A: np.ndarray, h: complex, x: np.ndarray) -> np.ndarray:
        return exponential(A * complex(h)) @ x

    def crossing(self, event: Crossing) -> tuple[complex, np.ndarray]:
        A, c, v_th, _, _ = self.matrices[event.neuron]
        x = _with_real(self.at(event.neuron, event.t), event.x_minus)
        dt = 1j * ((v_th - c @ x) / (c @ A @ x)).imag
        x = x + A @ x * dt
        if reading := self.pinned.get(event):
            self.V[reading] = x[0]
        return event.t + dt, x

    def arrive(self, event: Arrivals) -> None:
        V = self.at(event.neuron, event.t)[0]
        super().arrive(event)
        if reading := self.pinned.get(event):  # each arrival has the slope with all others before it, or 0
            A = self.matrices[event.neuron][0][0].real
            for spike, synapse in event.parcels:
                t = self.t[spike] + self.values["d", synapse.connection, synapse.pre, synapse.post.index]
                V += 1j * max(0.0, A @ event.x_plus - synapse.w * A[synapse.into]) * t.imag
            self.V[reading] = V

    def keep(self, event: Event, t: complex, x: np.ndarray) -> None:
        super().keep(event, t, _with_real(x, event.x_plus))
        for reading in self.readings:
            if reading.follows is event and not reading.pinned:
                self.V[reading] = self.at(event.neuron, reading.t)[0]

    def readout(self) -> list:
        if isinstance(self.case.loss, VoltageMSE):
            own = [[self.V[one] for one in self.readings if one.neuron is neuron] for neuron in self.read]
            samples = len(self.case.loss.times)
            return [[0.0] * (samples - len(V)) + V for V in own]  # 0 before an event
        if getattr(self.case.loss, "readout", "") == "max_voltage":
            of = {reading.neuron: V for reading, V in self.V.items()}
            return [of.get(neuron, 0.0) for neuron in self.read]
        return super().readout()


def _with_real(x: np.ndarray, real: list) -> np.ndarray:
    return np.array(real) + 1j * x.imag
