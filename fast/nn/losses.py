"""The losses of the specification; any torch function of spike times and readouts is one too.

Each loss is a function and a module. The modules have torch's names (`CrossEntropyLoss`), because
`delayprop.CrossEntropy` and `delayprop.SpikeTimeMSE` are entries of a case file.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from delayprop.fast.nn.joining import check_spikes
from delayprop.fast.nn.spikes import Spikes
from delayprop.spec import SpikeTrains
from delayprop.spec.checks import finite_number, non_negative_time, of_type, positive_number, sequence
from delayprop.spec.errors import SpecError, Verbatim, placed


def cross_entropy(y: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """`-log softmax(y)[label]`, averaged over trials.

    Args:
        y: readout, `[trials, classes]`.
        labels: `[trials]`, integers from 0 to `classes - 1`.
        label_smoothing: from 0 to 1: this share of the target goes to all classes alike, as in
            torch.

    Raises:
        SpecError: another shape or dtype, or a label or share outside the range.

    Computed as `log(1 + sum_others exp(y_j - y_label))`: loss and gradient keep their relative
    accuracy where the softmax saturates (`torch.nn.functional.cross_entropy` forms `p - 1` there).
    """
    remedy = "read spikes by an `LI` layer, or by `first_spike_time(spikes, time_scale)`"
    of_type(y, "y", Tensor, "a readout, a tensor [trials, classes]", remedy)
    trials, classes = _check_labelled(y, "y", labels, "classes", remedy)
    _share(label_smoothing)
    if classes == 1:
        return 0.0 * y.sum()
    label = torch.nn.functional.one_hot(labels.long(), classes).bool()
    others = (y - y.gather(1, labels.long()[:, None]))[~label].reshape(trials, classes - 1)
    excess = others.logsumexp(dim=1)
    own = torch.logaddexp(excess, torch.zeros_like(excess)).mean()
    if label_smoothing == 0:
        return own
    of_all = (y.logsumexp(dim=1) - y.mean(dim=1)).mean()
    return (1 - label_smoothing) * own + label_smoothing * of_all


def first_spike_time(spikes: Spikes, time_scale: float) -> Tensor:
    """The readout `-t_first / time_scale`, `[trials, size]`.

    For a silent neuron `t_first` is `duration`, and the gradient is 0. `time_scale`: ms, above 0,
    else `SpecError`.
    """
    check_spikes(spikes)
    if isinstance(time_scale, Tensor):
        remedy = "labels come later: `cross_entropy(first_spike_time(spikes, time_scale), labels)`"
        raise SpecError("time_scale", "a finite number above 0 (ms)", Verbatim("a tensor"), remedy)
    return -spikes.first() / positive_number(time_scale, "time_scale", "ms")


def spike_time_mse(spikes: Spikes, targets: Sequence[SpikeTrains | Sequence]) -> Tensor:
    """`1/2 sum_k (t_k - target_k)^2` over spikes `k` of all neurons, averaged over trials.

    Args:
        targets: `[trial][neuron][k]`, ms, ascending. Spikes beyond a neuron's targets are free; a
            missing spike has the time `duration` and gradient 0.

    Raises:
        SpecError: other numbers of trials or neurons, or times that `SpikeTrains` refuses.
    """
    check_spikes(spikes)
    trials = sequence(targets, "targets", None, "target trains, one entry per trial")
    checked = []
    for b, given in enumerate(trials):
        with placed(f"targets[{b}]", {"trains": ""}):
            checked.append(given if isinstance(given, SpikeTrains) else SpikeTrains(given))  # type: ignore[arg-type]
    if [len(trains) for trains in checked] != [spikes.size] * spikes.trials:
        expected = f"{spikes.trials} entries (trials) of {spikes.size} trains (neurons)"
        raise SpecError("targets", expected, Verbatim([len(trains) for trains in checked]), "give [] for a free neuron")
    trains = [train for trial in checked for train in trial]
    device = spikes.times.device
    target = torch.from_numpy(np.concatenate([np.empty(0), *trains])).to(device)
    lengths = torch.tensor([len(train) for train in trains], dtype=torch.int64, device=device)
    # Target n is number `rank[n]` of train `of[n]`. One gather finds all spikes; its last entry
    # replaces every missing one.
    of = torch.repeat_interleave(torch.arange(len(trains), device=device), lengths)
    rank = torch.arange(len(target), device=device) - (lengths.cumsum(0) - lengths)[of]
    index = torch.where(rank < spikes.offsets.diff()[of], spikes.offsets[of] + rank, len(spikes.times))
    times = torch.cat([spikes.times, spikes.times.new_full((1,), spikes.duration)])[index]
    return (times - target).square().sum() / (2 * spikes.trials)


def relative_spike_time_mse(t_first: Tensor, labels: Tensor, margin: float) -> Tensor:
    """`1/2 sum_j (t_j - t_label - margin)^2` over the other neurons `j`, averaged over trials.

    Each other neuron should spike first `margin` ms after the right one (Yin-Yang of Meszaros,
    Knight, Nowotny, arXiv 2501.07331). A silent neuron has the time `duration` and gradient 0.

    Args:
        t_first: first spike times, `[trials, neurons]`, ms: `spikes.first()`.
        labels: the right neuron, `[trials]`, integers.
        margin: ms, at least 0.

    Raises:
        SpecError: another shape or dtype, a label out of range, or a margin below 0.
    """
    remedy = "give `spikes.first()`, one row per trial"
    of_type(t_first, "t_first", Tensor, "first spike times, a tensor [trials, neurons]", remedy)
    _check_labelled(t_first, "t_first", labels, "neurons", remedy)
    distance = t_first - t_first.gather(1, labels.long()[:, None]) - non_negative_time(margin, "margin")
    return distance.scatter(1, labels.long()[:, None], 0.0).square().sum() / (2 * len(labels))


class CrossEntropyLoss(nn.Module):
    """`cross_entropy(y, labels, label_smoothing)` as a module; `SpecError`: a share outside
    [0, 1]."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = _share(label_smoothing)

    def forward(self, y: Tensor, labels: Tensor) -> Tensor:
        """The loss of readouts `[trials, classes]`, given labels `[trials]`."""
        return cross_entropy(y, labels, self.label_smoothing)

    def extra_repr(self) -> str:
        return f"label_smoothing={self.label_smoothing:g}" if self.label_smoothing else ""


