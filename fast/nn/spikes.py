"""The spike trains of a batch, as one torch tensor of times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fast.cpu.trains import are_trains
from fast.nn.devices import numpy_reads
from fast.nn.raster import draw_raster
from spec import SpecError, SpikeTrains
from spec.checks import duration as spec_duration
from spec.checks import positive_number, whole_number
from spec.errors import Verbatim

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Spikes:
    """The spikes of `size` neurons in `trials` trials of equal duration.

    Attributes:
        times: `[n]`, float64, ms: by trial, then by neuron, each train ascending. Differentiable.
        offsets: `[trials * size + 1]`, int64: the train of neuron `i` in trial `b` is
            `times[offsets[b * size + i] : offsets[b * size + i + 1]]`.
        trials, size: batch size and number of neurons.
        duration: `T`, ms; a trial is `[0, T]`.

    Raises:
        SpecError: as `check`.
    """

    times: Tensor
    offsets: Tensor
    trials: int
    size: int
    duration: float

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Check the layout: kernels index by `offsets`, and need ascending trains.

        Runs on construction and before each use, since an optimiser may change times in place.

        Raises:
            SpecError: another shape or dtype, or a time below 0, not finite or out of order.
        """
        whole_number(self.trials, "trials", 1, 2**31 - 1, "give the number of trials")
        whole_number(self.size, "size", 0, 2**31 - 1, "give the number of neurons")
        spec_duration(self.duration, "duration")
        trains = self.trials * self.size
        if self.times.ndim != 1 or self.times.dtype != torch.float64:
            got = Verbatim(f"{self.times.dtype} {list(self.times.shape)}")
            raise SpecError("times", "a float64 tensor of one dimension (ms)", got, "give times as `.double()`")
        if self.offsets.dtype != torch.int64 or self.offsets.shape != (trains + 1,):
            got = Verbatim(f"{self.offsets.dtype} {list(self.offsets.shape)}")
            raise SpecError("offsets", f"int64 of shape [{trains + 1}]", got, "give one per train, and the end")
        times = self.times.detach()
        if self.offsets.device != times.device:
            expected, remedy = f"on the device of `times`, {times.device}", "`.to(device)` moves both"
            raise SpecError("offsets", expected, Verbatim(self.offsets.device), remedy)
        if numpy_reads(times) and are_trains(times.numpy(), self.offsets.numpy()):
            return
        lengths = self.offsets.diff()
        ends_wrong = torch.stack([self.offsets[0] != 0, self.offsets[-1] != len(times), (lengths < 0).any()]).any()
        bad = ~(torch.isfinite(times) & (times >= 0))
        starts = torch.zeros(len(times) + 1, dtype=torch.bool, device=times.device)
        starts[self.offsets.clamp(0, len(times))] = True
        back = (times.diff() < 0) & ~starts[1:-1]
        # nan-ok: the checks found nothing; one synchronisation with a GPU
        if not bool(torch.stack([ends_wrong, bad.any(), back.any()]).any()):
            return
        if bool(ends_wrong):
            expected = f"ascending from 0 to {len(times)}, the number of times"
            raise SpecError("offsets", expected, Verbatim(self.offsets.tolist()), "count the spikes of each train")
        if bool(bad.any()):
            n = int(bad.nonzero()[0])
            raise SpecError(f"times[{n}]", "finite and at least 0 (ms)", float(times[n]), "a trial starts at 0")
        n = int(back.nonzero()[0]) + 1
        expected = f"at least the time before it in its train, {float(times[n - 1])}"
        raise SpecError(f"times[{n}]", expected, float(times[n]), "sort each train")

    @classmethod
    def from_trains(cls, trials: Sequence[SpikeTrains | Sequence], duration: float) -> Spikes:
        """The spikes of trains `[trial][neuron][spike]`, ms.

        Args:
            duration: of each trial, ms.

        Raises:
            SpecError: no trial, trials of different sizes, or times `spec.SpikeTrains` refuses.
        """
        if len(trials) == 0:
            expected = "a list of at least one trial"
            raise SpecError("trials", expected, Verbatim("none"), "give one list of trains per trial")
        checked: list[SpikeTrains] = []
        for b, trial in enumerate(trials):
            try:
                checked.append(trial if isinstance(trial, SpikeTrains) else SpikeTrains(trial))  # type: ignore[arg-type]
            except SpecError as error:
                raise SpecError(f"trials[{b}]{error.name}", error.expected, error.got, error.remedy) from None
            if len(checked[b]) != len(checked[0]):
                expected = f"{len(checked[0])} trains, as in trials[0]"
                raise SpecError(f"trials[{b}]", expected, Verbatim(f"{len(checked[b])}"), "give [] for a silent neuron")
        trains = [train for checked_trial in checked for train in checked_trial]
        times = torch.from_numpy(np.concatenate([np.empty(0), *trains]))
        offsets = torch.from_numpy(np.cumsum([0, *(len(train) for train in trains)], dtype=np.int64))
        return cls(times, offsets, len(checked), len(checked[0]), spec_duration(duration, "duration"))

    def counts(self) -> Tensor:
        """The number of spikes, `[trials, size]`."""
        return self.offsets.diff().reshape(self.trials, self.size)

    def silent(self) -> int:
        """The number of neurons that spike in no trial; they pass no gradient in this batch.

        If a whole layer is silent, no layer before it learns, and nothing else reports it: raise
        the layer's weights, or find the step that silenced it.
        """
        return int((self.counts() == 0).all(dim=0).sum())

    def first(self) -> Tensor:
        """The first spike times, `[trials, size]`, ms.

        A silent neuron has `duration`, with gradient 0.
        """
        times = torch.cat([self.times, self.times.new_full((1,), self.duration)])
        silent = self.offsets.diff() == 0
        index = torch.where(silent, len(self.times), self.offsets[:-1])
        return times[index].reshape(self.trials, self.size)

    def train(self, trial: int, neuron: int) -> Tensor:
        """The spike times of one neuron in one trial, ms.

        Raises:
            SpecError: no such trial or neuron.
        """
        whole_number(trial, "trial", 0, self.trials - 1, "count from 0")
        whole_number(neuron, "neuron", 0, self.size - 1, "count from 0")
        n = trial * self.size + neuron
        return self.times[self.offsets[n] : self.offsets[n + 1]]

    def keep(self, neurons: Tensor) -> Spikes:
        """The spikes of the chosen neurons; the others become silent, without gradient.

        A random choice is dropout: `spikes.keep(torch.rand(spikes.trials, spikes.size) >= 0.3)`.

        Args:
            neurons: boolean, `[trials, size]`, or `[size]` for all trials.

        Raises:
            SpecError: another shape or dtype.
        """
        if neurons.dtype != torch.bool or neurons.shape not in ((self.size,), (self.trials, self.size)):
            expected, got = f"boolean, [{self.trials}, {self.size}]", Verbatim(f"{neurons.dtype} {list(neurons.shape)}")
            raise SpecError("neurons", expected, got, "give True for each neuron that keeps its spikes")
        chosen, lengths = neurons.expand(self.trials, self.size).flatten(), self.offsets.diff()
        times = self.times[chosen.repeat_interleave(lengths, output_size=len(self.times))]
        offsets = torch.cat([self.offsets[:1], torch.where(chosen, lengths, 0).cumsum(0)])
        return replace(self, times=times, offsets=offsets)

    def split(self, sizes: Sequence[int]) -> list[Spikes]:
        """The spikes of consecutive blocks of neurons, of these sizes; the inverse of `joined`."""
        if len(sizes) == 1:
            return [self]
        counts = self.counts()
        parts = []
        block = torch.arange(len(sizes)).repeat_interleave(torch.tensor(list(sizes))).to(counts.device)
        for n, part in enumerate(counts.split(list(sizes), dim=1)):
            offsets = torch.cat([counts.new_zeros(1), part.flatten().cumsum(0)])
            mask = (block == n).repeat(self.trials).repeat_interleave(counts.flatten(), output_size=len(self.times))
            parts.append(Spikes(self.times[mask], offsets, self.trials, part.shape[1], self.duration))
        return parts

    def to(self, device: torch.device | str) -> Spikes:
        """These spikes on another device; differentiable.

        Raises:
            SpecError: a dtype instead of a device. Times are float64 for layers of any dtype.
        """
        if not isinstance(device, torch.device | str):
            remedy = "times are float64 for every layer; `layer.to(dtype)` changes the precision"
            raise SpecError("device", "a torch device or its name", Verbatim(device), remedy)
        return replace(self, times=self.times.to(device), offsets=self.offsets.to(device))

    def detach(self) -> Spikes:
        """These spikes without their graph: no gradient passes, and `copy.deepcopy` works."""
        return replace(self, times=self.times.detach())

    def to_lists(self) -> list[list[list[float]]]:
        """The times as lists, `[trial][neuron][spike]`, ms."""
        return [[self.train(b, i).tolist() for i in range(self.size)] for b in range(self.trials)]

    def to_dense(self, dt: float) -> Tensor:
        """Spike counts on a time grid, float32, `[trials, steps, size]`, for tools that need one.

        Step `k` counts the spikes in `[k dt, (k + 1) dt)`; a spike at `duration` itself is in the
        last step, and later ones are refused. Exact times, and gradients, are lost.

        Args:
            dt: width of a step, ms.

        Raises:
            SpecError: a `dt` that is no positive number; a spike after `duration`.
        """
        steps = math.ceil(self.duration / positive_number(dt, "dt", "ms"))
        times = self.times.detach()
        if len(times) and float(times.max()) > self.duration:
            latest, expected = float(times.max()), f"at most `duration`, {self.duration} (ms)"
            raise SpecError("times", expected, latest, "raise `duration`")
        step = (times / dt).long().clamp_(max=steps - 1)
        train = torch.arange(len(self.offsets) - 1, device=times.device)
        train = train.repeat_interleave(self.offsets.diff(), output_size=len(times))
        place = (train // max(self.size, 1) * steps + step) * self.size + train % max(self.size, 1)
        counts = torch.bincount(place, minlength=self.trials * steps * self.size)
        return counts.reshape(self.trials, steps, self.size).float()

    def plot(self, trial: int = 0, ax: Axes | None = None) -> Axes:
        """Draw the raster of one trial with matplotlib: one mark per spike, time (ms) and neuron.

        Args:
            ax: the axes to draw on; None: new ones, of `pyplot`.

        Returns:
            The axes.

        Raises:
            SpecError: no such trial.
            UnsupportedError: matplotlib cannot be imported.
        """
        whole_number(trial, "trial", 0, self.trials - 1, "count from 0")
        begin, end = self.offsets[trial * self.size].item(), self.offsets[(trial + 1) * self.size].item()
        neurons = torch.arange(self.size).repeat_interleave(self.counts()[trial].cpu())
        return draw_raster(self.times[begin:end].detach().cpu(), neurons, self.size, self.duration, ax)

    def __repr__(self) -> str:
        numbers = {"trial": self.trials, "neuron": self.size, "spike": len(self.times)}
        trials, neurons, spikes = (f"{n} {noun}{'s' * (n != 1)}" for noun, n in numbers.items())
        return f"Spikes({trials} x {neurons}, {spikes}, {self.duration:g} ms, {self.times.device})"
