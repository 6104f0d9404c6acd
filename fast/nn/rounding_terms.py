"""What rounding does to one layer of a step: variances of spike times, and then of adjoints.

A neuron feels its arrivals as shot noise: those of a window as if they came at random instants in
it (Campbell's theorem; `derivations`). So sums over arrivals are products of matrices, cheap beside
a step. Times are in ms, variances of times in ms^2.
"""

import math
from itertools import pairwise

import numpy as np
from torch import Tensor

from delayprop.fast.nn.autograd import Step

VARIANCE = 1 / 6  # of one rounding, in units of `(u x)^2`: uniform, at most `u x` to either side
FORWARD, BACK = 96 * VARIANCE, 192 * VARIANCE  # 4 in each bin of a usual tau_mem; and in sums over arrivals
MOST_WINDOWS = 8  # of a trial


class Part:
    """A layer of a step: its arrivals by window, and the errors that they pass on.

    Attributes:
        step, kappa: of the record of the layer.
        a, b: `1 / tau_mem` and `1 / tau_syn`, `[post]`.
        rounded: variance of the instant of an arrival, as the kernels round it.
        forward, back: relative variance of a number of the sweeps.
        w2: squared weights, a row per source, 0 where no synapse is; `exists`: None, if all do.
        soonest, latest: the smallest and the largest delay, at most the trial.
        begin, windows, window: start of the first window, their number, and the length of one: they
            cover the arrivals.
        mean, trace, slope, bend: `[post]`: the mean of the trace of an arrival at a random instant
            of two windows, and the mean squares of the trace, of its slope and of the derivative of
            this [rounding-noise].
        counts: `[trials * sources]`, of arriving spikes; `at`: place of each in an array `[trials,
            windows, sources]`.
        felt: `[trials, windows, sources]`: number of arrivals in a window and in the one before.
        noise: `[trials, windows, post]`: the sum of `w^2` times the variances of these arrivals.
        squares: of the norm of the error, by block; `terms`: the norm of terms that may cancel.
    """

    def __init__(self, step: Step, kappa: np.ndarray, most_windows: int = MOST_WINDOWS) -> None:
        self.step, self.kappa, problem = step, kappa, step.problem
        tau_mem, tau_syn = problem.host_constants[:2]
        a, b = self.a, self.b = 1.0 / tau_mem, 1.0 / tau_syn
        memory = 2.0 * float(max(tau_mem.max(), tau_syn.max()))
        self.forward = FORWARD * (float(np.finfo(float).eps) / 2) ** 2
        self.back = BACK * (float(np.finfo(problem.dtype).eps) / 2) ** 2
        self.rounded = step.tick**2 / 6 + self.forward * float((tau_mem * tau_syn).mean())
        w, d = in_numpy(problem.w), in_numpy(problem.d).clip(max=problem.duration)
        self.exists = None if problem.exists is None else in_numpy(problem.exists).astype(float)
        self.w2 = w * w if self.exists is None else w * w * self.exists
        self.soonest, self.latest = float(d.min(initial=problem.duration)), float(d.max(initial=0.0))
        times, spread = in_numpy(problem.times), self.latest - self.soonest
        self.begin = float(times.min(initial=problem.duration)) + self.soonest
        whole = max(0.0, float(times.max(initial=0.0)) + self.latest - self.begin) + memory
        self.windows = max(1, min(most_windows, int(whole / (spread + memory))))
        self.window = whole / self.windows
        density = 1.0 / max(min(2, self.windows) * self.window, memory)
        self.mean, self.trace = density / b, density * a / (2 * b * (a + b))
        self.slope = density * a * a / (2 * (a + b))
        self.bend = self.slope * (a * a + 3 * a * b + b * b)
        self.counts = np.diff(in_numpy(problem.offsets))
        self.at = self.places(times, self.counts, problem.sources)
        self.felt = self.in_windows(self.at, None, problem.sources)
        self.noise = np.empty(0)
        self.squares: dict[str, float] = {}
        self.terms: dict[str, float] = {}

    def places(self, times: np.ndarray, counts: np.ndarray, neurons: int) -> np.ndarray:
        """The place in `[trials, windows, neurons]` of spikes by (trial, neuron): the window in
        which they begin to arrive."""
        trial, neuron = np.divmod(np.arange(len(counts)), max(1, neurons))
        window = self.window_of(times + self.soonest)
        return np.repeat(trial * self.windows * neurons + neuron, counts) + window * neurons

    def window_of(self, times: np.ndarray) -> np.ndarray:
        return ((times - self.begin) / self.window).astype(np.int64).clip(0, self.windows - 1)

    def in_each(self, at: np.ndarray, values: np.ndarray | None, neurons: int) -> np.ndarray:
        """The sum of values of spikes in each window (None: their number)."""
        shape = self.step.problem.trials, self.windows, neurons
        return np.bincount(at, values, math.prod(shape)).reshape(shape).astype(float)

    def in_windows(self, at: np.ndarray, values: np.ndarray | None, neurons: int) -> np.ndarray:
        """The sum of values of spikes in each window and in the one before."""
        sums = self.in_each(at, values, neurons)
        sums[:, 1:] += sums[:, :-1].copy()
        return sums

    def of_the_loss(self, moved: np.ndarray) -> np.ndarray:
        """The variance of the derivative by each spike that the loss reads; none is."""
        return moved

    def move_spikes(self, moved: np.ndarray) -> np.ndarray:
        """The variance of the time of each emitted spike, given those of arriving ones."""
        sources = self.step.problem.sources
        self.noise = self.in_windows(self.at, moved + self.rounded, sources) @ self.w2[:sources]
        return np.zeros(0)

    def add_errors(
        self, name: str, errors: np.ndarray, rounded: np.ndarray, left: np.ndarray, rows: slice, felt: np.ndarray
    ) -> np.ndarray:
        """Keeps the squared norms of the errors of the blocks `w` and `d` with this ending.

        Args:
            errors: variances of the jumps, `[trials, windows, post]`; `rounded`: the part that the
                sweep back rounds; `left`: all, times the squared share of a trace that is left.
            rows: of the sources in `w2`. `felt`: their arrivals, `[trials, windows, sources]`.

        Returns:
            The variance of the derivative by a spike that arrives in a window, `[trials, windows,
            sources]`.
        """
        squares, means, of_trace, of_mean = felt, felt**2, left * self.trace, left * self.mean**2
        if self.exists is None:
            squares, means, of_trace, of_mean = (one.sum(-1) for one in (squares, means, of_trace, of_mean))
        else:
            of_trace, of_mean = (one @ self.exists[rows].T for one in (of_trace, of_mean))
        self.squares[f"w{name}"] = float(np.vdot(squares, of_trace) + np.vdot(means, of_mean))
        # the parts of a slope round apart, each about a trace over a time constant
        fast = self.a**2 + self.b**2
        onto = (errors * self.slope + rounded * fast * self.trace) @ self.w2[rows].T
        gradients = self.step.gradients
        assert gradients is not None
        apart = float((self.w2[rows] * fast * in_numpy(gradients.w)[rows] ** 2).sum())
        self.squares[f"d{name}"] = float(np.vdot(felt, onto)) + self.back * apart
        self.terms[f"d{name}"] = math.sqrt(apart)
        onto[:, :-1] += onto[:, 1:].copy()
        return onto


