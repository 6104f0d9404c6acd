"""Neurons of one layer that send spikes to each other: within a bin the earliest spike of all is final.

No delay is long enough to be sure that spikes of one bin do not matter in it. So the lanes in which something can
happen are candidates: each knows how far it is settled, and when it would spike next if nothing new came. The earliest
of these spikes is settled; its arrivals in the same bin may make other lanes candidates, or change what they do later.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.bins import SLOT
from fast.compiling import compiled, vectorised
from fast.deposit import deposit, deposit_integral, with_room
from fast.polynomials import LANES
from fast.solve import NONE, REACHED_END, STUCK, collect, emit, to_next_crossing


class Candidates(NamedTuple):
    """Lanes in which something can happen in this bin.

    `lanes [blocks * LANES]`: their numbers, the first `count[0]` of them; `is_one` whether a lane is among them.
    `V, I, x, n`: by lane: state just after its last settled spike, where that is, and how many arrivals came before.
    `when`: rest of its next spike, infinite without.
    """

    count: np.ndarray
    lanes: np.ndarray
    is_one: np.ndarray
    V: np.ndarray
    I: np.ndarray
    x: np.ndarray
    n: np.ndarray
    when: np.ndarray


@compiled
def no_candidates(lanes):
    """Room for candidates among so many lanes."""
    whole = np.zeros(lanes, np.int64)
    return Candidates(
        np.zeros(1, np.int64), whole, np.zeros(lanes, np.uint8), np.zeros(lanes), np.zeros(lanes), np.zeros(lanes),
        np.zeros(lanes, np.int64), np.zeros(lanes),
    )  # fmt: skip


@compiled
def add_candidate(candidates, number, V, I):
    """Make a lane a candidate, settled up to the start of the bin."""
    candidates.lanes[candidates.count[0]] = number
    candidates.count[0] += 1
    candidates.is_one[number] = 1
    candidates.V[number], candidates.I[number] = V, I
    candidates.x[number], candidates.n[number] = 0.0, 0


@compiled
def follow(candidates, number, ring, first, under_way, layer, bin_, at, rest, weight, kept, settled):
    """Follow a candidate from where it is settled to its next spike, or to the end of the bin.

    `first`: place of the bin in the chains. If this is `settled`, it is recorded, and the candidate goes on from there.
    Returns the rest of the spike, or of the end, the current there, and the status of `to_next_crossing`.
    """
    block, lane = number // LANES, number % LANES
    constants = layer.constants[block]
    four = (constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane])
    chain = ring.chain[block, first + lane]
    count = collect(chain, lane, under_way, under_way.next[block], layer.rows[block], at, bin_ == at.last, rest, weight)
    V, I, x, n, status = to_next_crossing(
        candidates.V[number], candidates.I[number], candidates.x[number], candidates.n[number], rest, weight, count,
        bin_, four, at, layer.coefficients[block], lane, layer.rate, layer.read_maximum, kept[block], settled,
    )  # fmt: skip
    if settled:
        candidates.V[number], candidates.I[number], candidates.x[number], candidates.n[number] = V, I, x, n
    return x, I, status


@compiled
def foresee(candidates, number, ring, first, under_way, layer, bin_, at, rest, weight, kept):
    """Find when a candidate spikes next, if nothing new comes."""
    x, _, status = follow(candidates, number, ring, first, under_way, layer, bin_, at, rest, weight, kept, False)
    candidates.when[number] = math.inf if status == REACHED_END else x


@compiled
def earliest(candidates):
    """The candidate that spikes first, -1 if none does."""
    best, when = -1, math.inf
    for c in range(candidates.count[0]):
        number = candidates.lanes[c]
        if candidates.when[number] < when:
            best, when = number, candidates.when[number]
    return best


@vectorised
def settle(
    bin_, turn, n, oldest, layer, at, state, risky, kept, candidates, under_way, ring, scratch, rest, weight,
    emitted, n_emitted,
):  # fmt: skip
    """Settle all spikes of the layer in one bin, in order of time, and deposit them.

    `turn`: of the bin in the ring; `n`: number of spikes so far; `oldest`: the first of them still under way. The lanes
    in `risky` are candidates; those that become some are marked. `kept [blocks, KEPT, LANES]`.

    Returns:
        `under_way, rest, weight, emitted` (regrown if they had to), the new `n` and `n_emitted`, and the neuron that
        spikes faster than can be resolved, or NONE.
    """
    number_type = layer.rows.dtype.type
    here, size = number_type(turn * SLOT), number_type(layer.slots * SLOT)
    blocks, first = risky.shape[0], turn * LANES
    candidates.count[0] = 0
    for b in range(blocks):
        for lane in range(LANES):
            if risky[b, lane]:
                number = b * LANES + lane
                add_candidate(candidates, number, state[b, lane], state[b, LANES + lane])
                foresee(candidates, number, ring, first, under_way, layer, bin_, at, rest, weight, kept)
    while True:
        number = earliest(candidates)
        if number < 0:
            return under_way, rest, weight, emitted, n, n_emitted, NONE
        x, I, status = follow(candidates, number, ring, first, under_way, layer, bin_, at, rest, weight, kept, True)
        if status == STUCK:
            return under_way, rest, weight, emitted, n, n_emitted, number
        emitted = emit(emitted, n_emitted, number, bin_, x, I)
        n_emitted += 1
        if n - oldest >= under_way.rest.size:
            under_way = with_room(under_way, oldest, n)
            rest, weight = np.empty_like(under_way.rest), np.empty_like(under_way.rest)
        k = n & (under_way.rest.size - 1)
        under_way.rest[k], under_way.source[k] = x, layer.external + number
        for b in range(blocks):
            rows, coefficients = layer.rows[b], layer.coefficients[b]
            deposit(
                    here, size, n, n + 1, under_way.rest, under_way.source, under_way.next[b], rows, coefficients, at,
                    ring.deposits[b], ring.chain[b], scratch.place, scratch.amount,
                )  # fmt: skip
            if layer.rate >= 0.0:
                deposit_integral(
                        here, size, n, n + 1, under_way.rest, under_way.source, rows, coefficients, at, ring.integral[b],
                    )  # fmt: skip
            for lane in range(LANES):
                other = b * LANES + lane
                if ring.chain[b, first + lane] == n or other == number:
                    if not risky[b, lane]:
                        risky[b, lane] = 1
                        add_candidate(candidates, other, state[b, lane], state[b, LANES + lane])
                    foresee(candidates, other, ring, first, under_way, layer, bin_, at, rest, weight, kept)
        n += 1
