"""Accuracy on a split: its interval, the confusion matrix, and the baseline of spike counts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.fast.nn.traces import count_arrivals
from delayprop.fast.solving.bound import bounded_spikes
from delayprop.fast.training.intervals import wilson_interval
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.progress import Bar
from delayprop.spec.errors import SpecError, Verbatim

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


def answers_of(y: Tensor) -> Tensor:
    """The class of the largest readout, `[trials]`; the number of classes where none is."""
    largest = y.argmax(1)
    return torch.where(correct(y, largest), largest, y.shape[1])


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
    classes, labels = y.shape[1], labels.to(y.device).long()
    for label in labels[(labels < 0) | (labels >= classes)].tolist()[:1]:
        raise SpecError("labels", f"from 0 to {classes - 1}", label, "`y` has a column per class")
    answers = answers_of(y)
    table = (labels * (classes + 1) + answers).bincount(minlength=classes * (classes + 1))
    return table.reshape(classes, classes + 1)


def plot_confusion(matrix: Tensor, ax: "Axes | None" = None) -> "Axes":
    """Draw a confusion matrix with matplotlib, each row in percent of its class.

    Args:
        matrix: as `confusion_matrix` returns it.
        ax: the axes to draw on, which are returned; None: new ones, of `pyplot`.

    Raises:
        SpecError: another shape.
    """
    from delayprop.fast.drawing.answers import draw_counts  # imports matplotlib

    table = torch.as_tensor(matrix).cpu()
    if table.ndim != 2 or table.shape[1] != table.shape[0] + 1:
        got = Verbatim(f"shape {list(table.shape)}")
        raise SpecError("matrix", "of shape [classes, classes + 1]", got, "make it with `confusion_matrix`")
    return draw_counts(table.numpy(), ax)[0]


@dataclass(frozen=True)
class Evaluation:
    """The result of a network on one split.

    Attributes:
        confusion: `[classes, classes + 1]`, as of `confusion_matrix`.
        loss: mean over trials.
        wrong: the trials with a wrong answer, and their answers (the number of classes: none).
        speakers: correct trials and trials of each speaker, if the data have speakers.
        spikes, arrivals: of hidden neurons and at all layers, in all trials; None: not counted.
    """

    confusion: list[list[int]]
    loss: float
    speakers: dict[int, tuple[int, int]] = field(default_factory=dict)
    wrong: list[tuple[int, int]] = field(default_factory=list)
    spikes: int | None = None
    arrivals: int | None = None

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
    """What is evaluated: readout and spikes of a batch, and a loss."""

    def __call__(self, spikes: Spikes) -> tuple[Tensor, list[Spikes]]:
        """The readout, `[trials, classes]`, and the spikes of every layer that spikes."""

    def loss(self, y: Tensor, labels: Tensor) -> Tensor:
        """The loss, mean over trials."""


@torch.no_grad()
def evaluate(
    network: Evaluable, data: SpikeData, duration: float, batch: int, processes: Processes,
    check: Callable[[], None] = lambda: None, counted: Sequence[SynapticLayer] | None = None,
    copies: Sequence[Callable[[np.ndarray], Spikes]] = (),
) -> Evaluation:
    """Evaluates a network on all trials of a split, which the processes share; `check` is called
    before each batch, and between the pieces of a layer, and may raise. `counted`: the layers of
    the network, if its spikes and arrivals are to be counted. `copies`: of given trials; a trial is
    answered by the mean readout of itself and its copies."""
    classes, device = data.classes, processes.device
    answers, loss = torch.zeros(len(data), dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    activity = torch.zeros(2, dtype=torch.float64)  # whole numbers, exact to 2^53
    bar, done = Bar(len(data), "trial", processes.is_first), 0
    for trials in np.array_split(np.arange(len(data)), math.ceil(len(data) / batch)):
        check()
        own = processes.shard(trials)
        if len(own):
            spikes, labels = data.batch(own, duration)
            with bounded_spikes(), processes.asked(check):
                y, emitted = network(spikes.to(device))
                for copy in copies:
                    y = y + network(copy(own).to(device))[0]
                y = y / (1 + len(copies))
            loss += float(network.loss(y, labels.to(device))) * len(own)
            answers[own] = answers_of(y.cpu()).double()
            if counted is not None:
                activity += _activity(counted, [spikes, *emitted])
        done += len(trials)
        bar.show(done, "evaluating")
    bar.close()
    given, mean_loss = processes.sum(answers).long().numpy(), float(processes.sum(loss)) / len(data)
    confusion = np.zeros((classes, classes + 1), np.int64)
    np.add.at(confusion, (data.labels, given), 1)
    right, speakers = given == data.labels, {}
    if data.speakers is not None:
        for name in np.unique(data.speakers).tolist():
            own = data.speakers == name
            speakers[name] = int(right[own].sum()), int(own.sum())
    wrong = [(trial, int(given[trial])) for trial in np.flatnonzero(~right).tolist()]
    totals = [] if counted is None else processes.sum(activity).long().tolist()
    return Evaluation(confusion.tolist(), mean_loss, speakers, wrong, *totals)


def _activity(layers: Sequence[SynapticLayer], trains: Sequence[Spikes]) -> Tensor:
    """The spikes of hidden neurons, and the arrivals at all layers; `trains`: the spikes of the
    input and of each layer that spikes. A recurrent layer is also a source of its own."""
    arrived = sum(
        count_arrivals(spikes, d, exists)
        for n, layer in enumerate(layers)
        for spikes, d, exists in zip(trains[n:], layer.delays_of_synapses, layer.masks, strict=False)
    )
    hidden = trains[1 : len(layers)]  # outputs may spike too
    return torch.tensor([sum(len(one.times) for one in hidden), arrived], dtype=torch.float64)


def count_baseline(train: SpikeData, test: SpikeData) -> float:
    """Test accuracy of logistic regression on spike counts, which hold no timing.

    The Hessian of the loss is at most `gram`, whatever the coefficients (Boehning, Ann. Inst. Stat.
    Math. 44, 1992). In the coordinates where `gram` is the identity L-BFGS takes few iterations.
    """
    counts, labels = torch.from_numpy(train.counts()).double(), torch.from_numpy(train.labels)
    mean, sd = counts.mean(0), counts.std(0, correction=0)  # correction 0: defined for a single trial too
    sd = torch.where(sd > 0, sd, 1.0)  # a constant count is 0 after `- mean`, on any scale
    x = (counts - mean) / sd
    ridge = 1 / (10 * len(x))  # C = 10
    gram = x.T @ x / (2 * len(x)) + ridge * torch.eye(x.shape[1], dtype=x.dtype)
    root = torch.linalg.cholesky(gram)
    x = torch.linalg.solve_triangular(root, x.T, upper=False).T
    bias = torch.zeros(train.classes, dtype=torch.float64, requires_grad=True)
    turned = torch.zeros(train.channels, train.classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([bias, turned], max_iter=500, line_search_fn="strong_wolfe")

    def coefficients() -> Tensor:
        return torch.linalg.solve_triangular(root.T, turned, upper=True)

    def closure() -> Tensor:
        optimiser.zero_grad()
        penalty = ridge / 2 * coefficients().square().sum()
        loss = nn.functional.cross_entropy(x @ turned + bias, labels) + penalty
        loss.backward()
        return loss

    optimiser.step(closure)
    y = (torch.from_numpy(test.counts()).double() - mean) / sd @ coefficients().detach() + bias.detach()
    return float(correct(y, torch.from_numpy(test.labels)).double().mean())
