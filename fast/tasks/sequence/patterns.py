"""The patterns of the sequence task: a ring of spikes, one an input, that each class begins at an input of its own.

In class `c` input `i` fires at `((i - c) mod N) gap`. Every input fires once in every class, so counts tell nothing.
With two inputs class 0 is input 0 first and input 1 a gap later, class 1 the reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fast.nn.spikes import Spikes

GAP = 10.0  # ms
NAMES = "ABCDEFGHIJKLMNOP"
MOST_INPUTS, MOST_DISTRACTORS = len(NAMES), 100


@dataclass(frozen=True)
class Ring:
    """Patterns of `inputs` classes.

    Args:
        jitter: sd of noise on the times of the pattern, ms.
        distractors: further spikes a presentation, of random inputs at random times within the pattern.
        room: of a trial after the last arrival, ms.
    """

    inputs: int
    jitter: float = 0.0
    distractors: int = 0
    room: float = 35.0

    @property
    def length(self) -> float:
        """From the first spike of a pattern to its last, ms."""
        return (self.inputs - 1) * GAP

    @property
    def max_delay(self) -> float:
        """Enough to let the first spike wait for the last, and half a gap more."""
        return self.length + GAP / 2

    @property
    def clean(self) -> Ring:
        """The patterns themselves."""
        return replace(self, jitter=0.0, distractors=0)

    def times(self, label: int) -> np.ndarray:
        """When each input fires in a class."""
        return self._places(label) * GAP

    def _places(self, label: int) -> np.ndarray:
        """Of each input in the order of a class."""
        return (np.arange(self.inputs) - label) % self.inputs

    def worst_delays(self) -> np.ndarray:
        """`d[i][j]` with which the pattern of class `j - 1` arrives together at output `j`: all answers are wrong."""
        wrong = [self.times((output - 1) % self.inputs) for output in range(self.inputs)]
        return self.length - np.stack(wrong, axis=1)

    def spikes(self, labels: Sequence[int], random: np.random.Generator) -> Spikes:
        """One presentation a label; with jitter all times get noise (an onset keeps them positive: see `_noise`)."""
        trials = []
        for label in labels:
            noise = self._noise(random)
            trains = [[place * GAP + noise[place]] for place in self._places(label)]
            for which, time in self._distractors(random):
                trains[which].append(time)
            trials.append([sorted(train) for train in trains])
        return Spikes.from_trains(trials, self.length + self.max_delay + self.room + 10 * self.jitter)

    def _noise(self, random: np.random.Generator) -> np.ndarray:
        """One a place, from N(5 jitter, jitter), again beyond 5 sd, so never negative; the onset changes nothing."""
        noise = random.normal(0.0, self.jitter, self.inputs)
        while np.abs(noise).max() > 5 * self.jitter:
            noise = random.normal(0.0, self.jitter, self.inputs)
        return noise + 5 * self.jitter

    def _distractors(self, random: np.random.Generator) -> list[tuple[int, float]]:
        """Input and time of each; nothing is drawn where there are none."""
        if not self.distractors:
            return []
        which = random.integers(0, self.inputs, self.distractors)
        times = random.uniform(0.0, self.length, self.distractors) + 5 * self.jitter
        return list(zip(which.tolist(), times.tolist()))
