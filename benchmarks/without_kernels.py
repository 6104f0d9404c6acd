"""Two checks that do not believe the kernels: a neuron followed event by event, and finite differences of the loss.

The neuron is followed in plain Python and NumPy. Between two arrivals `V(s) = a exp(-s/tau_mem) + c exp(-s/tau_syn)`
with `c = I tau_syn / (tau_syn - tau_mem)` and `a = V - c`, from `tau_mem V' = -V + I` and `tau_syn I' = -I`. It rises
to one peak at most, where `V' = 0`, so a crossing lies before the peak and bisection finds it. Known weakness: it needs
`tau_mem != tau_syn`, and knows no rule for ties.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.step import step
from benchmarks.workloads import Workload

HALVINGS = 80  # of an interval in ms: down to two neighbouring float64


@dataclass(frozen=True)
class Followed:
    """What a neuron did: its spike times, ms, and the largest voltage that one without a threshold reached."""

    times: np.ndarray
    largest: float


def arriving(trains: Sequence[np.ndarray], w: np.ndarray, d: np.ndarray) -> list[tuple[float, float]]:
    """`(time, weight)` of what reaches one neuron, by time.

    Args:
        trains: spikes of each source, ms.
        w, d: `[pre]`, weights and delays (ms) of its synapses.
    """
    times = np.concatenate([train + d[i] for i, train in enumerate(trains)] + [np.empty(0)])
    weights = np.concatenate([np.full(len(train), w[i]) for i, train in enumerate(trains)] + [np.empty(0)])
    order = np.argsort(times, kind="stable")
    return list(zip(times[order].tolist(), weights[order].tolist()))


def follow(
    arrivals: Sequence[tuple[float, float]], duration: float, tau_mem: float, tau_syn: float, v_th: float = math.inf,
    v_reset: float = 0.0,
) -> Followed:
    """Follow one neuron through a trial of `duration` ms, with infinite threshold an LI neuron."""
    V, I, now, spikes, largest = 0.0, 0.0, 0.0, [], 0.0
    for t_arr, w in [*((t, w) for t, w in arrivals if t <= duration), (duration, 0.0)]:
        while True:
            left = t_arr - now
            c = I * tau_syn / (tau_syn - tau_mem)
            a = V - c
            rise = min(left, _peak(a, c, tau_mem, tau_syn)) if I > V else 0.0
            largest = max(largest, _flow(a, c, rise, tau_mem, tau_syn))
            if _flow(a, c, rise, tau_mem, tau_syn) <= v_th:
                break
            s = _crossing(a, c, rise, tau_mem, tau_syn, v_th)
            now += s
            spikes.append(now)
            V, I = v_reset, I * math.exp(-s / tau_syn)
        V, I, now = _flow(a, c, left, tau_mem, tau_syn), I * math.exp(-left / tau_syn) + w, t_arr
    return Followed(np.array(spikes), largest)


def _flow(a: float, c: float, s: float, tau_mem: float, tau_syn: float) -> float:
    return a * math.exp(-s / tau_mem) + c * math.exp(-s / tau_syn)


def _peak(a: float, c: float, tau_mem: float, tau_syn: float) -> float:
    """When a rising voltage is highest; infinite if it rises for ever, towards 0 from below."""
    ratio = -(c * tau_mem) / (a * tau_syn) if a != 0.0 else 0.0
    s = math.log(ratio) / (1 / tau_syn - 1 / tau_mem) if ratio > 0 else math.inf
    return s if s > 0 else math.inf


def _crossing(a: float, c: float, high: float, tau_mem: float, tau_syn: float, v_th: float) -> float:
    low = 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _flow(a, c, middle, tau_mem, tau_syn) < v_th:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@dataclass(frozen=True)
class Differences:
    """A directional derivative: by the gradient, by central differences; `h` in units of the direction.

    `h` None: it could not be formed, since at every step tried a spike appears or disappears.
    """

    by_gradient: float
    by_differences: float | None
    h: float | None

    @property
    def error(self) -> float | None:
        """Of the gradient, relative."""
        if self.by_differences is None:
            return None
        size = max(abs(self.by_gradient), abs(self.by_differences))
        return abs(self.by_gradient - self.by_differences) / size if size > 0 else 0.0


STEPS = (1e-6, 1e-7, 3e-8, 1e-8, 3e-9)
"""The loss has kinks where an arrival meets a crossing, and deep networks have them close by, so that the best step is
not known beforehand: the one with the smallest error counts. A wrong gradient is wrong at each."""


def differences(workload: Workload, steps: Sequence[float] = STEPS) -> Differences:
    """The derivative of the loss along a random direction of all weights and delays, in two ways.

    A weight's direction is drawn in units of the spread of its connection's weights, a delay's in ms; a delay closer to
    0 than the largest step moves none.

    Args:
        workload: in float64.
        steps: tried in order, in units of the direction.
    """
    random = torch.Generator().manual_seed(workload.sizes.seed + 17)
    start, by_gradient = step(workload), 0.0
    moved: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for n, link in enumerate(workload.model.links()):
        for name, parameter in (("w", link.w), ("d", link.d)):
            v = torch.randn(parameter.shape, generator=random, dtype=torch.float64).to(parameter.device)
            if name == "w":
                v *= parameter.detach().std(correction=0)
            else:
                v[parameter.detach() < 10 * max(steps)] = 0.0
            by_gradient += float((start.gradients[f"{name}[{n}]"] * v).sum())
            moved.append((parameter.data, parameter.detach().clone(), v))

    @torch.no_grad()
    def loss_at(h: float) -> float | None:
        for data, before, v in moved:
            data.copy_(before + h * v)
        trains, y = workload.model(workload.spikes)
        same = all(torch.equal(a.counts(), b.counts()) for a, b in zip(trains, start.trains))
        return float(workload.loss(trains, y)) if same else None

    best = Differences(by_gradient, None, None)
    for h in steps:
        up, down = loss_at(h), loss_at(-h)
        if up is None or down is None:
            continue
        found = Differences(by_gradient, (up - down) / (2 * h), h)
        if best.error is None or (found.error is not None and found.error < best.error):
            best = found
    loss_at(0.0)
    return best
