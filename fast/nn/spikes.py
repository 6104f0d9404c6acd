"""The spike trains of a batch, as one torch tensor of times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor

from delayprop.fast.nn import conversion
from delayprop.fast.nn.devices import check_device
from delayprop.fast.nn.other_tools import OF_TENSORS, TIMES
from delayprop.fast.nn.units import checked_duration
from delayprop.spec import SpecError, SpikeTrains, checks
from delayprop.spec.checks import duration as spec_duration
from delayprop.spec.checks import whole_number
from delayprop.spec.errors import Verbatim

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _no_tensor(function: str) -> str:
    return f"`{function}` must be given a tensor, got `Spikes`; {OF_TENSORS.get(function, TIMES)}"


@dataclass(frozen=True, eq=False)
class Spikes:
    """The spikes of `size` neurons in `trials` trials of equal duration.

    Attributes:
        times: `[n]`, float64, ms: by trial, then by neuron, each train ascending. Differentiable.
        offsets: `[trials * size + 1]`, int64: the train of neuron `i` in trial `b` is
            `times[offsets[b * size + i] : offsets[b * size + i + 1]]`.
        trials, size: batch size and number of neurons.
        duration: `T`, ms; a trial is `[0, T]`. Later times have no effect and gradient 0: an
            optimiser may move times there. `from_trains` and `from_events` refuse them.

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
        """Refuse tensors of another shape or dtype, and times below 0, not finite or out of order.

        Runs on construction and before each use, since an optimiser may change times in place.
        """
        whole_number(self.trials, "trials", 1, 2**31 - 1, "give the number of trials")
        whole_number(self.size, "size", 0, 2**31 - 1, "give the number of neurons")
        spec_duration(self.duration, "duration")
        conversion.check_layout(self.times.detach(), self.offsets, self.trials * self.size)

    @classmethod
    def from_trains(cls, trials: Sequence[SpikeTrains | Sequence], duration: float, unit: str = "ms") -> "Spikes":
        """The spikes of trains `[trial][neuron][spike]`: lists, arrays or tensors, each in order.

        Args:
            duration: of each trial, ms.
            unit: of the times: `ms`, `s` or `us`.

        Raises:
            SpecError: no trial, trials of different sizes, or a bad time, or one after `duration`.
        """
        times, offsets, size = conversion.of_trains(trials, unit)
        return conversion.within(cls(times, offsets, len(trials), size, checked_duration(duration)))

    @classmethod
    def from_events(
        cls, times: Any, neurons: Any, trials: Any = None, *, size: int, duration: float, batch: int | None = None,
        unit: str = "ms",
    ) -> "Spikes":
        """The spikes of a list of events, in any order.

        Args:
            times, neurons, trials: time, neuron and trial of each event, arrays or tensors `[n]`;
                `trials` None: one trial. Gradients pass to `times`.
            size, batch: numbers of neurons and of trials; `batch` None: up to the last trial named.
            duration, unit: as for `from_trains`.

        Raises:
            SpecError: different lengths, an index out of range, or a bad time.
        """
        found, offsets, batch = conversion.of_events(times, neurons, trials, size, batch, unit)
        return conversion.within(cls(found, offsets, batch, size, checked_duration(duration)))

    @classmethod
    def from_dense(cls, raster: Tensor, dt: float, batch: int | None = None) -> "Spikes":
        """The spikes of a raster of counts on a time grid, each in the middle of its step.

        Args:
            raster: `[trials, steps, size]`, whole numbers of at least 0, else `SpecError`.
            dt: width of a step, ms.
            batch: the number of trials, as a check of the order of axes; None: a raster of fewer
                steps than trials or neurons is refused if it has one step or is below 20 ms long.
        """
        times, offsets = conversion.of_dense(raster, dt, batch)
        return cls(times, offsets, raster.shape[0], raster.shape[2], checked_duration(raster.shape[1] * dt))

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

    def until(self, duration: float) -> "Spikes":
        """The spikes up to `duration` (ms), of trials that end there; differentiable.

        Cut recordings by it: a longer trial holds all spikes. `SpecError`: not above 0.
        """
        return self._where(self.times.detach() <= spec_duration(duration, "duration"), 0.0, duration)

    def window(self, start: float, end: float) -> "Spikes":
        """The spikes after `start` (at it too, if it is 0) up to `end`, ms, of trials that begin at
        `start`, from which their times count; differentiable.

        A layer goes on from window to window with a `LayerState`. `SpecError`: `start` below 0, or
        `end` not after it.
        """
        checks.non_negative_time(start, "start")
        spec_duration(checks.finite_number(end, "end") - start, "end - start")
        now = self.times.detach()
        return self._where((now <= end) & ((now > start) if start else (now >= 0.0)), start, end - start)

    def _where(self, here: Tensor, start: float, duration: float) -> "Spikes":
        """The spikes that stay, with times from `start` on."""
        before = torch.cat([self.offsets[:1], here.cumsum(0)])  # spikes that stay, before each spike
        times = self.times[here] - start if start else self.times[here]
        return replace(self, times=times, offsets=before[self.offsets], duration=float(duration))

    def __getitem__(self, trials: int | slice | Sequence[int] | Tensor) -> "Spikes":
        """The spikes of trials: number, slice, numbers or booleans; `SpecError` if that is none."""
        chosen = torch.arange(self.trials, device=self.device)[trials].reshape(-1)
        if not len(chosen):
            raise SpecError("trials", "at least one trial", Verbatim("none"), "name a trial")
        trains = (chosen[:, None] * self.size + torch.arange(self.size, device=self.device)).flatten()
        times, offsets = conversion.selected(self.times, self.offsets, trains)
        return replace(self, times=times, offsets=offsets, trials=len(chosen))

    @classmethod
    def __torch_function__(cls, function: Any, *_: object) -> NoReturn:
        """`TypeError`: a function of torch is called with spikes."""
        raise TypeError(_no_tensor(getattr(function, "__name__", "this function")))

    if not TYPE_CHECKING:  # a type checker finds missing attributes by itself

        def __getattr__(self, name: str) -> NoReturn:
            """`AttributeError`: no such attribute; modules of torch ask tensors for some."""
            known = hasattr(Tensor, name) and not name.startswith("_")
            raise AttributeError(_no_tensor(name) if known else f"'Spikes' object has no attribute {name!r}")

    def __iter__(self) -> "Iterator[Spikes]":
        """Trial by trial."""
        return (self[trial] for trial in range(self.trials))

    def __eq__(self, other: object) -> bool:
        """Whether all trains, sizes and durations are equal, to the last bit."""
        if not isinstance(other, Spikes):
            return NotImplemented
        return (self.shape, self.duration, self.device) == (other.shape, other.duration, other.device) and (
            torch.equal(self.offsets, other.offsets) and torch.equal(self.times, other.times)
        )

    __hash__ = None  # type: ignore[assignment]  # times may be changed in place

    def counts(self) -> Tensor:
        """The number of spikes, `[trials, size]`, without gradient: no loss of it can learn."""
        return self.offsets.diff().reshape(self.trials, self.size)

    def silent(self) -> int:
        """The number of neurons that spike in no trial; they pass no gradient in this batch."""
        return int((self.counts() == 0).all(dim=0).sum())

    def first(self) -> Tensor:
        """The first spike times, `[trials, size]`, ms; of a silent neuron `duration`."""
        times = torch.cat([self.times, self.times.new_full((1,), self.duration)])
        index = torch.where(self.offsets.diff() == 0, len(self.times), self.offsets[:-1])
        return times[index].reshape(self.trials, self.size)

    def train(self, trial: int, neuron: int) -> Tensor:
        """The spike times of one neuron in one trial, ms; `SpecError` without it."""
        whole_number(trial, "trial", 0, self.trials - 1, "count from 0")
        whole_number(neuron, "neuron", 0, self.size - 1, "count from 0")
        n = trial * self.size + neuron
        return self.times[self.offsets[n] : self.offsets[n + 1]]

    def keep(self, neurons: Tensor) -> "Spikes":
        """The spikes of the chosen neurons; the others become silent, without gradient.

        `neurons`: boolean, `[trials, size]`, `[size]` for all trials; else `SpecError`. Dropout is
        `spikes.keep(torch.rand(spikes.shape, device=spikes.device) >= 0.3)`.
        """
        if not isinstance(neurons, Tensor) or neurons.device != self.device:
            got = Verbatim(neurons.device if isinstance(neurons, Tensor) else type(neurons).__name__)
            raise SpecError("neurons", f"a tensor on {self.device}, as the spikes", got, "make one of booleans there")
        if neurons.dtype != torch.bool or neurons.shape not in ((self.size,), (self.trials, self.size)):
            expected = f"boolean, of shape [{self.trials}, {self.size}] or [{self.size}]"
            got = Verbatim(f"{neurons.dtype} {list(neurons.shape)}")
            raise SpecError("neurons", expected, got, "give True for each neuron that keeps its spikes")
        chosen, lengths = neurons.expand(self.trials, self.size).flatten(), self.offsets.diff()
        times = self.times[chosen.repeat_interleave(lengths, output_size=len(self.times))]
        offsets = torch.cat([self.offsets[:1], torch.where(chosen, lengths, 0).cumsum(0)])
        return replace(self, times=times, offsets=offsets)

    def split(self, sizes: Sequence[int]) -> "list[Spikes]":
        """The spikes of consecutive blocks of neurons, of these sizes; the inverse of `joined`."""
        if len(sizes) == 1:
            return [self]
        trains = torch.arange(self.trials * self.size, device=self.device).reshape(self.trials, self.size)
        blocks = trains.split(list(sizes), dim=1)
        parts = (conversion.selected(self.times, self.offsets, block.flatten()) for block in blocks)
        return [Spikes(*part, self.trials, size, self.duration) for part, size in zip(parts, sizes, strict=True)]

    def to(self, device: torch.device | str) -> "Spikes":
        """These spikes on another device (`UnsupportedError`: it is missing); differentiable."""
        if not isinstance(device, torch.device | str):
            remedy = "times are float64 for every layer; `layer.to(dtype)` changes the precision"
            raise SpecError("device", "a torch device or its name", Verbatim(device), remedy)
        if torch.device(device).type == "cuda":
            check_device(str(device))
        return replace(self, times=self.times.to(device), offsets=self.offsets.to(device))

    def detach(self) -> "Spikes":
        """These spikes without their graph: no gradient passes, and `copy.deepcopy` works."""
        return replace(self, times=self.times.detach())

    def to_lists(self) -> list[list[list[float]]]:
        """The times as lists, `[trial][neuron][spike]`, ms."""
        return [[self.train(b, i).tolist() for i in range(self.size)] for b in range(self.trials)]

    def to_dense(self, dt: float) -> Tensor:
        """Spike counts in steps of `dt` ms, float32, `[trials, steps, size]`, for tools of grids.

        Step `k` counts the spikes in `[k dt, (k + 1) dt)`, its edges exact to rounding; a spike at
        `duration` is in the last step, and `SpecError` names a later one. Gradients are lost.
        """
        return conversion.on_grid(self.times.detach(), self.offsets, self.trials, self.size, self.duration, dt)

    def plot(self, trial: int | Sequence[int] = 0, ax: "Axes | None" = None) -> "Axes":
        """Draw a raster with matplotlib (`UnsupportedError` without it): time (ms) and neuron.

        Args:
            trial: its number; several are drawn one above the other, the first at the bottom.
            ax: the axes to draw on, which are returned; None: new ones, of `pyplot`.
        """
        return conversion.draw_raster(self, trial, ax)

    def __repr__(self) -> str:
        numbers = {"trial": self.trials, "neuron": self.size, "spike": len(self.times)}
        trials, neurons, spikes = (f"{n} {noun}{'s' * (n != 1)}" for noun, n in numbers.items())
        return f"Spikes({trials} x {neurons}, {spikes}, {self.duration:g} ms, {self.times.device})"
