"""Backward kernel of a recurrent layer: all packs of neurons together.

In each bin the lanes with own events are marked. The layer's own spikes look the adjoint up at
their arrivals, a group at once. An arrival that needs an exact look-up waits until all later events
are solved: the spikes are then taken from the last to the first, and each jumps once its total
derivative is complete.
"""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, compiled, inlined, outermost
from delayprop.fast.cpu.arrivals import FACTORS, SIDE_BY_SIDE, ring_places
from delayprop.fast.cpu.backward import BackwardSums, enter_bin, leave_bin, most_in_a_trial
from delayprop.fast.cpu.carried import end_adjoint, start_adjoint
from delayprop.fast.cpu.lookup import look_up_plain
from delayprop.fast.cpu.lookup_scratch import TERMS, LookupScratch, end_pieces
from delayprop.fast.cpu.sensitivities import ring_size
from delayprop.fast.cpu.special_lookup import look_up_special
from delayprop.fast.layout.arrays import LANES, lane_of, pack_of, reads_integral
from delayprop.fast.layout.instants import BATCH, time_of
from delayprop.fast.layout.rows import A_VI
from delayprop.fast.physics.adjoint import EXCESS, P_O, Events, PackAdjoint, adjoint_rows, gradient_rows, ring_numbers
from delayprop.fast.physics.clock import end_of
from delayprop.fast.physics.currents import currents
from delayprop.fast.physics.driven import excess_at_T
from delayprop.fast.physics.others import others_of
from delayprop.fast.physics.own_events import NEVER, mark, note_event, take_spike


class Own(NamedTuple):
    """The layer's own spikes as they arrive, `copies` of each, in order: `bin, time, source, dL_dt
    [spikes * copies]`."""

    bin: np.ndarray
    time: np.ndarray
    source: np.ndarray
    dL_dt: np.ndarray


class RecurrentBackwardWork(NamedTuple):
    """Arrays of the sweep of every pack, `[packs, ...]`, reused by every trial. `scratch [packs,
    group, ...]`: of a group of spikes. `events`: of all packs, but for `first_event [packs,
    places]`. `own`: own spikes."""

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
    first_event: np.ndarray
    own: Own


@allocating
def recurrent_backward_work(layer, want_tau, most, own):
    """Arrays for trials of at most `most` own spikes."""
    w, places, full = layer.synapses.w, ring_places(layer.ticks), reads_integral(layer) or want_tau
    rows = adjoint_rows(layer.others, layer.learned) if full else P_O + len(layer.others.states)
    packs, group = w.shape[0], max(SIDE_BY_SIDE, layer.copies)
    size = 2 * (most + packs * LANES)
    scratch = LookupScratch(
        np.empty((packs, currents(layer.others) * FACTORS, SIDE_BY_SIDE), w.dtype),
        np.empty((packs, group, LANES), np.int32),
        np.empty((packs, group, ring_numbers(layer.others) * LANES), w.dtype), np.empty((packs, group), np.int64),
        np.empty((packs, group * LANES), np.int32), np.zeros((packs, 8 + len(layer.learned), LANES), w.dtype),
        np.zeros((packs, w.shape[1], TERMS * LANES), w.dtype), np.zeros((packs, w.shape[1]), np.int32),
    )
    events = Events(
        np.empty(size), np.empty(size, np.int64), np.empty((2 * size, rows)), np.empty(2 * size),
        np.empty(0, np.int64),
    )
    return RecurrentBackwardWork(
        np.zeros((packs, currents(layer.others) * ring_size(layer, want_tau)), w.dtype),
        np.zeros((packs, places if reads_integral(layer) else 0, rows)), scratch, np.zeros((packs, rows, LANES)),
        np.zeros((packs, rows, LANES)), np.zeros((rows, LANES)), np.zeros((packs, LANES), np.uint8),
        np.zeros((packs, LANES)), np.zeros((packs, LANES)), events, np.empty((packs, places), np.int64), own,
    )


@inlined
def adjoint_of(number, trial, given, layer, work, found):
    """The adjoint of one pack: its part of every array, with its own chains of events."""
    e = work.events
    events = Events(e.rest, e.later, e.at_end, e.position, work.first_event[number])
    return PackAdjoint(
        pack_of(layer, number), work.ring[number], work.full_adjoint_ring[number], work.adjoint[number],
        work.solved[number], work.other, work.drive[number], work.position[number], work.marked[number], events,
        given.neuron_record[trial, number], given.dL_dy[trial, number], found.sums[number],
        work.scratch.piece[number], found.dL_dconstants[number],
    )


