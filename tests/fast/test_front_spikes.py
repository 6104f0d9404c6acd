"""Spike trains of a batch: read, joined, split, moved, copied, shown and drawn."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from delayprop.fast import Spikes, first_spike_time, joined
from delayprop.spec import SpecError, UnsupportedError
from tests.support.networks.layers import DURATION, TRIALS, first_layer, given_spikes, trains


def test_the_first_spike_of_each_neuron_and_no_gradient_from_silence() -> None:
    spikes = given_spikes()
    spikes.times.requires_grad_()
    first = spikes.first()
    assert first.tolist() == [[0.7, 1.9, 2.6], [DURATION, 0.4, DURATION], [DURATION] * 3]
    (gradient,) = torch.autograd.grad(first.sum(), spikes.times)
    assert gradient.tolist() == [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0]
    assert torch.equal(first_spike_time(spikes, 4.0), -first / 4.0)


def test_from_trains_keeps_every_time_and_count() -> None:
    spikes = given_spikes()
    assert spikes.to_lists() == TRIALS
    assert spikes.counts().tolist() == [[2, 1, 2], [0, 2, 0], [0, 0, 0]]
    assert (spikes.trials, spikes.size, spikes.duration) == (3, 3, DURATION)
    assert spikes.times.dtype == torch.float64 and spikes.offsets.dtype == torch.int64
    assert Spikes.from_trains([trains(*trial) for trial in TRIALS], DURATION).to_lists() == TRIALS


def test_a_train_is_a_view_that_carries_its_gradient() -> None:
    spikes = given_spikes()
    spikes.times.requires_grad_()
    train = spikes.train(0, 2)
    (gradient,) = torch.autograd.grad(train.square().sum(), spikes.times)
    assert train.tolist() == [2.6, 3.3]
    assert gradient.tolist() == [0.0, 0.0, 0.0, 5.2, 6.6, 0.0, 0.0]


def test_joined_populations_stand_side_by_side_in_every_trial() -> None:
    left, right = given_spikes(), given_spikes([[[9.0]], [[]], [[8.0, 8.5]]])
    left.times.requires_grad_()
    both = joined([left, right])
    assert both.to_lists() == [a + b for a, b in zip(left.to_lists(), right.to_lists(), strict=True)]
    (gradient,) = torch.autograd.grad(both.times.square().sum(), left.times)
    assert torch.equal(gradient, 2 * left.times.detach())
    assert joined([right]) is right
    assert [part.to_lists() for part in both.split([3, 1])] == [left.to_lists(), right.to_lists()]


def test_spikes_go_to_a_device_with_their_gradient() -> None:
    spikes = given_spikes()
    spikes.times.requires_grad_()
    for device in ("cpu", torch.device("cpu")):
        moved = spikes.to(device)
        assert moved.to_lists() == TRIALS and (moved.trials, moved.size, moved.duration) == (3, 3, DURATION)
        (gradient,) = torch.autograd.grad(moved.times.square().sum(), spikes.times)
        assert torch.equal(gradient, 2 * spikes.times.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_spikes_have_no_dtype_to_be_cast_to(dtype: torch.dtype) -> None:
    with pytest.raises(SpecError, match=f"`device` must be a torch device or its name, got {dtype}; times are float64"):
        given_spikes().to(dtype)  # type: ignore[arg-type]


def test_detached_spikes_pass_no_gradient_and_can_be_copied() -> None:
    """torch copies leaves only, and the spikes of a layer have a graph until they are detached."""
    emitted = first_layer()(given_spikes())
    with pytest.raises(RuntimeError, match="deepcopy protocol"):
        copy.deepcopy(emitted)
    detached = emitted.detach()
    copied = copy.deepcopy(detached)
    assert not detached.times.requires_grad and emitted.times.requires_grad
    assert copied.to_lists() == detached.to_lists() == emitted.to_lists()
    copied.times.add_(0.5)
    assert detached.to_lists() == emitted.to_lists() != copied.to_lists()


def test_spikes_can_be_pickled() -> None:
    for spikes in (given_spikes(), first_layer()(given_spikes())):
        again = pickle.loads(pickle.dumps(spikes))
        assert again.to_lists() == spikes.to_lists() and again.duration == spikes.duration
        again.check()


def test_the_repr_of_spikes_is_one_line() -> None:
    assert repr(given_spikes()) == "Spikes(3 trials x 3 neurons, 7 spikes, 16 ms, cpu)"
    assert repr(given_spikes([[[1.5]]])) == "Spikes(1 trial x 1 neuron, 1 spike, 16 ms, cpu)"


@pytest.mark.parametrize("trial", range(3))
def test_a_raster_has_a_mark_at_every_spike_of_its_trial(trial: int) -> None:
    spikes = given_spikes()
    spikes.times.requires_grad_()
    figure, ax = pyplot.subplots()
    assert spikes.plot(trial, ax) is ax
    marks = ax.lines[0].get_xydata()
    assert np.array_equal(marks, [[t, i] for i, train in enumerate(TRIALS[trial]) for t in train] or np.empty((0, 2)))
    assert (ax.get_xlim(), ax.get_ylim()) == ((0.0, DURATION), (-0.5, 2.5))
    pyplot.close(figure)


def test_a_raster_without_axes_makes_its_own() -> None:
    ax = given_spikes().plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time, ms", "neuron") and np.shape(ax.lines[0].get_xydata()) == (5, 2)
    pyplot.close("all")


@pytest.mark.parametrize("trials", [[2, 0], range(3), np.array([1, 1])], ids=str)
def test_a_raster_of_several_trials_has_them_one_above_the_other(trials: Sequence[int]) -> None:
    ax = given_spikes().plot(trials)
    rows = [[t, 3 * n + i] for n, trial in enumerate(trials) for i, train in enumerate(TRIALS[trial]) for t in train]
    assert np.array_equal(ax.lines[0].get_xydata(), rows) and ax.get_ylim() == (-0.5, 3 * len(trials) - 0.5)
    assert [label.get_text() for label in ax.get_yticklabels()] == [str(trial) for trial in trials]
    between = [float(np.ravel(line.get_ydata())[0]) for line in ax.lines[1:]]
    assert between == [3 * n - 0.5 for n in range(1, len(trials))]
    pyplot.close("all")
    with pytest.raises(SpecError, match="`trial` must be a whole number from 0 to 2, got 3"):
        given_spikes().plot([0, 3])
    with pytest.raises(SpecError, match="`trials` must be at least one trial"):
        given_spikes().plot([])


def test_a_raster_is_refused_for_no_such_trial_and_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match="`trial` must be a whole number from 0 to 2, got 3; count from 0"):
        given_spikes().plot(3)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UnsupportedError, match=r"`matplotlib` must be installed, got .*; install it with `pip install"):
        given_spikes().plot()


@pytest.mark.parametrize("chosen", [
    [[True, False, True], [True, False, True], [False, True, True]], [False, True, True], [False] * 3, [True] * 3,
], ids=["per trial", "for all trials", "none", "all"])
def test_kept_neurons_keep_their_spikes_and_their_gradient(chosen: list) -> None:
    spikes = given_spikes()
    spikes.times.requires_grad_()
    mask = torch.tensor(chosen)
    found = spikes.keep(mask)
    rows = mask.expand(3, 3).tolist()
    assert found.to_lists() == [
        [train if stays else [] for train, stays in zip(*both, strict=True)]
        for both in zip(TRIALS, rows, strict=True)
    ]
    (gradient,) = torch.autograd.grad(found.times.sum(), spikes.times)
    stays = [float(rows[b][i]) for b, trial in enumerate(TRIALS) for i, train in enumerate(trial) for _ in train]
    assert gradient.tolist() == stays


@pytest.mark.parametrize("mask", [torch.ones(3), torch.ones(2, 3, dtype=torch.bool), torch.ones(4, dtype=torch.bool)])
def test_a_mask_of_another_shape_or_type_is_refused(mask: torch.Tensor) -> None:
    with pytest.raises(SpecError, match=r"`neurons` must be boolean, of shape \[3, 3\] or \[3\], got torch"):
        given_spikes().keep(mask)


def test_a_mask_that_is_no_tensor_is_refused() -> None:
    with pytest.raises(SpecError, match="`neurons` must be a tensor on cpu, as the spikes, got list"):
        given_spikes().keep([True, False, True])  # type: ignore[arg-type]


def test_counts_on_a_grid() -> None:
    """A spike on an edge opens its step; one at the end of the trial is in the last step."""
    spikes = Spikes.from_trains([[[0.5, 1.0, 1.9], [10.0]], [[], [3.0, 3.1, 3.2]]], 10.0)
    dense = spikes.to_dense(1.0)
    assert dense.shape == (2, 10, 2) and dense.dtype == torch.float32
    expected = torch.zeros(2, 10, 2)
    expected[0, 0, 0], expected[0, 1, 0], expected[0, 9, 1], expected[1, 3, 1] = 1, 2, 1, 3
    assert torch.equal(dense, expected)
    assert spikes.to_dense(4.0).shape == (2, 3, 2) and spikes.to_dense(100.0).sum(1).tolist() == [[3, 1], [0, 3]]
    assert torch.equal(spikes.to_dense(0.7).sum(1), spikes.counts().float())


@pytest.mark.parametrize("dt", [0.1, 0.2, 0.3, 0.7])
def test_a_duration_of_whole_steps_has_no_further_one(dt: float) -> None:
    """Although `n * dt / dt` may round to more than n."""
    for n in range(1, 40):
        assert Spikes.from_trains([[[]]], n * dt).to_dense(dt).shape == (1, n, 1)


def test_a_grid_that_is_none_or_a_spike_after_the_trial_is_refused() -> None:
    with pytest.raises(SpecError, match=r"`dt` must be a finite number above 0 \(ms\)"):
        given_spikes().to_dense(0.0)
    late = Spikes(torch.tensor([9.0], dtype=torch.float64), torch.tensor([0, 1]), 1, 1, 8.0)
    with pytest.raises(SpecError, match=r"`times` must be at most `duration`, 8\.0"):
        late.to_dense(1.0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_missing_is_named() -> None:
    with pytest.raises(UnsupportedError, match=r"`device` cuda needs .*, or use the CPU"):
        given_spikes().to("cuda")