class Maximum(Part):
    """A layer whose largest voltage is read: its instant is the only event."""

    def move_adjoints(self, _: np.ndarray) -> np.ndarray:
        """The variance of the derivative by each arriving spike."""
        assert self.step.dL_dy is not None
        read, y, reached = (in_numpy(one) for one in (self.step.dL_dy, self.step.y, self.step.reached))
        read, window = np.where(y == 0.0, 0.0, read), self.window_of(reached)[:, None]  # no event
        noise = np.take_along_axis(self.noise, window, 1)[:, 0]
        # [rounding-maximum] the instant moves by the error of the slope over the curvature
        curvature = np.where(y == 0.0, math.inf, y * self.a * self.b)
        relative = noise * self.bend / curvature**2 * (self.a**2 + self.b**2) + self.back
        errors = read**2 * relative + (read**2).max(initial=0.0) * (noise * self.slope + self.back * y**2)
        errors = np.where(y == 0.0, 0.0, errors)
        whole, rounded = np.zeros_like(self.noise), np.zeros_like(self.noise)
        for in_windows, one in ((whole, errors), (rounded, self.back * read**2)):
            np.put_along_axis(in_windows, window, one[:, None], 1)
        return self.add_errors("", whole, rounded, whole, slice(None), self.felt).reshape(-1)[self.at]


