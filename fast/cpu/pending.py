"""Pending lanes: lanes of a recurrent layer that are solved event by event in a bin.

A pending lane is settled up to its last final spike; its next spike, or its state at the end of the
bin, is predicted. If an earlier spike of another lane arrives in the bin, it is predicted again.
"""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, compiled, inlined
from delayprop.fast.cpu.arrivals import ring_places
from delayprop.fast.cpu.bin_ahead import collect_all
from delayprop.fast.cpu.gaps import GapScratch, arrivals_with_gaps, gap_scratch, put_in_order
from delayprop.fast.layout.arrays import LANES, lane_of, pack_of
from delayprop.fast.layout.neuron_record import NEURON_RECORD
from delayprop.fast.physics.others import after_reset, others_of
from delayprop.fast.physics.within_bin import NONE, REACHED_END, to_next_crossing

V, I, X, N, O = range(5)  # of a state; X: instant in the bin, N: number of arrivals before it, O: other states
CHOSEN, TOUCHED, TAKEN = range(3)  # of `how_many`


class Pending(NamedTuple):
    """Pending lanes of a bin.

    Attributes:
        how_many: numbers of lanes CHOSEN and TOUCHED, and of places TAKEN in `rest, weight`.
        lanes, touched: `[packs * LANES]`: numbers of the pending lanes, and of lanes to be
            predicted again; the other arrays are by lane.
        is_touched: whether the lane is among `touched`.
        settled, predicted: `[..., 4 + others]`: state just after the last final spike, and just
            before the next spike or at the end of the bin.
        status, when: status of the prediction, and rest of the spike, infinite without one.
        neuron_record: `[..., NEURON_RECORD]`, as settled.
        first, arrivals, capacity: start of its arrivals in `rest, weight [room]`, their count, and
            their room.
        gaps: scratch for the arrivals of one lane.
    """

    how_many: np.ndarray
    lanes: np.ndarray
    touched: np.ndarray
    is_touched: np.ndarray
    settled: np.ndarray
    predicted: np.ndarray
    status: np.ndarray
    when: np.ndarray
    neuron_record: np.ndarray
    first: np.ndarray
    arrivals: np.ndarray
    capacity: np.ndarray
    rest: np.ndarray
    weight: np.ndarray
    gaps: GapScratch


@allocating
def no_pending(lanes, layer, room):
    """Room for pending lanes among `lanes`, with `room` arrivals in a bin."""
    w, numbers = layer.synapses.w, O + len(layer.others.states)
    return Pending(
        np.zeros(3, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.uint8),
        np.zeros((lanes, numbers)), np.zeros((lanes, numbers)), np.zeros(lanes, np.int64), np.zeros(lanes),
        np.zeros((lanes, NEURON_RECORD)), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64),
        np.zeros(lanes, np.int64), np.empty(room, w.dtype), np.empty(room, w.dtype),
        gap_scratch(room, w, layer.others),
    )


@inlined
def start_pending(pending, number, state, lane, neuron_record):
    """Make a lane pending, settled up to the start of the bin.

    `state`: of all lanes of its pack there; `neuron_record`: of the pack, as it is there.
    """
    pending.lanes[pending.how_many[CHOSEN]] = number
    pending.how_many[CHOSEN] += 1
    settled = pending.settled[number]
    settled[V], settled[I], settled[X], settled[N] = state[lane], state[LANES + lane], 0.0, 0.0
    for k in range(settled.size - O):
        settled[O + k] = state[(2 + k) * LANES + lane]
    for k in range(NEURON_RECORD):
        pending.neuron_record[number, k] = neuron_record[k, lane]


@inlined
def touch(pending, number):
    """Mark a pending lane for another prediction."""
    if not pending.is_touched[number]:
        pending.is_touched[number] = 1
        pending.touched[pending.how_many[TOUCHED]] = number
        pending.how_many[TOUCHED] += 1


