"""The numbers that the benchmarks print: medians of steps, times of a part scaled to all."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.bare_loop import BIN, SIDE_BY_SIDE, gather, scatter
from benchmarks.sizes import DEFAULTS
from benchmarks.step import Times, timed
from benchmarks.workloads import build
from benchmarks.yardstick import yardstick


def test_a_time_is_the_median_of_steps_without_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward and backward seconds of four steps: the first warms up, the last is disturbed."""
    clock = [0.0]
    halves = iter([9.0, 9.0, 1.0, 4.0, 2.0, 5.0, 30.0, 60.0])
    monkeypatch.setattr("benchmarks.step.time.perf_counter", lambda: clock[0])

    class Loss(torch.Tensor):
        def __init__(self) -> None:
            clock[0] += next(halves)

        def backward(self, *_: object) -> None:
            clock[0] += next(halves)

    assert timed(torch.nn.Module(), Loss, 3) == Times(7.0, 2.0, 5.0)


def test_a_yardstick_of_few_trials_is_scaled_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.yardstick.MOST_FLOATS", 0)
    monkeypatch.setattr("benchmarks.yardstick.timed", lambda *_: Times(2.0, 0.5, 1.5))
    found = yardstick(build(replace(DEFAULTS["yin-yang"], batch=6, hidden=8)), 1)
    assert (found["trials_run"], found["trials"], found["scaled_by"], found["seconds_run"]) == (1, 6, 6, 2.0)
    assert [found[name] for name in ("seconds", "seconds_forward", "seconds_backward")] == [12.0, 3.0, 9.0]


def test_the_bare_loop_writes_and_reads_each_arrival() -> None:
    """A spike at 3 ms meets delays of 0, 1, 2, ... ms in a ring of 8 bins."""
    lanes = np.arange(SIDE_BY_SIDE)
    sent, delay = np.array([3 << int(BIN)], np.uint32), (lanes[np.newaxis] << int(BIN)).astype(np.uint32)
    w, sums = np.ones((1, SIDE_BY_SIDE), np.float32), np.zeros((1, SIDE_BY_SIDE, 2), np.float32)
    ring = np.zeros((8 * SIDE_BY_SIDE, 4), np.float32)
    scatter(sent, np.zeros(1, np.int32), delay, w, ring, np.uint32(7))
    expected = np.zeros((8, SIDE_BY_SIDE, 4))
    expected[(3 + lanes) % 8, lanes] = 1.0, 0.5, 0.25, 1.0
    assert np.array_equal(ring.reshape(expected.shape), expected)
    gather(sent, np.zeros(1, np.int32), delay, sums, ring, np.uint32(7))
    assert np.array_equal(sums, np.broadcast_to([1.0, 0.5], sums.shape))
