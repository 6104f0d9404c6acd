"""`Spikes` as a container: read, chosen, joined, split, moved, copied and drawn."""

import copy
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from torch import Tensor, nn

from delayprop.fast import FirstSpikeTime, Spikes, first_spike_time, joined
from delayprop.spec import UnsupportedError
from tests.support.networks.layers import DURATION, TRIALS, first_layer, given_spikes, learned_spikes
from tests.support.refusals import assert_refused


def slopes(found: Tensor, spikes: Spikes) -> list[float]:
    return torch.autograd.grad(found, spikes.times)[0].tolist()


def test_numbers_of_a_batch_and_its_trials_one_by_one() -> None:
    spikes = given_spikes()
    assert (len(spikes), spikes.shape, spikes.device, spikes.dtype) == (3, (3, 3), torch.device("cpu"), torch.float64)
    assert (spikes.trials, spikes.size, spikes.duration, spikes.offsets.dtype) == (3, 3, DURATION, torch.int64)
    assert spikes.to_lists() == TRIALS and spikes.counts().tolist() == [[2, 1, 2], [0, 2, 0], [0, 0, 0]]
    assert repr(spikes) == "Spikes(3 trials x 3 neurons, 7 spikes, 16 ms, cpu)"
    assert repr(given_spikes([[[1.5]]])) == "Spikes(1 trial x 1 neuron, 1 spike, 16 ms, cpu)"
    assert [given_spikes(TRIALS[n:]).silent() for n in (0, 1, 2)] == [0, 2, 3]
    assert [trial.to_lists() for trial in spikes] == [[trial] for trial in TRIALS]
    with pytest.raises(IndexError):
        spikes[3]


@pytest.mark.parametrize(("chosen", "numbers"), [
    (1, [1]), (-1, [2]), (slice(0, 2), [0, 1]), (slice(None, None, 2), [0, 2]), ([2, 0, 2], [2, 0, 2]),
    (torch.tensor([1, 1]), [1, 1]), (torch.tensor([True, False, True]), [0, 2]),
], ids=str)
def test_trials_are_chosen_as_rows_of_a_tensor(chosen: Any, numbers: list[int]) -> None:
    spikes = learned_spikes()
    found = spikes[chosen]
    assert found.to_lists() == [TRIALS[n] for n in numbers] and found.duration == DURATION
    times = [numbers.count(b) for b, trial in enumerate(TRIALS) for train in trial for _ in train]
    assert slopes(found.times.sum(), spikes) == times


def test_equality_is_that_of_every_bit() -> None:
    spikes, later = given_spikes(), given_spikes()
    assert spikes == given_spikes() and spikes == spikes[:] and spikes != spikes[:2] and spikes != 3
    later.times[0] += 1e-15
    moved = Spikes(spikes.times, torch.tensor([0, 2, 3, 5, 7, 7, 7, 7, 7, 7]), 3, 3, DURATION)
    assert spikes not in (later, moved, Spikes(spikes.times, spikes.offsets, 3, 3, DURATION + 1))
    with pytest.raises(TypeError, match="unhashable"):
        hash(spikes)


def test_first_spikes_and_trains_carry_gradients() -> None:
    spikes = learned_spikes()
    first, train = spikes.first(), spikes.train(0, 2)
    assert first.tolist() == [[0.7, 1.9, 2.6], [DURATION, 0.4, DURATION], [DURATION] * 3]
    assert slopes(first.sum(), spikes) == [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0]
    assert all(torch.equal(y, -first / 4.0) for y in (first_spike_time(spikes, 4.0), FirstSpikeTime(4.0)(spikes)))
    assert train.tolist() == [2.6, 3.3] and slopes(train.square().sum(), spikes) == [0.0] * 3 + [5.2, 6.6, 0.0, 0.0]


def test_joined_populations_stand_side_by_side_in_every_trial() -> None:
    left, right = learned_spikes(), given_spikes([[[9.0]], [[]], [[8.0, 8.5]]])
    both = joined([left, right])
    assert both.to_lists() == [a + b for a, b in zip(left.to_lists(), right.to_lists(), strict=True)]
    assert slopes(both.times.square().sum(), left) == (2 * left.times.detach()).tolist()
    assert joined([right]) is right
    assert [part.to_lists() for part in both.split([3, 1])] == [left.to_lists(), right.to_lists()]


