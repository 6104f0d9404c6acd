"""Arrays of the forward kernel of a recurrent layer, and how they grow."""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating
from delayprop.fast.cpu.deposit import DepositScratch, Ring, deposit_scratch, empty_ring
from delayprop.fast.cpu.emitted import USUAL
from delayprop.fast.cpu.in_step import InStep, empty_in_step
from delayprop.fast.cpu.pending import Pending, no_pending
from delayprop.fast.layout.arrays import LANES

NO_SPIKES, NO_LINKS, NO_ARRIVALS = 10, 11, 12  # the buffer of `RecurrentWork` that is full
# Resume point of a sweep that stopped because a buffer was full: the bin (or AT_START: the trial
# begins anew), the numbers of spikes deposited, arrived from outside, and
# emitted, and the oldest spike under way.
BIN, DEPOSITED, ARRIVED, EMITTED, OLDEST = range(5)
AT_START = -(2**31)


class DepositedSpikes(NamedTuple):
    """Spikes of a trial in the order they are deposited: `time, source [room]`; `next
    [packs, room, LANES]`: links."""

    time: np.ndarray
    source: np.ndarray
    next: np.ndarray


class RecurrentWork(NamedTuple):
    """Arrays of the sweep, reused by every trial.

    `ring, in_step`, `state, ahead [packs, states * LANES]`, `level, needs_solve [packs, LANES]`:
    as `fast.cpu.forward.ForwardWork`, of every pack. `oldest_at [bins]`: the first spike of each
    bin under way. `near [packs, copies * post]`: one bit per lane that a spike of the layer can
    reach in the bin in which it is emitted. `position [5]`: resume point, see above.
    """

    ring: Ring
    in_step: InStep
    scratch: DepositScratch
    state: np.ndarray
    ahead: np.ndarray
    level: np.ndarray
    needs_solve: np.ndarray
    oldest_at: np.ndarray
    near: np.ndarray
    position: np.ndarray
    spikes: DepositedSpikes
    pending: Pending


@allocating
def recurrent_work(layer, most, longest, clock):
    """Arrays for `most` spikes from outside under way, `longest` in a trial, and some of the
    layer's own."""
    w, own = layer.synapses.w, layer.copies * layer.post
    packs, bits, states = w.shape[0], layer.ticks.bits, 2 + len(layer.others.states)
    near = np.zeros((packs, own), np.int64)
    for pack_number in range(packs):
        for source in range(own):
            for lane in range(LANES):
                delay = layer.synapses.delay[pack_number, layer.external + source, lane]
                near[pack_number, source] |= int(delay >= 0 and delay >> bits == 0) << lane
    room = longest + USUAL * own
    spikes = DepositedSpikes(
        np.empty(room, layer.synapses.delay.dtype), np.empty(room, np.int32),
        np.empty((packs, 2 * most, LANES), np.int32),
    )
    return RecurrentWork(
        empty_ring(layer, packs, clock), empty_in_step(packs, 2 * most, layer), deposit_scratch(w, layer.others),
        np.empty((packs, states * LANES)), np.empty((packs, states * LANES)),
        np.empty((packs, LANES)), np.empty((packs, LANES), np.uint8), np.empty(layer.ticks.bins, np.int64), near,
        np.zeros(5, np.int64), spikes, no_pending(packs * LANES, layer, 4 * most + 1024),
    )


@allocating
def with_more(work, lack, layer):
    """The arrays with twice the room in the buffer that is full, which `lack` names. Contents stay,
    but for pending lanes: the sweep enters the bin, or the trial, again."""
    spikes, pending = work.spikes, work.pending
    time, source, next_, in_step = spikes.time, spikes.source, spikes.next, work.in_step
    if lack == NO_SPIKES:
        time = np.concatenate((time, np.empty_like(time)))
        source = np.concatenate((source, np.empty_like(source)))
    elif lack == NO_LINKS:
        packs, room, _ = next_.shape
        next_, more = np.empty((packs, 2 * room, LANES), np.int32), empty_in_step(packs, 2 * room, layer)
        more.last[:] = in_step.last
        if work.position[BIN] != AT_START:
            # A spike's index is its number modulo the room, so each one under way moves by itself.
            for n in range(work.position[OLDEST], work.position[DEPOSITED]):
                to, at = n & (2 * room - 1), n & (room - 1)
                next_[:, to], more.before[:, to] = spikes.next[:, at], in_step.before[:, at]
                more.of_one[:, 2 * to : 2 * to + 2] = in_step.of_one[:, 2 * at : 2 * at + 2]
                more.rest[:, to] = in_step.rest[:, at]
        in_step = more
    else:
        pending = no_pending(pending.lanes.size, layer, 2 * pending.rest.size)
    return RecurrentWork(
        work.ring, in_step, work.scratch, work.state, work.ahead, work.level, work.needs_solve, work.oldest_at,
        work.near, work.position, DepositedSpikes(time, source, next_), pending,
    )
