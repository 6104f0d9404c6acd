"""Batches of a `DataLoader` from events, as the package tonic has them, at exact times."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from delayprop.fast.data.collating import collate
from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.nn.spikes import Spikes
from tests.support.refusals import assert_refused

EVENTS = np.dtype([("t", int), ("x", int), ("p", int)])
IMAGE = np.dtype([("t", int), ("x", int), ("y", int)])
small: Any = partial(collate, size=2, duration=10.0, unit="ms")


def digits() -> Any:
    """Ten trials of events in tonic's layout: microseconds, channels, polarity."""
    random, found = np.random.default_rng(0), []
    for n in range(10):
        events = np.zeros(n * 3, EVENTS)
        events["t"], events["x"] = np.sort(random.integers(0, 100_000, n * 3)), random.integers(0, 7, n * 3)
        found.append((events, n % 4))
    return found


def test_batches_of_a_loader_are_the_trials_of_the_dataset() -> None:
    data = SpikeData.of(digits(), channels=7, classes=4, duration=100.0)
    loader: Any = DataLoader(digits(), batch_size=4, collate_fn=partial(collate, size=7, duration=100.0, unit="us"))
    batches = list(loader)
    assert [len(spikes) for spikes, _ in batches] == [4, 4, 2]
    for n, (spikes, labels) in enumerate(batches):
        expected, known = data.batch(np.arange(4 * n, min(4 * n + 4, 10)), 100.0)
        assert torch.equal(labels, known) and torch.equal(spikes.offsets, expected.offsets)
        assert torch.allclose(spikes.times, expected.times, rtol=1e-15, atol=0)


def test_a_dataset_is_read_at_its_exact_times_or_refused_by_entry() -> None:
    dataset = digits()
    data = SpikeData.of(dataset, channels=7, classes=4, duration=100.0)
    assert len(data) == 10 and data.channels == 7
    for n, (events, label) in enumerate(dataset):
        times, units, found = data[n]
        assert times.tolist() == [t / 1000 for t in events["t"].tolist()]
        assert (units.tolist(), found) == (events["x"].tolist(), label)
    for name, value, words in (("t", 5, "in order"), ("x", 7, "from 0 to 6, since `channels` is 7, got 7")):
        wrong = digits()
        wrong[4][0][name][2] = value
        call = partial(SpikeData.of, wrong, channels=7, classes=4, duration=100.0)
        assert_refused(call, rf"`dataset\[4\].* {words}")


def test_times_and_neurons_may_come_as_a_pair_and_no_gradient_is_lost() -> None:
    times, neurons = torch.tensor([0.003, 0.001], dtype=torch.float64), torch.tensor([1, 0])
    entries = [((times.numpy(), [1, 0]), 2), (([], []), torch.tensor(0)), ((times, neurons), 1)]
    spikes, labels = small(entries, unit="s")
    assert spikes.to_lists() == [[[1.0], [3.0]], [[], []], [[1.0], [3.0]]] and labels.tolist() == [2, 0, 1]
    words = r"`entries\[0\] times` must be a row of real numbers, got .* requires grad"
    assert_refused(lambda: small([((times.requires_grad_(), neurons), 0)]), words)


def trial(times: Any, neurons: Any, label: Any = 0) -> list:
    return [(([1.0], [0]), 0), ((times, neurons), label)]


class Raising(list):
    """A dataset whose entries cannot be read."""

    def __getitem__(self, n: Any) -> Any:
        raise KeyError("damaged")


