"""The layout of `Spikes` as plain tensors: checked, and made of trains, events and rasters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.nn.devices import numpy_reads
from delayprop.fast.nn.trains import are_trains
from delayprop.fast.nn.warned import warn
from delayprop.spec import SpecError, SpikeTrains
from delayprop.spec.checks import duration as spec_duration
from delayprop.spec.checks import one_of, positive_number, whole_number
from delayprop.spec.errors import Verbatim

UNITS = ("ms", "s", "us")
"""Units in which data may come."""
EARLY = 0.002  # of a trial: input rarely ends there, but seconds or ms that were taken for ms or us do
BRIEF = 20.0  # ms: a raster of shorter trials, with more trials or neurons than steps, is probably transposed
SHORTEST = 0.1  # ms: no trial and no time constant is shorter, unless its unit is wrong


def in_ms(times: Any, unit: str) -> Any:
    """Times of a unit, an array or a tensor, in ms: each with one rounding at most."""
    if unit == "ms":
        return times
    return times * 1000 if unit == "s" else times / 1000


def warn_if_short(value: float, name: str) -> None:
    """Warn of a time so short that it was probably meant in seconds."""
    if value < SHORTEST:
        meant = f"all times are in ms, so {value:g} s are {1000 * value:g}"
        words = f"`{name}` is {value:g} ms, which looks like seconds: {meant}"
        warn(words)


def warn_if_early(latest: float, spikes: int, duration: float) -> None:
    """Warn of spikes so early in their trials that their unit was probably another."""
    if spikes >= 10 and 0 < latest < EARLY * duration:
        warn(f"all spikes lie in the first {latest:.3g} of {duration:g} ms: is `unit` the unit of their times?")


def checked_duration(duration: object) -> float:
    """The duration of a trial that a user gives, ms."""
    found = spec_duration(duration, "duration")
    warn_if_short(found, "duration")
    return found


def check_layout(times: Tensor, offsets: Tensor, trains: int) -> None:
    """Refuse tensors that are no spike trains: kernels index by `offsets`, and need order.

    Raises:
        SpecError: another shape or dtype, or a time below 0, not finite or out of order.
    """
    if times.ndim != 1 or times.dtype != torch.float64:
        got = Verbatim(f"{times.dtype} {list(times.shape)}")
        raise SpecError("times", "a float64 tensor of one dimension (ms)", got, "give times as `.double()`")
    if offsets.dtype != torch.int64 or offsets.shape != (trains + 1,):
        got = Verbatim(f"{offsets.dtype} {list(offsets.shape)}")
        raise SpecError("offsets", f"int64 of shape [{trains + 1}]", got, "give one per train, and the end")
    if offsets.device != times.device:
        expected, remedy = f"on the device of `times`, {times.device}", "`.to(device)` moves both"
        raise SpecError("offsets", expected, Verbatim(offsets.device), remedy)
    if numpy_reads(times) and are_trains(times.numpy(), offsets.numpy()):
        return
    lengths = offsets.diff()
    ends_wrong = torch.stack([offsets[0] != 0, offsets[-1] != len(times), (lengths < 0).any()]).any()
    bad = ~(torch.isfinite(times) & (times >= 0))
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


def check_within(times: Tensor, offsets: Tensor, size: int, duration: float) -> None:
    """Refuse a spike after the end of its trial: no layer would see it, and no gradient reach it.
    Warn of spikes that are all very early.

    Raises:
        SpecError: names the last of these spikes.
    """
    latest = float(times.detach().max()) if len(times) else duration
    if latest <= duration:
        warn_if_early(latest, len(times), duration)
        return
    n = int(times.detach().argmax())
    train = int(torch.searchsorted(offsets, n, right=True)) - 1
    got = Verbatim(f"{float(times[n]):g}, of neuron {train % size} in trial {train // size}")
    remedy = f"give the `unit` of the times, or a longer `duration`; `.until({duration:g})` then cuts the trials"
    raise SpecError("times", f"at most `duration`, {duration:g} (ms)", got, remedy)


def of_trains(trials: Sequence[SpikeTrains | Sequence], unit: str) -> tuple[Tensor, Tensor, int]:
    """Times (ms), offsets, and number of neurons, from trains `[trial][neuron][spike]`; see
    `Spikes.from_trains`."""
    one_of(unit, "unit", UNITS)
    if len(trials) == 0:
        expected = "a list of at least one trial"
        raise SpecError("trials", expected, Verbatim("none"), "give one list of trains per trial")
    given: list[Tensor | np.ndarray] = []
    for b, trial in enumerate(trials):
        plain = [train.detach().cpu().numpy() if isinstance(train, Tensor) else train for train in trial]
        try:
            checked = trial if isinstance(trial, SpikeTrains) else SpikeTrains(plain)  # type: ignore[arg-type]
        except SpecError as error:
            raise SpecError(f"trials[{b}]{error.name}", error.expected, error.got, error.remedy) from None
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
    """Times (ms), offsets, and number of trials, from events in any order; see
    `Spikes.from_events`."""
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


def on_grid(times: Tensor, offsets: Tensor, trials: int, size: int, duration: float, dt: float) -> Tensor:
    """Counts `[trials, steps, size]`, float32; see `Spikes.to_dense`."""
    in_steps = duration / positive_number(dt, "dt", "ms")
    whole = round(in_steps)
    steps = max(1, whole if abs(in_steps - whole) <= 1e-9 * in_steps else math.ceil(in_steps))
    if len(times) and float(times.max()) > duration:
        expected = f"at most `duration`, {duration} (ms)"
        raise SpecError("times", expected, float(times.max()), "raise `duration`")
    step = (times / dt).long().clamp_(max=steps - 1)
    train = torch.arange(trials * size, device=times.device).repeat_interleave(offsets.diff(), output_size=len(times))
    place = (train // max(size, 1) * steps + step) * size + train % max(size, 1)
    return torch.bincount(place, minlength=trials * steps * size).reshape(trials, steps, size).float()
