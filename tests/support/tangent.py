"""The tangent of a trial: the derivative of its state along a direction of all parameters.

The sweep runs forward in time, without an adjoint. The tangent `dx` is taken at a fixed time. For
parameters `p + epsilon dp`:

- Between events the state obeys `x' = A x`. State and tangent together obey one linear equation,
  solved by the exponential of a block matrix:
  `exp(h [[A, 0], [dA, A]]) = [[exp(hA), 0], [d exp(hA), exp(hA)]]`.
- After a parcel of weight `w` that arrives later by `dt`, the state has what it added, but for the
  time `dt`: `dx += dw e - w dt A e`.
- At a crossing `c.x(t_k) = v_th` before, and `R x + r` after, for all epsilon. So `t_k` moves by
  `dt_k = (dv_th - dc.x - c.dx) / (c.A x)`, then `dx := R dx + dR x + dr + (R A x - A x_plus) dt_k`.
- An integral of `V` is one more state.

The matrices are moved by an imaginary step: `A(p + i s dp) = A + i s dA`, exact for a small `s`.
The events are those of the reference; its derivatives are not used.
"""

import math
from dataclasses import dataclass

import numpy as np

from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.events import Arrivals, Crossing, Neuron, Spike, Trial
from delayprop.reference.readouts import Reading, drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Gradients, RelativeSpikeTimeMSE, SpikeTimeMSE, VoltageMSE
from tests.support.comparison import gradient_blocks
from tests.support.parameters import changed

Direction = Gradients  # a direction in the space of all parameters, in the layout of a gradient


def directional_derivative(case: Case, direction: Direction) -> float:
    return _Sweep(case, direction).run()


def dot_product(
    case: Case, gradient: Gradients, direction: Direction, tangent: float | None = None
) -> tuple[float, float]:
    """The distance of the tangent (computed, if not given) from the gradient times the direction;
    the sum of the absolute terms of this product."""
    tangent = directional_derivative(case, direction) if tangent is None else tangent
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


STEP = 1e-30  # of the imaginary move of constants


@dataclass
class _Moving:
    """State and tangent of a neuron just after `t`; its matrices and their tangents."""

    t: float
    x: np.ndarray
    dx: np.ndarray
    matrices: tuple[np.ndarray, ...]  # A, c, v_th, R, r
    tangents: tuple[np.ndarray, ...]