SPIKES = Spikes.from_trains([[[3.0], [1.0, 2.0]], [[], []], [[], [4.0]]], 10.0)
WRONG: dict[str, tuple[Any, str]] = {
    "none": ([], "`entries` must be a list with at least one entry, got an empty one"),
    "a generator": ((n for n in [(([1.0], [0]), 0)]), "`entries` must be a list or a dataset of .* got generator"),
    "a batch": ((SPIKES, 1), r"`entries\[0\]` must be a pair of events and label, got a `Spikes`; give `list.zip.sp"),
    "two trials": (SPIKES[:2], r"`entries\[0\]` must be a pair of events and label, got a `Spikes`; give `list.zip.sp"),
    "three trials": ([(SPIKES, 0)], r"`entries\[0\]` must be spikes of one trial, got of 3; give `list.zip.spikes, la"),
    "a raster": ([(torch.zeros(9, 3), 0)], r"`entries\[0\]` must .* got a raster \[9, 3\]; `Spikes.from_dense.raster"),
    "a raster of NumPy": ([(np.zeros((9, 3)), 0)], r"`entries\[0\]` must be .* got a raster \[9, 3\]; `Spikes.from_de"),
    "no label": ([(np.zeros(1, EVENTS),)], r"`entries\[0\]` must be a pair: events .* label, got not enough values"),
    "no field": ([(np.zeros(1, [("t", int)]), 0)], r"`entries\[0\]` must be .* got no field of name x; look at"),
    "a dataset that raises": (Raising([0]), r"`entries\[0\]` must be a pair: .* got 'damaged'; look at one entry"),
    "lengths": (trial([1.0], [0, 1]), r"`entries\[1\]` has times and neurons in different numbers, 1 and 2; give"),
    "halves": (trial([1.0], [0.5]), r"`entries\[1\] neurons` must be whole numbers, got float64"),
    "neuron": (
        trial([1.0], [2]),
        r"`entries\[1\] neurons` must be from 0 to 1, since `size` is 2, got 2; raise `size`, or count neurons from 0",
    ),
    "neuron below 0": (trial([1.0], [-1]), r"`entries\[1\] neurons` must be from 0 to 1, since `size` is 2, got -1"),
    "NaN": (trial([1.0, np.nan], [0, 1]), r"`entries\[1\] times` must be finite, and at least 0, got nan"),
    "a time below 0": (trial([-1.0], [0]), r"`entries\[1\] times` must be finite, and at least 0, got -1.0"),
    "complex times": (trial([1.0 + 1.0j], [0]), r"`entries\[1\] times` must be real numbers, got complex128"),
    "times as text": (trial(["0.1"], [0]), r"`entries\[1\] times` must be real numbers, got <U3"),
    "times as bool": (trial([True], [0]), r"`entries\[1\] times` must be real numbers, got bool"),
    "dates": (trial(np.array([5], "timedelta64[ms]"), [0]), r"`entries\[1\] times` must be real numbers, got time"),
    "one number": (trial(5.0, 1), r"`entries\[1\] times` must be a row, one entry per spike, got a single number"),
    "a table": (trial([[1.0]], [0]), r"`entries\[1\] times` must be a row, .* got an array of shape \[1, 1\]"),
    "rows of two lengths": (trial([[1.0], []], [0, 0]), r"`entries\[1\] times` must be a row of real numbers, got "),
    "label in words": (trial([1.0], [1], "zwei"), r"`entries\[1\] label` must be a whole number .* got 'zwei'"),
    "half a label": (trial([1.0], [1], 0.5), r"`entries\[1\] label` must be a whole number from 0 to .*, got 0.5"),
    "label below 0": (trial([1.0], [1], -1), r"`entries\[1\] label` must be a whole number from 0 to .*, got -1"),
    "a long label": (trial([1.0], [1], 2**63), r"`entries\[1\] label` must be a whole number from 0 to 2147483647"),
    "an image": ([(np.array([(1, 0, 0), (2, 1, 3)], IMAGE), 0)], r"`entries\[0\] y` must be one value in all events"),
    "polarity": ([(np.array([(1, 0, p)], EVENTS), 0) for p in (0, 1)],
                 r"`entries\[1\] p` must be one value in all events"),
}


@pytest.mark.parametrize(("entries", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_event_is_named(entries: Any, words: str) -> None:
    assert_refused(lambda: small(entries), words)


def test_trials_of_spikes_are_entries() -> None:
    spikes, labels = small(list(zip(SPIKES, torch.tensor([1, 0, 2]), strict=True)))
    assert spikes == SPIKES and labels.tolist() == [1, 0, 2]
    given, words = [(SPIKES[0], 1)], r"`entries\[0\]` is a `Spikes`, whose times are in ms, not in us; use"
    assert_refused(lambda: small(given, unit="us"), words)
    assert_refused(lambda: small(given, size="2"), "`size` must be a whole number")
