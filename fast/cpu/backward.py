"""Backward kernel: one sweep back through time, for one pack of neurons side by side.

In each bin, from the last to the first,
1. the adjoint at its end is published in the ring; where a lane has an own event (a spike, or the
   maximum that is read) the ring holds NaN, and the events are taken one by one
   (`fast.physics.own_events`);
2. all lanes go back to the start of the bin, in one step where there was no event;
3. every BATCH bins, the spikes from outside that are emitted in them look the adjoint up at their
   arrivals (`fast.cpu.lookup`).
"""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, compiled, inlined, outermost
from delayprop.fast.cpu.arrivals import SIDE_BY_SIDE, ring_places
from delayprop.fast.cpu.carried import Carried, end_adjoint, start_adjoint
from delayprop.fast.cpu.emitted import Emitted
from delayprop.fast.cpu.intrinsics import pointer
from delayprop.fast.cpu.lookup import look_up_plain
from delayprop.fast.cpu.lookup_scratch import TERMS, LookupScratch, end_pieces, lookup_scratch
from delayprop.fast.cpu.sensitivities import ring_size
from delayprop.fast.cpu.special_lookup import look_up_special
from delayprop.fast.cpu.vector_step import (
    publish,
    publish_full,
    publish_sensitivities,
    retreat,
    retreat_full,
    retreat_sensitivities,
)
from delayprop.fast.layout.arrays import LANES, Arriving, lane_of, pack_of, reads_integral
from delayprop.fast.layout.instants import BATCH
from delayprop.fast.layout.neuron_record import MAX_BIN
from delayprop.fast.layout.rows import A_VI
from delayprop.fast.physics.adjoint import EXCESS, P_O, Events, PackAdjoint, adjoint_rows, gradient_rows
from delayprop.fast.physics.currents import currents
from delayprop.fast.physics.driven import excess_at_T
from delayprop.fast.physics.others import others_of
from delayprop.fast.physics.own_events import back_to, start_at_T, take_maximum, take_spike


class BackwardInput(NamedTuple):
    """Input of the backward pass: both spike trains, the loss, and the record of the forward pass.

    `emitted, ends`: spikes of the packs that are solved together, as the forward sweep left them;
    `dL_dt`: derivative of the loss by each, to which a recurrent layer adds that through its own
    arrivals. `dL_dy [trials, packs, LANES]`. `neuron_record
    [trials, packs, NEURON_RECORD, LANES]`. `x, dL_dx`: states that are carried, and derivatives by
    them, of which those at the start are filled. `want_dt, want_tau`: whether the gradients of
    input times, and of constants in `A`, are asked for.
    """

    arriving: Arriving
    emitted: Emitted
    ends: np.ndarray
    dL_dt: np.ndarray
    dL_dy: np.ndarray
    neuron_record: np.ndarray
    x: Carried
    dL_dx: Carried
    want_dt: bool
    want_tau: bool


class BackwardSums(NamedTuple):
    """Sums of the backward pass over trials, see `fast.physics.adjoint.PackAdjoint`.

    `dL_dt_pre [spikes]`: derivative of the loss by each spike from outside; empty unless wanted.
    """

    sums: np.ndarray
    dL_dt_pre: np.ndarray
    dL_dconstants: np.ndarray


class BackwardWork(NamedTuple):
    """Arrays of the sweep of one pack, reused by every trial.

    `ring [currents * ring_size]`; `full_adjoint_ring [places, rows]`, empty
    without an integral readout.
    """

    ring: np.ndarray
    full_adjoint_ring: np.ndarray
    scratch: LookupScratch
    adjoint: np.ndarray
    solved: np.ndarray
    other: np.ndarray
    marked: np.ndarray
    position: np.ndarray
    drive: np.ndarray
    events: Events


@allocating
def most_in_a_trial(ends):
    """The largest number of spikes of a trial; `ends`: the end of each trial's spikes."""
    most, first = 0, 0
    for last in ends:
        most, first = max(most, last - first), last
    return most


@allocating
def backward_work(layer, want_tau, most):
    """Arrays for trials of at most `most` own spikes."""
    size, places, w = most + 2 * LANES, ring_places(layer.ticks), layer.synapses.w
    full = reads_integral(layer) or want_tau
    rows = adjoint_rows(layer.others, layer.learned) if full else P_O + len(layer.others.states)
    events = Events(
        np.empty(size), np.empty(size, np.int64), np.empty((2 * size, rows)), np.empty(2 * size),
        np.empty(places, np.int64),
    )
    return BackwardWork(
        np.zeros(currents(layer.others) * ring_size(layer, want_tau), w.dtype),
        np.zeros((places if reads_integral(layer) else 0, rows)),
        lookup_scratch(w, layer.others, len(layer.learned)),
        np.zeros((rows, LANES)), np.zeros((rows, LANES)), np.zeros((rows, LANES)), np.zeros(LANES, np.uint8),
        np.zeros(LANES), np.zeros(LANES), events,
    )


