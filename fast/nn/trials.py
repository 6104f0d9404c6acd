"""A batch of spike trains as a container of trials: length, shape, indexing, equality."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from delayprop.spec import SpecError
from delayprop.spec.checks import duration as spec_duration
from delayprop.spec.errors import Verbatim


def check_spikes(given: object, name: str = "spikes") -> None:
    """Refuse anything but `Spikes`, such as a raster.

    Raises:
        SpecError: names the constructor that makes `Spikes` of it.
    """
    if isinstance(given, Trials):
        return
    shape = list(getattr(given, "shape", ()))
    got = Verbatim(f"{type(given).__name__} {shape}" if shape else type(given).__name__)
    trains, counts = "times [trial][neuron][spike], in ms", "counts [trials, steps, neurons]"
    remedy = f"`Spikes.from_trains` makes one of {trains}, `Spikes.from_dense` of {counts}"
    if len(shape) == 3:
        swapped = "use `raster.swapaxes(0, 1)` if time comes first"
        remedy = f"`Spikes.from_dense(raster, dt)` makes one of {counts}; {swapped}"
    raise SpecError(name, "a `delayprop.Spikes`", got, remedy)


@dataclass(frozen=True, eq=False)
class Trials:
    """The fields of `delayprop.Spikes`, and what every container has."""

    times: Tensor
    offsets: Tensor
    trials: int
    size: int
    duration: float

    def __len__(self) -> int:
        """The number of trials."""
        return self.trials

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of trials and of neurons."""
        return self.trials, self.size

    @property
    def device(self) -> torch.device:
        """Where `times` lies."""
        return self.times.device

    @property
    def dtype(self) -> torch.dtype:
        """Of `times`."""
        return self.times.dtype

    def until(self, duration: float) -> Self:
        """The spikes up to `duration` (ms), of trials that end there; differentiable.

        Cut recordings by it: give the constructor a duration that holds all spikes.

        Raises:
            SpecError: no duration.
        """
        stays = self.times.detach() <= spec_duration(duration, "duration")
        before = torch.cat([self.offsets[:1], stays.cumsum(0)])  # spikes that stay, before each spike
        return replace(self, times=self.times[stays], offsets=before[self.offsets], duration=float(duration))

    def __getitem__(self, trials: int | slice | Sequence[int] | Tensor) -> Self:
        """The spikes of some trials: a number, a slice, numbers, or a boolean per trial.

        Raises:
            IndexError: no such trial.
            SpecError: no trial is left.
        """
        chosen = torch.arange(self.trials, device=self.device)[trials].reshape(-1)
        if not len(chosen):
            raise SpecError("trials", "at least one trial", Verbatim("none"), "name a trial")
        trains = (chosen[:, None] * self.size + torch.arange(self.size, device=self.device)).flatten()
        lengths = self.offsets.diff()[trains]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        # Number k of a train is that many places after the start of the train.
        start = (self.offsets[:-1][trains] - offsets[:-1]).repeat_interleave(lengths)
        index = start + torch.arange(len(start), device=self.device)
        return replace(self, times=self.times[index], offsets=offsets, trials=len(chosen))

    def __iter__(self) -> Iterator[Self]:
        """Trial by trial."""
        return (self[trial] for trial in range(self.trials))

    def __eq__(self, other: object) -> bool:
        """Whether all trains, sizes and durations are equal, to the last bit."""
        if not isinstance(other, Trials):
            return NotImplemented
        return (self.shape, self.duration, self.device) == (other.shape, other.duration, other.device) and (
            torch.equal(self.offsets, other.offsets) and torch.equal(self.times, other.times)
        )

    __hash__ = None  # type: ignore[assignment]  # times may be changed in place
