"""The numbers that the benchmarks print: medians of steps, times of a part scaled to all."""

from dataclasses import replace

import pytest
import torch

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
