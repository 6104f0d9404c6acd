"""The patterns of the sequence task: one spike per input, in an order that each class shifts.

In class `c` input `i` fires at `((i - c) mod N) gap`. Every input fires once in every class, so
spike counts hold no information.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from delayprop.fast.nn.spikes import Spikes

GAP = 10.0  # ms
NAMES = "ABCDEFGHIJKLMNOP"
MOST_INPUTS, MOST_DISTRACTORS = len(NAMES), 100


@dataclass(frozen=True)
class Ring:
    """The patterns of as many classes as inputs."""

    inputs: int
    jitter: float = 0.0  # standard deviation of the noise on their times, ms
    distractors: int = 0  # further spikes per presentation, of random inputs at random times
    room: float = 35.0  # of a trial after the last arrival, ms

    @property
    def length(self) -> float:
        """Time from the first spike of a pattern to its last, ms."""
        return (self.inputs - 1) * GAP

    @property
    def max_delay(self) -> float:
        """Delay that lets the first spike wait for the last, and half a gap more, ms."""
        return self.length + GAP / 2

    @property
    def clean(self) -> Self:
        return replace(self, jitter=0.0, distractors=0)

    def times(self, label: int) -> np.ndarray:
        """Spike time of each input in a class, ms."""
        return self._positions(label) * GAP

    def _positions(self, label: int) -> np.ndarray:
        """Position of each input in the order of a class."""
        return (np.arange(self.inputs) - label) % self.inputs

    def worst_delays(self) -> np.ndarray:
        """`d[i][j]` that make class `j - 1` arrive at once at output `j`: all answers are wrong."""
        wrong = [self.times((output - 1) % self.inputs) for output in range(self.inputs)]
        return self.length - np.stack(wrong, axis=1)

    def spikes(self, labels: Sequence[int], random: np.random.Generator) -> Spikes:
        """One presentation per label; jitter adds noise to all times (see `_noise`)."""
        trials = []
        for label in labels:
            noise = self._noise(random)
            trains = [[position * GAP + noise[position]] for position in self._positions(label)]
            if self.distractors:  # of random inputs
                which = random.integers(0, self.inputs, self.distractors).tolist()
                for i, time in zip(which, random.uniform(0.0, self.length, self.distractors) + 5 * self.jitter):
                    trains[i].append(float(time))
            trials.append([sorted(train) for train in trains])
        return Spikes.from_trains(trials, self.length + self.max_delay + self.room + 10 * self.jitter)

    def _noise(self, random: np.random.Generator) -> np.ndarray:
        """Noise of each position from N(5 jitter, jitter) within 5 sd, so that none is negative."""
        noise = random.normal(0.0, self.jitter, self.inputs)
        while np.abs(noise).max() > 5 * self.jitter:
            noise = random.normal(0.0, self.jitter, self.inputs)
        return noise + 5 * self.jitter
