"""One simulation of a network, from spike to spike: its arrivals, its spikes and its loss."""

from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from delayprop.spec import Case, CrossEntropy, Loss, RelativeSpikeTimeMSE, VoltageMSE
from delayprop.spec.population import CONSTANTS
from tests.support.parameters import Key
from tests.support.truth.numbers import INFINITY, Real, exp, log, real
from tests.support.truth.voltage import Maximum, Voltage

Arrival = tuple[int, int]  # the synapse, and the index of the spike of its source


@dataclass(frozen=True)
class Signature:
    """The order of events, which must be equal in two runs whose difference is a derivative.
    `arrivals`: per neuron that is no input, those before its first spike, between the first and the
    second, ..., after the last; within these groups they commute. `maxima`: the place of the
    maximum of every neuron read, if `max_voltage` is read. `samples`: of every neuron read, the
    number of events before each sample."""

    arrivals: tuple[tuple[frozenset[Arrival], ...], ...]
    maxima: tuple[tuple, ...]
    samples: tuple[tuple[int, ...], ...]


@lru_cache(maxsize=4)
def _wiring(case: Case) -> tuple[list[tuple[str, int]], dict[tuple[str, int], list[tuple[int, int, Key, Key]]]]:
    """All neurons but inputs; per source its synapses: target, index, keys of weight and delay."""
    neurons = [(p.name, j) for p in case.network.populations if p.kind != "input" for j in range(p.size)]
    index = {neuron: n for n, neuron in enumerate(neurons)}
    fan_out: dict[tuple[str, int], list[tuple[int, int, Key, Key]]] = {}
    synapse = 0
    for c, connection in enumerate(case.network.connections):
        for i, j in np.argwhere(connection.exists).tolist():
            entry = (index[connection.target, j], synapse, ("w", c, i, j), ("d", c, i, j))
            fan_out.setdefault((connection.source, i), []).append(entry)
            synapse += 1
    return neurons, fan_out


