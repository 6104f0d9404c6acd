"""Events of a `Dataset` as a batch: for the `collate_fn` of torch's `DataLoader`."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fast.nn.spikes import Spikes
from spec import SpecError
from spec.errors import Verbatim

WHICH = "raise `size`, or count neurons from 0"


def collate(
    entries: Sequence[tuple[Any, Any]], *, size: int, duration: float, unit: str
) -> tuple[Spikes, Tensor]:
    """The spikes and labels of a batch of events, at exact times.

        load = functools.partial(collate, size=700, duration=1400.0, unit="us")
        DataLoader(tonic.datasets.SHD("data"), batch_size=32, shuffle=True, collate_fn=load)

    Args:
        entries: `(events, label)` per trial. `events`: a structured array with fields `t` and `x`,
            as the package tonic has them, or a pair `(times, neurons)`; in any order. Fields `y`
            and `p` must not vary: give `(times, neurons)` with a neuron for each place and polarity
            of an image.
        size: number of neurons.
        duration: of each trial, ms.
        unit: of the times: `us`, as tonic has them, `ms` or `s`.

    Returns:
        The spikes, and the labels `[trials]`, int64.

    Raises:
        SpecError: no entries, one of another kind, or as `Spikes.from_events`.
    """
    times, neurons, labels = separated(entries)
    lengths = [len(t) for t in times]
    for n, x in enumerate(neurons):
        if len(x) and x.dtype.kind in "iu" and not (0 <= x.min() and x.max() < size):
            worst = int(x.min() if x.min() < 0 else x.max())
            raise SpecError(f"entries[{n}] neurons", f"from 0 to {size - 1}, since `size` is {size}", worst, WHICH)
    trials = np.repeat(np.arange(len(entries)), lengths)
    of = [x.astype(np.int64) if x.dtype.kind in "iu" or not len(x) else x for x in neurons]
    spikes = Spikes.from_events(
        np.concatenate(times), np.concatenate(of), trials, size=size, duration=duration, batch=len(entries), unit=unit
    )
    return spikes, torch.tensor(labels)


def separated(entries: Any, called: str = "entries") -> tuple[list[np.ndarray], list[np.ndarray], list[int]]:
    """Times (float64), neurons and label of each entry, which `collate` describes; `called`: what
    messages call the entries.

    Raises:
        SpecError: no entries, or one of another kind.
    """
    if not len(entries):
        raise SpecError(called, "at least one", Verbatim("none"), "give the entries of a batch")
    times, neurons, labels = [], [], []
    for n in range(len(entries)):
        name = f"{called}[{n}]"
        try:
            events, label = entries[n]
            t, x = (events["t"], events["x"]) if isinstance(events, np.ndarray) else events
            times.append(np.asarray(t, np.float64))
            neurons.append(np.asarray(x))
        except (TypeError, ValueError, KeyError, IndexError) as error:
            expected = "events with `t` and `x`, or times and neurons; and a label"
            raise SpecError(name, expected, Verbatim(error), "look at one entry of the dataset") from None
        try:
            labels.append(operator.index(label))
        except TypeError:
            raise SpecError(f"{name} label", "a whole number", label, "number the classes from 0") from None
        for field in ("y", "p"):
            if isinstance(events, np.ndarray) and field in events.dtype.names and len(np.unique(events[field])) > 1:
                got = Verbatim("several values, which would be lost")
                remedy = "give `(times, neurons)`, with a neuron for each place and polarity"
                raise SpecError(f"{name} {field}", "one value in all events", got, remedy)
        if len(times[n]) != len(neurons[n]):
            expected = f"one neuron per time, {len(times[n])}"
            raise SpecError(name, expected, len(neurons[n]), "give both alike")
        if not np.isfinite(times[n]).all():
            bad = times[n][~np.isfinite(times[n])][0]
            raise SpecError(f"{name} times", "finite numbers", float(bad), "look at that entry of the dataset")
    return times, neurons, labels
