"""Lanes of a recurrent layer in which something can happen in a bin, each solved as far as nothing new comes.

A candidate is settled up to its last final spike, and knows what follows: its next spike, or the end of the bin. If a
spike of another lane, which comes earlier, arrives in this very bin, what follows is found anew.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.cells import NO_LINK
from fast.compiling import allocating, compiled, inlined
from fast.polynomials import LANES
from fast.solve import KEPT, NONE, REACHED_END, collect, stays_below, to_next_crossing

V, I, X, N = range(4)  # of a state: where it is in the bin, and how many arrivals came before


class Candidates(NamedTuple):
    """`lanes [blocks * LANES]`: their numbers, the first `how_many[0]` of them.

    By lane: `settled, foreseen [..., 4]`, the state just after the last final spike, and just after the next spike or
    at the end; `status` of the latter, and `when` it spikes, infinite if it does not; `kept [..., KEPT]` when it was
    settled; `first, arrivals`: where its arrivals are among `rest, weight [room]`, of which `how_many[1]` are taken,
    and how many; `link`: the last of them.
    """

    how_many: np.ndarray
    lanes: np.ndarray
    settled: np.ndarray
    foreseen: np.ndarray
    status: np.ndarray
    when: np.ndarray
    kept: np.ndarray
    first: np.ndarray
    arrivals: np.ndarray
    link: np.ndarray
    rest: np.ndarray
    weight: np.ndarray


@allocating
def no_candidates(lanes, room, rows):
    """Room for candidates among so many lanes, with so many arrivals in a bin."""
    return Candidates(
        np.zeros(2, np.int64), np.zeros(lanes, np.int64), np.zeros((lanes, 4)), np.zeros((lanes, 4)),
        np.zeros(lanes, np.int64), np.zeros(lanes), np.zeros((lanes, KEPT)), np.zeros(lanes, np.int64),
        np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.empty(room, rows.dtype), np.empty(room, rows.dtype),
    )  # fmt: skip


@inlined
def add_candidate(candidates, number, state, lane, kept):
    """Make a lane a candidate, settled up to the start of the bin."""
    candidates.lanes[candidates.how_many[0]] = number
    candidates.how_many[0] += 1
    settled = candidates.settled[number]
    settled[V], settled[I], settled[X], settled[N] = state[lane], state[LANES + lane], 0.0, 0.0
    candidates.arrivals[number], candidates.link[number] = 0, NO_LINK
    for k in range(KEPT):
        candidates.kept[number, k] = kept[k, lane]


@inlined
def collect_anew(candidates, number, link, spikes, next_, rows, at, is_last):
    """Take the arrivals of a lane from its chain, whose last is `link`, unless that is known."""
    if candidates.link[number] == link:
        return
    first = candidates.how_many[1]
    rest, weight = candidates.rest[first:], candidates.weight[first:]
    count = collect(link, number % LANES, spikes.rest, spikes.source, next_, rows, at, is_last, rest, weight)
    candidates.first[number], candidates.arrivals[number], candidates.link[number] = first, count, link
    candidates.how_many[1] += count


@inlined
def is_false_alarm(candidates, number, constants, level, slack):
    """Whether a lane that is settled up to the start of the bin stays below its level after all."""
    first, count, settled, lane = (
        candidates.first[number],
        candidates.arrivals[number],
        candidates.settled[number],
        number % LANES,
    )
    rest, weight = candidates.rest[first:], candidates.weight[first:]
    return stays_below(settled[V], settled[I], rest, weight, count, constants[0, lane], level, slack)


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
    )  # fmt: skip
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
    for c in range(candidates.how_many[0]):
        number = candidates.lanes[c]
        if candidates.when[number] < when:
            best, when = number, candidates.when[number]
    return best
