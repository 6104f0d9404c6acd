"""What the forward kernel of a recurrent layer works in, and how it grows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fast.cpu.cells import CELL
from fast.cpu.deposit import Ring, ring_places, scratch_for
from fast.cpu.pending import Candidates, no_candidates
from fast.physics.clock import SLOT
from fast.physics.compiling import allocating
from fast.physics.polynomials import LANES
from fast.physics.within_bin import USUAL

NO_SPIKES, NO_LINKS, NO_ARRIVALS = 10, 11, 12  # what `Work` has too little room for
# Where a sweep that lacks room has come to: the bin (or AT_START: it begins anew), its turn in the ring, how many
# spikes are deposited, arrived from outside, and emitted, and the oldest that is under way.
BIN, TURN, DEPOSITED, ARRIVED, EMITTED, OLDEST = range(6)
AT_START = -1


class Spikes(NamedTuple):
    """Spikes of a trial in the order they are deposited: `rest, source [room]`; `next [blocks, room, LANES]`: links."""

    rest: np.ndarray
    source: np.ndarray
    next: np.ndarray


class Work(NamedTuple):
    """What the sweep works in; nothing of it outlasts a trial.

    `ring`, `state, ahead [blocks, 2 * LANES]`, `level, risky [blocks, LANES]`: as `fast.cpu.forward.Work`, of every block.
    `place, amount`: scratch of `deposit`. `oldest_at [slots]`: the first spike of each bin under way. `near [blocks,
    copies * post]`: a bit a lane that a spike of the layer can reach in the bin it is emitted in. `position [6]`: see
    above.
    """

    ring: Ring
    place: np.ndarray
    amount: np.ndarray
    state: np.ndarray
    ahead: np.ndarray
    level: np.ndarray
    risky: np.ndarray
    oldest_at: np.ndarray
    near: np.ndarray
    position: np.ndarray
    spikes: Spikes
    candidates: Candidates


@allocating
def work_for(layer, most, longest, at):
    """Room to work in, for so many spikes from outside under way, and in a trial, and some of the layer's own."""
    blocks, places, own = layer.rows.shape[0], ring_places(layer.slots), layer.copies * layer.post
    cells, integrals = blocks * places * CELL // 2, blocks * places // 2 if layer.rate >= 0.0 else 0
    ring, scratch = Ring(np.full(cells, at.zero), np.full(integrals, at.zero)), scratch_for(layer.rows)
    near = np.zeros((blocks, own), np.int64)
    for b in range(blocks):
        for source in range(own):
            for lane in range(LANES):
                near[b, source] |= int(layer.rows[b, layer.external + source, LANES + lane] < SLOT) << lane
    room = longest + USUAL * own
    spikes = Spikes(
        np.empty(room, layer.rows.dtype), np.empty(room, np.int32), np.empty((blocks, 2 * most, LANES), np.int32)
    )
    return Work(
        ring, scratch.place, scratch.amount, np.empty((blocks, 2 * LANES)), np.empty((blocks, 2 * LANES)),
        np.empty((blocks, LANES)), np.empty((blocks, LANES), np.uint8), np.empty(layer.slots, np.int64), near,
        np.zeros(6, np.int64), spikes,
        no_candidates(blocks * LANES, 4 * most + 1024, layer.rows),
    )


@allocating
def with_more(work, lack, rows):
    """The same with twice the room of what it lacks; what is in it stays, but for candidates."""
    spikes, candidates = work.spikes, work.candidates
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
        candidates = no_candidates(candidates.lanes.size, 2 * candidates.rest.size, rows)
    return Work(
        work.ring, work.place, work.amount, work.state, work.ahead, work.level, work.risky, work.oldest_at, work.near,
        work.position, Spikes(rest, source, next_), candidates,
    )
