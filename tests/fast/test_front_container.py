"""`Spikes` as a container of trials, and made of tensors, events and rasters."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from delayprop.fast import Spikes
from delayprop.spec import SpecError
from tests.support.networks.layers import DURATION, TRIALS, first_layer, given_spikes


def test_it_has_a_length_a_shape_a_device_and_a_dtype() -> None:
    spikes = given_spikes()
    assert (len(spikes), spikes.shape, spikes.device, spikes.dtype) == (3, (3, 3), torch.device("cpu"), torch.float64)
    assert repr(spikes) == "Spikes(3 trials x 3 neurons, 7 spikes, 16 ms, cpu)"


@pytest.mark.parametrize(("chosen", "numbers"), [
    (1, [1]), (-1, [2]), (slice(0, 2), [0, 1]), (slice(None, None, 2), [0, 2]), ([2, 0, 2], [2, 0, 2]),
    (torch.tensor([1, 1]), [1, 1]), (torch.tensor([True, False, True]), [0, 2]),
], ids=str)
def test_trials_are_chosen_as_rows_of_a_tensor(chosen: Any, numbers: list[int]) -> None:
    spikes = given_spikes()
    spikes.times.requires_grad_()
    found = spikes[chosen]
    assert found.to_lists() == [TRIALS[n] for n in numbers] and found.duration == DURATION
    (gradient,) = torch.autograd.grad(found.times.sum(), spikes.times)
    times = [numbers.count(b) for b, trial in enumerate(TRIALS) for train in trial for _ in train]
    assert gradient.tolist() == times


def test_it_is_iterated_trial_by_trial() -> None:
    assert [trial.to_lists() for trial in given_spikes()] == [[trial] for trial in TRIALS]


@pytest.mark.parametrize("end", [0.3, 2.6, 4.1, 16.0, 20.0])
def test_trials_are_cut_at_a_time_that_the_user_names(end: float) -> None:
    """A spike at that time stays; gradients reach those that stay."""
    spikes = given_spikes()
    spikes.times.requires_grad_()
    found = spikes.until(end)
    assert found.to_lists() == [[[t for t in train if t <= end] for train in trial] for trial in TRIALS]
    assert found.duration == end and found.shape == spikes.shape
    (gradient,) = torch.autograd.grad(found.times.sum(), spikes.times)
    assert gradient.tolist() == [float(t <= end) for trial in TRIALS for train in trial for t in train]
    with pytest.raises(SpecError, match="`duration` must be a finite number above 0"):
        spikes.until(0.0)


def test_a_spike_after_the_end_is_refused_by_what_makes_spikes_of_data() -> None:
    """A spike at the end is none of them, nor is a time that moved there."""
    late = [[[1.0, 8.0], []], [[], [3.0, 8.5]]]
    with pytest.raises(SpecError, match=(
        r"`times` must be at most `duration`, 8 \(ms\), got 8.5, of neuron 1 in trial 1; give the `unit` of the times, "
        r"or a longer `duration`; `.until\(8\)` then cuts the trials"
    )):
        Spikes.from_trains(late, 8.0)
    events = [8.5, 1.0, 3.0, 8.0], [1, 0, 1, 0], [1, 0, 1, 0]
    with pytest.raises(SpecError, match=r"got 8.5, of neuron 1 in trial 1"):
        Spikes.from_events(*events, size=2, duration=8.0)
    with pytest.raises(SpecError, match=r"at most `duration`, 8 \(ms\), got 1000, of neuron 0 in trial 0"):
        Spikes.from_events([1.0], [0], size=2, duration=8.0, unit="s")
    assert Spikes.from_trains(late, 9.0).until(8.0) == Spikes.from_events(*events, size=2, duration=8.5).until(8.0)
    assert Spikes.from_trains(late, 8.5).to_lists() == late
    moved = Spikes.from_trains(late, 8.5)
    moved.times[1] += 5.0
    moved.check()


def test_a_trial_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        given_spikes()[3]
    with pytest.raises(SpecError, match="`trials` must be at least one trial, got none"):
        given_spikes()[1:1]


def test_equality_is_that_of_every_bit() -> None:
    spikes = given_spikes()
    assert spikes == given_spikes() and spikes == spikes[:] and spikes != spikes[:2] and spikes != 3
    later = given_spikes()
    with torch.no_grad():
        later.times[0] += 1e-15
    assert later != spikes
    assert Spikes(spikes.times, spikes.offsets, 3, 3, DURATION + 1) != spikes
    moved = Spikes(spikes.times, torch.tensor([0, 2, 3, 5, 7, 7, 7, 7, 7, 7]), 3, 3, DURATION)
    assert moved != spikes
    with pytest.raises(TypeError, match="unhashable"):
        hash(spikes)


def test_trains_may_be_tensors_that_carry_gradients() -> None:
    leaves = [torch.tensor(train, dtype=torch.float64, requires_grad=True) for trial in TRIALS for train in trial]
    spikes = Spikes.from_trains([leaves[n : n + 3] for n in (0, 3, 6)], DURATION)
    assert spikes == given_spikes()
    first_layer()(spikes).times.sum().backward()
    assert all(leaf.grad is not None for leaf in leaves)
    mixed = Spikes.from_trains([[[1.0], torch.tensor([2.0, 3.0]), np.array([4.0])]], 9.0)
    assert mixed.to_lists() == [[[1.0], [2.0, 3.0], [4.0]]]
    with pytest.raises(SpecError, match=r"`trials\[0\]"):
        Spikes.from_trains([[torch.tensor([2.0, 1.0])]], 9.0)


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
    events = Spikes.from_events([3.0 * scale, 2.0 * scale], [0, 1], size=2, duration=10.0, unit=unit)
    trains = Spikes.from_trains([[[3.0 * scale], [2.0 * scale]]], 10.0, unit=unit)
    for spikes in (events, trains):
        assert spikes.times.tolist() == pytest.approx([3.0, 2.0], rel=1e-15) and spikes.duration == 10.0


WRONG: dict[str, tuple[dict, str]] = {
    "neuron": ({"neurons": [0, 2]}, r"`neurons\[1\]` must be from 0 to 1, got 2"),
    "trial": ({"trials": [0, -1]}, r"`trials\[1\]` must be from 0 to"),
    "lengths": ({"neurons": [0]}, r"`neurons` must be whole numbers, one per time"),
    "floats": ({"neurons": [0.0, 1.0]}, r"`neurons` must be whole numbers"),
    "float array": ({"neurons": np.array([0.0, 1.5])}, r"`neurons` must be whole numbers"),
    "unit": ({"unit": "min"}, "`unit` must be one of"),
    "time": ({"times": [1.0, -2.0]}, r"`times\[.\]` must be finite and at least 0"),
    "nan": ({"times": [1.0, float("nan")]}, r"`times\[.\]` must be finite"),
    "size": ({"size": 0}, "`size` must be a whole number from 1"),
}


@pytest.mark.parametrize(("changed", "words"), WRONG.values(), ids=WRONG.keys())
def test_events_out_of_range_are_named(changed: dict, words: str) -> None:
    plain: dict[str, Any] = {"times": [1.0, 2.0], "neurons": [0, 1], "trials": [0, 0], "size": 2, "duration": 5.0}
    with pytest.raises(SpecError, match=words):
        Spikes.from_events(**{**plain, **changed})


@pytest.mark.parametrize("dt", [0.1, 0.7, 1.0, 3.0])
def test_a_raster_comes_back_from_its_spikes(dt: float) -> None:
    raster = torch.poisson(torch.full((2, 50, 3), 0.4), generator=torch.Generator().manual_seed(0))
    spikes = Spikes.from_dense(raster, dt)
    assert torch.equal(spikes.to_dense(dt), raster) and spikes.duration == pytest.approx(50 * dt)
    assert Spikes.from_dense(torch.tensor([[[0.0], [2.0]]]), 4.0).to_lists() == [[[6.0, 6.0]]]


@pytest.mark.parametrize(("raster", "words"), [
    (torch.zeros(3, 4), r"`raster` must be of shape \[trials, steps, neurons\], got \[3, 4\]"),
    (torch.tensor([[[0.0], [0.5]]]), r"`raster\[0, 1, 0\]` must be a whole number of at least 0, got 0.5"),
    (torch.tensor([[[-1]]]), r"`raster\[0, 0, 0\]` must be a whole number"),
    (torch.full((1, 1, 1), torch.nan), r"`raster\[0, 0, 0\]` must be a whole number"),
], ids=["shape", "half", "negative", "nan"])
def test_what_is_no_raster_is_refused(raster: torch.Tensor, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        Spikes.from_dense(raster, 1.0)


TRANSPOSED = {
    "time first": ((100, 8, 3), None, r"\[100, 8, 3\], so 100 trials of 8 ms; .*; `batch=100` conf"),
    "time last": ((8, 3, 100), None, r"\[8, 3, 100\], so 8 trials of 3 ms; .* `.swapaxes\(1, 2\)` if it comes last"),
    "one trial, time first": ((60, 1, 1), None, "so 60 trials of 1 ms; give `raster.swapaxes"),
    "another batch": ((100, 32, 3), 32, r"32 trials, as `batch`, got \[100, 32, 3\]"),
}


@pytest.mark.parametrize(("shape", "batch", "words"), TRANSPOSED.values(), ids=TRANSPOSED.keys())
def test_a_raster_that_is_evidently_transposed_is_refused(
    shape: tuple[int, ...], batch: int | None, words: str
) -> None:
    raster = torch.zeros(shape)
    with pytest.raises(SpecError, match=f"`raster` must be of .*{words}"):
        Spikes.from_dense(raster, 1.0, batch)
    assert Spikes.from_dense(raster, 1.0, len(raster)).shape == (shape[0], shape[2]), "a batch confirms the order"
    axes = (1, 2) if shape[2] == 100 else (0, 1)
    assert Spikes.from_dense(raster.swapaxes(*axes), 1.0).duration == max(shape)


@pytest.mark.parametrize("shape", [(256, 100, 700), (1000, 30, 5), (1, 1, 1), (2, 5, 3)])
def test_a_raster_of_trials_of_usual_length_is_taken(shape: tuple[int, ...]) -> None:
    assert Spikes.from_dense(torch.zeros(shape), 1.0).shape == (shape[0], shape[2])


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