OF_TORCH: list[tuple[Callable[[Any], object], str]] = [
    (nn.ReLU(), "`relu` must be given a tensor, got `Spikes`; leave it out: layers that spike are nonlinear"),
    (nn.Dropout(0.5), r"`dropout` must be .*; `spikes.keep\(torch.rand\(spikes.shape\) >= 0.3\)` drops neurons"),
    (nn.Linear(3, 2), r"`linear` must be .*; `LIF\(pre, post\)` has weights onto its neurons"),
    (nn.BatchNorm1d(3), r"`dim` must be"), (nn.Flatten(), "`flatten` must be .*; `spikes.shape` is"),
    (lambda spikes: torch.cat([spikes, spikes]), r"`cat` must be .*; `joined\(\[spikes, ...\]\)` puts neurons side by"),
    (lambda spikes: nn.functional.cross_entropy(spikes, torch.zeros(3)), "`cross_entropy` .*; counts have no gradient"),
    (torch.mean, "`mean` must be .*; `spikes.times` are the times, "), (lambda spikes: spikes.mean(), "`mean` must be"),
]


@pytest.mark.parametrize(("call", "words"), OF_TORCH, ids=[words for _, words in OF_TORCH])
def test_a_function_of_tensors_names_what_spikes_have(call: Callable[[Any], object], words: str) -> None:
    for spikes in (given_spikes(), first_layer()(given_spikes())):
        with pytest.raises((TypeError, AttributeError), match=f"^{words}"):
            call(spikes)


def test_control_spikes_lack_attributes_as_any_object() -> None:
    assert not hasattr(given_spikes(), "mean") and torch.zeros(3) != given_spikes()
    with pytest.raises(AttributeError, match="'Spikes' object has no attribute 'tims'"):
        _ = given_spikes().tims  # type: ignore[attr-defined]


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")], ids=str)
def test_spikes_go_to_a_device_with_their_gradient(device: torch.device | str) -> None:
    spikes = learned_spikes()
    moved = spikes.to(device)
    assert moved == given_spikes()
    assert slopes(moved.times.square().sum(), spikes) == (2 * spikes.times.detach()).tolist()


def test_spikes_are_copied_once_detached_and_pickled() -> None:
    """torch copies leaves only, and the spikes of a layer have a graph until they are detached."""
    emitted = first_layer()(given_spikes())
    with pytest.raises(RuntimeError, match="deepcopy protocol"):
        copy.deepcopy(emitted)
    detached = emitted.detach()
    copied = copy.deepcopy(detached)
    assert not detached.times.requires_grad and emitted.times.requires_grad and copied == detached == emitted
    copied.times.add_(0.5)
    assert detached == emitted != copied
    for spikes in (given_spikes(), emitted):
        assert pickle.loads(pickle.dumps(spikes)) == spikes


@pytest.mark.parametrize("chosen", [
    [[True, False, True], [True, False, True], [False, True, True]], [False, True, True], [False] * 3, [True] * 3,
], ids=["per trial", "for all trials", "none", "all"])
def test_kept_neurons_keep_their_spikes_and_their_gradient(chosen: list) -> None:
    spikes, mask = learned_spikes(), torch.tensor(chosen)
    found, rows = spikes.keep(mask), mask.expand(3, 3).tolist()
    assert found.to_lists() == [[train if stays else [] for train, stays in zip(*both, strict=True)]
                                for both in zip(TRIALS, rows, strict=True)]
    stays = [float(rows[b][i]) for b, trial in enumerate(TRIALS) for i, train in enumerate(trial) for _ in train]
    assert slopes(found.times.sum(), spikes) == stays


@pytest.mark.parametrize("chosen", [0, 1, 2, [2, 0], range(3), np.array([1, 1])], ids=str)
def test_a_picture_of_trials(chosen: int | Sequence[int]) -> None:
    ax, trials = pyplot.subplots()[1], np.ravel(chosen)
    assert learned_spikes().plot(chosen, ax) is ax
    rows = [[t, 3 * n + i] for n, trial in enumerate(trials) for i, train in enumerate(TRIALS[trial]) for t in train]
    assert np.array_equal(ax.lines[0].get_xydata(), rows or np.empty((0, 2)))
    assert (ax.get_xlim(), ax.get_ylim()) == ((0.0, DURATION), (-0.5, 3 * len(trials) - 0.5))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert isinstance(chosen, int) or labels == [str(trial) for trial in trials]
    between = [float(np.ravel(line.get_ydata())[0]) for line in ax.lines[1:]]
    assert between == [3 * n - 0.5 for n in range(1, len(trials))]
    pyplot.close("all")


def test_a_picture_makes_its_own_axes_and_needs_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    ax = given_spikes().plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time, ms", "neuron") and np.shape(ax.lines[0].get_xydata()) == (5, 2)
    pyplot.close("all")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    words = r"`matplotlib` must be installed, got .*; install it with `pip install"
    assert_refused(lambda: given_spikes().plot(), words, UnsupportedError)
