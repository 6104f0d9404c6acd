"""The workloads, built from their sizes (a network, its input and its loss), and their arrivals.

Neurons spike about as often as in training, `RATE` times per trial, at all sizes: a search on the
first trials finds their mean weight. The means of the default sizes are stored.

An arrival, the unit of work, is one spike through one existing synapse that reaches its target in
the trial.
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.sizes import Sizes
from delayprop.fast import LI, LIF, Spikes, cross_entropy, first_spike_time
from delayprop.fast.nn.calibration import scale_for
from delayprop.fast.nn.devices import DTYPES
from delayprop.fast.nn.traces import count_arrivals
from delayprop.fast.tasks import yin_yang
from delayprop.spec.errors import SpecError, Verbatim

RATE = 14.0  # spikes per hidden neuron and trial
TIME_SCALE = 5.0  # ms, of the first spikes of yin-yang
SEARCH_TRIALS = 8

Stage = LIF | LI


@dataclass(frozen=True, eq=False)
class Link:
    """One connection: `w [pre, post]`, and `d`, which synapses may share; `own`: whether it leads
    back to its source."""

    w: Tensor
    d: Tensor
    own: bool

    @property
    def delays(self) -> Tensor:
        """Of each synapse, `[pre, post]`."""
        return self.d.detach().expand_as(self.w)


def links(stage: Stage) -> list[Link]:
    """The connections of a stage: from the stage before it, then from itself if recurrent."""
    return [Link(w, d, n > 0) for n, (w, d) in enumerate(zip(stage.all_w, stage.all_d, strict=True))]


class Model(nn.Module):
    """Hidden neurons, in layers; then LI (largest voltage read) or LIF (first spikes read)."""

    def __init__(self, *stages: Stage) -> None:
        super().__init__()
        self.stages: Any = nn.ModuleList(stages)  # for a type checker a list of bare modules

    def links(self) -> list[Link]:
        return [link for stage in self.stages for link in links(stage)]

    def forward(self, spikes: Spikes) -> tuple[list[Spikes], Tensor | None]:
        """The spikes of each stage that spikes; and the readout `[trials, post]` of an LI stage."""
        trains: list[Spikes] = []
        for stage in self.stages:
            found = stage(trains[-1] if trains else spikes)
            if isinstance(found, Tensor):
                return trains, found
            trains.append(found)
        return trains, None


@dataclass(frozen=True, eq=False)
class Workload:
    """A network, its input and the labels of its loss; `sizes.w_mean` is its mean weight."""

    sizes: Sizes
    model: Model
    spikes: Spikes
    labels: Tensor

    def loss(self, trains: list[Spikes], y: Tensor | None) -> Tensor:
        """The cross entropy of the readout, or of the last stage's first spikes."""
        return cross_entropy(first_spike_time(trains[-1], TIME_SCALE) if y is None else y, self.labels)

    def in_float64(self) -> "Workload":
        return replace(self, model=copy.deepcopy(self.model).double())

    def of_trials(self, trials: int) -> "Workload":
        return replace(self, spikes=self.spikes[:trials].detach(), labels=self.labels[:trials])


def build(sizes: Sizes) -> Workload:
    """The workload of these sizes; `SpecError`: no mean weight makes the neurons spike enough."""
    spikes, labels = _yin_yang(sizes) if sizes.workload == "yin-yang" else _random(sizes)
    if sizes.w_mean is None:
        sizes = replace(sizes, w_mean=_searched(sizes, spikes[:SEARCH_TRIALS]))
    assert sizes.w_mean is not None
    hidden = [_hidden(sizes, sizes.w_mean)]
    for layer in range(1, sizes.layers):
        deeper = replace(sizes, inputs=sizes.hidden, spikes=round(RATE * sizes.hidden), seed=sizes.seed + layer)
        with torch.no_grad():
            arriving = nn.Sequential(*hidden)(spikes[:SEARCH_TRIALS])
        hidden.append(_hidden(deeper, _searched(deeper, arriving)))
    model = Model(*hidden, _output(sizes)).to(sizes.device)
    return Workload(sizes, model, spikes.to(sizes.device), labels.to(sizes.device))


YIN_YANG_SD, YIN_YANG_OUT_MEAN, YIN_YANG_OUT_SD = 1.5, 1.5, 0.5


