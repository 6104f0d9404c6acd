"""Trials in memory: pooled channels lose no spike, and data that are rarely meant are doubted."""

import math

import numpy as np
import pytest

from delayprop.fast.data.augment import Augmentation
from delayprop.fast.data.batches import Batches
from delayprop.fast.data.spike_data import SpikeData, doubts

DURATION = 100.0


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
