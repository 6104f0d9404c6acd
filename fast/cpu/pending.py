"""Lanes of a recurrent layer in which something can happen in a bin, each solved as far as nothing new comes.

A candidate is settled up to its last final spike, and knows what follows: its next spike, or the end of the bin. If a
spike of another lane, which comes earlier, arrives in this very bin, what follows is found anew.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.physics.compiling import allocating, compiled, inlined
from fast.physics.polynomials import LANES
from fast.physics.within_bin import NEURON_RECORD, NONE, REACHED_END, collect, stays_below, to_next_crossing

V, I, X, N = range(4)  # of a state: where it is in the bin, and how many arrivals came before
CHOSEN, TOUCHED, TAKEN = range(3)  # of `how_many`


class Pending(NamedTuple):
    """`lanes [blocks * LANES]`: their numbers, `how_many[CHOSEN]` of them; `touched [blocks * LANES]`: the numbers of
    those to be foreseen anew, `how_many[TOUCHED]` of them.

    By lane: `settled, predicted [..., 4]`, the state just after the last final spike, and just after the next spike or
    at the end; `status` of the latter, and `when` it spikes, infinite if it does not; `neuron_record [..., NEURON_RECORD]` when it was
    settled; whether it `is_touched`; `first, arrivals, capacity`: where its arrivals are among `rest, weight [room]`,
    how many there are, and how many there is place for. `how_many[TAKEN]` of the room is given away.
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


@allocating
def no_pending(lanes, room, packed_synapses):
    """Room for candidates among so many lanes, with so many arrivals in a bin."""
    return Pending(
        np.zeros(3, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.uint8),
        np.zeros((lanes, 4)), np.zeros((lanes, 4)), np.zeros(lanes, np.int64), np.zeros(lanes), np.zeros((lanes, NEURON_RECORD)),
        np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.empty(room, packed_synapses.dtype),
        np.empty(room, packed_synapses.dtype),
    )


@inlined
def start_pending(pending, number, state, lane, neuron_record):
    """Make a lane a candidate, settled up to the start of the bin."""
    pending.lanes[pending.how_many[CHOSEN]] = number
    pending.how_many[CHOSEN] += 1
    settled = pending.settled[number]
    settled[V], settled[I], settled[X], settled[N] = state[lane], state[LANES + lane], 0.0, 0.0
    for k in range(NEURON_RECORD):
        pending.neuron_record[number, k] = neuron_record[k, lane]


@inlined
def touch(pending, number):
    """What a candidate does next is to be foreseen anew."""
    if not pending.is_touched[number]:
        pending.is_touched[number] = 1
        pending.touched[pending.how_many[TOUCHED]] = number
        pending.how_many[TOUCHED] += 1


@inlined
def take_arrivals(pending, number, link, spikes, next_, packed_synapses, clock, is_last):
    """Take the arrivals of a new candidate from its chain, whose last is `link`."""
    first = pending.how_many[TAKEN]
    rest, weight = pending.rest[first:], pending.weight[first:]
    count = collect(link, number % LANES, spikes.rest, spikes.source, next_, packed_synapses, clock, is_last, rest, weight)
    pending.first[number], pending.arrivals[number] = first, count
    pending.capacity[number] = min(2 * count + 4, rest.size)
    pending.how_many[TAKEN] += pending.capacity[number]


@compiled
def insert_arrival(pending, number, r, w):
    """Add an arrival to those of a candidate, in order of time. Returns whether there is room."""
    first, count = pending.first[number], pending.arrivals[number]
    if count == pending.capacity[number]:  # they move to where there is twice the place
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
def is_false_alarm(pending, number, constants, level, slack):
    """Whether a lane that is settled up to the start of the bin stays below its level after all."""
    first, settled, lane = pending.first[number], pending.settled[number], number % LANES
    rest, weight = pending.rest[first:], pending.weight[first:]
    count, pm = pending.arrivals[number], constants[0, lane]
    return stays_below(settled[V], settled[I], rest, weight, count, pm, level, slack)


@compiled
def predict(pending, number, constants, coefficients, bin_, clock, rate, read_maximum, neuron_record):
    """Follow a candidate from where it is settled to its next spike, or to the end of the bin."""
    lane, first, count = number % LANES, pending.first[number], pending.arrivals[number]
    four = (constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane])
    for k in range(NEURON_RECORD):
        neuron_record[k, lane] = pending.neuron_record[number, k]
    now, then = pending.settled[number], pending.predicted[number]
    then[V], then[I], then[X], n, status = to_next_crossing(
        now[V], now[I], now[X], int(now[N]), pending.rest[first:], pending.weight[first:], count, bin_, four, clock,
        coefficients, lane, rate, read_maximum, neuron_record, True,
    )
    then[N], pending.status[number] = n, status
    pending.when[number] = math.inf if status == REACHED_END else then[X]


@inlined
def settle(pending, number, neuron_record):
    """What was foreseen is final."""
    for k in range(4):
        pending.settled[number, k] = pending.predicted[number, k]
    for k in range(NEURON_RECORD):
        pending.neuron_record[number, k] = neuron_record[k, number % LANES]


@compiled
def earliest(pending):
    """The candidate that spikes first, NONE if none does."""
    best, when = NONE, math.inf
    for c in range(pending.how_many[CHOSEN]):
        number = pending.lanes[c]
        if pending.when[number] < when:
            best, when = number, pending.when[number]
    return best