class SpikeTimeMSELoss(nn.Module):
    """`spike_time_mse(spikes, targets)` as a module."""

    def forward(self, spikes: Spikes, targets: Sequence[SpikeTrains | Sequence]) -> Tensor:
        """The loss of spikes, given targets `[trial][neuron][k]`, ms."""
        return spike_time_mse(spikes, targets)


class RelativeSpikeTimeMSELoss(nn.Module):
    """`relative_spike_time_mse(spikes.first(), labels, margin)` as a module; `margin`: ms."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = non_negative_time(margin, "margin")

    def forward(self, spikes: Spikes, labels: Tensor) -> Tensor:
        """The loss of spikes, given labels `[trials]`."""
        check_spikes(spikes)
        return relative_spike_time_mse(spikes.first(), labels, self.margin)

    def extra_repr(self) -> str:
        return f"margin={self.margin:g}"


class FirstSpikeTime(nn.Module):
    """The readout `first_spike_time(spikes, time_scale)` as a module. A spike earlier by
    `time_scale` (ms) weighs e times more in a softmax."""

    def __init__(self, time_scale: float) -> None:
        super().__init__()
        self.time_scale = positive_number(time_scale, "time_scale", "ms")

    def forward(self, spikes: Spikes) -> Tensor:
        """The readout of these spikes."""
        return first_spike_time(spikes, self.time_scale)

    def extra_repr(self) -> str:
        return f"time_scale={self.time_scale:g}"


def _check_labelled(y: Tensor, name: str, labels: Tensor, columns: str, remedy: str) -> torch.Size:
    """Refuse anything but numbers `[trials, columns]` with a label per trial; their shape."""
    if not y.is_floating_point():
        raise SpecError(name, "of floating point", Verbatim(f"{y.dtype}; counts of spikes have no gradient"), remedy)
    if y.ndim != 2 or len(y) == 0:
        expected = f"of shape [trials, {columns}], at least one trial"
        raise SpecError(name, expected, Verbatim(list(y.shape)), "give one row per trial")
    of_type(labels, "labels", Tensor, "a tensor of integers", "`torch.tensor(labels)`")
    if labels.shape != y.shape[:1] or labels.is_floating_point() or labels.dtype == torch.bool:
        got = Verbatim(f"{labels.dtype} {list(labels.shape)}")
        expected = f"integers of shape [{len(y)}]"
        raise SpecError("labels", expected, got, "give one per trial; a raster has trials first")
    if bool(((labels < 0) | (labels >= y.shape[1])).any()):
        got = Verbatim(f"{int(labels.min())} to {int(labels.max())}")
        raise SpecError("labels", f"from 0 to {y.shape[1] - 1}", got, f"the readout has {y.shape[1]} neurons")
    return y.shape


def _share(label_smoothing: float) -> float:
    if not 0 <= finite_number(label_smoothing, "label_smoothing") <= 1:
        raise SpecError("label_smoothing", "from 0 to 1", label_smoothing, "give a share")
    return label_smoothing
