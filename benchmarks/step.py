"""One training step (forward, backward, gradients of all weights and delays), and its time."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from benchmarks.workloads import Workload
from delayprop.fast import Spikes

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Step:
    trains: list[Spikes]  # of each stage that spikes, detached
    y: Tensor | None  # the readout `[trials, outputs]`
    gradients: dict[str, Tensor]  # of weights and delays, by name, in the order of the connections


@dataclass(frozen=True)
class Times:
    """Median times of the whole step and of its halves, s."""

    step: float
    forward: float
    backward: float


def forward(workload: Workload) -> Tensor:
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


def timed(network: nn.Module, loss: Callable[[], Tensor], repeats: int) -> Times:
    """Median times of a step, after one to warm up."""
    once(network, loss)
    (seconds,) = in_turn([lambda: once(network, loss)], repeats)
    return Times(*map(statistics.median, zip(*seconds)))


def in_turn(contestants: Sequence[Callable[[], Found]], turns: int) -> list[list[Found]]:
    """The answers of each contestant, which measure one turn each beside one another: a machine
    that is busy for a while slows all of them."""
    return [*map(list, zip(*([measure() for measure in contestants] for _ in range(turns))))]


def once(network: nn.Module, loss: Callable[[], Tensor]) -> tuple[float, float, float]:
    """The time of one step, and of its halves, s; gradients are cleared before it, untimed."""
    on_gpu = any(parameter.is_cuda for parameter in network.parameters())
    network.zero_grad()
    began = _now(on_gpu)
    found = loss()
    between = _now(on_gpu)
    found.backward()
    ended = _now(on_gpu)
    return ended - began, between - began, ended - between


def _now(on_gpu: bool) -> float:
    """The time, s, at which all that was asked for is done."""
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter()
