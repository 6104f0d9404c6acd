"""Forward kernel of a recurrent layer: all blocks of neurons together, whose spikes reach each other.

A bin is short, but no delay is long enough to be sure that the spikes of a bin do not matter in it. So the lanes in
which something can happen are candidates: each knows how far it is settled, and when it would spike next if nothing new
came. The earliest of these spikes is final. It is deposited like a spike from outside; its arrivals in the same bin may
make other lanes candidates, or change what they do later. So any delay is exact, however small.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.bins import SLOT
from fast.compiling import allocating, compiled
from fast.deposit import Ring, deposit, deposit_integral, ring_places, scratch_for
from fast.forward import new_level, start_trial
from fast.lanes import advance, integrate, step
from fast.polynomials import LANES
from fast.solve import NONE, REACHED_END, STUCK, collect, grown, no_spikes, to_next_crossing


class Candidates(NamedTuple):
    """Lanes in which something can happen in this bin.

    `lanes [blocks * LANES]`: their numbers, the first `how_many[0]` of them. By lane: `V, I, x, n`, the state just
    after its last final spike, where that is, and how many arrivals came before; `when`: rest of its next spike,
    infinite without.
    """

    how_many: np.ndarray
    lanes: np.ndarray
    V: np.ndarray
    I: np.ndarray
    x: np.ndarray
    n: np.ndarray
    when: np.ndarray


class Spikes(NamedTuple):
    """Spikes of a trial in the order they are deposited: `rest, source [size]`; `next [blocks, ring, LANES]`."""

    rest: np.ndarray
    source: np.ndarray
    next: np.ndarray


@allocating
def empty_rings(blocks, slots, integral_read, at):
    """A ring of so many bins for every block, `[blocks, ...]`."""
    places = ring_places(slots)
    return Ring(
        np.full((blocks, 2 * places), at.zero),
        np.full((blocks, places // 2 if integral_read else 0), at.zero),
        np.full((blocks, places // 2), np.int32(-1)),
    )


@allocating
def no_candidates(lanes):
    """Room for candidates among so many lanes."""
    return Candidates(
        np.zeros(1, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes), np.zeros(lanes), np.zeros(lanes),
        np.zeros(lanes, np.int64), np.zeros(lanes),
    )  # fmt: skip


@compiled
def add_candidate(candidates, number, state, lane):
    """Make a lane a candidate, settled up to the start of the bin."""
    candidates.lanes[candidates.how_many[0]] = number
    candidates.how_many[0] += 1
    candidates.V[number], candidates.I[number] = state[lane], state[LANES + lane]
    candidates.x[number], candidates.n[number] = 0.0, 0


@compiled
def follow(candidates, number, first, spikes, layer, bin_, at, rest, weight, kept, final):
    """Follow a candidate from where it is settled to its next spike, or to the end of the bin.

    `first`: the last of its arrivals in this bin. What is `final` is recorded, and the candidate is settled up to it.
    Returns the rest of the spike, or of the end, the current there, and the status of `to_next_crossing`.
    """
    block, lane = number // LANES, number % LANES
    constants, rows = layer.constants[block], layer.rows[block]
    four = (constants[0, lane], constants[1, lane], constants[2, lane], constants[3, lane])
    is_last = bin_ == at.last
    count = collect(first, lane, spikes.rest, spikes.source, spikes.next[block], rows, at, is_last, rest, weight)
    V, I, x, n, status = to_next_crossing(
        candidates.V[number], candidates.I[number], candidates.x[number], candidates.n[number], rest, weight, count,
        bin_, four, at, layer.coefficients[block], lane, layer.rate, layer.read_maximum, kept[block], final,
    )  # fmt: skip
    if final:
        candidates.V[number], candidates.I[number], candidates.x[number], candidates.n[number] = V, I, x, n
    else:
        candidates.when[number] = math.inf if status == REACHED_END else x
    return x, I, status


@compiled
def earliest(candidates):
    """The candidate that spikes first, NONE if none does."""
    best, when = NONE, math.inf
    for c in range(candidates.how_many[0]):
        number = candidates.lanes[c]
        if candidates.when[number] < when:
            best, when = number, candidates.when[number]
    return best


@allocating
def with_room(spikes, oldest, n):
    """The same spikes in arrays twice as large where they are full; `oldest`: the first still under way, of `n`."""
    rest, source, next_ = spikes.rest, spikes.source, spikes.next
    if n >= rest.size:
        rest = np.concatenate((rest, np.empty_like(rest)))
        source = np.concatenate((source, np.empty_like(source)))
    size = next_.shape[1]
    if n - oldest >= size:
        next_ = np.empty((next_.shape[0], 2 * size, LANES), next_.dtype)
        for k in range(oldest, n):
            next_[:, k & (2 * size - 1)] = spikes.next[:, k & (size - 1)]
    return Spikes(rest, source, next_)


@compiled
def deposit_everywhere(here, size, first, last, spikes, layer, at, ring, scratch):
    """Deposit spikes `first..last-1` in every block."""
    for b in range(layer.rows.shape[0]):
        rows, coefficients = layer.rows[b], layer.coefficients[b]
        deposit(
            here, size, first, last, spikes.rest, spikes.source, spikes.next[b], rows, coefficients, at,
            ring.deposits[b], ring.chain[b], scratch.place, scratch.amount,
        )  # fmt: skip
        if layer.rate >= 0.0:
            deposit_integral(
                here, size, first, last, spikes.rest, spikes.source, rows, coefficients, at, ring.integral[b]
            )


@allocating
def recurrent_sweep(first_trial, last_trial, arriving, layer, at, kept_of_all):
    """All blocks of a recurrent layer in trials `first_trial..last_trial-1`; as `forward.forward_sweep`."""
    blocks, slots, integral_read = layer.rows.shape[0], layer.slots, layer.rate >= 0.0
    number_type = layer.rows.dtype.type
    size, slack = number_type(slots * SLOT), 64 * at.u
    ring, scratch = empty_rings(blocks, slots, integral_read, at), scratch_for(layer.rows)
    spikes = Spikes(
        np.empty(1024, layer.rows.dtype), np.empty(1024, np.int32), np.empty((blocks, 256, LANES), np.int32)
    )
    rest, weight = np.empty_like(spikes.rest), np.empty_like(spikes.rest)
    oldest_at = np.zeros(slots, np.int64)  # the first spike of each bin under way
    state, ahead, level = np.empty((blocks, 2 * LANES)), np.empty((blocks, 2 * LANES)), np.empty((blocks, LANES))
    risky, candidates = np.zeros((blocks, LANES), np.uint8), no_candidates(blocks * LANES)
    emitted = no_spikes(layer.rows)
    ends, n_emitted = np.empty(last_trial - first_trial, np.int64), 0
    for trial in range(first_trial, last_trial):
        kept = kept_of_all[trial]
        ring.deposits[:], ring.integral[:], ring.chain[:] = at.zero, at.zero, -1
        state[:], oldest_at[:] = 0.0, 0
        for b in range(blocks):
            start_trial(kept[b], level[b], layer.constants[b], layer.read_maximum)
        s, s_last, n, turn = arriving.offsets[trial], arriving.offsets[trial + 1], 0, 0
        for bin_ in range(at.last + 1):
            here, slot, first = number_type(turn * SLOT), turn * LANES, n
            oldest_at[turn] = n
            oldest = oldest_at[turn + 1 if turn + 1 < slots else 0]
            while s < s_last and arriving.bin[s] == bin_:
                if n >= spikes.rest.size or n - oldest >= spikes.next.shape[1]:
                    spikes = with_room(spikes, oldest, n)
                spikes.rest[n], spikes.source[n] = arriving.rest[s], arriving.source[s]
                s, n = s + 1, n + 1
            deposit_everywhere(here, size, first, n, spikes, layer, at, ring, scratch)
            candidates.how_many[0] = 0
            for b in range(blocks):
                any_risky = step(
                    slot, state[b], layer.flow[b], level[b], ring.deposits[b], slack, risky[b], ahead[b]
                )
                if not (any_risky or bin_ == at.last):
                    continue
                for lane in range(LANES):
                    if bin_ == at.last and (integral_read or ring.chain[b, slot + lane] >= 0):
                        risky[b, lane] = 1  # it ends at T, and not at the end of the bin
                    if risky[b, lane]:
                        add_candidate(candidates, b * LANES + lane, state[b], lane)
            if rest.size < n:
                rest, weight = np.empty_like(spikes.rest), np.empty_like(spikes.rest)
            for c in range(candidates.how_many[0]):
                number = candidates.lanes[c]
                last_arrival = ring.chain[number // LANES, slot + number % LANES]
                follow(candidates, number, last_arrival, spikes, layer, bin_, at, rest, weight, kept, False)
            while True:
                number = earliest(candidates)
                if number == NONE:
                    break
                last_arrival = ring.chain[number // LANES, slot + number % LANES]
                x, I, status = follow(
                    candidates, number, last_arrival, spikes, layer, bin_, at, rest, weight, kept, True
                )
                if status == STUCK:
                    return emitted, ends, number
                if n_emitted == emitted.bin.size:
                    emitted = grown(emitted)
                emitted.neuron[n_emitted], emitted.bin[n_emitted] = number, bin_
                emitted.rest[n_emitted], emitted.I[n_emitted] = x, I
                n_emitted += 1
                before = n
                for copy in range(layer.copies):
                    if n >= spikes.rest.size or n - oldest >= spikes.next.shape[1]:
                        spikes = with_room(spikes, oldest, n)
                    spikes.rest[n], spikes.source[n] = x, layer.external + copy * layer.post + number
                    n += 1
                if rest.size < n:
                    rest, weight = np.empty_like(spikes.rest), np.empty_like(spikes.rest)
                deposit_everywhere(here, size, before, n, spikes, layer, at, ring, scratch)
                for b in range(blocks):
                    for lane in range(LANES):
                        other, last_arrival = b * LANES + lane, ring.chain[b, slot + lane]
                        if last_arrival >= before or other == number:
                            if not risky[b, lane]:
                                risky[b, lane] = 1
                                add_candidate(candidates, other, state[b], lane)
                            follow(candidates, other, last_arrival, spikes, layer, bin_, at, rest, weight, kept, False)
            for c in range(candidates.how_many[0]):
                number = candidates.lanes[c]
                b, lane = number // LANES, number % LANES
                last_arrival = ring.chain[b, slot + lane]
                follow(candidates, number, last_arrival, spikes, layer, bin_, at, rest, weight, kept, True)
                ahead[b, lane], ahead[b, LANES + lane] = candidates.V[number], candidates.I[number]
                level[b, lane] = new_level(kept[b], lane, bin_, layer.constants[b, 2, lane], layer.read_maximum)
            for b in range(blocks):
                if integral_read:
                    weight_end = math.exp(-layer.rate * (bin_ + 1))
                    integrate(slot, state[b], layer.flow[b], ring.integral[b], weight_end, risky[b], kept[b])
                advance(slot, state[b], ahead[b], ring.deposits[b], ring.chain[b])
            turn = turn + 1 if turn + 1 < slots else 0
        ends[trial - first_trial] = n_emitted
    return emitted, ends, NONE