class _Sweep:
    def __init__(self, case: Case, direction: Direction) -> None:
        self.case, self.direction = case, direction
        self.trial: Trial = simulate(FLOAT64, case)
        self.read = drive(FLOAT64, case, self.trial)
        readout = getattr(case.loss, "readout", "")
        self.rate = {"mean_voltage": 0.0, "exp_weighted_voltage": 1 / case.duration}.get(readout)
        self.dt: dict[Spike, float] = {
            spike: float(direction.inputs[name][i][k])
            for name, trains in self.trial.inputs.items()
            for i, train in enumerate(trains)
            for k, spike in enumerate(train)
        }
        self.moving = {n: self.at_rest(n) for neurons in self.trial.neurons.values() for n in neurons}
        self.carried = {one.pinned: one for one in self.read.readings if one.pinned}
        self.dV: dict[Reading, float] = {}

    def at_rest(self, neuron: Neuron) -> _Moving:
        population = self.case.network.population(neuron.population)
        moves, j = self.direction.populations[neuron.population], neuron.index
        moved = {name: complex(v[j], STEP * float(moves[name][j])) for name, v in population.values.items()}
        found = population.equations.matrices(moved, complex)
        n = len(found.A)
        parts = [np.array(part, complex) for part in (found.A, found.c, found.v_th, found.R, found.r)]
        if neuron.population == self.case.loss.population and self.rate is not None:
            A, c, v_th, R, r = parts
            A, R = (np.pad(part, ((0, 1), (0, 1))) for part in (A, R))
            A[n, 0], A[n, n], R[n, n], n = 1.0, self.rate, 1.0, n + 1
            parts = [A, np.append(c, 0.0), v_th, R, np.append(r, 0.0)]
        tangents = tuple(part.imag / STEP for part in parts)
        return _Moving(0.0, np.zeros(n), np.zeros(n), tuple(part.real for part in parts), tangents)

    def run(self) -> float:
        for event in self.trial.events:
            moving = self.moving[event.neuron]
            moving.x, moving.dx, moving.t = *self.later(moving, event.t - moving.t), event.t
            if isinstance(event, Arrivals):
                self.arrive(event, moving)
            elif isinstance(event, Crossing):
                self.cross(event, moving)
            moving.x = np.array(event.x_plus)
            for reading in self.read.readings:
                if reading.follows is event and not reading.pinned:
                    self.dV[reading] = self.later(moving, reading.t - event.t)[1][0]
        return self.loss()

    def later(self, moving: _Moving, h: float) -> tuple[np.ndarray, np.ndarray]:
        """State and tangent a time `h` later."""
        A, dA, n = moving.matrices[0], moving.tangents[0], len(moving.x)
        both = np.block([[A, np.zeros((n, n))], [dA, A]])
        there = exponential(both * h) @ np.concatenate([moving.x, moving.dx])
        return there[:n], there[n:]

    def arrive(self, event: Arrivals, moving: _Moving) -> None:
        A, dx = moving.matrices[0], moving.dx.copy()
        carried = self.carried.get(event)
        if carried:
            self.dV[carried] = dx[0]
        for spike, synapse in event.parcels:
            at = (synapse.pre, synapse.post.index)
            by = self.direction.connections[synapse.connection]
            dt_arr = self.dt[spike] + by.dL_dd[at]
            if carried:  # the slope with all other arrivals before it, or 0
                slope = A[0] @ np.array(event.x_plus) - synapse.w * A[0, synapse.into]
                self.dV[carried] += max(0.0, slope) * dt_arr
            moving.dx[synapse.into] += by.dL_dw[at]
            moving.dx -= synapse.w * dt_arr * A[:, synapse.into]

    def cross(self, event: Crossing, moving: _Moving) -> None:
        A, c, _, R, r = moving.matrices
        _, dc, dv_th, dR, dr = moving.tangents
        x, dx = np.array(event.x_minus), moving.dx
        dt = float((dv_th - dc @ x - c @ dx) / (c @ A @ x))
        self.dt[event.spike] = dt
        if carried := self.carried.get(event):
            self.dV[carried] = dx[0] + A[0] @ x * dt
        moving.dx = R @ dx + dR @ x + dr + (R @ A @ x - A @ (R @ x + r)) * dt

    def loss(self) -> float:
        """The tangent of the loss, from the tangents of spikes and readouts."""
        loss, neurons = self.case.loss, self.trial.neurons[self.case.loss.population]
        if isinstance(loss, SpikeTimeMSE):
            pairs = [pair for n, targets in zip(neurons, loss.targets, strict=True) for pair in zip(n.spikes, targets)]
            return math.fsum((spike.t - target) * self.dt[spike] for spike, target in pairs)
        if isinstance(loss, RelativeSpikeTimeMSE):
            t_first = [n.spikes[0].t if n.spikes else self.trial.T for n in neurons]
            dt = [self.dt[n.spikes[0]] if n.spikes else 0.0 for n in neurons]
            own, d_own = t_first[loss.label], dt[loss.label]
            beside = [pair for j, pair in enumerate(zip(t_first, dt, strict=True)) if j != loss.label]
            return math.fsum((t - own - loss.margin) * (d - d_own) for t, d in beside)
        if isinstance(loss, VoltageMSE):
            own = {neuron: [dV for reading, dV in self.dV.items() if reading.neuron is neuron] for neuron in neurons}
            pairs = [
                (np.array(y) - targets, [0.0] * (len(targets) - len(own[neuron])) + own[neuron])  # 0 before an event
                for neuron, y, targets in zip(neurons, self.read.y, loss.targets, strict=True)
            ]
            return math.fsum(float(errors @ np.array(dV)) for errors, dV in pairs)
        assert self.read.y is not None
        if loss.time_scale is not None:
            dy = [-self.dt[n.spikes[0]] / loss.time_scale if n.spikes else 0.0 for n in neurons]
        elif loss.readout == "max_voltage":
            of = {reading.neuron: dV for reading, dV in self.dV.items()}
            dy = [of.get(n, 0.0) for n in neurons]
        else:
            assert self.rate is not None, "a new readout needs its tangent"
            ends = [self.later(self.moving[n], self.trial.T - self.moving[n].t)[1][-1] for n in neurons]
            dy = [math.exp(-self.rate * self.trial.T) * end / self.trial.T for end in ends]
        weights = np.exp(np.array(self.read.y) - max(self.read.y))
        return float(weights @ dy / weights.sum() - dy[loss.label])