@inlined
def enter_bin(bin_, place0, damping, first_maximum, at_T, clock, want_tau, b):
    """Put the adjoint of a pack at the end of a bin into the ring, and take the maxima in the bin.

    `place0`: of lane 0 in the bin; `damping`: the weight `exp(-r t)` of an integral readout at the
    end of the bin; `first_maximum, at_T`: the events of the maximum, and of `T`, of lane 0. Returns
    whether any lane is marked, since it has an event.
    """
    size = ring_size(b.pack, want_tau)
    publish(place0, pointer(b.adjoint), pointer(b.ring), size, b.pack.others, pointer(b.events.first))
    if not reads_integral(b.pack) and want_tau:
        places = ring_places(b.pack.ticks)
        publish_sensitivities(place0, pointer(b.adjoint), pointer(b.ring), size, places, b.pack.others, b.pack.learned)
    elif reads_integral(b.pack):
        rows = adjoint_rows(b.pack.others, b.pack.learned)
        # before 0 nothing is read
        publish_full(place0, b.adjoint, rows, b.drive, damping if bin_ >= 0 else 0.0, b.full_adjoint_ring)
    any_marked = False
    if bin_ < 0:
        return any_marked
    if (reads_integral(b.pack) or clock.goes_on) and bin_ == clock.last:  # the last bin ends at T
        any_marked = True
        for lane in range(LANES):
            start_at_T(at_T + lane, lane, bin_, place0, clock, want_tau, b)
    if b.pack.read_maximum:
        for lane in range(LANES):
            if b.neuron_record[MAX_BIN, lane] == bin_:
                any_marked = True
                take_maximum(first_maximum + lane, lane, bin_, place0, clock, want_tau, b)
    return any_marked


@inlined
def leave_bin(bin_, damping, any_marked, want_tau, b):
    """Take every lane of a pack to the start of a bin."""
    if any_marked:
        for lane in range(LANES):
            if b.marked[lane]:
                back_to(0.0, lane, bin_, want_tau, b)
    pack, adjoint, flow = b.pack, pointer(b.adjoint), pointer(b.pack.flow)
    if reads_integral(pack):
        retreat_full(damping, b)
    else:
        if want_tau:  # first: `p` at the end of the bin drives them
            retreat_sensitivities(adjoint, flow, pack.others, pack.learned, pointer(b.marked), pointer(b.solved))
        retreat(adjoint, flow, pack.others, pointer(b.marked), pointer(b.solved))
    if any_marked:
        b.marked[:] = 0


@compiled
def backward_trial(trial, number, e_first, e_last, given, layer, clock, work, found):
    """Sweep pack `number` back through one trial, whose own spikes are `e_first..e_last-1`; adds
    its sums to `found`."""
    arriving, emitted, want_tau = given.arriving, given.emitted, given.want_tau
    b = PackAdjoint(
        pack_of(layer, number), work.ring, work.full_adjoint_ring, work.adjoint, work.solved, work.other,
        work.drive, work.position, work.marked, work.events, given.neuron_record[trial, number],
        given.dL_dy[trial, number], found.sums, work.scratch.piece, found.dL_dconstants,
    )
    ticks, rate, T = layer.ticks, layer.rate, clock.last + float(clock.end)
    # 0 in the ring is what arrivals after T, and synapses that do not exist, look up.
    b.ring[:], b.adjoint[:], b.full_adjoint_ring[:] = clock.zero, 0.0, 0.0
    for lane in range(LANES):
        b.drive[lane] = b.dL_dy[lane] / T if reads_integral(layer) else 0.0
        if reads_integral(layer):
            b.adjoint[EXCESS, lane] = excess_at_T(b.drive[lane], b.pack.constants[A_VI, lane], rate, clock)
    if clock.goes_on:
        start_adjoint(trial, number, given.dL_dx, b)
    n, n_first, e = arriving.offsets[trial + 1], arriving.offsets[trial], e_last - 1
    for bin_ in range(clock.last, clock.first - 1, -1):
        place0 = (bin_ & (ticks.bins - 1)) * LANES
        damping = math.exp(-rate * (bin_ + 1)) if reads_integral(layer) else 0.0
        first_maximum, at_T = e_last - e_first, e_last - e_first + LANES
        any_marked = enter_bin(bin_, place0, damping, first_maximum, at_T, clock, want_tau, b)
        while e >= e_first and emitted.bin[e] == bin_:
            lane, x, any_marked = lane_of(emitted.neuron[e]), float(emitted.rest[e]), True
            O = others_of(emitted.others[e], layer.others)
            take_spike(e - e_first, lane, bin_, place0, x, emitted.I[e], O, given.dL_dt[e], clock, want_tau, b)
            e -= 1
        if bin_ >= 0:
            leave_bin(bin_, damping, any_marked, want_tau, b)
        if bin_ == 0 and given.x.start.size:
            end_adjoint(trial, number, given.x, given.dL_dx, want_tau, b)
        # Spikes wait until a whole batch of bins is passed, for which the ring has room: to look up
        # many spikes at once is quicker.
        if bin_ % BATCH != 0:
            continue
        last = n
        while n > n_first and arriving.bin[n - 1] >= bin_:
            n -= 1
        for first in range(n, last, SIDE_BY_SIDE):
            stop = min(first + SIDE_BY_SIDE, last)
            any_special = look_up_plain(
                first, stop, arriving.time, arriving.source, clock, want_tau, work.scratch, b, found.dL_dt_pre
            )
            if any_special:
                look_up_special(
                    first, first, stop, arriving.bin, arriving.time, arriving.source, clock, want_tau, work.scratch, b,
                    found.dL_dt_pre,
                )


@outermost
def backward_sweep(number, first_trial, last_trial, given, layer, clock):
    """Sweep pack `number` of a layer that is not recurrent back through trials
    `first_trial..last_trial-1`; returns the `BackwardSums` over these trials."""
    w = layer.synapses.w
    found = BackwardSums(
        np.zeros((w.shape[1], TERMS * LANES)), np.zeros(given.arriving.time.size if given.want_dt else 0),
        np.zeros((gradient_rows(layer.others, layer.learned), LANES)),
    )
    work, e_first = backward_work(layer, given.want_tau, most_in_a_trial(given.ends)), np.int64(0)
    for trial in range(first_trial, last_trial):
        e_last = given.ends[trial - first_trial]
        backward_trial(trial, number, e_first, e_last, given, layer, clock, work, found)
        e_first = e_last
    end_pieces(work.scratch, found.sums)
    return found