class Integral(Part):
    """A layer of which an integral of the voltage is read: one window, and no event.

    Attributes:
        grown, late: of each arriving spike: the integral that it adds for a weight of 1, at most,
            and the largest size of the derivative of this by its time [rounding-integral].
    """

    def __init__(self, step: Step, kappa: np.ndarray) -> None:
        super().__init__(step, kappa, most_windows=1)
        T, a, b = step.problem.duration, float(self.a.mean()), float(self.b.mean())
        times, rate = in_numpy(step.problem.times), (1.0 / T if step.problem.rate > 0.0 else 0.0)
        left = (T - times - self.soonest).clip(min=0.0)  # the trace rises at most by a per ms
        self.grown = np.minimum(1.0 / b, a * left**2 / 2) * np.exp(-rate * (times + self.soonest)) / T
        peak = math.log(b / a) / (b - a) if a != b else 1.0 / a  # of a trace, which then falls
        left = np.minimum(left, (left + self.soonest - self.latest).clip(min=peak))
        # the trace, accurate near equal time constants [flow]
        apart = abs(b - a) * left
        shared = np.divide(-np.expm1(-apart), apart, out=np.ones_like(apart), where=apart > 0.0)
        self.late = a * left * np.exp(-min(a, b) * left) * shared / T + rate * self.grown

    def move_spikes(self, moved: np.ndarray) -> np.ndarray:
        moved = (moved + self.rounded) * self.late**2
        self.noise = self.in_windows(self.at, moved, self.step.problem.sources) @ self.w2
        return np.zeros(0)

    def move_adjoints(self, _: np.ndarray) -> np.ndarray:
        """The variance of the derivative by each arriving spike."""
        assert self.step.dL_dy is not None
        read, y = in_numpy(self.step.dL_dy)[:, None], in_numpy(self.step.y)[:, None]
        rounded = self.back * read**2
        errors = rounded + (read**2).max(initial=0.0) * (self.noise + self.back * y**2)
        exists = np.ones_like(self.w2) if self.exists is None else self.exists
        grown = self.in_each(self.at, self.grown, len(self.w2))
        self.squares["w"] = float(np.vdot(grown**2, errors @ exists.T))
        onto = (errors @ self.w2.T).reshape(-1)[self.at] * self.late**2
        late = self.in_each(self.at, self.late, len(self.w2))
        self.squares["d"] = float(onto.sum() + np.vdot(late**2, rounded @ self.w2.T))
        return onto


