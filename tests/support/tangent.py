"""The tangent of a trial: the derivative of its state along a direction of all parameters.

The sweep runs forward in time, without an adjoint. Tangents `dV, dI` are taken at a fixed time. For
parameters `p + epsilon dp`:

- Between events the state obeys `x' = A x`. State and tangent together obey one linear equation,
  solved by the exponential of a block matrix:
  `exp(h [[A, 0], [dA, A]]) = [[exp(hA), 0], [d exp(hA), exp(hA)]]`.
- After a parcel of weight `w` that arrives later by `dt`, the current has decayed less and the
  voltage has gained less: `dI += dw + w dt / tau_syn`, `dV -= w dt / tau_mem`.
- At a crossing `V(t_k) = v_th` before and `v_reset` after, for all epsilon. Along the moving `t_k`,
  `dt_k = (dv_th - dV) / Vdot_minus`, then `dV := dv_reset - Vdot_plus dt_k`. `I` is continuous.
- An integral of `V`, and its tangent, follow from the equation of motion integrated over a segment.

The events are those of the reference; its derivatives are not used.
"""

import math
from dataclasses import dataclass

import numpy as np

from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.events import Arrivals, Crossing, Neuron, Spike, Trial
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Gradients, SpikeTimeMSE
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
    """`exp(matrix)`: powers of a scaled matrix, then squared back; torch has an error of 1e-8."""
    norm = float(np.abs(matrix).sum(axis=1).max())
    halvings = max(0, math.frexp(norm)[1] + 1)
    scaled = matrix / 2.0**halvings
    total = term = np.eye(len(matrix))
    for order in range(1, 16):
        term = term @ scaled / order
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total


@dataclass
class _Moving:
    """State and tangent of a neuron just after `t`, and the direction of its constants; `integral`:
    the tangent of `int exp(-rate t) V dt` so far."""

    t: float
    V: float
    I: float
    dV: float
    dI: float
    dtau_mem: float
    dtau_syn: float
    dv_th: float
    dv_reset: float
    integral: float = 0.0


