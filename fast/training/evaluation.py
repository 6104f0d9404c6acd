"""What a network answers on a split: which class for which, and the loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fast.data.spike_files import SpikeData
from fast.training.intervals import of_share
from fast.training.model import Reader
from fast.training.processes import Processes
from fast.training.shared import right_answers


@dataclass(frozen=True)
class Answers:
    """Those on one split.

    Attributes:
        table: `[classes, classes + 1]`, trials of each class by their answer; the last column: no answer, the largest
            readout is not strictly the largest.
        loss: the mean.
    """

    table: list[list[int]]
    loss: float

    @property
    def trials(self) -> int:
        """How many there were."""
        return sum(map(sum, self.table))

    @property
    def right(self) -> int:
        """How many were answered right."""
        return sum(row[label] for label, row in enumerate(self.table))

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return self.right / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy on all such trials lies, at 95 %."""
        return of_share(self.right, self.trials)


@torch.no_grad()
def evaluated(
    network: Reader,
    data: SpikeData,
    duration: float,
    batch: int,
    processes: Processes,
    check: Callable[[], None] = lambda: None,
) -> Answers:
    """The answers on all trials of a split, shared between the processes."""
    classes, device = data.classes, processes.device
    table, loss = torch.zeros(classes, classes + 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for trials in np.array_split(np.arange(len(data)), math.ceil(len(data) / batch)):
        check()
        own = processes.share(trials)
        if len(own):
            spikes, labels = data.batch(own, duration)
            y, _ = network(spikes.to(device))
            loss += float(network.loss(y, labels.to(device))) * len(own)
            table.index_put_((labels, _answer(y.cpu())), torch.ones(1, dtype=torch.float64), accumulate=True)
    table, loss = processes.total(table), processes.total(loss)
    return Answers(table.long().tolist(), float(loss) / len(data))


def _answer(y: Tensor) -> Tensor:
    """The class with the strictly largest readout, `[trials]`; `classes` where there is none."""
    largest = y.argmax(1)
    return torch.where(right_answers(y, largest), largest, y.shape[1])
