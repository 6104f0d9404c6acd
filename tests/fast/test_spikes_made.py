"""`Spikes` made of trains, events and rasters, cut, and put on a grid."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from delayprop.fast import Spikes
from tests.support.networks.layers import DURATION, TRIALS, first_layer, given_spikes, learned_spikes, trains
from tests.support.refusals import assert_refused


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