class Run:
    """A simulation at the working precision of the caller."""

    def __init__(self, case: Case, values: Mapping[Key, Real], T: Real, digits: float) -> None:
        self.case, self.values, self.T = case, values, T
        self.neurons, self.fan_out = _wiring(case)
        tolerance = Real(10) ** -Real(digits)
        self.tolerance, self.last = tolerance, T * (1 + tolerance)
        readout = case.loss.readout if isinstance(case.loss, CrossEntropy) else None
        rate = 1 / T if readout == "exp_weighted_voltage" else Real(0)
        self.voltages = []
        for neuron in self.neurons:
            tau_mem, tau_syn, v_th, v_reset = (values.get((constant, *neuron)) for constant in CONSTANTS)
            self.voltages.append(Voltage(tau_mem, tau_syn, v_th, v_reset, rate, tolerance))
        count = len(self.neurons)
        self.pending: list[list[tuple[Real, int, int, Real]]] = [[] for _ in range(count)]
        self.crossings: list[Real] = [INFINITY] * count
        self.peaks: list[tuple[Real, Real] | None] = [None] * count
        self.next = [INFINITY] * count
        self.spikes: list[list[Real]] = [[] for _ in range(count)]
        self.kappa: list[list[Real]] = [[] for _ in range(count)]
        self.arrivals: list[list[set[Arrival]]] = [[set()] for _ in range(count)]
        read = case.loss.population if readout == "max_voltage" else None
        self.maxima = {n: Maximum() for n, (name, _) in enumerate(self.neurons) if name == read}
        at = case.loss if isinstance(case.loss, VoltageMSE) else None
        self.sampled = [real(s) for s in at.times.tolist()] if at else []
        self.samples: dict[int, list[tuple[Real, int]]] = {  # V, and the number of events before
            n: [] for n, (name, _) in enumerate(self.neurons) if at and name == at.population
        }
        self.margin = INFINITY
        self._run()

    def _run(self) -> None:
        for key, t in self.values.items():
            if key[0] == "t_in" and t <= self.last:
                _, name, i, k = key
                self._send((str(name), int(i)), int(k), t)
        if not self.neurons:
            return
        while (t := min(self.next)) <= self.last:
            n = self.next.index(t)
            arrival = self.pending[n][0][0] if self.pending[n] else INFINITY
            if self.crossings[n] <= arrival + self.T * self.tolerance:
                self._spike(n, self.crossings[n])
            else:
                self._arrive(n, arrival)
        for n in range(len(self.neurons)):
            self._end(n)

    def _send(self, source: tuple[str, int], k: int, t: Real) -> None:
        """Send spike `k` of `source` through each synapse."""
        for target, synapse, w, d in self.fan_out.get(source, ()):
            t_arr = t + self.values[d]
            self._note(abs(self.T - t_arr) / self.T)
            if t_arr <= self.last:
                insort(self.pending[target], (t_arr, synapse, k, self.values[w]))
                self.next[target] = min(self.next[target], t_arr)

    def _spike(self, n: int, t: Real) -> None:
        voltage = self.voltages[n]
        self._sample(n, t)
        x, y = voltage.growths(t)
        self.kappa[n].append((voltage.tau_mem * voltage.slope(t, x, y) / voltage.v_th) ** 2)
        self.spikes[n].append(t)
        self.arrivals[n].append(set())
        self._note(abs(self.T - t) / self.T)
        if n in self.maxima:
            self.maxima[n].offer(voltage.v_th, ("spike",))
        voltage.reset(t, x)
        self._look_ahead(n, t, x, y)
        self._send(self.neurons[n], len(self.spikes[n]) - 1, t)

    def _arrive(self, n: int, t: Real) -> None:
        """Take all arrivals at neuron `n` at `t`."""
        voltage, pending = self.voltages[n], self.pending[n]
        self._sample(n, t)
        x, y = voltage.growths(t)
        rising = self._leave_segment(n, t, x, y)
        here: set[Arrival] = set()
        while pending and pending[0][0] == t:
            _, synapse, k, w = pending.pop(0)
            voltage.arrive(w, t, x, y)
            here.add((synapse, k))
        self.arrivals[n][-1] |= here
        if rising and voltage.slope(t, x, y) <= 0:
            self.maxima[n].offer(voltage.at(t, x, y), ("arrival", frozenset(here)))
        self._look_ahead(n, t, x, y)

    def _end(self, n: int) -> None:
        voltage = self.voltages[n]
        self._sample(n, INFINITY)
        x, y = voltage.growths(self.T)
        if self._leave_segment(n, self.T, x, y):
            self.maxima[n].offer(voltage.at(self.T, x, y), ("end",))
        if n in self.maxima:
            self._note(self.maxima[n].gap)

    def _sample(self, n: int, until: Real) -> None:
        """Read the samples of neuron `n` before its event at `until`."""
        own = self.samples.get(n)
        while own is not None and len(own) < len(self.sampled) and self.sampled[len(own)] < until:
            s = self.sampled[len(own)]
            self._note(abs(until - s) / self.T)
            events = len(self.spikes[n]) + sum(map(len, self.arrivals[n]))
            own.append((self.voltages[n].at(s, *self.voltages[n].growths(s)), events))

    def _leave_segment(self, n: int, t: Real, x: Real, y: Real) -> bool:
        """Record the largest V until `t`; whether the maximum is read, and V still rises there."""
        voltage, peak = self.voltages[n], self.peaks[n]
        passed = peak if peak is not None and peak[0] < t else None
        if voltage.v_th is not None:
            top = passed[1] if passed else voltage.at(t, x, y)
            self._note((voltage.v_th - top) / voltage.v_th)
            if self.spikes[n]:
                self._note((t - self.spikes[n][-1]) / voltage.tau_mem)
        if n not in self.maxima:
            return False
        if passed:
            where = (len(self.spikes[n]), frozenset(self.arrivals[n][-1]))
            self.maxima[n].offer(passed[1], ("interior", where))
            self.peaks[n] = None
        return not passed and voltage.slope(t, x, y) > 0

    def _look_ahead(self, n: int, t: Real, x: Real, y: Real) -> None:
        """Find the crossing and the peak before the next arrival. A neuron that is not read needs
        neither while its current, a bound of V, is below threshold."""
        voltage = self.voltages[n]
        next_arrival = self.pending[n][0][0] if self.pending[n] else INFINITY
        self.crossings[n], self.peaks[n], self.next[n] = INFINITY, None, next_arrival
        can_spike = voltage.v_th is not None and voltage.current(y) > voltage.v_th
        if not (can_spike or n in self.maxima) or voltage.slope(t, x, y) <= 0:
            return
        v = voltage.at(t, x, y)
        if can_spike and v >= voltage.v_th * (1 - self.tolerance):
            self.crossings[n] = self.next[n] = t
            return
        if next_arrival <= self.last:
            x, y = voltage.growths(next_arrival)
            below = not can_spike or voltage.at(next_arrival, x, y) < voltage.v_th * (1 - self.tolerance)
            if below and voltage.slope(next_arrival, x, y) > 0:
                return  # V rises from here to there, and stays below threshold
        peak = self.peaks[n] = voltage.peak(t)
        if can_spike and peak is not None and peak[1] > voltage.v_th * (1 + self.tolerance):
            self.crossings[n] = voltage.crossing(t, v, peak)
            self.next[n] = min(self.crossings[n], next_arrival)

    def _note(self, distance: Real) -> None:
        if distance < self.margin:
            self.margin = distance

    def signature(self) -> Signature:
        arrivals = tuple(tuple(frozenset(group) for group in groups) for groups in self.arrivals)
        samples = tuple(tuple(events for _, events in own) for own in self.samples.values())
        return Signature(arrivals, tuple(maximum.place for maximum in self.maxima.values()), samples)

    def readout(self) -> list | None:
        """`y`, one per neuron of the population read, of samples a list."""
        loss = self.case.loss
        if isinstance(loss, VoltageMSE):
            return [[V for V, _ in own] for own in self.samples.values()]
        if not isinstance(loss, CrossEntropy):
            return None
        read = [n for n, (name, _) in enumerate(self.neurons) if name == loss.population]
        if loss.readout == "max_voltage":
            return [self.maxima[n].value for n in read]
        if loss.time_scale is not None:
            return first_spikes([self.spikes[n] for n in read], self.T, real(loss.time_scale))
        assert loss.readout in ("mean_voltage", "exp_weighted_voltage"), "a new readout needs its truth"
        return [self.voltages[n].integral(self.T) / self.T for n in read]

    def loss(self) -> Real:
        read = [train for (name, _), train in zip(self.neurons, self.spikes, strict=True)
                if name == self.case.loss.population]
        return loss_of(self.case.loss, read, self.T, self.readout(), real, exp, log)


