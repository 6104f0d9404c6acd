"""Augmentation of spike trains at their exact times, without a time grid.

    shift    all channels of a trial move by one whole number, as for another voice or place of skin
    spread   channel distances from their mean are scaled by one factor and rounded (another throat)
    stretch  all times are scaled by one factor, as for another tempo
    move     the whole trial begins earlier or later, by one time of at most this, ms
    blend    a trial is merged with another of its class, if there is one: both centres of mass, in
             time and in channel, move to their midpoint; each spike stays with probability 1/2
    drop     each spike is lost with this probability

`more` adds blends to an epoch, as their paper does, where `blend` replaces trials.

`shift` and blends are those of Nowotny, Turner, Knight (arXiv 2212.01232), at exact times. A spike
that leaves the channels or the trial is lost, as in this paper. The random draws of a trial follow
from the seed, the epoch and the number of the trial alone: not from the order of trials, nor from
the number of processes.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.nn.spikes import Spikes

DRAWS = 1  # separates these draws from the draw of an epoch's order
FIRST_COPY = 2**32  # in place of an epoch, beyond those of a run


@dataclass(frozen=True)
class Augmentation:
    """Maximum channel shift, maximum factors minus 1 (`spread`, `stretch`), probabilities, the
    blends that are added, per trial of the data (`more`), and the maximum move in time, ms."""

    shift: int = 0
    spread: float = 0.0
    stretch: float = 0.0
    blend: float = 0.0
    drop: float = 0.0
    more: float = 0.0
    move: float = 0.0

    @property
    def moves(self) -> Self:
        """Without blends and losses, for the copies of a trial in an evaluation."""
        return replace(self, blend=0.0, drop=0.0, more=0.0)

    def trials(self, data: SpikeData) -> int:
        """The trials of an epoch; those beyond the data are added blends."""
        return len(data) + round(self.more * len(data))

    def trial(
        self, data: SpikeData, classmates: list[np.ndarray], trial: int, seed: int, epoch: int, duration: float
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Times (ms, ascending), channels and label of a trial in an epoch; `classmates`:
        `by_class`."""
        random, added = np.random.default_rng([seed, epoch, trial, DRAWS]), trial >= len(data)
        if added:
            trial = int(random.integers(len(data)))
        times, units, label = data.times[trial], data.units[trial], int(data.labels[trial])
        if random.random() < self.blend or added:
            others = classmates[label]
            others = others[others != trial]
            if len(others):
                other = int(random.choice(others))
                times, units = _blend(times, units, data.times[other], data.units[other], random)
        if self.spread and len(units):
            mean, factor = units.mean(), (1 + self.spread) ** random.uniform(-1, 1)
            units = np.rint(mean + factor * (units - mean)).astype(np.int64)
        times = times * (1 + self.stretch) ** random.uniform(-1, 1)
        units = units + random.integers(-self.shift, self.shift + 1)
        if self.move:
            times = times + random.uniform(-self.move, self.move)
        stays = (times >= 0) & (times <= duration) & (units >= 0) & (units < data.channels)
        if self.drop:
            stays &= random.random(len(times)) >= self.drop
        return times[stays], units[stays], label


def moved_batch(
    data: SpikeData, augmentation: Augmentation, trials: np.ndarray, copy: int, seed: int, duration: float
) -> Spikes:
    """Copy number `copy` of trials, shifted, spread, stretched and moved, for an evaluation. No
    epoch has its draws."""
    drawn = [augmentation.moves.trial(data, [], int(trial), seed, FIRST_COPY + copy, duration) for trial in trials]
    times, units, labels = zip(*drawn, strict=True)
    return data.batch_of(times, units, np.array(labels), duration)[0]


def by_class(data: SpikeData) -> list[np.ndarray]:
    return [np.flatnonzero(data.labels == label) for label in range(data.classes)]


def _blend(
    times: np.ndarray, units: np.ndarray, other_times: np.ndarray, other_units: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Half the spikes of each of two trials, whose centres of mass move to their midpoint."""
    if not (len(times) and len(other_times)):
        return times, units
    dt = (other_times.mean() - times.mean()) / 2
    du = round((other_units.mean() - units.mean()) / 2)
    first, second = (random.random(len(t)) < 0.5 for t in (times, other_times))
    blended = np.concatenate([times[first] + dt, other_times[second] - dt])
    order = np.argsort(blended, kind="stable")
    return blended[order], np.concatenate([units[first] + du, other_units[second] - du])[order]