def _generator(sizes: Sizes, layer: int) -> torch.Generator:
    """The generator of one layer's weights and delays: a search in one layer changes no other."""
    return torch.Generator().manual_seed(1000 * sizes.seed + layer)


def _hidden(sizes: Sizes, w_mean: float) -> Stage:
    random, dtype = _generator(sizes, 0), DTYPES[sizes.dtype]
    # The current fluctuates with the square root of input spikes per ms: equally in every network.
    per_ms = sizes.spikes / sizes.duration
    w_std = YIN_YANG_SD if sizes.workload == "yin-yang" else 0.05 * (8.0 / per_ms) ** 0.5
    recurrent = sizes.workload == "recurrent"
    made = LIF(
        sizes.inputs, sizes.hidden, recurrent=recurrent, max_delay=sizes.max_delay, delays=sizes.delays, dtype=dtype
    )
    made.initialise_(w_mean, w_std, sizes.max_delay, random)
    if recurrent:
        w_own = 0.005 * (8.0 * sizes.duration / (RATE * sizes.hidden)) ** 0.5
        made.initialise_recurrent_(0.0, w_own, sizes.max_delay, random)
    return made


def _output(sizes: Sizes) -> Stage:
    random, dtype = _generator(sizes, 1), DTYPES[sizes.dtype]
    if sizes.workload == "yin-yang":
        last = LIF(sizes.hidden, 3, max_delay=sizes.max_delay, dtype=dtype)
        return last.initialise_(YIN_YANG_OUT_MEAN, YIN_YANG_OUT_SD, sizes.max_delay, random)
    read = LI(sizes.hidden, sizes.outputs, readout="max_voltage", dtype=dtype)
    return read.initialise_(0.0, sizes.hidden**-0.5, 0.0, random)


def _searched(sizes: Sizes, arriving: Spikes) -> float:
    """The mean weight at which hidden neurons spike about `RATE` times per trial."""

    @torch.no_grad()
    def rate(w_mean: float) -> float:
        found = _hidden(sizes, w_mean)(arriving)
        assert isinstance(found, Spikes)
        return float(found.counts().double().mean())

    try:
        return scale_for(RATE, rate, 1e-3)
    except SpecError:
        expected = f"enough to make hidden neurons spike {RATE:g} times per trial"
        remedy = "give more input spikes, or a longer trial"
        raise SpecError("--spikes", expected, Verbatim(sizes.spikes), remedy) from None


def _random(sizes: Sizes) -> tuple[Spikes, Tensor]:
    """Each input spike has a random neuron and a random time in the window; labels are random."""
    random, trials = np.random.default_rng(sizes.seed), []
    for _ in range(sizes.batch):
        neurons = random.integers(0, sizes.inputs, sizes.spikes)
        times = random.uniform(0.0, sizes.duration, sizes.spikes)
        order = np.lexsort((times, neurons))
        trials.append(np.split(times[order], np.bincount(neurons, minlength=sizes.inputs).cumsum()[:-1]))
    labels = torch.from_numpy(random.integers(0, sizes.outputs, sizes.batch))
    return Spikes.from_trains(trials, sizes.duration), labels


def _yin_yang(sizes: Sizes) -> tuple[Spikes, Tensor]:
    """`x, y, 1 - x, 1 - y` of points of the figure as spikes from 0 to 20 ms, and a bias at 0."""
    points, labels = yin_yang.points(sizes.batch, [sizes.seed])
    times = 20.0 * np.concatenate([points, 1 - points, np.zeros((sizes.batch, 1))], axis=1)
    return Spikes.from_trains(times[:, :, None].tolist(), sizes.duration), torch.from_numpy(labels)


def arrivals(workload: Workload, trains: list[Spikes]) -> int:
    """The number of arrivals in a step, over all connections and trials, counted one by one;
    `trains`: spikes of each stage that spikes."""
    return sum(count_arrivals(source, link.delays) for source, link in sources(workload, trains))


def sources(workload: Workload, trains: list[Spikes]) -> list[tuple[Spikes, Link]]:
    """Each connection, in order, with the spikes of its source."""
    found, before = [], workload.spikes
    for stage, emitted in zip(workload.model.stages, [*trains, None]):
        for link in links(stage):
            source = emitted if link.own else before
            assert source is not None, "only a stage that spikes reaches itself"
            found.append((source, link))
        if emitted is not None:
            before = emitted
    return found
