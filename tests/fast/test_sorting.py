"""Spikes sorted on the CPU, and arrivals of a solved bin in order."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from delayprop.fast.cpu import gaps
from delayprop.fast.cpu.emitted import Emitted
from delayprop.fast.cpu.short_rows import FEW
from delayprop.fast.cpu.sorting import sort_by_bin, sort_by_train
from delayprop.fast.layout.arrays import Arriving, Others
from delayprop.fast.layout.instants import ticks_for
from delayprop.fast.solving import packing
from delayprop.fast.solving.problem import Problem
from delayprop.spec.neuron import LIF
from tests.support.kernels import from_python

DTYPES = [np.float32, np.float64]
WIDTH, DURATION = 0.5, 9.75


@pytest.mark.full
@given(st.sampled_from(DTYPES), st.integers(0, 2000), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32))
def test_arriving_spikes_are_sorted_by_bin(dtype: type, longest: int, trials: int, sources: int, seed: int) -> None:
    """By torch: some at edges of bins and just before them, some after the last bin."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 6, trials * sources)
    times = random.uniform(0, 1.2 * DURATION, counts.sum())
    times = np.where(random.random(len(times)) < 0.3, np.round(times), times)
    times = np.where(random.random(len(times)) < 0.1, np.nextafter(np.round(times), 0.0), times)
    offsets = np.cumsum([0, *counts])
    w = torch.zeros(sources, 1, dtype=torch.float32 if dtype is np.float32 else torch.float64)
    problem = Problem(
        times=torch.from_numpy(times), offsets=torch.from_numpy(offsets), trials=trials, sources=sources,
        duration=DURATION, w=w, d=w, exists=None, readout=None, bin_width=WIDTH, neuron=LIF,
        constants=tuple(torch.tensor([value], dtype=w.dtype) for value in (20.0, 5.0, 1.0, 0.0)),
    )
    ticks = ticks_for(longest, WIDTH)
    bin_, rest = packing.split(problem.times, problem)
    time = packing.instants(bin_, rest, ticks).numpy()
    last, n = problem.clock.last, len(times)
    found = Arriving(np.empty(trials + 1, np.int64), np.empty(n, np.int32), np.empty(n, np.int64),
                     np.empty(n, np.int32))
    order = np.empty(n, np.int64)
    sort_by_bin(times, offsets, 1 / WIDTH, ticks, np.empty(last + 2, np.int64), found, order)
    train = np.repeat(np.arange(trials * sources), counts)
    expected = np.lexsort((train, bin_.numpy(), train // sources))
    expected = expected[bin_.numpy()[expected] <= last]
    kept = found.offsets[-1]
    assert order[:kept].tolist() == expected.tolist()
    assert found.bin[:kept].tolist() == bin_.numpy()[expected].tolist()
    assert found.time[:kept].tolist() == time[expected].tolist()
    assert found.source[:kept].tolist() == (train % sources)[expected].tolist()
    assert np.diff(found.offsets).tolist() == np.bincount(train[expected] // sources, minlength=trials).tolist()


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32))
def test_emitted_spikes_are_sorted_by_train(trials: int, post: int, seed: int) -> None:
    """Runs of several pieces: packs of neurons one after the other, each over all trials."""
    random = np.random.default_rng(seed)
    runs = [(trial, random.integers(0, post, random.integers(0, 6))) for _ in range(2) for trial in range(trials)]
    neuron = np.concatenate([part for _, part in runs]).astype(np.int32)
    trial, n = np.array([trial for trial, _ in runs]), len(neuron)
    numbers = np.arange(n)
    others = np.stack([numbers + 0.5, -numbers], axis=1)
    rest, I = numbers.astype(np.float32), numbers.astype(float)
    emitted = Emitted(neuron, numbers.astype(np.int32), rest, I, 2.0 * I, others)
    by_train, rank = Emitted(*(np.empty_like(part) for part in emitted)), np.empty(n, np.int64)
    offsets = np.empty(trials * post + 1, np.int64)
    sort_by_train(emitted, trial, np.cumsum([len(part) for _, part in runs]), post, offsets, rank, by_train)
    train = np.repeat(trial, [len(part) for _, part in runs]) * post + neuron
    order = np.argsort(train, kind="stable")
    assert np.diff(offsets).tolist() == np.bincount(train, minlength=trials * post).tolist()
    assert rank[order].tolist() == list(range(n))
    for sorted_, part in zip(by_train, emitted, strict=True):
        assert sorted_.tolist() == part[order].tolist()


scratch_for, put_in_order = map(from_python, (gaps.gap_scratch, gaps.put_in_order))


@pytest.mark.full
@given(st.sampled_from(DTYPES), st.integers(0, 70), st.integers(1, 65), st.integers(0, 2**32))
def test_arrivals_are_in_order_of_time(dtype: type, count: int, different: int, seed: int) -> None:
    """Up to FEW are ranked side by side, more are sorted by pieces of the bin. If a piece has more
    than FEW, up to 48 are sorted by insertion, more as a heap. The latest spike is found first. The
    earlier one goes first at one instant, but for a heap."""
    random = np.random.default_rng(seed)
    scratch = scratch_for(count, np.empty(0, dtype), Others((), (), ()))
    scratch.rest[:] = random.integers(65 - different, 65, len(scratch.rest)) / 64  # beyond `count` too
    scratch.weight[:count] = np.arange(count)
    rest: np.ndarray = np.full(count + 1, -1, dtype)
    weight = rest.copy()
    put_in_order(count, scratch, rest, weight)
    found = scratch.rest[:count]
    order = np.lexsort((-np.arange(count), found))
    assert rest.tolist() == [*found[order], -1]
    assert found[weight[:-1].astype(int)].tolist() == rest[:-1].tolist(), "each weight stays with its instant"
    assert sorted(weight[:-1]) == list(range(count))
    if count <= 48 or np.bincount((found * dtype(count)).astype(int)).max() <= FEW:
        assert weight.tolist() == [*order, -1]