@inlined
def scratch_of(number, scratch):
    """The scratch of one pack."""
    return LookupScratch(
        scratch.factors[number], scratch.address[number], scratch.terms[number], scratch.special[number],
        scratch.listed[number], scratch.at_arrivals[number], scratch.piece[number], scratch.added[number],
    )


@inlined
def look_up_everywhere(trial, first, last, spikes, given, layer, clock, work, found, dL_dt):
    """Look the adjoint up at the arrivals of spikes `first..last-1` in every pack, all but the
    special ones, which are marked in the scratch of the pack.

    `spikes`: has `time, source`. `dL_dt`: by spike, is added to; empty if not wanted.
    """
    for number in range(layer.constants.shape[0]):
        b = adjoint_of(number, trial, given, layer, work, found)
        look_up_plain(
            first, last, spikes.time, spikes.source, clock, given.want_tau, scratch_of(number, work.scratch), b, dL_dt
        )


@inlined
def look_up_special_everywhere(trial, base, first, last, spikes, given, layer, clock, work, found, dL_dt):
    """Look up the special arrivals of spikes `first..last-1` in every pack that has one marked.

    The spikes belong to the group that begins with `base`. Other arguments: as
    `look_up_everywhere`.
    """
    for number in range(layer.constants.shape[0]):
        marked = np.int64(0)
        for k in range(first - base, last - base):
            marked |= work.scratch.special[number, k]
        if not marked:
            continue
        b = adjoint_of(number, trial, given, layer, work, found)
        look_up_special(
            base, first, last, spikes.bin, spikes.time, spikes.source, clock, given.want_tau,
            scratch_of(number, work.scratch), b, dL_dt,
        )


@inlined
def mark_spikes(trial, bin_, place0, e, e_first, e_last, given, layer, clock, work, found):
    """Mark the lanes of the own spikes of a bin, the last of which is `e - 1`; returns the first.

    Until its events are solved, the events of such a lane end with the bin.
    """
    emitted, after_maxima = given.emitted, e_last - 2 * e_first + 2 * layer.constants.shape[0] * LANES
    while e > e_first and emitted.bin[e - 1] == bin_:
        e -= 1
        number, lane = emitted.neuron[e] // LANES, lane_of(emitted.neuron[e])
        b = adjoint_of(number, trial, given, layer, work, found)
        mark(lane, bin_, place0, clock, given.want_tau, b)
        if b.events.first[place0 + lane] < 0:
            end = end_of(bin_, clock)
            note_event(after_maxima + e, lane, bin_, place0, NEVER, end, b.adjoint, clock, given.want_tau, b)
    return e


