"""Stable counting sorts: arriving spikes by (trial, bin), emitted spikes by train.

torch sorts by comparison, which takes longer than the kernels of a small layer, and every call of
torch or NumPy takes as long as some ten solved bins.
"""

from delayprop.fast.compiling.compiler import outermost
from delayprop.fast.layout.instants import instant_of


@outermost
def sort_by_bin(times, offsets, per_ms, ticks, counts, arriving, order):
    """Sort arriving spikes by (trial, bin), without the spikes after the last bin.

    Fills `arriving`, and `order`, the number of each sorted spike; both up to the last of
    `arriving.offsets`, which is the count of the spikes that are kept.

    Args:
        times: `[n]`, ms, at least 0; `offsets [trials * sources + 1]`: start of each train.
        per_ms: bins per ms, a power of two, so that nothing rounds.
        counts: `[last + 2]`, scratch.
    """
    starts, trials, last, n = arriving.offsets, arriving.offsets.size - 1, counts.size - 2, 0
    sources = (offsets.size - 1) // trials
    for trial in range(trials):
        starts[trial], first = n, trial * sources
        counts[:] = 0
        for k in range(offsets[first], offsets[first + sources]):
            if times[k] * per_ms < last + 1:
                counts[int(times[k] * per_ms) + 1] += 1
        for b in range(1, counts.size):
            counts[b] += counts[b - 1]
        for s in range(sources):
            for k in range(offsets[first + s], offsets[first + s + 1]):
                if times[k] * per_ms < last + 1:
                    b = int(times[k] * per_ms)
                    at = n + counts[b]
                    counts[b] += 1
                    order[at], arriving.source[at], arriving.bin[at] = k, s, b
                    arriving.time[at] = instant_of(b, times[k] * per_ms - b, ticks)
        n += counts[last]
    starts[trials] = n


@outermost
def sort_by_train(emitted, trial, ends, post, offsets, rank, by_train):
    """Sort emitted spikes by (trial, neuron).

    Fills `offsets [trials * post + 1]`, the start of each train; `rank [n]`, the place of each
    spike; and `by_train`, the spikes in order.

    Args:
        emitted: in runs of spikes of one trial, in which each train is in order of time.
        trial, ends: of each run, its trial, and its end in `emitted`.
    """
    offsets[:], n = 0, 0
    for run in range(ends.size):
        while n < ends[run]:
            offsets[trial[run] * post + emitted.neuron[n] + 1] += 1
            n += 1
    for t in range(1, offsets.size):
        offsets[t] += offsets[t - 1]
    n = 0
    for run in range(ends.size):
        while n < ends[run]:
            train = trial[run] * post + emitted.neuron[n]
            at = offsets[train]
            offsets[train] += 1
            rank[n], by_train.neuron[at], by_train.bin[at] = at, emitted.neuron[n], emitted.bin[n]
            by_train.rest[at], by_train.I[at] = emitted.rest[n], emitted.I[n]
            by_train.slope[at] = emitted.slope[n]
            for k in range(emitted.others.shape[1]):
                by_train.others[at, k] = emitted.others[n, k]
            n += 1
    for t in range(offsets.size - 1, 0, -1):  # each start has become the start of the next train
        offsets[t] = offsets[t - 1]
    offsets[0] = 0
