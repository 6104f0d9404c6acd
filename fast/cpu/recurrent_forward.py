"""Forward kernel of a recurrent layer: all packs together, since their spikes reach each other.

A delay may be shorter than a bin, so a spike may act within its own bin. The lanes that may spike
in a bin are therefore pending (`fast.cpu.pending`), and the earliest of their predicted spikes is
final. Where it arrives in its own bin it is delivered at once: this may make other lanes pending,
or change their predictions. So any delay is exact, however small. Everywhere else a spike is
deposited when the bin is left, like a spike from outside.
"""

import numpy as np

from delayprop.fast.compiling.compiler import compiled, inlined, outermost
from delayprop.fast.cpu.carried import keep_state, set_state
from delayprop.fast.cpu.deposit import clear_ring
from delayprop.fast.cpu.emitted import TOO_MANY, USUAL, emit, no_spikes, with_room
from delayprop.fast.cpu.forward import start_trial
from delayprop.fast.cpu.in_step import NO_SPIKE
from delayprop.fast.cpu.pending import TOUCHED, I, O, X, earliest, predict, settle, touch
from delayprop.fast.cpu.recurrent_steps import deliver_same_bin, deposit_everywhere, empty_bin, enter_bin, leave_bin
from delayprop.fast.cpu.workspace import (
    ARRIVED,
    AT_START,
    BIN,
    DEPOSITED,
    EMITTED,
    NO_ARRIVALS,
    NO_LINKS,
    NO_SPIKES,
    OLDEST,
    recurrent_work,
    with_more,
)
from delayprop.fast.layout.arrays import LANES, lane_of
from delayprop.fast.layout.instants import BATCH, time_of
from delayprop.fast.layout.neuron_record import RECENT_SLOPE
from delayprop.fast.physics.others import others_of
from delayprop.fast.physics.within_bin import FULL, NONE, REACHED_END, STUCK


@inlined
def start(trial, layer, clock, neuron_record, carried, work):
    """Empty the rings, and set the state of every lane, before the first bin."""
    clear_ring(work.ring, clock)
    work.oldest_at[:], work.in_step.last[:] = 0, NO_SPIKE
    for number in range(layer.constants.shape[0]):
        set_state(trial, number, carried, work.state[number])
        level, constants = work.level[number], layer.constants[number]
        start_trial(neuron_record[number], work.state[number], level, constants, layer.read_maximum)


