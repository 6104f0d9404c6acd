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


def collate(
    entries: Sequence[tuple[Any, Any]], *, size: int, duration: float, unit: str = "us"
) -> tuple[Spikes, Tensor]:
    """The spikes and labels of a batch of events, at exact times.

        load = functools.partial(collate, size=700, duration=1400.0)
        DataLoader(tonic.datasets.SHD("data"), batch_size=32, shuffle=True, collate_fn=load)

    Args:
        entries: `(events, label)` per trial. `events`: a structured array with fields `t` and `x`,
            as the package tonic has them, or a pair `(times, neurons)`; in any order.
        size: number of neurons.
        duration: of each trial, ms.
        unit: of the times: `us`, as in tonic, `ms` or `s`.

    Returns:
        The spikes, and the labels `[trials]`, int64.

    Raises:
        SpecError: no entries, one of another kind, or as `Spikes.from_events`.
    """
    times, neurons, labels = separated(entries)
    lengths = [len(t) for t in times]
    trials = np.repeat(np.arange(len(entries)), lengths)
    of = [x.astype(np.int64) if x.dtype.kind in "iu" or not len(x) else x for x in neurons]
    spikes = Spikes.from_events(
        np.concatenate(times), np.concatenate(of), trials, size=size, duration=duration, batch=len(entries), unit=unit
    )
    return spikes, torch.tensor(labels)


def separated(entries: Sequence[tuple[Any, Any]]) -> tuple[list[np.ndarray], list[np.ndarray], list[int]]:
    """Times (float64), neurons and label of each entry, which `collate` describes.

    Raises:
        SpecError: no entries, or one of another kind.
    """
    if not len(entries):
        raise SpecError("entries", "at least one", Verbatim("none"), "give the entries of a batch")
    times, neurons, labels = [], [], []
    for n in range(len(entries)):
        try:
            events, label = entries[n]
            t, x = (events["t"], events["x"]) if isinstance(events, np.ndarray) else events
            times.append(np.asarray(t, np.float64))
            neurons.append(np.asarray(x))
            labels.append(operator.index(label))
        except (TypeError, ValueError, KeyError, IndexError) as error:
            expected = "events with `t` and `x`, or times and neurons, and a whole label"
            raise SpecError(f"entries[{n}]", expected, Verbatim(error), "look at one entry of the dataset") from None
        if len(times[n]) != len(neurons[n]):
            expected = f"one neuron per time, {len(times[n])}"
            raise SpecError(f"entries[{n}]", expected, len(neurons[n]), "give both alike")
    return times, neurons, labels
