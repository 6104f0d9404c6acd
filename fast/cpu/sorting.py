"""Stable counting sorts: arriving spikes by (trial, bin), emitted spikes by train.

torch sorts by comparison, which takes longer than the kernels of a small layer.
"""

from __future__ import annotations

from fast.physics.compiling import outermost


@outermost
def sort_by_bin(bin_, offsets, counts, starts, order, source):
    """Sort arriving spikes by (trial, bin), without the spikes after `T`.

    `bin_ [n], offsets [trials * sources + 1]`: bin of each spike, start of each train. `counts
    [last + 2]`: scratch. Fills `starts [trials + 1]`, and `order, source` up to `starts[trials]`:
    number and source of each sorted spike.
    """
    trials, last, n = starts.size - 1, counts.size - 2, 0
    sources = (offsets.size - 1) // trials
    for trial in range(trials):
        starts[trial], first = n, trial * sources
        counts[:] = 0
        for k in range(offsets[first], offsets[first + sources]):
            if bin_[k] <= last:
                counts[bin_[k] + 1] += 1
        for b in range(1, counts.size):
            counts[b] += counts[b - 1]
        for s in range(sources):
            for k in range(offsets[first + s], offsets[first + s + 1]):
                if bin_[k] <= last:
                    order[n + counts[bin_[k]]], source[n + counts[bin_[k]]] = k, s
                    counts[bin_[k]] += 1
        n += counts[last]
    starts[trials] = n


@outermost
def sort_by_train(train, offsets, rank):
    """Sort emitted spikes by `train [n]`.

    Fills `offsets [trains + 1]`, the start of each train, and `rank [n]`, the place of each spike.
    """
    offsets[:] = 0
    for n in range(train.size):
        offsets[train[n] + 1] += 1
    for t in range(1, offsets.size):
        offsets[t] += offsets[t - 1]
    for n in range(train.size):
        rank[n] = offsets[train[n]]
        offsets[train[n]] += 1
    for t in range(offsets.size - 1, 0, -1):  # each start has become the start of the next train
        offsets[t] = offsets[t - 1]
    offsets[0] = 0
