"""Losses on torch tensors, as functions and as modules."""

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor

from delayprop.fast import (
    CrossEntropyLoss,
    RelativeSpikeTimeMSELoss,
    Spikes,
    SpikeTimeMSELoss,
    cross_entropy,
    relative_spike_time_mse,
    spike_time_mse,
)
from tests.support.networks.layers import DURATION, TRIALS, learned_spikes, trains
from tests.support.refusals import assert_refused
from tests.support.tolerances import U64

CERTAIN = [[60.0, 0.0, -3.0], [800.0, 0.0, 1.0], [0.0, 1e-9, 36.0]]


@pytest.mark.parametrize("y", CERTAIN, ids=str)
@pytest.mark.parametrize("label", [0, 2])
def test_cross_entropy_is_accurate_where_the_softmax_is_certain(y: list[float], label: int) -> None:
    """Loss and gradient keep all digits, also where torch's own loss, with `p - 1`, has none."""
    with mpmath.workdps(60):
        exps = [mpmath.exp(value - max(y)) for value in y]
        loss = mpmath.log(mpmath.fsum(exps)) + max(y) - y[label]
        true = [e / mpmath.fsum(exps) - (j == label) for j, e in enumerate(exps)]
    readout = torch.tensor([y], dtype=torch.float64, requires_grad=True)
    found = cross_entropy(readout, torch.tensor([label]))
    (gradient,) = torch.autograd.grad(found, readout)
    rounding = 32 * U64 * max(1.0, max(y) - min(y))  # of exp: an argument of size a costs a u
    assert float(found.detach()) == pytest.approx(float(loss), rel=rounding, abs=0)
    assert gradient[0].tolist() == pytest.approx([float(g) for g in true], rel=rounding, abs=0)


@pytest.mark.parametrize("last", [-1.0, -3.0, -5.0])
def test_cross_entropy_of_one_class_is_zero(last: float) -> None:
    """And NaN where the readout is."""
    readout = torch.tensor([[3.0], [last]], requires_grad=True)
    loss = cross_entropy(readout, torch.tensor([0, 0]))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert readout.grad.tolist() == [[0.0], [0.0]]
    assert torch.isnan(cross_entropy(torch.tensor([[3.0], [torch.nan]]), torch.tensor([0, 0])))


def test_a_class_that_is_ruled_out_by_an_infinite_readout_costs_nothing() -> None:
    y, labels = torch.tensor([[2.0, -torch.inf, 1.0]], dtype=torch.float64), torch.tensor([0])
    assert float(cross_entropy(y, labels)) == pytest.approx(math.log1p(math.exp(-1.0)), rel=1e-14)


def test_each_part_of_a_readout_and_its_labels_has_a_shape() -> None:
    y, labels = torch.ones(3, 4), torch.tensor([0, 1, 3])
    for wrong in (y[:0], y[None], y[0]):
        words = r"`y` must be of shape \[trials, classes\], at least one trial, got"
        assert_refused(partial(cross_entropy, wrong, labels[: len(wrong)]), words)
    words = "`y` must be of floating point, got torch.int64; counts of spikes have no gradient; read spikes by an `LI`"
    assert_refused(lambda: cross_entropy(learned_spikes().counts(), labels), words)
    for wrong in (labels[:2], labels[[0, 1, 2, 0]], labels[:, None], labels[0], labels.double(), labels > 0):
        words = re.escape(f"`labels` must be integers of shape [3], got {wrong.dtype} {list(wrong.shape)}; give one")
        assert_refused(partial(cross_entropy, y, wrong), words)
    for wrong, got in ((labels - 1, "-1 to 2"), (labels + 1, "1 to 4"), (labels + 5, "5 to 8")):
        words = f"`labels` must be from 0 to 3, got {got}; the readout has 4 neurons"
        assert_refused(partial(cross_entropy, y, wrong), words)
    for share, expected in ((-0.1, "from 0 to 1"), (1.1, "from 0 to 1"), (math.nan, "a finite number")):
        for call in (partial(CrossEntropyLoss, share), partial(cross_entropy, y, labels, share)):
            assert_refused(call, f"`label_smoothing` must be {expected}, got")
    assert repr(CrossEntropyLoss(0.25)) == "CrossEntropyLoss(label_smoothing=0.25)"


