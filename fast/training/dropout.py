"""Dropout: hidden neurons that pass no spikes on, drawn anew for each trial of each step.

A draw follows from the seed, the step and the trial alone, so it depends neither on the number of
processes nor on where a run was resumed. The gradient is the exact one of the network that is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

DRAWS = 2  # separates these draws from those of the augmentation


def kept_neurons(hidden: Sequence[int], dropout: float, seed: int, step: int, trials: np.ndarray) -> list[Tensor]:
    """The neurons of each hidden layer that pass their spikes on, `[trials, neurons]`, boolean.

    Args:
        hidden: sizes of the hidden layers.
        dropout: probability of a neuron to be left out.
        trials: numbers of the trials.
    """
    draws = [np.random.default_rng([seed, step, int(trial), DRAWS]).random(sum(hidden)) for trial in trials]
    return list((torch.from_numpy(np.stack(draws)) >= dropout).split(list(hidden), dim=1))
