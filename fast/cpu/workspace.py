"""Arrays of the forward kernel of a recurrent layer, and how they grow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fast.cpu.deposit import DepositScratch, Ring, deposit_scratch, ring_places
from fast.cpu.emitted import USUAL
from fast.cpu.intrinsics import CELL
from fast.cpu.pending import Pending, no_pending
from fast.physics.clock import SLOT
from fast.physics.compiling import allocating
from fast.physics.polynomials import LANES

NO_SPIKES, NO_LINKS, NO_ARRIVALS = 10, 11, 12  # the buffer of `Work` that is full
# Resume point of a sweep that stopped because a buffer was full: the bin (or AT_START: the trial
# begins anew), its index in the ring, the numbers of spikes deposited, arrived from outside, and
# emitted, and the oldest spike under way.
BIN, RING_INDEX, DEPOSITED, ARRIVED, EMITTED, OLDEST = range(6)
AT_START = -1


class Spikes(NamedTuple):
    """Spikes of a trial in the order they are deposited: `rest, source [room]`.

    `next [blocks, room, LANES]`: links.
    """

    rest: np.ndarray
    source: np.ndarray
    next: np.ndarray


class Work(NamedTuple):
    """Arrays of the sweep, reused by every trial.

    `ring`, `state, ahead [blocks, 2 * LANES]`, `level, needs_solve [blocks, LANES]`: as
    `fast.cpu.forward.Work`, of every block. `oldest_at [slots]`: the first spike of each bin under
    way. `near [blocks, copies * post]`: one bit per lane that a spike of the layer can reach in the
    bin in which it is emitted. `position [6]`: resume point, see above.
    """

    ring: Ring
    scratch: DepositScratch
    state: np.ndarray
    ahead: np.ndarray
    level: np.ndarray
    needs_solve: np.ndarray
    oldest_at: np.ndarray
    near: np.ndarray
    position: np.ndarray
    spikes: Spikes
    pending: Pending


@allocating
def work_for(layer, most, longest, clock):
    """Arrays for `most` spikes from outside under way and `longest` in a trial.

    There is room for some of the layer's own spikes too.
    """
    blocks, places, own = layer.packed_synapses.shape[0], ring_places(layer.slots), layer.copies * layer.post
    cells, integrals = blocks * places * CELL // 2, blocks * places // 2 if layer.rate >= 0.0 else 0
    ring = Ring(np.full(cells, clock.zero), np.full(integrals, clock.zero))
    near = np.zeros((blocks, own), np.int64)
    for b in range(blocks):
        for source in range(own):
            for lane in range(LANES):
                near[b, source] |= int(layer.packed_synapses[b, layer.external + source, LANES + lane] < SLOT) << lane
    room = longest + USUAL * own
    spikes = Spikes(
        np.empty(room, layer.packed_synapses.dtype), np.empty(room, np.int32),
        np.empty((blocks, 2 * most, LANES), np.int32),
    )
    return Work(
        ring, deposit_scratch(layer.packed_synapses), np.empty((blocks, 2 * LANES)), np.empty((blocks, 2 * LANES)),
        np.empty((blocks, LANES)), np.empty((blocks, LANES), np.uint8), np.empty(layer.slots, np.int64), near,
        np.zeros(6, np.int64), spikes,
        no_pending(blocks * LANES, 4 * most + 1024, layer.packed_synapses),
    )


@allocating
def with_more(work, lack, packed_synapses):
    """The arrays with the full buffer doubled; contents stay, except pending lanes."""
    spikes, pending = work.spikes, work.pending
    rest, source, next_ = spikes.rest, spikes.source, spikes.next
    if lack == NO_SPIKES:
        rest = np.concatenate((rest, np.empty_like(rest)))
        source = np.concatenate((source, np.empty_like(source)))
    elif lack == NO_LINKS:
        blocks, room, _ = next_.shape
        next_ = np.empty((blocks, 2 * room, LANES), np.int32)
        if work.position[BIN] != AT_START:
            for n in range(work.position[OLDEST], work.position[DEPOSITED]):
                next_[:, n & (2 * room - 1)] = spikes.next[:, n & (room - 1)]
    else:
        pending = no_pending(pending.lanes.size, 2 * pending.rest.size, packed_synapses)
    return Work(
        work.ring, work.scratch, work.state, work.ahead, work.level, work.needs_solve, work.oldest_at, work.near,
        work.position, Spikes(rest, source, next_), pending,
    )