@inlined
def take_spikes(trial, bin_, place0, e, later, e_first, given, layer, clock, work, found):
    """Let the own spikes `e..later-1` of a bin look the adjoint up at their arrivals, and then jump
    the adjoint of their lanes."""
    emitted, own, copies = given.emitted, work.own, layer.copies
    at_once = max(1, SIDE_BY_SIDE // copies)
    while later > e:
        base = max(e, later - at_once)
        look_up_everywhere(trial, base * copies, later * copies, own, given, layer, clock, work, found, own.dL_dt)
        # The last spike first: its jump is part of what special arrivals of earlier ones look up.
        for spike in range(later - 1, base - 1, -1):
            first, dL_dt = spike * copies, given.dL_dt[spike]
            look_up_special_everywhere(
                trial, base * copies, first, first + copies, own, given, layer, clock, work, found, own.dL_dt
            )
            for copy in range(copies):
                dL_dt += own.dL_dt[first + copy]
            given.dL_dt[spike] = dL_dt
            number, lane = emitted.neuron[spike] // LANES, lane_of(emitted.neuron[spike])
            b = adjoint_of(number, trial, given, layer, work, found)
            x = float(emitted.rest[spike])
            I, O = emitted.I[spike], others_of(emitted.others[spike], layer.others)
            take_spike(spike - e_first, lane, bin_, place0, x, I, O, dL_dt, clock, given.want_tau, b)
        later = base


@compiled
def recurrent_backward_trial(trial, e_first, e_last, given, layer, clock, work, found):
    """Sweep all packs back through one trial, whose own spikes are `e_first..e_last-1`; adds its
    sums to `found`."""
    arriving, ticks, rate, packs = given.arriving, layer.ticks, layer.rate, layer.constants.shape[0]
    T = clock.last + float(clock.end)
    work.ring[:], work.full_adjoint_ring[:], work.adjoint[:] = clock.zero, 0.0, 0.0
    for number in range(packs):
        for lane in range(LANES):
            work.drive[number, lane] = given.dL_dy[trial, number, lane] / T if reads_integral(layer) else 0.0
            if reads_integral(layer):
                pm = layer.constants[number, A_VI, lane]
                work.adjoint[number, EXCESS, lane] = excess_at_T(work.drive[number, lane], pm, rate, clock)
        if clock.goes_on:
            start_adjoint(trial, number, given.dL_dx, adjoint_of(number, trial, given, layer, work, found))
    n, n_first, e = arriving.offsets[trial + 1], arriving.offsets[trial], e_last
    for bin_ in range(clock.last, clock.first - 1, -1):
        place0 = (bin_ & (ticks.bins - 1)) * LANES
        damping = math.exp(-rate * (bin_ + 1)) if reads_integral(layer) else 0.0
        for number in range(packs):
            b = adjoint_of(number, trial, given, layer, work, found)
            first_maximum = e_last - e_first + number * LANES
            at_T = first_maximum + packs * LANES
            enter_bin(bin_, place0, damping, first_maximum, at_T, clock, given.want_tau, b)
        later = e
        # All are marked before any looks up: an arrival in this bin must find NaN, and wait.
        e = mark_spikes(trial, bin_, place0, e, e_first, e_last, given, layer, clock, work, found)
        take_spikes(trial, bin_, place0, e, later, e_first, given, layer, clock, work, found)
        for number in range(packs):
            b = adjoint_of(number, trial, given, layer, work, found)
            if bin_ >= 0:
                leave_bin(bin_, damping, True, given.want_tau, b)
            if bin_ == 0 and given.x.start.size:
                end_adjoint(trial, number, given.x, given.dL_dx, given.want_tau, b)
        if bin_ % BATCH != 0:
            continue
        last = n
        while n > n_first and arriving.bin[n - 1] >= bin_:
            n -= 1
        for first in range(n, last, SIDE_BY_SIDE):
            stop = min(first + SIDE_BY_SIDE, last)
            look_up_everywhere(trial, first, stop, arriving, given, layer, clock, work, found, found.dL_dt_pre)
            look_up_special_everywhere(
                trial, first, first, stop, arriving, given, layer, clock, work, found, found.dL_dt_pre
            )


@compiled
def end_all_pieces(scratch, sums):
    """Add the pieces of all sources to the sums, in every pack."""
    for number in range(sums.shape[0]):
        end_pieces(scratch_of(number, scratch), sums[number])


@outermost
def recurrent_backward_sweep(first_trial, last_trial, given, layer, clock):
    """Sweep all packs of a recurrent layer back through trials `first_trial..last_trial-1`; returns
    the `BackwardSums` over these trials, `[packs, ...]`."""
    copies, s = layer.copies, layer.synapses
    sums = np.zeros((s.w.shape[0], s.w.shape[1], TERMS * LANES))
    found = BackwardSums(
        sums, np.zeros(given.arriving.time.size if given.want_dt else 0),
        np.zeros((s.w.shape[0], gradient_rows(layer.others, layer.learned), LANES)),
    )
    spikes, emitted = given.dL_dt.size, given.emitted
    own = Own(
        np.empty(spikes * copies, np.int32), np.empty(spikes * copies, s.delay.dtype),
        np.empty(spikes * copies, np.int32), np.zeros(max(1, spikes * copies)),
    )
    for e in range(spikes):
        for n in range(e * copies, e * copies + copies):
            own.bin[n], own.time[n] = emitted.bin[e], time_of(emitted.bin[e], emitted.rest[e], layer.ticks)
            own.source[n] = layer.external + (n - e * copies) * layer.post + emitted.neuron[e]
    work = recurrent_backward_work(layer, given.want_tau, most_in_a_trial(given.ends), own)
    e_first = np.int64(0)
    for trial in range(first_trial, last_trial):
        e_last = given.ends[trial - first_trial]
        recurrent_backward_trial(trial, e_first, e_last, given, layer, clock, work, found)
        e_first = e_last
    end_all_pieces(work.scratch, found.sums)
    return found
