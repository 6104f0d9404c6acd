"""Losses of the specification on torch tensors; any other torch function of spike times and readouts does as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fast.spikes import Spikes
from spec import SpecError, SpikeTrains
from spec.errors import Verbatim


def cross_entropy(y: Tensor, labels: Tensor) -> Tensor:
    """`-log softmax(y)[label]`, the mean over trials.

    Args:
        y: readout, `[trials, classes]`.
        labels: `[trials]`, integers.

    As `log(1 + sum_others exp(y_j - y_label))`, so loss and gradient keep their relative accuracy where the softmax is
    nearly certain (`torch.nn.functional.cross_entropy` forms `p - 1` there).
    """
    if y.ndim != 2 or len(y) == 0:
        raise SpecError("y", "of shape [trials, classes], at least one trial", Verbatim(list(y.shape)), "a row a trial")
    trials, classes = y.shape
    if not isinstance(labels, Tensor):
        raise SpecError("labels", "a tensor of integers", Verbatim(type(labels).__name__), "`torch.tensor(labels)`")
    if labels.shape != (trials,) or labels.is_floating_point() or labels.dtype == torch.bool:
        got = Verbatim(f"{labels.dtype} {list(labels.shape)}")
        raise SpecError("labels", f"integers of shape [{trials}]", got, "one label a trial")
    if bool(((labels < 0) | (labels >= classes)).any()):
        got = Verbatim(f"{int(labels.min())} to {int(labels.max())}")
        raise SpecError("labels", f"from 0 to {classes - 1}", got, f"the readout has {classes} neurons")
    if classes == 1:
        return 0.0 * y.sum()
    right = torch.nn.functional.one_hot(labels.long(), classes).bool()
    others = (y - y.gather(1, labels.long()[:, None]))[~right].reshape(trials, classes - 1)
    excess = others.logsumexp(dim=1)
    return torch.logaddexp(excess, torch.zeros_like(excess)).mean()


def first_spike_time(spikes: Spikes, time_scale: float) -> Tensor:
    """The readout `-t_first / time_scale`, `[trials, size]`; a silent neuron counts as `duration`, with gradient 0."""
    return -spikes.first() / time_scale


def spike_time_mse(spikes: Spikes, targets: Sequence[SpikeTrains]) -> Tensor:
    """`1/2 sum (t_k - target_k)^2`, the mean over trials; a missing spike counts as `duration`, with gradient 0.

    Args:
        targets: one entry a trial, one train a neuron.
    """
    if len(targets) != spikes.trials or any(len(trains) != spikes.size for trains in targets):
        expected = f"{spikes.trials} entries (trials) of {spikes.size} trains (neurons)"
        raise SpecError("targets", expected, Verbatim([len(trains) for trains in targets]), "give [] for a free neuron")
    total = spikes.times.new_zeros(())
    for b, trains in enumerate(targets):
        for i, train in enumerate(trains):
            times = spikes.train(b, i)[: len(train)]
            missing = times.new_full((len(train) - len(times),), spikes.duration)
            target = torch.tensor(np.asarray(train, np.float64))
            total = total + (torch.cat([times, missing]) - target).square().sum() / 2
    return total / spikes.trials
