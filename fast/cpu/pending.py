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
from fast.physics.within_bin import KEPT, NONE, REACHED_END, collect, stays_below, to_next_crossing

V, I, X, N = range(4)  # of a state: where it is in the bin, and how many arrivals came before
CHOSEN, TOUCHED, TAKEN = range(3)  # of `how_many`


class Candidates(NamedTuple):
    """`lanes [blocks * LANES]`: their numbers, `how_many[CHOSEN]` of them; `touched [blocks * LANES]`: the numbers of
    those to be foreseen anew, `how_many[TOUCHED]` of them.

    By lane: `settled, foreseen [..., 4]`, the state just after the last final spike, and just after the next spike or
    at the end; `status` of the latter, and `when` it spikes, infinite if it does not; `kept [..., KEPT]` when it was
    settled; whether it `is_touched`; `first, arrivals, capacity`: where its arrivals are among `rest, weight [room]`,
    how many there are, and how many there is place for. `how_many[TAKEN]` of the room is given away.
    """

    how_many: np.ndarray
    lanes: np.ndarray
    touched: np.ndarray
    is_touched: np.ndarray
    settled: np.ndarray
    foreseen: np.ndarray
    status: np.ndarray
    when: np.ndarray
    kept: np.ndarray
    first: np.ndarray
    arrivals: np.ndarray
    capacity: np.ndarray
    rest: np.ndarray
    weight: np.ndarray


@allocating
def no_candidates(lanes, room, rows):
    """Room for candidates among so many lanes, with so many arrivals in a bin."""
    return Candidates(
        np.zeros(3, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.uint8),
        np.zeros((lanes, 4)), np.zeros((lanes, 4)), np.zeros(lanes, np.int64), np.zeros(lanes), np.zeros((lanes, KEPT)),
        np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.empty(room, rows.dtype),
        np.empty(room, rows.dtype),
    )


@inlined
def add_candidate(candidates, number, state, lane, kept):
    """Make a lane a candidate, settled up to the start of the bin."""
    candidates.lanes[candidates.how_many[CHOSEN]] = number
    candidates.how_many[CHOSEN] += 1
    settled = candidates.settled[number]
    settled[V], settled[I], settled[X], settled[N] = state[lane], state[LANES + lane], 0.0, 0.0
    for k in range(KEPT):
        candidates.kept[number, k] = kept[k, lane]


@inlined
def touch(candidates, number):
    """What a candidate does next is to be foreseen anew."""
    if not candidates.is_touched[number]:
        candidates.is_touched[number] = 1
        candidates.touched[candidates.how_many[TOUCHED]] = number
        candidates.how_many[TOUCHED] += 1


@inlined
def take_arrivals(candidates, number, link, spikes, next_, rows, at, is_last):
    """Take the arrivals of a new candidate from its chain, whose last is `link`."""
    first = candidates.how_many[TAKEN]
    rest, weight = candidates.rest[first:], candidates.weight[first:]
    count = collect(link, number % LANES, spikes.rest, spikes.source, next_, rows, at, is_last, rest, weight)
    candidates.first[number], candidates.arrivals[number] = first, count
    candidates.capacity[number] = min(2 * count + 4, rest.size)
    candidates.how_many[TAKEN] += candidates.capacity[number]


@compiled
def insert_arrival(candidates, number, r, w):
    """Add an arrival to those of a candidate, in order of time. Returns whether there is room."""
    first, count = candidates.first[number], candidates.arrivals[number]
    if count == candidates.capacity[number]:  # they move to where there is twice the place
        taken, capacity = candidates.how_many[TAKEN], 2 * count + 4
        if taken + capacity > candidates.rest.size:
            return False
        for k in range(count):
            candidates.rest[taken + k] = candidates.rest[first + k]
            candidates.weight[taken + k] = candidates.weight[first + k]
        candidates.first[number], candidates.capacity[number] = taken, capacity
        candidates.how_many[TAKEN] += capacity
        first = taken
    k = first + count
    while k > first and candidates.rest[k - 1] > r:
        candidates.rest[k], candidates.weight[k] = candidates.rest[k - 1], candidates.weight[k - 1]
        k -= 1
    candidates.rest[k], candidates.weight[k] = r, w
    candidates.arrivals[number] += 1
    return True


@inlined
def is_false_alarm(candidates, number, constants, level, slack):
    """Whether a lane that is settled up to the start of the bin stays below its level after all."""
    first, settled, lane = candidates.first[number], candidates.settled[number], number % LANES
    rest, weight = candidates.rest[first:], candidates.weight[first:]
    count, pm = candidates.arrivals[number], constants[0, lane]
    return stays_below(settled[V], settled[I], rest, weight, count, pm, level, slack)


@compiled
def foresee(candidates, number, constants, coefficients, bin_, at, rate, read_maximum, kept):
    """Follow a candidate from where it is settled to its next spike, or to the end of the bin."""
    lane, first, count = number % LANES, candidates.first[number], candidates.arrivals[number]
    four = (constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane])
    for k in range(KEPT):
        kept[k, lane] = candidates.kept[number, k]
    now, then = candidates.settled[number], candidates.foreseen[number]
    then[V], then[I], then[X], n, status = to_next_crossing(
        now[V], now[I], now[X], int(now[N]), candidates.rest[first:], candidates.weight[first:], count, bin_, four, at,
        coefficients, lane, rate, read_maximum, kept, True,
    )
    then[N], candidates.status[number] = n, status
    candidates.when[number] = math.inf if status == REACHED_END else then[X]


@inlined
def settle(candidates, number, kept):
    """What was foreseen is final."""
    for k in range(4):
        candidates.settled[number, k] = candidates.foreseen[number, k]
    for k in range(KEPT):
        candidates.kept[number, k] = kept[k, number % LANES]


@compiled
def earliest(candidates):
    """The candidate that spikes first, NONE if none does."""
    best, when = NONE, math.inf
    for c in range(candidates.how_many[CHOSEN]):
        number = candidates.lanes[c]
        if candidates.when[number] < when:
            best, when = number, candidates.when[number]
    return best
