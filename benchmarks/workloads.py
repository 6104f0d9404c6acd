"""The four workloads, built from their sizes: a network, its input and its loss.

Neurons spike about as often as in training, `RATE` times per trial, at all sizes: a bisection on
the first trials finds the mean weight onto each hidden population. The means of the default sizes
are stored.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.networks import TAU_MEM, TAU_SYN, Model, Recurrent, Stage
from benchmarks.sizes import Sizes
from delayprop.fast import LI, LIF, Spikes, cross_entropy, first_spike_time
from delayprop.fast.nn.devices import DTYPES
from delayprop.spec import SpecError
from delayprop.spec.errors import Verbatim

RATE = 14.0  # spikes per hidden neuron and trial
TIME_SCALE = 5.0  # ms, of the first spikes of yin-yang
SEARCH_TRIALS, BISECTIONS = 8, 12


@dataclass(frozen=True, eq=False)
class Workload:
    """A network, its input and the labels of its loss; `sizes.w_means` holds its mean weights."""

    sizes: Sizes
    model: Model
    spikes: Spikes
    labels: Tensor

    def loss(self, trains: list[Spikes], y: Tensor | None) -> Tensor:
        """The cross entropy of the readout, or of the last stage's first spikes."""
        return cross_entropy(first_spike_time(trains[-1], TIME_SCALE) if y is None else y, self.labels)

    def in_float64(self) -> Workload:
        """This workload with every number of its network converted to float64."""
        return dataclasses.replace(self, model=copy.deepcopy(self.model).double())

    def of_trials(self, trials: int) -> Workload:
        """The workload with its first `trials` trials."""
        return dataclasses.replace(self, spikes=first_trials(self.spikes, trials), labels=self.labels[:trials])


def first_trials(spikes: Spikes, trials: int) -> Spikes:
    """The spikes of the first `trials` trials."""
    trials = min(trials, spikes.trials)
    offsets = spikes.offsets[: trials * spikes.size + 1]
    return Spikes(spikes.times.detach()[: int(offsets[-1])].clone(), offsets, trials, spikes.size, spikes.duration)


def build(sizes: Sizes) -> Workload:
    """The workload of these sizes.

    Raises:
        SpecError: no mean weight makes the neurons spike `RATE` times per trial.
    """
    random = np.random.default_rng(sizes.seed)
    if sizes.workload == "yin-yang":
        spikes, labels = _yin_yang(sizes, random)
    else:
        trials = [_poisson(sizes, random) for _ in range(sizes.batch)]
        spikes = Spikes.from_trains(trials, sizes.duration)
        labels = torch.from_numpy(random.integers(0, sizes.outputs, sizes.batch))
    stages: list[Stage] = []
    means: list[float] = []
    arriving = first_trials(spikes, SEARCH_TRIALS)
    for layer in range(sizes.layers):
        if sizes.workload == "yin-yang":
            means.append(YIN_YANG_MEAN)
        elif sizes.w_means is not None:
            means.append(sizes.w_means[layer])
        else:
            means.append(_searched(sizes, layer, arriving))
        stages.append(_hidden(sizes, layer, means[-1]))
        if sizes.w_means is None and layer + 1 < sizes.layers:
            arriving = _emitted(stages[-1], arriving)
    stages.append(_output(sizes))
    model, found = Model(stages).to(sizes.device), dataclasses.replace(sizes, w_means=tuple(means))
    return Workload(found, model, spikes.to(sizes.device), labels.to(sizes.device))


YIN_YANG_MEAN, YIN_YANG_SD, YIN_YANG_OUT_MEAN, YIN_YANG_OUT_SD = 3.0, 1.5, 1.5, 0.5


def _generator(sizes: Sizes, layer: int) -> torch.Generator:
    """The generator of one layer's weights and delays: a search in one layer changes no other."""
    return torch.Generator().manual_seed(1000 * sizes.seed + layer)


