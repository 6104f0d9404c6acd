"""Augmentation of spike trains: what a trial might as well have been, on no grid.

    shift    all channels of a trial by one whole number, as another voice or another place on the skin
    spread   their distances from their mean by one factor, each to the nearest channel, as another throat
    stretch  all its times by one factor, as another tempo
    blend    a trial takes its place between two of the same class (if there is another): their centres of mass meet
             half-way, in time and in channel, and of each every spike is kept with probability 1/2
    drop     each spike is lost with this probability

`shift` and `blend` are those of Nowotny, Turner, Knight (arXiv 2212.01232), at the exact times. A spike that leaves the
channels or the trial is gone, as theirs is. What is drawn for a trial follows from the seed, the epoch and the number
of the trial alone: not from the order of trials, nor from how many processes share them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fast.data.spike_files import SpikeData

DRAWS = 1  # keeps these draws apart from those of the order of an epoch


@dataclass(frozen=True)
class Augmentation:
    """How strong: `shift` channels at most, `spread` and `stretch` by at most `1 +` that, `blend` and `drop` shares."""

    shift: int = 0
    spread: float = 0.0
    stretch: float = 0.0
    blend: float = 0.0
    drop: float = 0.0

    @property
    def changes(self) -> bool:
        """Whether anything is changed at all."""
        return self != Augmentation()

    def trial(
        self, data: SpikeData, mates: list[np.ndarray], trial: int, seed: int, epoch: int, duration: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Times (ms, ascending) and channels of one trial in one epoch.

        Args:
            mates: the trials of each class.
        """
        random = np.random.default_rng([seed, epoch, trial, DRAWS])
        times, units = data.times[trial], data.units[trial]
        if random.random() < self.blend:
            others = mates[data.labels[trial]]
            others = others[others != trial]
            if len(others):
                other = int(random.choice(others))
                times, units = _blend(times, units, data.times[other], data.units[other], random)
        if self.spread and len(units):
            mean, factor = units.mean(), (1 + self.spread) ** random.uniform(-1, 1)
            units = np.rint(mean + factor * (units - mean)).astype(np.int64)
        times = times * (1 + self.stretch) ** random.uniform(-1, 1)
        units = units + random.integers(-self.shift, self.shift + 1)
        stays = (times >= 0) & (times <= duration) & (units >= 0) & (units < data.channels)
        if self.drop:
            stays &= random.random(len(times)) >= self.drop
        return times[stays], units[stays]


def by_class(data: SpikeData) -> list[np.ndarray]:
    """The trials of each class."""
    return [np.flatnonzero(data.labels == label) for label in range(data.classes)]


def _blend(
    times: np.ndarray, units: np.ndarray, other_times: np.ndarray, other_units: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Half the spikes of each of two trials, moved so that their centres of mass meet half-way."""
    if not (len(times) and len(other_times)):
        return times, units
    dt = (other_times.mean() - times.mean()) / 2
    du = round((other_units.mean() - units.mean()) / 2)
    first, second = (random.random(len(t)) < 0.5 for t in (times, other_times))
    blended = np.concatenate([times[first] + dt, other_times[second] - dt])
    order = np.argsort(blended, kind="stable")
    return blended[order], np.concatenate([units[first] + du, other_units[second] - du])[order]
