"""Accuracy on a split: its interval, the confusion matrix, and the baseline of spike counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from fast.data.spike_data import SpikeData
from fast.nn.spikes import Spikes
from fast.solving.bound import bounded_spikes
from fast.training.intervals import wilson_interval
from fast.training.processes import Processes
from spec import SpecError
from spec.errors import Verbatim

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def correct(y: Tensor, labels: Tensor) -> Tensor:
    """Whether the readout of the labelled class is strictly the largest, `[trials]`.

    A silent trial, where all readouts are equal, is wrong. An argmax would give every tie to class
    0, and so count silence as correct for trials of that class.
    """
    own = labels[:, None]
    others = y.scatter(1, own, -torch.inf)
    return (y.gather(1, own) > others).all(dim=1)


def confusion_matrix(y: Tensor, labels: Tensor) -> Tensor:
    """Trials of each class by answer, `[classes, classes + 1]`, int64; sum it over batches.

    The last column counts trials without an answer, where no single readout is largest.

    Args:
        y: readouts, `[trials, classes]`.
        labels: classes, `[trials]`.

    Raises:
        SpecError: other shapes, or a label that is no class.
        ArithmeticError: a readout is NaN or infinite.
    """
    if y.ndim != 2 or labels.shape != y.shape[:1]:
        got = Verbatim(f"{list(y.shape)} and {list(labels.shape)}")
        raise SpecError("y, labels", "of shapes [trials, classes] and [trials]", got, "give a label per trial")
    if not bool(torch.isfinite(y).all()):
        raise ArithmeticError("a readout is NaN or infinite, which answers nothing; look at the network's parameters")
    classes, labels, largest = y.shape[1], labels.to(y.device).long(), y.argmax(1)
    for label in labels[(labels < 0) | (labels >= classes)].tolist()[:1]:
        raise SpecError("labels", f"from 0 to {classes - 1}", label, "`y` has a column per class")
    answers = torch.where(correct(y, largest), largest, classes)
    table = (labels * (classes + 1) + answers).bincount(minlength=classes * (classes + 1))
    return table.reshape(classes, classes + 1)


def plot_confusion(matrix: Tensor, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix with matplotlib, each row in percent of its class.

    Args:
        matrix: as `confusion_matrix` returns it.
        ax: the axes to draw on; None: new ones, of `pyplot`.

    Returns:
        The axes.

    Raises:
        SpecError: another shape.
    """
    from fast.drawing.confusion import draw_counts  # with matplotlib, which training does not need

    table = torch.as_tensor(matrix).cpu()
    if table.ndim != 2 or table.shape[1] != table.shape[0] + 1:
        got = Verbatim(f"shape {list(table.shape)}")
        raise SpecError("matrix", "of shape [classes, classes + 1]", got, "make it with `confusion_matrix`")
    return draw_counts(table.numpy(), ax)[0]


@dataclass(frozen=True)
class Evaluation:
    """The result of a network on one split.

    Attributes:
        confusion: `[classes, classes + 1]`, trials of each class by answer; the last column counts
            trials without an answer, where no single readout is largest.
        loss: mean over trials.
        speakers: correct trials and trials of each speaker, if the data have speakers.
    """

    confusion: list[list[int]]
    loss: float
    speakers: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def trials(self) -> int:
        """Number of trials."""
        return sum(map(sum, self.confusion))

    @property
    def correct(self) -> int:
        """Number of trials with a correct answer."""
        return sum(row[label] for label, row in enumerate(self.confusion))

    @property
    def accuracy(self) -> float:
        """Fraction of trials with a correct answer."""
        return self.correct / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return wilson_interval(self.correct, self.trials)


class Evaluable(Protocol):
    """What is evaluated: readout and hidden spikes of a batch, and a loss."""

    def __call__(self, spikes: Spikes) -> tuple[Tensor, list[Spikes]]:
        """The readout, `[trials, classes]`, and the spikes of every hidden layer."""

    def loss(self, y: Tensor, labels: Tensor) -> Tensor:
        """The loss, mean over trials."""


@torch.no_grad()
def evaluate(
    network: Evaluable, data: SpikeData, duration: float, batch: int, processes: Processes,
    check: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Evaluates a network on all trials of a split, which the processes share.

    Args:
        check: is called before each batch, and between the pieces of a layer; may raise.

    Raises:
        ArithmeticError: neurons spike too fast, or too often.
    """
    classes, device = data.classes, processes.device
    confusion, loss = torch.zeros(classes, classes + 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    names, speaker = np.unique(np.zeros(len(data)) if data.speakers is None else data.speakers, return_inverse=True)
    by_speaker = torch.zeros(len(names), 2, dtype=torch.float64)  # correct trials, trials
    for trials in np.array_split(np.arange(len(data)), math.ceil(len(data) / batch)):
        check()
        own = processes.shard(trials)
        if len(own):
            spikes, labels = data.batch(own, duration)
            with bounded_spikes(), processes.asked(check):
                y, _ = network(spikes.to(device))
            loss += float(network.loss(y, labels.to(device))) * len(own)
            confusion += confusion_matrix(y.cpu(), labels)
            counted = torch.stack([correct(y.cpu(), labels), torch.ones_like(labels, dtype=torch.bool)], 1).double()
            by_speaker.index_add_(0, torch.from_numpy(speaker[own]), counted)
    confusion, loss, by_speaker = processes.sum(confusion), processes.sum(loss), processes.sum(by_speaker)
    pairs = zip(names.tolist(), by_speaker.long().tolist(), strict=True)
    speakers = {} if data.speakers is None else {name: (right, trials) for name, (right, trials) in pairs}
    return Evaluation(confusion.long().tolist(), float(loss) / len(data), speakers)


def count_baseline(train: SpikeData, test: SpikeData) -> float:
    """Test accuracy of logistic regression on spike counts, which hold no timing."""
    counts, labels = torch.from_numpy(train.counts()).double(), torch.from_numpy(train.labels)
    mean, sd = counts.mean(0), counts.std(0, correction=0)  # correction 0: defined for a single trial too
    sd = torch.where(sd > 0, sd, 1.0)  # a constant count is 0 after `- mean`, on any scale
    coefficients = torch.zeros(train.channels + 1, train.classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([coefficients], max_iter=500, line_search_fn="strong_wolfe")

    def logits(x: Tensor) -> Tensor:
        return ((x - mean) / sd) @ coefficients[1:] + coefficients[0]

    def closure() -> Tensor:
        optimiser.zero_grad()
        penalty = coefficients[1:].square().sum() / (20 * len(train))  # C = 10
        loss = nn.functional.cross_entropy(logits(counts), labels) + penalty
        loss.backward()
        return loss

    optimiser.step(closure)
    y = logits(torch.from_numpy(test.counts()).double())
    return float(correct(y, torch.from_numpy(test.labels)).double().mean())
