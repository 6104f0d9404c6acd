"""Spikes as plain tensors: checked, made of trains, events and rasters, put on a grid, drawn."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.compiling.compiler import outermost
from delayprop.fast.nn.devices import within_transforms
from delayprop.fast.nn.units import UNITS, in_ms, warn
from delayprop.spec import SpikeTrains
from delayprop.spec.checks import is_list, one_of, positive_number, whole_number
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim, placed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from delayprop.fast.nn.spikes import Spikes

EARLY = 0.002  # of a trial: input rarely ends there, but seconds or ms that were taken for ms or us do
BRIEF = 20.0  # ms: a raster of shorter trials, with more trials or neurons than steps, is probably transposed


@outermost
def are_trains(times: np.ndarray, offsets: np.ndarray) -> bool:
    """Whether `offsets` ascend from 0 to the number of `times`, and the times of each train are
    finite, at least 0, and ascend; in torch this would take as long as a small layer."""
    if offsets[0] != 0 or offsets[-1] != times.size:
        return False
    for train in range(offsets.size - 1):
        before, last = 0.0, offsets[train + 1]
        if not offsets[train] <= last <= times.size:
            return False
        for n in range(offsets[train], last):
            if not before <= times[n] < math.inf:
                return False
            before = times[n]
    return True


def check_layout(times: Tensor, offsets: Tensor, trains: int) -> None:
    """Refuse tensors that are no spike trains (another shape or dtype, or a time below 0, not
    finite or out of order): kernels index by `offsets`, and need order."""
    if times.ndim != 1 or times.dtype != torch.float64:
        got = Verbatim(f"{times.dtype} {list(times.shape)}")
        raise SpecError("times", "a float64 tensor of one dimension (ms)", got, "give times as `.double()`")
    if offsets.dtype != torch.int64 or offsets.shape != (trains + 1,):
        got = Verbatim(f"{offsets.dtype} {list(offsets.shape)}")
        raise SpecError("offsets", f"int64 of shape [{trains + 1}]", got, "give one per train, and the end")
    if offsets.device != times.device:
        expected, remedy = f"on the device of `times`, {times.device}", "`.to(device)` moves both"
        raise SpecError("offsets", expected, Verbatim(offsets.device), remedy)
    numpy_reads = times.device.type == "cpu" and not within_transforms()
    if numpy_reads and are_trains(times.numpy(), offsets.numpy()):
        return
    ends_wrong = torch.stack([offsets[0] != 0, offsets[-1] != len(times), (offsets.diff() < 0).any()]).any()
    bad = ~(torch.isfinite(times) & (times >= 0))  # nan-ok: it is refused below
    starts = torch.zeros(len(times) + 1, dtype=torch.bool, device=times.device)
    starts[offsets.clamp(0, len(times))] = True
    back = (times.diff() < 0) & ~starts[1:-1]
    # nan-ok: the checks found nothing; one synchronisation with a GPU
    if not bool(torch.stack([ends_wrong, bad.any(), back.any()]).any()):
        return
    if bool(ends_wrong):
        expected = f"ascending from 0 to {len(times)}, the number of times"
        raise SpecError("offsets", expected, Verbatim(offsets.tolist()), "count the spikes of each train")
    if bool(bad.any()):
        n = int(bad.nonzero()[0])
        raise SpecError(f"times[{n}]", "finite and at least 0 (ms)", float(times[n]), "a trial starts at 0")
    n = int(back.nonzero()[0]) + 1
    expected = f"at least the time before it in its train, {float(times[n - 1])}"
    raise SpecError(f"times[{n}]", expected, float(times[n]), "sort each train")


def within(spikes: "Spikes") -> "Spikes":
    """Spikes that end within their trials, as given; no layer would see later ones, and `SpecError`
    names the last of them. Warns of spikes that are all very early."""
    times, duration = spikes.times.detach(), spikes.duration
    latest = float(times.max()) if len(times) else duration
    if latest <= duration:
        if len(times) >= 10 and 0 < latest < EARLY * duration:
            warn(f"all spikes lie in the first {latest:.3g} of {duration:g} ms: is `unit` the unit of their times?")
        return spikes
    n = int(times.argmax())
    trial, neuron = divmod(int(torch.searchsorted(spikes.offsets, n, right=True)) - 1, spikes.size)
    got = Verbatim(f"{latest:g}, of neuron {neuron} in trial {trial}")
    remedy = f"give the `unit` of the times, or a longer `duration`; `.until({duration:g})` then cuts the trials"
    raise SpecError("times", f"at most `duration`, {duration:g} (ms)", got, remedy)


def of_trains(trials: Sequence[SpikeTrains | Sequence], unit: str) -> tuple[Tensor, Tensor, int]:
    """Times (ms), offsets, and number of neurons, from trains; see `Spikes.from_trains`."""
    one_of(unit, "unit", UNITS)
    if len(trials) == 0:
        raise SpecError("trials", "a list of at least one trial", Verbatim("none"), "give one list of trains per trial")
    given: list[Tensor | np.ndarray] = []
    for b, trial in enumerate(trials):
        plain = [train.detach().cpu().numpy() if isinstance(train, Tensor) else train for train in trial]
        with placed(f"trials[{b}]"):
            checked = trial if isinstance(trial, SpikeTrains) else SpikeTrains(plain)  # type: ignore[arg-type]
        if len(checked) != len(trials[0]):
            expected = f"{len(trials[0])} trains, as in trials[0]"
            raise SpecError(f"trials[{b}]", expected, Verbatim(f"{len(checked)}"), "give [] for a silent neuron")
        given += [own if isinstance(own, Tensor) else train.copy() for own, train in zip(trial, checked, strict=True)]
    if any(isinstance(train, Tensor) for train in given):  # which may carry a gradient
        times = torch.cat([torch.as_tensor(train).double() for train in given])
    else:
        times = torch.from_numpy(np.concatenate([np.empty(0), *given]))
    offsets = torch.from_numpy(np.cumsum([0, *map(len, given)], dtype=np.int64)).to(times.device)
    return in_ms(times, unit), offsets, len(trials[0])


def of_events(
    times: Any, neurons: Any, trials: Any, size: int, batch: int | None, unit: str
) -> tuple[Tensor, Tensor, int]:
    """Times (ms), offsets, and number of trials, from events; see `Spikes.from_events`."""
    one_of(unit, "unit", UNITS)
    whole_number(size, "size", 1, 2**31 - 1, "give the number of neurons")
    times = torch.as_tensor(times, dtype=torch.float64)
    neuron = _indices(neurons, "neurons", times)
    trial = torch.zeros_like(neuron) if trials is None else _indices(trials, "trials", times)
    if batch is None:
        batch = int(trial.max()) + 1 if len(trial) else 1
    whole_number(batch, "batch", 1, 2**31 - 1, "give the number of trials")
    for name, index, bound in (("neurons", neuron, size), ("trials", trial, batch)):
        outside = (index < 0) | (index >= bound)
        if bool(outside.any()):
            n = int(outside.nonzero()[0])
            remedy = f"count from 0, or raise `{'size' if name == 'neurons' else 'batch'}`"
            raise SpecError(f"{name}[{n}]", f"from 0 to {bound - 1}", int(index[n]), remedy)
    train = trial * size + neuron
    in_time = torch.argsort(times.detach(), stable=True)
    order = in_time[torch.argsort(train[in_time], stable=True)]
    counts = torch.bincount(train, minlength=batch * size)
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return in_ms(times, unit)[order], offsets, batch


def _indices(values: Any, name: str, times: Tensor) -> Tensor:
    found = torch.as_tensor(np.asarray(values).astype(np.int64) if isinstance(values, np.ndarray) else values)
    whole = not found.is_floating_point() and found.dtype != torch.bool
    if isinstance(values, np.ndarray) and values.dtype.kind not in "iu":
        whole = False
    if times.ndim != 1 or found.shape != times.shape or not (whole or not len(found)):
        got = Verbatim(f"{getattr(values, 'dtype', found.dtype)} {list(found.shape)} for times {list(times.shape)}")
        raise SpecError(name, "whole numbers, one per time", got, "give one index per spike")
    return found.to(times.device, torch.int64)


def of_dense(raster: Tensor, dt: float, batch: int | None) -> tuple[Tensor, Tensor]:
    """Times (ms) and offsets from counts `[trials, steps, size]`; see `Spikes.from_dense`."""
    positive_number(dt, "dt", "ms")
    raster = torch.as_tensor(raster)
    if raster.ndim != 3 or 0 in raster.shape:
        expected, got = "of shape [trials, steps, neurons]", Verbatim(list(raster.shape))
        raise SpecError("raster", expected, got, "`raster[None]` is one trial")
    trials, steps, size = raster.shape
    if batch is not None:
        whole_number(batch, "batch", 1, 2**31 - 1, "give the number of trials")
    brief = (steps == 1 or steps * dt < BRIEF) and steps < max(trials, size)
    if brief if batch is None else batch != trials:
        expected = "of shape [trials, steps, neurons]" if batch is None else f"of {batch} trials, as `batch`"
        got = Verbatim(f"{list(raster.shape)}, so {trials} trials of {steps * dt:g} ms")
        remedy = "give `raster.swapaxes(0, 1)` if time comes first, `.swapaxes(1, 2)` if it comes last"
        confirm = f"; `batch={trials}` confirms this order, and `dt` is in ms" if batch is None else ""
        raise SpecError("raster", expected, got, remedy + confirm)
    counts = raster.to(torch.int64)
    wrong = (counts != raster) | (counts < 0)
    if bool(wrong.any()):
        at = wrong.nonzero()[0].tolist()
        raise SpecError(f"raster{at}", "a whole number of at least 0", float(raster[tuple(at)]), "give spike counts")
    by_train = counts.transpose(1, 2)
    middle = (torch.arange(raster.shape[1], dtype=torch.float64, device=raster.device) + 0.5) * dt
    times = middle.expand(by_train.shape).flatten().repeat_interleave(by_train.flatten())
    return times, torch.cat([counts.new_zeros(1), by_train.sum(2).flatten().cumsum(0)])


def selected(times: Tensor, offsets: Tensor, trains: Tensor) -> tuple[Tensor, Tensor]:
    """Times (ms) and offsets of the trains of these numbers, in their order; differentiable."""
    lengths = offsets.diff()[trains]
    ends = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    # Number k of a train is that many places after the start of the train.
    start = (offsets[:-1][trains] - ends[:-1]).repeat_interleave(lengths)
    return times[start + torch.arange(len(start), device=times.device)], ends


def on_grid(times: Tensor, offsets: Tensor, trials: int, size: int, duration: float, dt: float) -> Tensor:
    """Counts `[trials, steps, size]`, float32; see `Spikes.to_dense`."""
    in_steps = duration / positive_number(dt, "dt", "ms")
    whole = round(in_steps)
    steps = max(1, whole if abs(in_steps - whole) <= 1e-9 * in_steps else math.ceil(in_steps))
    if len(times) and float(times.max()) > duration:
        raise SpecError("times", f"at most `duration`, {duration} (ms)", float(times.max()), "raise `duration`")
    step = (times / dt).long().clamp_(max=steps - 1)
    train = torch.arange(trials * size, device=times.device).repeat_interleave(offsets.diff(), output_size=len(times))
    place = (train // max(size, 1) * steps + step) * size + train % max(size, 1)
    return torch.bincount(place, minlength=trials * steps * size).reshape(trials, steps, size).float()


def draw_raster(spikes: "Spikes", trial: int | Sequence[int], ax: "Axes | None") -> "Axes":
    """One mark per spike, and a row per trial and neuron; see `Spikes.plot`."""
    several = list(trial) if is_list(trial) or isinstance(trial, range) else [trial]  # type: ignore[arg-type]
    trials = [whole_number(one, "trial", 0, spikes.trials - 1, "count from 0") for one in several]
    drawn, height = spikes[trials], max(spikes.size, 1)
    try:
        from matplotlib import pyplot
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        remedy = "install it with `pip install matplotlib`"
        raise UnsupportedError("matplotlib", "installed", Verbatim(error), remedy) from None
    ax = pyplot.subplots(layout="constrained")[1] if ax is None else ax
    rows = torch.arange(len(trials) * spikes.size).repeat_interleave(drawn.offsets.diff().cpu())
    points = max(1.0, min(6.0, 300 / (height * len(trials))))  # a mark is at most about one row high
    ax.plot(drawn.times.detach().cpu(), rows, linestyle="none", marker="|", markersize=points, color="black")
    ax.set(xlim=(0, spikes.duration), ylim=(-0.5, height * len(trials) - 0.5), xlabel="time, ms", ylabel="neuron")
    if len(trials) == 1:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        return ax
    for n in range(1, len(trials)):
        ax.axhline(n * height - 0.5, color="0.8", linewidth=0.8)
    ax.set_yticks([(n + 0.5) * height - 0.5 for n in range(len(trials))], [str(trial) for trial in trials])
    ax.set_ylabel("trial, a row per neuron")
    return ax