def _hidden(sizes: Sizes, layer: int, w_mean: float) -> Stage:
    random, dtype = _generator(sizes, layer), DTYPES[sizes.dtype]
    pre = sizes.inputs if layer == 0 else sizes.hidden
    # The current fluctuates with the square root of input spikes per ms: equally in every network.
    per_ms = (sizes.spikes if layer == 0 else RATE * sizes.hidden) / (sizes.window or sizes.duration)
    w_std = YIN_YANG_SD if sizes.workload == "yin-yang" else 0.05 * (8.0 / per_ms) ** 0.5
    if sizes.workload == "recurrent":
        w_own = 0.005 * (8.0 * sizes.duration / (RATE * sizes.hidden)) ** 0.5
        return Recurrent(pre, sizes.hidden, w_mean, w_std, w_own, sizes.max_delay, random, dtype)
    made = LIF(pre, sizes.hidden, tau_mem=TAU_MEM, tau_syn=TAU_SYN, max_delay=sizes.max_delay, dtype=dtype)
    return made.initialise_(w_mean, w_std, sizes.max_delay, random)


def _output(sizes: Sizes) -> Stage:
    random, dtype = _generator(sizes, sizes.layers), DTYPES[sizes.dtype]
    if sizes.workload == "yin-yang":
        last = LIF(sizes.hidden, 3, tau_mem=TAU_MEM, tau_syn=TAU_SYN, max_delay=sizes.max_delay, dtype=dtype)
        return last.initialise_(YIN_YANG_OUT_MEAN, YIN_YANG_OUT_SD, sizes.max_delay, random)
    d_max = sizes.max_delay if sizes.workload == "deep" else 0.0
    read = LI(sizes.hidden, sizes.outputs, readout="max_voltage", tau_mem=TAU_MEM, tau_syn=TAU_SYN, dtype=dtype)
    return read.initialise_(0.0, sizes.hidden**-0.5, d_max, random)


@torch.no_grad()
def _emitted(stage: Stage, arriving: Spikes) -> Spikes:
    found = stage(arriving)
    assert isinstance(found, Spikes)
    return found


def _searched(sizes: Sizes, layer: int, arriving: Spikes) -> float:
    """The mean weight at which a layer's neurons spike `RATE` times per trial, to 0.05 %."""

    def rate(w_mean: float) -> float:
        return float(_emitted(_hidden(sizes, layer, w_mean), arriving).counts().double().mean())

    low, high = 0.0, 1e-3
    while rate(high) < RATE:
        low, high = high, 2 * high
        if high > 1e3:
            remedy = "give more input spikes, or a longer trial"
            expected = f"enough to make hidden neurons spike {RATE:g} times per trial"
            raise SpecError("--spikes", expected, Verbatim(sizes.spikes), remedy)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if rate(middle) < RATE else (low, middle)
    return high


def _poisson(sizes: Sizes, random: np.random.Generator) -> list[np.ndarray]:
    """Input trains of one trial: each spike has a random neuron and a random time in the window."""
    neurons = random.integers(0, sizes.inputs, sizes.spikes)
    times = random.uniform(0.0, sizes.window or sizes.duration, sizes.spikes)
    order = np.lexsort((times, neurons))
    return np.split(times[order], np.bincount(neurons, minlength=sizes.inputs).cumsum()[:-1])


def _yin_yang(sizes: Sizes, random: np.random.Generator) -> tuple[Spikes, Tensor]:
    """Points of the yin-yang figure (Kriener et al. 2021), and their classes.

    `x, y, 1 - x, 1 - y` are spikes from 0 to 20 ms, with a bias spike at 0. Classes 0 and 1 are the
    halves of the figure, 2 its dots.
    """
    trials: list[list[list[float]]] = []
    labels: list[int] = []
    while len(trials) < sizes.batch:
        x, y = random.uniform(0.0, 1.0, 2)
        if np.hypot(x - 0.5, y - 0.5) > 0.5:
            continue
        left, right = np.hypot(x - 0.25, y - 0.5), np.hypot(x - 0.75, y - 0.5)
        yin = left <= 0.25 or (right > 0.25 and y > 0.5)
        labels.append(2 if min(left, right) <= 0.1 else int(yin))
        trials.append([[20.0 * x], [20.0 * y], [20.0 * (1 - x)], [20.0 * (1 - y)], [0.0]])
    return Spikes.from_trains(trials, sizes.duration), torch.tensor(labels)
