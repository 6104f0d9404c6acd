"""Spike trains of a population."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from delayprop.spec import checks
from delayprop.spec.errors import SpecError


@dataclass(frozen=True, eq=False)
class SpikeTrains:
    """One spike train per neuron: times in ms, at least 0 and in order; equal times are legal.

    `trains`: a list of lists of times, one list per neuron. `SpecError`: a time that is negative,
    not finite, or earlier than the one before it.
    """

    trains: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        trains = checks.sequence(self.trains, "trains", None, "spike trains, one per neuron")
        object.__setattr__(self, "trains", tuple(times_in_order(train, f"[{j}]") for j, train in enumerate(trains)))

    def __len__(self) -> int:
        return len(self.trains)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.trains)

    def __getitem__(self, neuron: int) -> np.ndarray:
        return self.trains[neuron]


def times_in_order(given: object, name: str, what: str = "spike times") -> np.ndarray:
    """Times as a read-only array, ms; `SpecError`: as of `SpikeTrains`."""
    entries = checks.sequence(given, name, None, what)
    times = [checks.non_negative_time(t, f"{name}[{k}]") for k, t in enumerate(entries)]
    for k in range(1, len(times)):
        if times[k] < times[k - 1]:
            raise SpecError(f"{name}[{k}]", f"at least the time before it, {times[k - 1]}", times[k], "sort the times")
    return checks.frozen(np.array(times, dtype=np.float64))