@inlined
def take_arrivals(pending, number, cells, place, spikes, next_, in_step, pack, clock, is_last):
    """Collect the arrivals of a newly pending lane, at a `place` of the cells of its pack.
    `cells, in_step`: pointers."""
    first = pending.how_many[TAKEN]
    rest, weight, gaps = pending.rest[first:], pending.weight[first:], pending.gaps
    count = collect_all(
        cells, place, ring_places(pack.ticks), lane_of(number), spikes.time, spikes.source, next_, in_step, pack, clock,
        is_last, gaps,
    )
    put_in_order(count, gaps, rest, weight)
    pending.first[number], pending.arrivals[number] = first, count
    pending.capacity[number] = min(2 * count + 4, rest.size)  # with room for own spikes in this bin
    pending.how_many[TAKEN] += pending.capacity[number]


@compiled
def insert_arrival(pending, number, r, w):
    """Insert an arrival at `r` in the bin, of weight `w`, among those of a pending lane, which are
    in order of time. Returns whether there is room."""
    first, count = pending.first[number], pending.arrivals[number]
    if count == pending.capacity[number]:  # move them to where there is twice the room
        taken, capacity = pending.how_many[TAKEN], 2 * count + 4
        if taken + capacity > pending.rest.size:
            return False
        for k in range(count):
            pending.rest[taken + k] = pending.rest[first + k]
            pending.weight[taken + k] = pending.weight[first + k]
        pending.first[number], pending.capacity[number] = taken, capacity
        pending.how_many[TAKEN] += capacity
        first = taken
    k = first + count
    while k > first and pending.rest[k - 1] > r:
        pending.rest[k], pending.weight[k] = pending.rest[k - 1], pending.weight[k - 1]
        k -= 1
    pending.rest[k], pending.weight[k] = r, w
    pending.arrivals[number] += 1
    return True


@inlined
def arrivals_of(pending, number, bin_, pack, clock):
    """The arrivals of a pending lane, and the factors of the gaps from where it is settled on."""
    first = pending.first[number]
    return arrivals_with_gaps(
        pending.rest[first:], pending.weight[first:], int(pending.settled[number, N]), pending.arrivals[number], bin_,
        lane_of(number), pack, clock, pending.gaps,
    )


@compiled
def predict(pending, number, bin_, layer, clock, neuron_record):
    """Follow a pending lane from where it is settled to its next spike, or to the end of the bin.

    `neuron_record [packs, ...]`: filled up to there.
    """
    lane, record = lane_of(number), neuron_record[number // LANES]
    # An earlier prediction has written to the record; begin again from where the lane is settled.
    for k in range(NEURON_RECORD):
        record[k, lane] = pending.neuron_record[number, k]
    now, then, pack = pending.settled[number], pending.predicted[number], pack_of(layer, number // LANES)
    then[V], then[I], others, then[X], n, status = to_next_crossing(
        now[V], now[I], others_of(now[O:], layer.others), now[X], int(now[N]),
        arrivals_of(pending, number, bin_, pack, clock), bin_, lane, pack, clock, record, True,
    )
    for k in range(len(layer.others.states)):
        then[O + k] = others[k]
    then[N], pending.status[number] = n, status
    pending.when[number] = math.inf if status == REACHED_END else then[X]


@inlined
def settle(pending, number, layer, neuron_record):
    """Make the predicted spike of a lane final: it is settled just after the reset, with the record
    of its prediction."""
    settled, predicted, constants = pending.settled[number], pending.predicted[number], layer.constants[number // LANES]
    settled[V], settled[I], others = after_reset(
        predicted[V], predicted[I], others_of(predicted[O:], layer.others), lane_of(number), constants, layer.others
    )
    settled[X], settled[N] = predicted[X], predicted[N]
    for k in range(len(layer.others.states)):
        settled[O + k] = others[k]
    for k in range(NEURON_RECORD):
        pending.neuron_record[number, k] = neuron_record[k, lane_of(number)]


@compiled
def earliest(pending):
    """The pending lane that spikes first, NONE if none does."""
    best, when = NONE, math.inf
    for c in range(pending.how_many[CHOSEN]):
        number = pending.lanes[c]
        if pending.when[number] < when:
            best, when = number, pending.when[number]
    return best