def first_spikes(trains: list, T: Any, time_scale: Any) -> list:
    return [-(train[0] if train else T) / time_scale for train in trains]


def loss_of(loss: Loss, trains: list, T: Any, y: list | None, real: Callable, exp: Callable, log: Callable) -> Any:
    """`log sum_j exp(y_j) - y_label`, or half the sum of squares, a missing spike as `T`; given the
    spike times and the readout of each neuron that is read, in numbers of any arithmetic."""
    if isinstance(loss, CrossEntropy):
        assert y is not None
        top = max(value.real for value in y)
        return top + log(sum(exp(value - top) for value in y)) - y[loss.label]
    if isinstance(loss, RelativeSpikeTimeMSE):
        first = [train[0] if train else T for train in trains]
        errors = [t - first[loss.label] - real(loss.margin) for j, t in enumerate(first) if j != loss.label]
    elif isinstance(loss, VoltageMSE):
        errors = [V - real(target) for own, targets in zip(y or [], loss.targets.tolist(), strict=True)
                  for V, target in zip(own, targets, strict=True)]
    else:
        errors = [(train[k] if k < len(train) else T) - real(float(target))
                  for train, targets in zip(trains, loss.targets, strict=True) for k, target in enumerate(targets)]
    return sum((error**2 for error in errors), real(0.0)) / 2
