"""What the forward kernel of a recurrent layer works in, and how it grows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fast.cpu.cells import CELL
from fast.cpu.deposit import Ring, ring_places, scratch_for
from fast.cpu.pending import Pending, no_pending
from fast.physics.clock import SLOT
from fast.physics.compiling import allocating
from fast.physics.polynomials import LANES
from fast.physics.within_bin import USUAL

NO_SPIKES, NO_LINKS, NO_ARRIVALS = 10, 11, 12  # what `Work` has too little room for
# Where a sweep that lacks room has come to: the bin (or AT_START: it begins anew), its turn in the ring, how many
# spikes are deposited, arrived from outside, and emitted, and the oldest that is under way.
BIN, RING_INDEX, DEPOSITED, ARRIVED, EMITTED, OLDEST = range(6)
AT_START = -1


class Spikes(NamedTuple):
    """Spikes of a trial in the order they are deposited: `rest, source [room]`; `next [blocks, room, LANES]`: links."""

    rest: np.ndarray
    source: np.ndarray
    next: np.ndarray


class Work(NamedTuple):
    """What the sweep works in; nothing of it outlasts a trial.

    `ring`, `state, ahead [blocks, 2 * LANES]`, `level, needs_solve [blocks, LANES]`: as `fast.cpu.forward.Work`, of every block.
    `ring_offset, amount`: scratch of `deposit`. `oldest_at [slots]`: the first spike of each bin under way. `near [blocks,
    copies * post]`: a bit a lane that a spike of the layer can deliver_same_bin in the bin it is emitted in. `position [6]`: see
    above.
    """

    ring: Ring
    ring_offset: np.ndarray
    amount: np.ndarray
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
    """Room to work in, for so many spikes from outside under way, and in a trial, and some of the layer's own."""
    blocks, places, own = layer.packed_synapses.shape[0], ring_places(layer.slots), layer.copies * layer.post
    cells, integrals = blocks * places * CELL // 2, blocks * places // 2 if layer.rate >= 0.0 else 0
    ring, scratch = Ring(np.full(cells, clock.zero), np.full(integrals, clock.zero)), scratch_for(layer.packed_synapses)
    near = np.zeros((blocks, own), np.int64)
    for b in range(blocks):
        for source in range(own):
            for lane in range(LANES):
                near[b, source] |= int(layer.packed_synapses[b, layer.external + source, LANES + lane] < SLOT) << lane
    room = longest + USUAL * own
    spikes = Spikes(
        np.empty(room, layer.packed_synapses.dtype), np.empty(room, np.int32), np.empty((blocks, 2 * most, LANES), np.int32)
    )
    return Work(
        ring, scratch.ring_offset, scratch.amount, np.empty((blocks, 2 * LANES)), np.empty((blocks, 2 * LANES)),
        np.empty((blocks, LANES)), np.empty((blocks, LANES), np.uint8), np.empty(layer.slots, np.int64), near,
        np.zeros(6, np.int64), spikes,
        no_pending(blocks * LANES, 4 * most + 1024, layer.packed_synapses),
    )


@allocating
def with_more(work, lack, packed_synapses):
    """The same with twice the room of what it lacks; what is in it stays, but for candidates."""
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
        work.ring, work.ring_offset, work.amount, work.state, work.ahead, work.level, work.needs_solve, work.oldest_at, work.near,
        work.position, Spikes(rest, source, next_), pending,
    )
