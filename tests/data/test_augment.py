"""Trials in memory: pooled channels, doubted data; the effect of each augmentation, by the seed."""

import math
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from delayprop.fast.data.augment import Augmentation, by_class
from delayprop.fast.data.batches import Batches
from delayprop.fast.data.spike_data import SpikeData, doubts

DURATION, CHANNELS = 100.0, 40
RANDOM = np.random.default_rng(5)
DATA = SpikeData(
    [np.sort(RANDOM.uniform(20, 60, 30)) for _ in range(12)], [RANDOM.integers(10, 30, 30) for _ in range(12)],
    np.arange(12) % 3, CHANNELS, 3,
)
EVERY = Augmentation(4, 0.2, 0.3, 0.5, 0.1, move=5.0)


def trial(augmentation: Augmentation, n: int, seed: int = 0, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
    times, units, _ = augmentation.trial(DATA, by_class(DATA), n, seed, epoch, DURATION)
    assert len(times) == len(units) and (np.diff(times) >= 0).all()
    return times, units


def test_added_blends_are_further_trials_of_each_epoch() -> None:
    """They are blends of two trials of their class, others in each epoch; the trials stay."""
    augmentation = Augmentation(more=0.5)
    batches = Batches(DATA, DURATION, 4, augmentation, seed=3)
    assert augmentation.trials(DATA) == 18 and batches.per_epoch == 5
    for epoch in range(2):
        numbers = np.concatenate([batches.trials(5 * epoch + n) for n in range(5)])
        assert sorted(numbers.tolist()) == list(range(18))
    added = [augmentation.trial(DATA, by_class(DATA), 15, 3, epoch, DURATION) for epoch in range(30)]
    assert {label for _, _, label in added} == {0, 1, 2} and len({times.tobytes() for times, _, _ in added}) == 30
    counts = [len(times) for times, _, _ in added]  # half of 30 and half of 30 spikes
    assert 15 < min(counts) < max(counts) < 45 and 27 < sum(counts) / 30 < 33
    labels = torch.cat([batches[n][1] for n in range(5)])
    assert len(labels) == 18 and labels.bincount(minlength=3).min() >= 4


def test_a_bias_spikes_at_0_in_every_trial_and_late_spikes_are_cut() -> None:
    data = replace(DATA.until(40.0), bias=True, pool=4)
    spikes, _ = data.batch(np.arange(12), 40.0)
    assert data.inputs == spikes.size == 11 and all(times.max() <= 40 for times in data.times)
    assert all(spikes.train(n, 10).tolist() == [0.0] for n in range(12))
    assert int(spikes.counts()[:, :10].sum()) == sum(int((times <= 40).sum()) for times in DATA.times)


def test_nothing_asked_for_changes_nothing() -> None:
    times, units = trial(Augmentation(), 3)
    assert (times == DATA.times[3]).all() and (units == DATA.units[3]).all()


def test_a_shift_moves_all_channels_alike_and_no_time() -> None:
    moved = set()
    for epoch in range(40):
        times, units = trial(Augmentation(shift=4), 3, epoch=epoch)
        assert (times == DATA.times[3]).all() and len(set((units - DATA.units[3]).tolist())) == 1
        moved.add(int(units[0] - DATA.units[3][0]))
    assert moved == set(range(-4, 5))


def test_a_spread_stretches_channels_about_their_mean_and_moves_no_time() -> None:
    factors, offsets = [], []
    for epoch in range(200):
        times, units = trial(Augmentation(spread=0.4), 3, epoch=epoch)
        own, mean = DATA.units[3], DATA.units[3].mean()
        assert (times == DATA.times[3]).all()
        factor, offset = np.polyfit(own - mean, units - mean, 1)
        assert np.abs(units - mean - factor * (own - mean)).max() < 1.1, "each within half a channel, and the fit"
        assert 1 / 1.45 < factor < 1.45
        factors.append(factor)
        offsets.append(offset)
    assert np.mean(offsets) == pytest.approx(0.0, abs=0.05), "rounded to the nearest channel, not towards 0"
    assert np.ptp(factors) > 0.5 and np.mean(np.array(factors) > 1) == pytest.approx(0.5, abs=0.12)


def test_what_leaves_the_channels_or_the_trial_is_gone() -> None:
    for epoch in range(20):
        times, units = trial(Augmentation(shift=25, spread=1.0, stretch=1.0), 3, epoch=epoch)
        assert len(units) == 0 or (0 <= units.min() and units.max() < CHANNELS and times.max() <= DURATION)
    assert min(len(trial(Augmentation(shift=25), 3, epoch=epoch)[0]) for epoch in range(20)) < 30


def test_a_move_is_one_time_and_loses_what_leaves_the_trial() -> None:
    moves = []
    for epoch in range(100):
        times, units = trial(Augmentation(move=15.0), 3, epoch=epoch)
        assert np.array_equal(units, DATA.units[3]) and np.ptp(times - DATA.times[3]) < 1e-12
        moves.append(times[0] - DATA.times[3][0])
    assert -15 < min(moves) < -12 and 12 < max(moves) < 15
    lost = 0
    for epoch, move in enumerate(moves):  # four times as far, by the same draw
        times, units = trial(Augmentation(move=60.0), 3, epoch=epoch)
        moved = DATA.times[3] + 4 * move
        stays = (moved >= 0) & (moved <= DURATION)
        assert np.array_equal(units, DATA.units[3][stays]) and np.allclose(times, moved[stays])
        lost += not stays.all()
    assert 20 < lost < 100


def test_a_stretch_is_one_factor_as_often_longer_as_shorter() -> None:
    factors = []
    for epoch in range(200):
        times, units = trial(Augmentation(stretch=0.3), 3, epoch=epoch)
        kept = len(times)
        assert (units == DATA.units[3][:kept]).all()
        ratio = times / DATA.times[3][:kept]
        assert np.ptp(ratio) < 1e-12 and 1 / 1.3 <= ratio[0] <= 1.3
        factors.append(ratio[0])
    assert np.mean(np.array(factors) > 1) == pytest.approx(0.5, abs=0.12)


def test_a_blend_lies_half_way_and_is_of_the_same_class() -> None:
    """Each spike is from one of two trials, moved by half the distance of their centres of mass."""
    partners = set()
    for epoch in range(60):
        times, units = trial(Augmentation(blend=1.0), 3, epoch=epoch)
        for other in range(12):
            dt = (DATA.times[other].mean() - DATA.times[3].mean()) / 2
            du = round((DATA.units[other].mean() - DATA.units[3].mean()) / 2)
            own = {(round(t + dt, 9), u + du) for t, u in zip(DATA.times[3], DATA.units[3], strict=True)}
            its = {(round(t - dt, 9), u - du) for t, u in zip(DATA.times[other], DATA.units[other], strict=True)}
            if {(round(t, 9), u) for t, u in zip(times, units, strict=True)} <= own | its:
                partners.add(other)
                break
        else:
            pytest.fail("spikes must come from two trials")
    assert partners == {0, 6, 9}, "partners are the other trials of its class"


def test_drop_loses_that_share() -> None:
    kept = [len(trial(Augmentation(drop=0.2), n, epoch=epoch)[0]) for n in range(12) for epoch in range(50)]
    assert np.mean(kept) / 30 == pytest.approx(0.8, abs=0.01)


def test_what_is_drawn_follows_from_seed_epoch_and_trial() -> None:
    first = trial(EVERY, 3, 1, 2)
    trial(EVERY, 7, 1, 2)
    assert all((a == b).all() for a, b in zip(first, trial(EVERY, 3, 1, 2), strict=True))
    for other in (trial(EVERY, 3, 1, 3), trial(EVERY, 3, 2, 2), trial(EVERY, 6, 1, 2)):
        assert len(other[0]) != len(first[0]) or (other[0] != first[0]).any()
    alike = replace(DATA, times=[DATA.times[0]] * 12, units=[DATA.units[0]] * 12)
    drawn = [
        Augmentation(stretch=0.3).trial(alike, by_class(alike), n, seed, epoch, DURATION)[0][0]
        for seed in range(4) for epoch in range(4) for n in range(12)
    ]
    assert len(set(drawn)) == len(drawn), "of equal trials too, each has a draw of its own"


@pytest.mark.full
def test_batches_are_a_dataset_whose_workers_change_nothing() -> None:
    here, ahead = (Batches(DATA, DURATION, 5, EVERY, 3, workers) for workers in (0, 2))
    late = here[4]
    for number in [2, 3, 4, 5, 1]:
        (spikes, labels), (other, other_labels) = here[number], ahead.take(number, 6)
        assert (spikes.times == other.times).all() and (spikes.offsets == other.offsets).all()
        assert (labels == other_labels).all()
    assert (late[0].times == here[4][0].times).all()
    assert sorted(n for number in range(3) for n in here.trials(number)) == list(range(12))
    assert {len(here.trials(number)) for number in range(3)} == {4}
    loader = weakref.ref(ahead._loader)
    del ahead
    assert loader() is None, "it ends its workers now, not at some garbage collection"


@pytest.mark.parametrize(("channels", "pool"), [(7, 3), (700, 1), (70_000, 200)])
def test_pooled_channels_become_one_neuron(channels: int, pool: int) -> None:
    """Of seven channels the last neuron has one. The larger numbers need more than 8 or 16 bits."""
    random = np.random.default_rng(0)
    times = [np.sort(random.uniform(0, DURATION, 40)) for _ in range(3)]
    units = [random.integers(0, channels, 40) for _ in range(3)]
    data = SpikeData(times, units, np.array([0, 1, 0]), channels, 2, pool=pool)
    spikes, labels = data.batch(np.array([2, 1]), DURATION)
    assert spikes.size == data.inputs == math.ceil(channels / pool) and labels.tolist() == [0, 1]
    for n, trial in enumerate((2, 1)):
        for neuron in range(spikes.size):
            own = np.isin(units[trial], range(pool * neuron, pool * (neuron + 1)))
            assert spikes.train(n, neuron).tolist() == times[trial][own].tolist()
    assert data.where(np.array([True, False, True])).pool == pool


def test_channels_are_shifted_before_they_are_pooled() -> None:
    channels = np.arange(2, 10)
    data = SpikeData([np.arange(8.0)] * 40, [channels] * 40, np.zeros(40, int), 12, 1, pool=3)
    spikes, _ = Batches(data, DURATION, 40, Augmentation(shift=2), 0)[0]
    found = {tuple(row) for row in spikes.counts().tolist()}
    assert found == {tuple(np.bincount((channels + shift) // 3, minlength=4).tolist()) for shift in range(-2, 3)}


@pytest.mark.parametrize("duration", [0.9, 70_000.0])
def test_odd_durations_and_numbers_from_1_raise_doubts(duration: float) -> None:
    from_1 = SpikeData([np.array([1.0])], [np.array([1])], np.array([2]), 4, 3)
    assert doubts(from_1, duration) == [
        f"a trial lasts {duration:.4g} ms: did its times come in another unit? Files hold seconds",
        "the smallest label of the training trials is 2: they count from 0",
        "the smallest channel of the training trials is 1: they count from 0",
    ]
    from_0 = SpikeData([np.array([1.0]), np.array([])], [np.array([0]), np.array([], int)], np.array([2, 0]), 4, 3)
    assert doubts(from_0, 60_000.0) == []
