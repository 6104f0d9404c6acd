"""Memory between the passes of a step: constant per spike, independent of the trial's length."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from delayprop.fast import LIF, Spikes
from tests.support.report_evidence import Measured

EVEN = 0.1  # relative tolerance of the bytes per further spike
CHANNELS, NEURONS, GIVEN, ACTIVE = 50, 50, 10, 500.0  # spikes per channel and trial, and ms


def kept_bytes(step: Any) -> int:
    seen, todo = dict[int, int](), [step]
    while todo:
        match todo.pop():
            case torch.Tensor() as tensor:
                seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            case np.ndarray(base=np.ndarray() as base):
                todo.append(base)
            case np.ndarray() as array:
                seen[array.ctypes.data] = array.nbytes
            case tuple() | list() as several:
                todo += several
            case thing:
                todo += getattr(thing, "__dict__", {}).values()
                todo += (getattr(thing, name) for name in getattr(thing, "__slots__", ()))
    return sum(seen.values())


def step(trials: int, duration: float = ACTIVE, besides: Any = None) -> tuple[int, int]:
    """Spikes in and out of a layer, bytes held for its backward pass, and bytes of `besides`."""
    rng = np.random.default_rng(0)
    given = [[np.sort(rng.uniform(0, ACTIVE, GIVEN)) for _ in range(CHANNELS)] for _ in range(trials)]
    torch.manual_seed(0)
    layer = LIF(CHANNELS, NEURONS, max_delay=20.0).initialise_(0.25, 0.3, 10.0)
    spikes = Spikes.from_trains(given, duration)
    emitted = layer(spikes)
    assert len(emitted.times) > trials and emitted.times.grad_fn is not None
    return len(spikes.times) + len(emitted.times), kept_bytes([emitted.times.grad_fn, besides])


def unevenness(sizes: list[tuple[int, int]]) -> float:
    """Largest relative deviation of the bytes per further spike from the median."""
    more = [(b - a) / (n - m) for (m, a), (n, b) in pairwise(sizes)]
    return max(abs(one / float(np.median(more)) - 1) for one in more)


@pytest.mark.check(35)
def test_memory_per_spike_is_constant(measured: Measured) -> None:
    sizes = [step(trials) for trials in (1, 2, 10, 100, 1000)]
    assert sizes[0][0] < 2e3 and sizes[-1][0] > 1e6
    measured(unevenness(sizes), EVEN, len(sizes), "0")
    assert unevenness(sizes) <= EVEN


@pytest.mark.check(35)
def test_silence_takes_nothing(measured: Measured) -> None:
    first, longer = (step(10, ACTIVE * factor) for factor in (10, 100))
    assert longer == first
    measured(0, 0, 2, "0")


@pytest.mark.check(35, control=True)
def test_control_a_voltage_a_ms_is_seen() -> None:
    first, second = (step(10, T, np.zeros((10, NEURONS, int(T)), np.float32)) for T in (10 * ACTIVE, 100 * ACTIVE))
    assert second[1] > 2 * first[1] and second[0] == first[0]


@pytest.mark.check(35, control=True)
def test_control_memory_that_grows_with_the_square_is_seen(measured: Measured) -> None:
    uneven = unevenness([(n, b + n * n // 1000) for n, b in (step(trials) for trials in (1, 10, 100))])
    measured(uneven, EVEN, 3)
    assert uneven > EVEN
