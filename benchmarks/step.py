"""One training step (forward, backward, gradients of all weights and delays), and its time."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.workloads import Workload
from delayprop.fast import Spikes


@dataclass(frozen=True, eq=False)
class Step:
    """The results of one step.

    Attributes:
        trains: spikes of each stage that spikes, detached.
        y: the readout `[trials, outputs]`, or None.
        gradients: of weights and delays, by name, in the order of the connections.
    """

    trains: list[Spikes]
    y: Tensor | None
    gradients: dict[str, Tensor]


@dataclass(frozen=True)
class Times:
    """Median times of the whole step and of its halves, s; and the number of repeats."""

    step: float
    forward: float
    backward: float
    repeats: int


def forward(workload: Workload) -> Tensor:
    """The loss of a forward pass."""
    return workload.loss(*workload.model(workload.spikes))


def step(workload: Workload) -> Step:
    """One step, in the form that is timed."""
    workload.model.zero_grad()
    trains, y = workload.model(workload.spikes)
    workload.loss(trains, y).backward()
    return found_by(workload, trains, y)


def found_by(workload: Workload, trains: list[Spikes], y: Tensor | None) -> Step:
    """The results of the step that has just run; its gradients are copied."""
    gradients = {}
    for n, link in enumerate(workload.model.links()):
        for name, parameter in (("w", link.w), ("d", link.d)):
            assert parameter.grad is not None
            gradients[f"{name}[{n}]"] = parameter.grad.double().clone()
    return Step([spikes.detach() for spikes in trains], None if y is None else y.detach(), gradients)


def timed(
    repeats: int,
    halves: Callable[[], tuple[Callable[[], object], Callable[[], object]]],
    patience: float = math.inf,
) -> Times:
    """Median times of a step of two halves, after one step to warm up.

    Args:
        halves: called before each step, untimed; returns the forward and the backward half, which
            are timed.
        patience: s; a step that takes longer is the last, and counts even as the warm-up step.
    """
    seconds: list[tuple[float, float, float]] = []
    for n in range(repeats + 1):
        first, second = halves()
        began = time.perf_counter()
        first()
        between = time.perf_counter()
        second()
        ended = time.perf_counter()
        if n > 0 or ended - began > patience:
            seconds.append((ended - began, between - began, ended - between))
        if ended - began > patience:
            break
    step, forward, backward = (statistics.median(column) for column in zip(*seconds))
    return Times(step, forward, backward, len(seconds))


def times(workload: Workload, repeats: int) -> Times:
    """Median times of a workload's step; gradients are cleared before each step, untimed."""

    def done() -> None:
        if workload.sizes.device == "cuda":
            torch.cuda.synchronize()

    def halves() -> tuple[Callable[[], object], Callable[[], object]]:
        workload.model.zero_grad()
        losses: list[Tensor] = []

        def first() -> None:
            losses.append(forward(workload))
            done()

        def second() -> None:
            losses[0].backward()
            done()

        return first, second

    return timed(repeats, halves)
