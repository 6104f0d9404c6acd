"""Events of a `Dataset` as a batch: for the `collate_fn` of torch's `DataLoader`."""

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.nn.spikes import Spikes
from delayprop.spec.checks import whole_number
from delayprop.spec.errors import SpecError, Verbatim


class Events(NamedTuple):
    """An entry per trial in each list."""

    times: list[np.ndarray]  # float64, in the unit of the user
    neurons: list[np.ndarray]  # int64
    labels: list[int]


def collate(entries: Sequence[tuple[Any, Any]], *, size: int, duration: float, unit: str) -> tuple[Spikes, Tensor]:
    """The spikes and labels of a batch of events, at exact times.

        load = functools.partial(collate, size=700, duration=1400.0, unit="us")
        DataLoader(tonic.datasets.SHD("data"), batch_size=32, shuffle=True, collate_fn=load)

    Args:
        entries: `(events, label)` per trial. `events`: a structured array with fields `t` and `x`,
            as the package tonic has them, or a pair `(times, neurons)`, in any order; or `Spikes`
            of one trial, in ms. Further fields, such as `y` and `p`, must have one value in the
            whole batch; where they vary, give `(times, neurons)` with a neuron for each place and
            polarity.
        size: number of neurons.
        duration: of each trial, ms.
        unit: of the times: `us`, as tonic has them, `ms` or `s`.

    Returns:
        The spikes, and the labels `[trials]`, int64.

    Raises:
        SpecError: no entries, one of another kind, or as `Spikes.from_events`.
    """
    whole_number(size, "size", 1, 2**31 - 1, "give the number of neurons")
    times, neurons, labels = separated(entries, unit, most=size, bound="size")
    trials = np.repeat(np.arange(len(labels)), [len(t) for t in times])
    spikes = Spikes.from_events(
        np.concatenate(times), np.concatenate(neurons), trials, size=size, duration=duration, batch=len(labels),
        unit=unit,
    )
    return spikes, torch.tensor(labels)


def separated(entries: Any, unit: str, called: str = "entries", most: int = 2**31, bound: str = "") -> Events:
    """The numbers of each entry, which `collate` describes; an error names the entry, one of
    `called`. Neuron numbers are below `most`, which the argument `bound` sets, if it is one."""
    if not (hasattr(entries, "__len__") and hasattr(entries, "__getitem__")):
        got = Verbatim(type(entries).__name__)
        raise SpecError(called, "a list or a dataset of `(events, label)`", got, f"give `list({called})`")
    if not len(entries):
        raise SpecError(called, "a list with at least one entry", Verbatim("an empty one"), "give an entry per trial")
    found = Events([], [], [])
    only: dict[str, Any] = {}
    for n in range(len(entries)):
        name = f"{called}[{n}]"
        try:
            events, label = _pair(name, entries[n], unit)
            times, neurons = (events["t"], events["x"]) if isinstance(events, np.ndarray) else events
        except SpecError:
            raise
        except (TypeError, ValueError, KeyError, IndexError) as error:
            expected = "a pair: events with `t` and `x`, or times and neurons; and a label"
            raise SpecError(name, expected, Verbatim(error), "look at one entry of the dataset") from None
        if isinstance(events, np.ndarray):
            _check_other_fields(name, events, only)
        times = row_of(f"{name} times", times, "fiu", "real numbers")
        neurons = row_of(f"{name} neurons", neurons, "iu", "whole numbers")
        if len(times) != len(neurons):
            fault = f"has times and neurons in different numbers, {len(times)} and {len(neurons)}"
            raise SpecError(name, "", fault, "give one neuron per time")
        if len(times) and not (np.isfinite(times).all() and times.min() >= 0):
            wrong = next(t for t in times.tolist() if not (math.isfinite(t) and t >= 0))  # nan-ok: it is refused
            raise SpecError(f"{name} times", "finite, and at least 0", wrong, "look at that entry of the dataset")
        if len(neurons) and not (0 <= neurons.min() and neurons.max() < most):
            outside = int(neurons.min() if neurons.min() < 0 else neurons.max())
            expected = f"from 0 to {most - 1}" + (f", since `{bound}` is {most}" if bound else "")
            remedy = f"raise `{bound}`, or count neurons from 0" if bound else "count neurons from 0"
            raise SpecError(f"{name} neurons", expected, outside, remedy)
        found.times.append(times.astype(np.float64))
        found.neurons.append(neurons.astype(np.int64))
        found.labels.append(_label(name, label))
    return found


def _pair(name: str, entry: Any, unit: str) -> tuple[Any, Any]:
    """Events and label of an entry; `Spikes` become times and neurons."""
    each = "give `list(zip(spikes, labels))`, an entry per trial"
    if isinstance(entry, Spikes):
        raise SpecError(name, "a pair of events and label", Verbatim("a `Spikes`"), each)
    events, label = entry
    if isinstance(events, Spikes):
        if events.trials != 1:
            raise SpecError(name, "spikes of one trial", Verbatim(f"of {events.trials}"), each)
        if unit != "ms":
            fault = f"is a `Spikes`, whose times are in ms, not in {unit}"
            raise SpecError(name, "", fault, "use `unit='ms'`, or events")
        return (events.times, np.repeat(np.arange(events.size), events.counts()[0].cpu())), label
    if getattr(events, "ndim", 1) > 1 and len(events) != 2:
        got, expected = Verbatim(f"a raster {list(events.shape)}"), "events, or `Spikes` of one trial"
        remedy = "`Spikes.from_dense(raster[None], dt)` makes one of counts [steps, neurons]; its times are in ms"
        raise SpecError(name, expected, got, remedy)
    return events, label


def row_of(name: str, values: Any, kinds: str, expected: str, remedy: str = "") -> np.ndarray:
    """Numbers of one row. Without any, they may be of any kind."""
    try:
        row = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor that learns: its gradient would be lost
        raise SpecError(name, f"a row of {expected}", Verbatim(error), "look at that entry of the dataset") from None
    if row.ndim != 1:
        got = Verbatim("a single number" if row.ndim == 0 else f"an array of shape {list(row.shape)}")
        raise SpecError(name, "a row, one entry per spike", got, remedy or "look at that entry of the dataset")
    if not row.size:
        return np.empty(0, np.int64)
    if row.dtype.kind not in kinds:
        raise SpecError(name, expected, Verbatim(row.dtype), remedy or "convert them first")
    return row


def _label(name: str, label: Any) -> int:
    try:
        found = operator.index(label)
    except TypeError:
        found = -1
    if not 0 <= found < 2**31:
        raise SpecError(f"{name} label", "a whole number from 0 to 2147483647", label, "number the classes from 0")
    return found


def _check_other_fields(name: str, events: np.ndarray, only: dict[str, Any]) -> None:
    """Refuses other fields that vary: they would be lost; `only`: their values until then."""
    for field in events.dtype.names or ():
        if field in ("t", "x") or not len(events):
            continue
        value = only.setdefault(field, events[field][0])
        if (events[field] != value).any():
            got = Verbatim("several values, which would be lost")
            remedy = "give `(times, neurons)`, with a neuron for each place and polarity"
            raise SpecError(f"{name} {field}", "one value in all events", got, remedy)
