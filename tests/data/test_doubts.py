"""Data that are possible, but rarely meant, are doubted in words."""

from __future__ import annotations

import numpy as np
import pytest

from delayprop.fast.data.spike_data import SpikeData, doubts


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