@compiled
def recurrent_trial(trial, arriving, layer, clock, neuron_record, carried, work, emitted):
    """Sweep all packs forward through one trial, from `work.position` on.

    Fills `neuron_record [pack, NEURON_RECORD, LANES]`.

    Returns:
        The number of spikes, and REACHED_END; or the neuron, and STUCK; or the number, and FULL if
        `emitted` is, or the buffer of `work` that is full. With more room the sweep resumes from
        the start of the bin; if it stopped within a bin, from AT_START.
    """
    ticks, own, pending, spikes = layer.ticks, layer.copies * layer.post, work.pending, work.spikes
    position, links, n_last = work.position, spikes.next.shape[1], arriving.offsets[trial + 1]
    n_emitted = position[EMITTED]
    if position[BIN] == AT_START:
        start(trial, layer, clock, neuron_record, carried, work)
        position[BIN], position[DEPOSITED], position[ARRIVED] = clock.first, 0, arriving.offsets[trial]
    n, s = position[DEPOSITED], position[ARRIVED]
    for bin_ in range(position[BIN], clock.last + 1):
        slot, place0, more = bin_ & (ticks.bins - 1), (bin_ & (ticks.bins - 1)) * LANES, 0
        work.oldest_at[slot] = n
        # Spikes from outside were deposited up to BATCH bins before their own.
        oldest = work.oldest_at[max(bin_ - layer.span - BATCH + 2, clock.first) & (ticks.bins - 1)]
        while bin_ % BATCH == 0 and s + more < n_last and arriving.bin[s + more] < bin_ + BATCH:
            more += 1
        # room for a spike per neuron; without it the caller makes more, and enters the bin again
        lack = REACHED_END  # unless each neuron can spike once in this bin
        if n_emitted + layer.post > emitted.bin.size:
            lack = FULL
        elif n + more + own > spikes.time.size:
            lack = NO_SPIKES
        elif n + more + own - oldest > links:
            lack = NO_LINKS
        if lack != REACHED_END:
            position[BIN], position[DEPOSITED], position[ARRIVED] = bin_, n, s
            position[EMITTED], position[OLDEST] = n_emitted, oldest
            return n_emitted, lack
        position[BIN] = AT_START  # from here on the bin is under way
        # deposit the arrivals from outside
        for k in range(more):
            spikes.time[n + k], spikes.source[n + k] = arriving.time[s + k], arriving.source[s + k]
        deposit_everywhere(n, n + more, layer, clock, work)
        s, n = s + more, n + more
        if bin_ < 0:
            empty_bin(place0, layer, work)
            continue
        first_own = n
        if not enter_bin(place0, bin_, layer, clock, neuron_record, work):
            return n_emitted, NO_ARRIVALS
        # the neurons' own spikes, the earliest first: each may move the next
        while True:
            number = earliest(pending)
            if number == NONE:
                break
            if pending.status[number] == STUCK:
                return number, STUCK
            if n_emitted == emitted.bin.size:
                return n_emitted, FULL
            if n + layer.copies > spikes.time.size:
                return n_emitted, NO_SPIKES
            if n + layer.copies - oldest > links:
                return n_emitted, NO_LINKS
            # emit it
            then = pending.predicted[number]
            x = then[X]
            slope = neuron_record[number // LANES, RECENT_SLOPE, lane_of(number)]
            emit(emitted, n_emitted, number, bin_, x, then[I], others_of(then[O:], layer.others), slope)
            n_emitted += 1
            settle(pending, number, layer, neuron_record[number // LANES])
            touch(pending, number)
            # deliver it to the neurons that it reaches in this bin, and predict these again
            for copy in range(layer.copies):
                spikes.time[n] = time_of(bin_, x, ticks)
                spikes.source[n] = layer.external + copy * layer.post + number
                if not deliver_same_bin(n, place0, bin_, layer, clock, neuron_record, work):
                    return n_emitted, NO_ARRIVALS
                n += 1
            for c in range(pending.how_many[TOUCHED]):
                predict(pending, pending.touched[c], bin_, layer, clock, neuron_record)
                pending.is_touched[pending.touched[c]] = 0
            pending.how_many[TOUCHED] = 0
        # This adds arrivals in this bin to its cells a second time: no one reads them any more, and
        # `leave_bin` clears them.
        deposit_everywhere(first_own, n, layer, clock, work)
        leave_bin(place0, bin_, layer, neuron_record, work)
    if clock.goes_on:
        for number in range(layer.constants.shape[0]):
            keep_state(trial, number, work.state[number], carried)
    return n_emitted, REACHED_END


@outermost
def recurrent_sweep(first_trial, last_trial, arriving, most, layer, clock, neuron_record, carried, most_spikes):
    """Sweep all packs of a recurrent layer through trials `first_trial..last_trial-1`.

    Arguments and results: as `fast.cpu.forward.forward_sweep`, for all packs in place of one.
    """
    longest = 0
    for trial in range(first_trial, last_trial):
        longest = max(longest, arriving.offsets[trial + 1] - arriving.offsets[trial])
    work, emitted = recurrent_work(layer, most, longest, clock), no_spikes(layer.synapses.w, layer.others)
    ends, n = np.empty(last_trial - first_trial, np.int64), 0
    for trial in range(first_trial, last_trial):
        emitted = with_room(emitted, n + USUAL * layer.post)
        work.position[BIN] = AT_START
        while True:
            if work.position[BIN] == AT_START:
                neuron_record[trial] = 0.0
                work.position[EMITTED], work.pending.is_touched[:] = n, 0
            end, status = recurrent_trial(trial, arriving, layer, clock, neuron_record[trial], carried, work, emitted)
            if status == FULL and end - n <= most_spikes:
                emitted = with_room(emitted, 2 * emitted.bin.size)
            elif status >= NO_SPIKES:
                work = with_more(work, status, layer)
            else:
                break
        if status == STUCK:
            return emitted, ends, end
        if end - n > most_spikes:
            return emitted, ends, TOO_MANY
        n = end
        ends[trial - first_trial] = n
    return emitted, ends, NONE