class _Sweep:
    def __init__(self, case: Case, direction: Direction) -> None:
        self.case, self.direction = case, direction
        self.trial: Trial = simulate(FLOAT64, case)
        self.read = drive(FLOAT64, case, self.trial)
        self.reads_integral = self.read.rate is not None
        self.rate = self.read.rate or 0.0
        self.dt: dict[Spike, float] = {
            spike: float(direction.inputs[name][i][k])
            for name, trains in self.trial.inputs.items()
            for i, train in enumerate(trains)
            for k, spike in enumerate(train)
        }
        self.moving = {n: self.at_rest(n) for neurons in self.trial.neurons.values() for n in neurons}
        self.dy: dict[Neuron, float] = {}

    def at_rest(self, neuron: Neuron) -> _Moving:
        columns = vars(self.direction.populations[neuron.population]).values()
        moves = (0.0 if column is None else float(column[neuron.index]) for column in columns)
        return _Moving(0.0, 0.0, 0.0, 0.0, 0.0, *moves)

    def run(self) -> float:
        for event in self.trial.events:
            moving = self.moving[event.neuron]
            self.flow(event.neuron, moving, event.t)
            if isinstance(event, Arrivals):
                self.arrive(event, moving)
            elif isinstance(event, Crossing):
                self.cross(event, moving)
            moving.V, moving.I = event.V, event.I
            maximum = self.read.maxima.get(event.neuron)
            if maximum and maximum.follows is event and not maximum.pinned:
                self.dy[event.neuron] = self.tangent_after(event.neuron, moving, maximum.t - event.t)[2]
        for neuron, moving in self.moving.items():
            self.flow(neuron, moving, self.trial.T)
        return self.loss()

    def tangent_after(self, neuron: Neuron, moving: _Moving, h: float) -> np.ndarray:
        """`V, I, dV, dI` a time `h` later."""
        c = neuron.constants
        A = np.array([[-1 / c.tau_mem, 1 / c.tau_mem], [0.0, -1 / c.tau_syn]])
        by_tau_mem = moving.dtau_mem / c.tau_mem**2
        dA = np.array([[by_tau_mem, -by_tau_mem], [0.0, moving.dtau_syn / c.tau_syn**2]])
        both = np.block([[A, np.zeros((2, 2))], [dA, A]])
        return exponential(both * h) @ np.array([moving.V, moving.I, moving.dV, moving.dI])

    def flow(self, neuron: Neuron, moving: _Moving, t: float) -> None:
        """Advance to `t`, before its event."""
        c, r = neuron.constants, self.rate
        V, I, dV, dI = self.tangent_after(neuron, moving, t - moving.t).tolist()
        if self.reads_integral:
            early, late = math.exp(-r * moving.t), math.exp(-r * t)

            def gain(after: float, before: float) -> float:
                return late * after - early * before

            int_I = -c.tau_syn * gain(I, moving.I) / (1 + r * c.tau_syn)
            int_V = (int_I - c.tau_mem * gain(V, moving.V)) / (1 + r * c.tau_mem)
            dint_I = -c.tau_syn * gain(dI, moving.dI) - moving.dtau_syn * (gain(I, moving.I) + r * int_I)
            dint_V = dint_I / (1 + r * c.tau_syn) - c.tau_mem * gain(dV, moving.dV)
            dint_V -= moving.dtau_mem * (gain(V, moving.V) + r * int_V)
            moving.integral += dint_V / (1 + r * c.tau_mem)
        moving.t, moving.V, moving.I, moving.dV, moving.dI = t, V, I, dV, dI

    def arrive(self, event: Arrivals, moving: _Moving) -> None:
        c = event.neuron.constants
        maximum = self.read.maxima.get(event.neuron)
        if maximum and maximum.pinned is event:
            self.dy[event.neuron] = moving.dV
        for spike, synapse in event.parcels:
            at = (synapse.pre, synapse.post.index)
            by = self.direction.connections[synapse.connection]
            dt_arr = self.dt[spike] + by.dL_dd[at]
            if maximum and maximum.pinned is event:  # the slope with all other arrivals before it, or 0
                self.dy[event.neuron] += max(0.0, (event.I - synapse.w - event.V) / c.tau_mem) * dt_arr
            moving.dI += by.dL_dw[at] + synapse.w * dt_arr / c.tau_syn
            moving.dV -= synapse.w * dt_arr / c.tau_mem

    def cross(self, event: Crossing, moving: _Moving) -> None:
        c = event.neuron.constants
        assert c.v_th is not None and c.v_reset is not None
        dt = (moving.dv_th - moving.dV) * c.tau_mem / (event.I - c.v_th)
        self.dt[event.spike] = dt
        moving.dV = moving.dv_reset - (event.I - c.v_reset) / c.tau_mem * dt
        moving.integral += math.exp(-self.rate * event.t) * (c.v_th - c.v_reset) * dt

    def loss(self) -> float:
        """The tangent of the loss, from the tangents of spikes and readouts."""
        loss, neurons = self.case.loss, self.trial.neurons[self.case.loss.population]
        if isinstance(loss, SpikeTimeMSE):
            pairs = [pair for n, targets in zip(neurons, loss.targets, strict=True) for pair in zip(n.spikes, targets)]
            return math.fsum((spike.t - target) * self.dt[spike] for spike, target in pairs)
        assert self.read.y is not None
        if loss.time_scale is not None:
            dy = [-self.dt[n.spikes[0]] / loss.time_scale if n.spikes else 0.0 for n in neurons]
        elif loss.readout == "max_voltage":
            dy = [self.moving[n].dv_th if n.spikes else self.dy.get(n, 0.0) for n in neurons]
        else:
            assert loss.readout in ("mean_voltage", "exp_weighted_voltage"), "a new readout needs its tangent"
            dy = [self.moving[n].integral / self.trial.T for n in neurons]
        weights = np.exp(np.array(self.read.y) - max(self.read.y))
        return float(weights @ dy / weights.sum() - dy[loss.label])
