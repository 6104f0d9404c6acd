"""The unit of work: one spike through one existing synapse that reaches its target in the trial."""

import numpy as np

from benchmarks.workloads import Link, Workload, links
from delayprop.fast import Spikes

AT_ONCE = 2**24  # pairs of a spike and a target that are counted together


def arrivals(workload: Workload, trains: list[Spikes]) -> int:
    """The number of arrivals in a step, over all connections and trials, counted one by one.

    Args:
        trains: spikes of each stage that spikes.
    """
    return sum(through(source, link) for source, link in sources(workload, trains))


def sources(workload: Workload, trains: list[Spikes]) -> list[tuple[Spikes, Link]]:
    """Each connection, in order, with the spikes of its source."""
    found, before = [], workload.spikes
    for stage, emitted in zip(workload.model.stages, [*trains, None]):
        for link in links(stage):
            source = emitted if link.own else before
            assert source is not None, "only a stage that spikes reaches itself"
            found.append((source, link))
        if emitted is not None:
            before = emitted
    return found


def through(spikes: Spikes, link: Link) -> int:
    """The number of arrivals through one connection: pairs with `t + d <= T`."""
    d = link.d.detach().double().cpu().numpy()
    times, neurons = spikes.times.detach().cpu().numpy(), neurons_of(spikes)
    count, rows = 0, max(1, AT_ONCE // d.shape[1])
    for first in range(0, len(times), rows):
        part = slice(first, first + rows)
        count += int(np.count_nonzero(times[part, None] + d[neurons[part]] <= spikes.duration))
    return count


def neurons_of(spikes: Spikes) -> np.ndarray:
    """The neuron of each spike."""
    counts = spikes.counts().cpu().numpy()
    return np.repeat(np.tile(np.arange(spikes.size), spikes.trials), counts.ravel())