@pytest.mark.parametrize("of", [spike_time_mse, SpikeTimeMSELoss()])
def test_every_target_meets_its_own_spike_in_every_trial(of: Callable[..., Tensor]) -> None:
    spikes = learned_spikes()
    targets = [[[1.0, 2.0, 3.0], [], [0.5]], [[4.0], [0.0, 1.0], []], [[], [7.0, 8.0], [9.0]]]
    loss = of(spikes, targets)
    assert float(of(spikes, [trains(*trial) for trial in targets]).detach()) == float(loss.detach())
    wrong = [targets[0], [[4.0], [1.0, 0.5], []], targets[2]]
    assert_refused(lambda: of(spikes, wrong), r"`targets\[1\]\[1\]\[1\]` must be at least .* 1.0, got 0.5; sort")
    (gradient,) = torch.autograd.grad(loss, spikes.times)
    total, expected = 0.0, []
    for trial, wanted in zip(TRIALS, targets, strict=True):
        for train, times in zip(trial, wanted, strict=True):
            reached = train + [DURATION] * len(times)
            total += sum((a - b) ** 2 for a, b in zip(reached, times)) / 2
            expected += [(t - times[k]) / 3 if k < len(times) else 0.0 for k, t in enumerate(train)]
    assert float(loss.detach()) == pytest.approx(total / 3, rel=16 * U64, abs=0)
    assert gradient.tolist() == pytest.approx(expected, rel=16 * U64, abs=0)


def test_the_loss_is_one_node_whatever_the_number_of_trains() -> None:

    def nodes(neurons: int) -> int:
        spikes = Spikes.from_trains([[[1.0]] * neurons], DURATION)
        spikes.times.requires_grad_()
        found = [spike_time_mse(spikes, [[[2.0]] * neurons]).grad_fn]
        for node in found:  # the list grows meanwhile
            found += [before for before, _ in node.next_functions if before is not None and before not in found]
        return len(found)

    assert nodes(50) == nodes(1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_label_smoothing_is_that_of_torch(smoothing: float) -> None:
    ours = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    theirs, labels = ours.detach().clone().requires_grad_(), torch.tensor([0, 1, 2, 3, 0, 2])
    CrossEntropyLoss(smoothing)(ours, labels).backward()
    torch.nn.functional.cross_entropy(theirs, labels, label_smoothing=smoothing).backward()
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-12, atol=1e-15)
    torchs = torch.nn.functional.cross_entropy(theirs.detach(), labels, label_smoothing=smoothing)
    assert float(cross_entropy(ours.detach(), labels, smoothing)) == pytest.approx(float(torchs), rel=1e-13)


def test_other_neurons_spike_first_a_margin_after_the_right_one() -> None:
    """The relative loss as a function and a module, by hand; a neuron is silent."""
    spikes, labels, margin = learned_spikes(), torch.tensor([0, 2, 1]), 1.5
    loss = RelativeSpikeTimeMSELoss(margin)(spikes, labels)
    assert float(relative_spike_time_mse(spikes.first().detach(), labels, margin)) == float(loss.detach())
    (gradient,) = torch.autograd.grad(loss, spikes.times)
    total, expected = 0.0, []
    for trial, label in zip(TRIALS, labels.tolist(), strict=True):
        first = [train[0] if train else DURATION for train in trial]
        errors = [0.0 if j == label else t - first[label] - margin for j, t in enumerate(first)]
        total += sum(error**2 for error in errors) / 2
        slopes = [-sum(errors) if j == label else error for j, error in enumerate(errors)]
        expected += [slopes[j] / 3 if k == 0 else 0.0 for j, train in enumerate(trial) for k in range(len(train))]
    assert any(expected) and not all(all(trial) for trial in TRIALS), "a neuron is silent"
    assert float(loss.detach()) == pytest.approx(total / 3, rel=16 * U64, abs=0)
    assert gradient.tolist() == pytest.approx(expected, rel=16 * U64, abs=0)
    assert repr(RelativeSpikeTimeMSELoss(margin)) == "RelativeSpikeTimeMSELoss(margin=1.5)"
    refused: list[tuple[tuple[Any, ...], str]] = [
        ((spikes.first(), labels, -1.0), r"`margin` .* got -1.0"),
        ((spikes.first(), labels + 1, margin), r"`labels` .* the readout has 3"),
        ((spikes, labels, margin), r"`t_first` .*spikes.first\(\)"),
    ]
    for given, words in refused:
        assert_refused(partial(relative_spike_time_mse, *given), words)
