"""`Spikes`: read, chosen, joined, split, moved, copied, drawn; made of trains, events, rasters."""

import copy
import itertools
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot
from torch import Tensor, nn

from delayprop.fast import FirstSpikeTime, Spikes, first_spike_time, joined
from delayprop.spec import UnsupportedError
from tests.support.networks.layers import DURATION, TRIALS, first_layer, given_spikes, learned_spikes, trains
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


def test_trains_of_the_specification_and_of_tensors() -> None:
    assert Spikes.from_trains([trains(*trial) for trial in TRIALS], DURATION) == given_spikes()
    leaves = [torch.tensor(train, dtype=torch.float64, requires_grad=True) for trial in TRIALS for train in trial]
    spikes = Spikes.from_trains([leaves[n : n + 3] for n in (0, 3, 6)], DURATION)
    assert spikes == given_spikes()
    first_layer()(spikes).times.sum().backward()
    assert all(leaf.grad is not None for leaf in leaves)
    mixed = Spikes.from_trains([[[1.0], torch.tensor([2.0, 3.0]), np.array([4.0])]], 9.0)
    assert mixed.to_lists() == [[[1.0], [2.0, 3.0], [4.0]]]


events = st.lists(st.tuples(st.floats(0, 16), st.integers(0, 2), st.integers(0, 3)), max_size=20)


@given(events)
def test_events_in_any_order_become_trains(found: list[tuple[float, int, int]]) -> None:
    times, neurons, trials = (np.array(column) for column in zip(*found)) if found else (np.empty(0),) * 3
    neurons, trials = neurons.astype(int), trials.astype(int)
    spikes = Spikes.from_events(times, neurons, trials, size=3, duration=16.0, batch=4)
    for b, i in itertools.product(range(4), range(3)):
        assert spikes.train(b, i).tolist() == sorted(t for t, neuron, trial in found if (trial, neuron) == (b, i))


