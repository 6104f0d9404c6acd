"""The forward pass of one neuron: most bins of time in one step, a few event by event.

The effect of an arrival on the state at the end of its bin is linear, so it is added to a ring of
bins ahead when its spike is emitted. In each bin a bound decides: if the level cannot reach the
threshold, the state at the end is the flow of the state at the start, plus the amounts deposited
there. Else the neuron is followed from arrival to arrival, and each crossing isolated and refined.

An instant is a whole number of ticks: the bin in its upper bits, the rest in its lower ones, so one
addition gives both of an arrival, exactly. Kernels have 32 or 64 bits, so they count from the start
of a turn of the ring (`fast.layout.instants`); whole numbers of Python have no end.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from delayprop.fast.solving.matrices import matrices
from delayprop.spec import Connection, Population, SpecError, SpikeTrains

BITS = 53  # of a rest: float64 holds it exactly
REST, TICK = 2**BITS - 1, 2.0**-BITS  # mask of a rest; length of a tick in bins
U = 2.0**-53  # unit roundoff
SLACK = 64  # in u: for the rounding of a bound
TOUCH = 16  # in u v_th: width of "at the threshold" (specification, section 4)
LEAST_PIECE = 1e-5  # bins: within it, rounding hides a change of the sign of the second derivative


class Spike(NamedTuple):
    """An own spike: its bin, the instant within it, its time (ms), the state `[states]` before."""

    bin: int
    x: float
    t: float
    state: np.ndarray


class Lane:
    """One neuron in one trial; times in bins, states in the order V, I, others.

    Args:
        population, j: neuron `j` of a population, from 0 on. `synapses`: all connections onto it.
        spikes: that arrive, one train per source, connection by connection. `duration`: ms.

    Attributes:
        width: of a bin, ms. `last, end`: the last bin, and `T` in it. `bins`: of the ring.
        A, c, v_th, R, r: `x' = A x`; a spike where `c.x` reaches `v_th`; then `R x + r`.
        F: the flow over a bin. `unit_rate`: of the level.
        unsteady: by state: 0, or infinite if the level that an arrival adds may turn within a bin.
        rise, curvature: first and second derivative of the level, `[states]`: `c A` and `c A A`.
        bend, twist: times `|x|` at the start of a bin they bound the fourth derivative of the level
            in the bin, over 384, and its third one.
        learned: number of constants in `A`. `A_full`: `A`, and its derivatives by them, in blocks.
        w, into, spikes: by source; `into`: the state that it raises.
        arrivals: within the trial, by bin of the spike: bin and rest of the arrival, source, and
            number of the spike in its train.

    Raises:
        SpecError: another number of trains than of sources.
        UnsupportedError: equations that `fast` does not run.
    """

    def __init__(
        self, population: Population, j: int, synapses: Sequence[Connection], spikes: SpikeTrains, duration: float
    ) -> None:
        self.w, d, exists = (np.concatenate([getattr(c, of)[:, j] for c in synapses]) for of in ("w", "d", "exists"))
        if len(spikes) != len(self.w):
            got = f"has {len(spikes)} trains for {len(self.w)} sources"
            raise SpecError("spikes", "", got, "give one train per source, empty ones too")
        n = matrices(population.equations, np.array([[values[j]] for values in population.values.values()]))
        # `fast.physics.clock`: at most a quarter of the neuron's shortest time, and of the trial
        self.width = 2.0 ** math.floor(math.log2(min(1.0 / n.fastest, duration) / 4))
        self.last = math.floor(duration / self.width)
        self.end = (duration - self.last * self.width) / self.width
        # `fast.solving.tables`
        self.A, self.R, self.r = n.A[..., 0] * self.width, n.R[..., 0], n.r[:, 0]
        self.c, self.v_th, self.learned = np.array([1.0, 0.0, *n.c[:, 0]]), float(n.v_th[0]), len(n.learned)
        self.F, self.rise = flow(self.A, 1.0), self.c @ self.A
        self.curvature, self.unit_rate = self.rise @ self.A, n.unit_rate[0] * self.width
        third, growth = self.curvature @ self.A, flow(np.abs(self.A), 1.0)
        self.unsteady = n.unsteady(self.width)[:, 0]
        self.bend, self.twist = np.abs(third @ self.A) @ growth / 384.0, np.abs(third) @ growth
        self.A_full = np.kron(np.eye(1 + self.learned), self.A)
        self.A_full[: len(self.c)] = np.hstack([self.A, *n.A_by[..., 0] * self.width])
        raised = dict(zip((None, *population.equations.arrivals), (n.into[0], *n.into), strict=True))
        self.into = np.concatenate([np.full(len(c.w), 1 + raised[c.into]) for c in synapses])
        self.spikes, self.bins = spikes, 1
        self.arrivals: list[list[tuple[int, float, int, int]]] = [[] for _ in range(self.last + 1)]
        for source in np.flatnonzero(exists).tolist():
            for number, t in enumerate(spikes[source]):
                emitted = self.instant_of(t)
                arrival = emitted + self.instant_of(d[source])  # `arrival_of`
                if arrival <= self.instant_of(duration):
                    bin_, rest = arrival >> BITS, (arrival & REST) * TICK
                    self.arrivals[emitted >> BITS].append((bin_, rest, source, number))
                    self.bins = max(self.bins, 1 + bin_ - (emitted >> BITS))

    def instant_of(self, t: float) -> int:
        """An instant, or a delay, of `t` ms in ticks (`fast.layout.instants.instant_of`)."""
        whole, rest = divmod(t / self.width, 1.0)
        return int(whole) << BITS | min(round(rest * 2**BITS), REST)


def flow(A: np.ndarray, h: float) -> np.ndarray:
    """[flow] `exp(A h)`, `|h| <= 1` (`fast.physics.factors.factors_of`)."""
    found = term = np.eye(len(A))
    for m in range(1, 19):  # the terms fall like `4^-m / m!`
        term = term @ A * (h / m)
        found = found + term
    return found


def forward_lane(lane: Lane) -> list[Spike]:
    """The own spikes of a neuron (`fast.cuda.forward.forward_lane`).

    Raises:
        ArithmeticError: the neuron is at its threshold again at the instant of its spike.
    """
    state, own = np.zeros(len(lane.c)), list[Spike]()
    deposits, up = np.zeros((lane.bins, len(lane.c))), np.zeros(lane.bins)  # and what excitation adds to the level
    chains: list[dict[float, np.ndarray]] = [{} for _ in range(lane.bins)]  # jumps by instant in the bin
    for bin_ in range(lane.last + 1):
        for there, rest, source, _ in lane.arrivals[bin_]:  # `deposit_in_lane`
            slot, jump = there % lane.bins, lane.w[source] * np.eye(len(lane.c))[lane.into[source]]
            amount = flow(lane.A, 1.0 - rest) @ jump
            deposits[slot] += amount
            up[slot] += max(lane.c @ amount, 0.0) + lane.unsteady[lane.into[source]]
            chains[slot][rest] = chains[slot].get(rest, 0.0) + jump
        slot = bin_ % lane.bins
        if bin_ == lane.last or level_may_pass(lane, state, up[slot]):
            state = solve_bin(lane, state, chains[slot], bin_, own)
        else:
            state = lane.F @ state + deposits[slot]  # `state_across_bin`
        deposits[slot], up[slot], chains[slot] = 0.0, 0.0, {}  # for the bin a whole turn of the ring later
    return own


def level_may_pass(lane: Lane, state: np.ndarray, up: float) -> bool:
    """Whether a bound allows the level to pass `v_th` in a bin. What excitation adds grows until it
    is `up`; inhibition is left out (`fast.physics.bin_step.level_may_pass`)."""
    end, size = lane.F @ state, np.abs(state)
    most = highest(lane.c @ state, lane.rise @ state, lane.c @ end, lane.rise @ end, 1.0, lane.bend @ size)
    return bool(most + up + SLACK * U * (np.abs(lane.c).max() * size.sum() + up) > lane.v_th)


def highest(first: float, slope: float, last: float, slope_last: float, width: float, bend: float) -> float:
    """A bound on the level in a time `width`: the largest Bernstein coefficient of the cubic that
    has its values and slopes at both ends, and `bend` (`fast.physics.crossing.highest`)."""
    third = width / 3.0
    return max(first, first + third * slope, last - third * slope_last, last) + width**4 * bend


def solve_bin(lane: Lane, state: np.ndarray, chain: dict[float, np.ndarray], bin_: int, own: list) -> np.ndarray:
    """[flow] The state at the end of a bin, event by event; adds spikes to `own`
    (`fast.physics.within_bin.to_next_crossing`, which returns at each spike)."""
    x, end = 0.0, lane.end if bin_ == lane.last else 1.0
    for x_next, jump in [*sorted(chain.items()), (end, np.zeros_like(state))]:
        while (h := time_to_threshold(lane, state, x_next - x, at_event=x_next < 1.0)) is not None:
            x = min(round(min(x + h, x_next) * 2**BITS), REST) * TICK  # `to_tick`
            state = flow(lane.A, h) @ state
            state[0] = lane.v_th - lane.c[2:] @ state[2:]  # rounding has kept the level from `v_th`
            own.append(Spike(bin_, x, (bin_ + x) * lane.width, state))
            state = lane.R @ state + lane.r
            if lane.c @ state >= lane.v_th or (len(own) > 1 and own[-2][:2] == (bin_, x)):
                raise ArithmeticError("the neuron spikes too fast, or without end; lower its weights")
        state = flow(lane.A, x_next - x) @ state + jump
        x = x_next
    return state


def time_to_threshold(lane: Lane, state: np.ndarray, x_end: float, at_event: bool) -> float | None:
    """[spike] First time in [0, x_end] at which the level rises through `v_th`, None: never
    (`fast.physics.crossing.time_to_threshold`). `at_event`: an arrival, or `T`, is at `x_end`.

    The time is halved until the second derivative of the level has one sign all through a piece, so
    that the level turns there once at most, or the bound excludes a crossing in it.
    """
    def at(x: float) -> tuple[float, float, float]:  # the level beyond `v_th`, and two derivatives
        there = flow(lane.A, x) @ state
        return lane.c @ there - lane.v_th, lane.rise @ there, lane.curvature @ there

    bend, twist, touch = lane.bend @ np.abs(state), lane.twist @ np.abs(state), TOUCH * U * lane.v_th
    pieces = [(0.0, x_end)]
    while pieces:
        start, stop = pieces.pop()
        (above, slope, curvature), (above_stop, slope_stop, _), width = at(start), at(stop), stop - start
        if above >= 0.0 and slope > 0.0:
            return start
        if highest(above, slope, above_stop, slope_stop, width, bend) < 0.0:
            continue
        if abs(curvature) < width * twist and width > LEAST_PIECE:
            middle = 0.5 * (start + stop)
            pieces += [(middle, stop), (start, middle)]
            continue
        if slope > 0.0 >= slope_stop:
            stop = root_in(lambda x: (-at(x)[1], -at(x)[2]), start, stop)
            if at(stop)[0] <= touch:  # a peak above `v_th` by rounding touches it
                continue
        elif slope < 0.0 <= slope_stop:
            start = root_in(lambda x: at(x)[1:], start, stop)
        if at(start)[0] < 0.0 <= at(stop)[0]:
            return root_in(lambda x: at(x)[:2], start, stop)
    above, slope, _ = at(x_end)  # the crossing comes before an arrival at its very instant
    return x_end if at_event and -above <= touch < slope / lane.unit_rate else None


def root_in(f: Callable[[float], tuple[float, float]], low: float, high: float) -> float:
    """Where `f`, which gives a value and its slope, rises through 0: by Newton, or by halves where
    a step leaves the time between (`fast.physics.crossing._root_in`, and `_turn_in`)."""
    x = 0.5 * (low + high)
    while True:
        here, slope = f(x)
        step = -here / slope if slope > 0.0 else math.inf
        if abs(step) <= math.sqrt(U):  # after it, the error is about its square
            return min(max(x + step, low), high)
        low, high = (x, high) if here < 0.0 else (low, x)
        if high - low <= U:
            return high
        x = x + step if low < x + step < high else 0.5 * (low + high)
