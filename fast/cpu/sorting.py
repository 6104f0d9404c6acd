"""Stable counting sorts of spikes: those that arrive by (trial, bin), those that are emitted by train."""

from __future__ import annotations

from fast.physics.compiling import compiled


@compiled
def sort_by_bin(bin_, offsets, counts, starts, order, source):
    """Spikes by (trial, bin), the spikes of one bin in the order they come; spikes after `T` are left out.

    Args:
        bin_, offsets: of the spikes, by (trial, source), and of their trains.
        counts: scratch, `[last + 2]`.

    Fills `starts [trials + 1]`, and up to its last number `order` and `source`: which spike, and its source.
    """
    trials, last, n = starts.size - 1, counts.size - 2, 0
    sources = (offsets.size - 1) // trials
    for trial in range(trials):
        starts[trial] = n
        counts[:] = 0
        for k in range(offsets[trial * sources], offsets[(trial + 1) * sources]):
            if bin_[k] <= last:
                counts[bin_[k] + 1] += 1
        for b in range(1, counts.size):
            counts[b] += counts[b - 1]
        for s in range(sources):
            for k in range(offsets[trial * sources + s], offsets[trial * sources + s + 1]):
                if bin_[k] <= last:
                    order[n + counts[bin_[k]]], source[n + counts[bin_[k]]] = k, s
                    counts[bin_[k]] += 1
        n += counts[last]
    starts[trials] = n


@compiled
def sort_by_train(train, offsets, rank):
    """The place of each spike in the order by `train`, stable.

    Fills `rank [n]`, and `offsets [trains + 1]`: the start of each train.
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