def test_events_carry_gradients_and_need_no_trials() -> None:
    times = torch.tensor([5.0, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
    spikes = Spikes.from_events(times, torch.tensor([1, 0, 1]), size=2, duration=10.0)
    assert spikes.to_lists() == [[[1.0], [3.0, 5.0]]]
    (gradient,) = torch.autograd.grad((spikes.times * torch.tensor([1.0, 10.0, 100.0])).sum(), times)
    assert gradient.tolist() == [100.0, 1.0, 10.0]
    assert Spikes.from_events([1.0], [0], [2], size=1, duration=5.0).trials == 3


@pytest.mark.parametrize(("unit", "scale"), [("ms", 1.0), ("s", 1e-3), ("us", 1e3)])
def test_times_may_come_in_other_units(unit: str, scale: float) -> None:
    made = Spikes.from_events([3.0 * scale, 2.0 * scale], [0, 1], size=2, duration=10.0, unit=unit)
    for spikes in (made, Spikes.from_trains([[[3.0 * scale], [2.0 * scale]]], 10.0, unit=unit)):
        assert spikes.times.tolist() == pytest.approx([3.0, 2.0], rel=1e-15) and spikes.duration == 10.0


@pytest.mark.parametrize("end", [0.3, 2.6, 4.1, 16.0, 20.0])
def test_trials_are_cut_at_a_time_that_the_user_names(end: float) -> None:
    """A spike at that time stays; gradients reach those that stay."""
    spikes = learned_spikes()
    found = spikes.until(end)
    assert found.to_lists() == [[[t for t in train if t <= end] for train in trial] for trial in TRIALS]
    assert found.duration == end and found.shape == spikes.shape
    (gradient,) = torch.autograd.grad(found.times.sum(), spikes.times)
    assert gradient.tolist() == [float(t <= end) for trial in TRIALS for train in trial for t in train]


def test_a_spike_after_the_end_is_refused() -> None:
    late, events = [[[1.0, 8.0], []], [[], [3.0, 8.5]]], ([8.5, 1.0, 3.0, 8.0], [1, 0, 1, 0], [1, 0, 1, 0])
    words = r"`times` must be at most `duration`, 8 \(ms\), got 8.5, of neuron 1 in trial 1; give the `unit` of the "
    words += r"times, or a longer `duration`; `.until\(8\)` then cuts the trials"
    assert_refused(lambda: Spikes.from_trains(late, 8.0), words)
    assert_refused(lambda: Spikes.from_events(*events, size=2, duration=8.0), words)
    words = r"at most `duration`, 8 \(ms\), got 1000, of neuron 0 in trial 0"
    assert_refused(lambda: Spikes.from_events([1.0], [0], size=2, duration=8.0, unit="s"), words)
    assert Spikes.from_trains(late, 9.0).until(8.0) == Spikes.from_events(*events, size=2, duration=8.5).until(8.0)
    moved = Spikes.from_trains(late, 8.5)
    assert moved.to_lists() == late
    moved.times[1] += 5.0
    moved.check()


@pytest.mark.parametrize("dt", [0.1, 0.7, 1.0, 3.0])
def test_a_raster_comes_back_from_its_spikes(dt: float) -> None:
    raster = torch.poisson(torch.full((2, 50, 3), 0.4), generator=torch.Generator().manual_seed(0))
    spikes = Spikes.from_dense(raster, dt)
    assert torch.equal(spikes.to_dense(dt), raster) and spikes.duration == pytest.approx(50 * dt)
    assert Spikes.from_dense(torch.tensor([[[0.0], [2.0]]]), 4.0).to_lists() == [[[6.0, 6.0]]]


TRANSPOSED = {
    "time first": ((100, 8, 3), None, r"\[100, 8, 3\], so 100 trials of 8 ms; .*; `batch=100` conf"),
    "time last": ((8, 3, 100), None, r"\[8, 3, 100\], so 8 trials of 3 ms; .* `.swapaxes\(1, 2\)` if it comes last"),
    "one trial, time first": ((60, 1, 1), None, "so 60 trials of 1 ms; give `raster.swapaxes"),
    "another batch": ((100, 32, 3), 32, r"32 trials, as `batch`, got \[100, 32, 3\]"),
}


@pytest.mark.parametrize(("shape", "batch", "words"), TRANSPOSED.values(), ids=TRANSPOSED.keys())
def test_a_transposed_raster_is_refused(shape: tuple[int, ...], batch: int | None, words: str) -> None:
    raster = torch.zeros(shape)
    assert_refused(lambda: Spikes.from_dense(raster, 1.0, batch), f"`raster` must be of .*{words}")
    assert Spikes.from_dense(raster, 1.0, len(raster)).shape == (shape[0], shape[2]), "a batch confirms the order"
    axes = (1, 2) if shape[2] == 100 else (0, 1)
    assert Spikes.from_dense(raster.swapaxes(*axes), 1.0).duration == max(shape)


@pytest.mark.parametrize("shape", [(30, 25, 40), (100, 30, 5), (1, 1, 1), (2, 5, 3)])
def test_a_raster_of_trials_of_usual_length_is_taken(shape: tuple[int, ...]) -> None:
    assert Spikes.from_dense(torch.zeros(shape), 1.0).shape == (shape[0], shape[2])


def test_counts_on_a_grid() -> None:
    """A spike on an edge opens its step; one at the end of the trial is in the last step."""
    spikes = Spikes.from_trains([[[0.5, 1.0, 1.9], [10.0]], [[], [3.0, 3.1, 3.2]]], 10.0)
    dense, expected = spikes.to_dense(1.0), torch.zeros(2, 10, 2)
    expected[0, 0, 0], expected[0, 1, 0], expected[0, 9, 1], expected[1, 3, 1] = 1, 2, 1, 3
    assert torch.equal(dense, expected) and dense.dtype == torch.float32
    assert spikes.to_dense(4.0).shape == (2, 3, 2) and spikes.to_dense(100.0).sum(1).tolist() == [[3, 1], [0, 3]]
    assert torch.equal(spikes.to_dense(0.7).sum(1), spikes.counts().float())


@pytest.mark.parametrize("dt", [0.1, 0.2, 0.3, 0.7])
def test_a_duration_of_whole_steps_has_no_further_one(dt: float) -> None:
    """Although `n * dt / dt` may round to more than n."""
    for n in range(1, 40):
        assert Spikes.from_trains([[[]]], n * dt).to_dense(dt).shape == (1, n, 1)


def test_a_duration_in_seconds_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"`duration` is 0\.05 ms, which looks like seconds: .* 0\.05 s are 50"):
        Spikes.from_trains([[[0.01]]], 0.05)


@pytest.mark.parametrize("unit", ["us", "ms", "s"])
def test_spikes_that_are_all_very_early_are_warned_of(unit: str, recwarn: pytest.WarningsRecorder) -> None:
    """Trials of 0.9 s, of which the times are in ms."""
    times = np.linspace(0.0, 800.0, 50) / {"us": 1.0, "ms": 1.0, "s": 1000.0}[unit]
    made = Spikes.from_events(times, np.zeros(50, int), size=1, duration=900.0, unit=unit)
    words = "all spikes lie in the first 0.8 of 900 ms: is `unit` the unit of their times?"
    assert [str(warning.message) for warning in recwarn] == ([words] if unit == "us" else [])
    Spikes.from_events(np.full(9, 0.1), np.zeros(9, int), size=1, duration=900.0)
    Spikes.from_events(np.zeros(50), np.zeros(50, int), size=1, duration=900.0)
    assert len(recwarn) == (unit == "us"), "few spikes may be early, and many at 0"
    assert all(warning.filename == __file__ for warning in recwarn), "the line of the user"
    assert len(made.times) == 50