class Spiking(Part):
    """A layer of neurons that spike.

    Attributes, of each spike:
        cell, neuron: its place in `[trials, post]`, and its neuron.
        at_own: its place in `[trials, windows, post]`.
        first: the derivative of the voltage; `curvature` the second; `level`: the size of the terms
            of the voltage; `carry`: the size of the derivative of the voltage by the time of the
            spike before it, 0 of the first of a train [rounding-spike]; `left`: the share of the
            mean trace of an arrival that came after this spike, or as current outlived it.
        moved, slope_moved: the variances of its time, and of its slope.
        added: what it adds to the variance of the adjoint of its layer.
        turns: spikes of each window of a recurrent layer, or of the whole trial, in groups: those
            of one group follow, in their trains, on spikes of groups before it.
    """

    def __init__(self, step: Step, kappa: np.ndarray) -> None:
        super().__init__(step, kappa)
        _, _, v_th, v_reset = step.problem.host_constants
        self.post, self.w2_own = len(v_th), self.w2[step.problem.sources :]
        self.recurrent = len(self.w2_own) > 0
        times, offsets = in_numpy(step.times), in_numpy(step.offsets)
        counts = self.emitted = np.diff(offsets)
        self.cell = np.repeat(np.arange(len(counts)), counts)
        self.neuron, self.at_own = self.cell % self.post, self.places(times, counts, self.post)
        a, b, v_th = self.a[self.neuron], self.b[self.neuron], v_th[self.neuron]
        self.first = np.sqrt(kappa) * v_th * a  # [spike-grazing]
        I = self.first / a + v_th
        self.curvature, self.level = np.abs(a * (b * I + self.first)), v_th + np.abs(I)
        fallen = np.zeros(len(times))  # from the spike before
        fallen[1:] = np.exp(-a[1:] * np.diff(times).clip(min=0.0))
        fallen[offsets[:-1][counts > 0]] = 0.0
        self.carry, self.left = a * np.roll(I - v_reset[self.neuron], 1) * fallen, 1.0 - fallen
        self.moved, self.slope_moved, self.added = (np.zeros(len(times)) for _ in range(3))
        most, place = int(counts.max(initial=0)) + 1, np.arange(len(times)) - offsets[:-1][self.cell]
        turns = self.windows if self.recurrent else 1
        turn = self.at_own // self.post % turns if self.recurrent else 0
        key = turn * most + place
        few = key.astype(np.min_scalar_type(turns * most))  # NumPy sorts 16 bits faster
        order, ends = np.argsort(few, kind="stable"), np.bincount(key, minlength=turns * most).cumsum()
        groups = [order[first:last] for first, last in pairwise([0, *ends.tolist()])]
        self.turns = [[k for k in groups[n : n + most] if len(k)] for n in range(0, len(groups), most)]

    @property
    def by_spike(self) -> np.ndarray:
        """The derivative of the loss by the time of each spike."""
        assert self.step.gradients is not None
        return in_numpy(self.step.gradients.t_out)

    def of_the_loss(self, moved: np.ndarray) -> np.ndarray:
        fastest = np.maximum(self.a, self.b)[self.neuron]
        return np.where(self.by_spike == 0.0, 0.0, (self.by_spike**2).max(initial=0.0) * fastest**2 * moved)

    def move_spikes(self, moved: np.ndarray) -> np.ndarray:
        super().move_spikes(moved)
        noise, slope = self.noise.reshape(-1)[self.at_own], self.slope[self.neuron]
        floor = self.forward * self.level**2
        last: np.ndarray = np.zeros(len(self.emitted))  # of own spikes in the last window, and the one before
        before = last
        for groups in self.turns:
            turn: np.ndarray = np.concatenate([np.empty(0, np.int64), *groups])
            if self.recurrent:
                noise[turn] += self.through_own(last + before, self.w2_own)[self.cell[turn]]
            for k in groups:
                # the same arrivals have moved the spike before, and to the other side
                level = np.maximum(noise[k] * slope[k], self.carry[k] ** 2 * self.moved[k - 1]) + floor[k]
                self.moved[k] = level / self.first[k] ** 2 + self.step.tick**2 / 12
            before, last = last, np.bincount(self.cell[turn], self.moved[turn] + self.rounded, len(self.emitted))
        self.slope_moved = noise * self.bend[self.neuron]
        return self.moved

    def through_own(self, values: np.ndarray, w2: np.ndarray) -> np.ndarray:
        """The sums over own synapses of values `[trials * post]`."""
        return (values.reshape(-1, self.post) @ w2).reshape(-1)

    def move_adjoints(self, unsure: np.ndarray) -> np.ndarray:
        """The variance of the derivative by each arriving spike, given those by emitted ones."""
        a, b, by_spike, unsure = self.a[self.neuron], self.b[self.neuron], self.by_spike, unsure.copy()
        # [rounding-jump] of a jump, relative
        relative = self.moved * ((self.curvature / self.first) ** 2 + a**2 + b**2)
        relative += self.slope_moved / self.first**2 + self.back
        onto_before = np.append(self.carry[1:], 0.0)  # the `carry` of the next spike of the train
        jump, errors = np.zeros(len(self.cell) + 1), np.zeros(len(self.cell) + 1)
        last: np.ndarray = np.zeros(len(self.emitted))  # of own spikes in the next window, and the one after
        after = last
        slope = np.tile(self.slope, len(last) // self.post)
        for groups in reversed(self.turns):
            turn = np.concatenate([np.empty(0, np.int64), *groups])
            if self.recurrent:
                unsure[turn] += self.through_own((last + after) * slope, self.w2_own.T)[self.cell[turn]]
            for k in reversed(groups):
                jump[k] = (by_spike[k] + jump[k + 1] * onto_before[k]) / self.first[k]
                passed_on = unsure[k] + errors[k + 1] * onto_before[k] ** 2
                errors[k] = passed_on / self.first[k] ** 2 + relative[k] * jump[k] ** 2
            after, last = last, np.bincount(self.cell[turn], errors[turn], len(self.emitted))
        self.added = relative * jump[:-1] ** 2
        all_three = errors[:-1], self.back * jump[:-1] ** 2, errors[:-1] * self.left**2
        whole, rounded, left = (self.in_each(self.at_own, one, self.post) for one in all_three)
        external, own = slice(self.step.problem.sources), slice(self.step.problem.sources, None)
        onto = self.add_errors("", whole, rounded, left, external, self.felt)
        if self.recurrent:
            self.add_errors("_rec", whole, rounded, left, own, self.in_windows(self.at_own, None, self.post))
        return onto.reshape(-1)[self.at]


def in_numpy(tensor: Tensor) -> np.ndarray:
    """The numbers of a tensor, on the host; those of float32 as float64, whose squares are far from
    its ends."""
    host = tensor.detach().cpu()
    return (host.double() if host.is_floating_point() else host).numpy()
