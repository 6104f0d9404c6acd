"""Readouts and losses of the specification, from voltages and spikes."""

from collections.abc import Sequence

from delayprop.spec import CrossEntropy, Loss, SpikeTimeMSE
from tests.support.truth.numbers import INFINITY, Real, exp, log, real

Place = tuple
"""The place of a maximum: ("initial",), ("spike",), ("end",), ("arrival", arrivals) or
("interior", events before it)."""


class Maximum:
    """The largest of the local maxima, offered in order of time; the first is the initial 0. `gap`:
    the distance of the earliest largest to the second largest."""

    def __init__(self) -> None:
        self.value, self.place, self.gap = Real(0), ("initial",), INFINITY

    def offer(self, value: Real, place: Place) -> None:
        if value > self.value:
            self.gap = value - self.value
            self.value, self.place = value, place
        elif place != self.place:
            self.gap = min(self.gap, self.value - value)


def first_spike_readout(trains: Sequence[Sequence[Real]], T: Real, time_scale: float) -> list[Real]:
    """`-t_first / time_scale`, one per neuron."""
    return [-(train[0] if train else T) / real(time_scale) for train in trains]


def cross_entropy(y: Sequence[Real], label: int) -> Real:
    """`log sum_j exp(y_j) - y_label`."""
    top = max(y)
    return top + log(sum(exp(value - top) for value in y)) - y[label]


def spike_time_mse(trains: Sequence[Sequence[Real]], loss: SpikeTimeMSE, T: Real) -> Real:
    """`1/2 sum_j sum_k (t_jk - target_jk)^2`; a missing spike counts as `T`."""
    total = Real(0)
    for train, targets in zip(trains, loss.targets, strict=True):
        for k, target in enumerate(targets):
            total += ((train[k] if k < len(train) else T) - real(float(target))) ** 2
    return total / 2


def reads(loss: Loss, readout: str) -> bool:
    return isinstance(loss, CrossEntropy) and loss.readout == readout
