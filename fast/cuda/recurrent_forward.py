"""Forward kernel of a recurrent layer: a block of threads follows all neurons of a trial; see `fast.recurrent_forward`.

Each thread has some of the neurons. In a bin the threads agree on the earliest spike, by a tree in which the lower
number wins a tie; that is final, and every thread deposits it at its own neurons. So the order of spikes is that of
time, and not of threads.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import cuda, float64, int32

from fast.compiling import compiled
from fast.cuda.compiling import TOGETHER, kernel, on_device
from fast.cuda.forward import clear_bin, deposit_in_lane, end_of_bin, integrate_in_lane, is_risky
from fast.forward import new_level
from fast.polynomials import LANES
from fast.recurrent_forward import Candidates, Spikes, follow
from fast.solve import CROSSED, MAX_BIN, NONE, RECENT_BIN, STUCK

NO_ROOM, NO_RING = 1, 2  # what was too small, as bits


class Together(NamedTuple):
    """What the threads of a block share, `[trials at once, ...]`.

    `rest, source, bin [size]`: spikes of the trial in the order they are deposited. `V, I, level, risky [lanes]`: of
    each neuron, at the start of the bin; `candidates`: `V, I, x, n, when [lanes]` as in `fast.recurrent_forward`.
    """

    rest: np.ndarray
    source: np.ndarray
    bin: np.ndarray
    V: np.ndarray
    I: np.ndarray
    level: np.ndarray
    risky: np.ndarray
    V_settled: np.ndarray
    I_settled: np.ndarray
    x_settled: np.ndarray
    n_settled: np.ndarray
    when: np.ndarray


class FoundInOrder(NamedTuple):
    """Emitted spikes of each trial, in order of time: `neuron, bin, rest, I [trials, room]`; `counts [trials]`, or what
    is below 0: -1 - the neuron that spikes too fast; `lacks [trials]`: NO_ROOM, NO_RING; `kept` as in `Found`."""

    counts: np.ndarray
    lacks: np.ndarray
    neuron: np.ndarray
    bin: np.ndarray
    rest: np.ndarray
    I: np.ndarray
    kept: np.ndarray


@compiled
def _candidates(here, together):
    nothing = together.n_settled[here]
    return Candidates(
        nothing, nothing, together.V_settled[here], together.I_settled[here], together.x_settled[here], nothing,
        together.when[here],
    )  # fmt: skip


@compiled
def start_trial(thread, threads, here, trial, layer, together, found):
    """Every neuron of a thread at rest."""
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        kept = found.kept[trial, block]
        kept[RECENT_BIN, lane], kept[MAX_BIN, lane] = -1.0, -1.0
        together.V[here, number], together.I[here, number] = 0.0, 0.0
        together.level[here, number] = new_level(kept, lane, 0, layer.constants[block, 2, lane], layer.read_maximum)


@compiled
def end_of_arrivals(s, s_last, bin_, bins):
    """Where the spikes from outside end that are emitted in a bin."""
    while s < s_last and bins[s] == bin_:
        s += 1
    return s


@compiled
def oldest_under_way(oldest, n, bin_, slots, bins):
    """The first spike that may still arrive."""
    while oldest < n and bins[oldest] <= bin_ - slots:
        oldest += 1
    return oldest


@compiled
def take_arrivals(thread, threads, here, s, s_next, n, arriving, together):
    """Put spikes from outside among those of the trial, from `n` on."""
    for k in range(thread, s_next - s, threads):
        together.rest[here, n + k] = arriving.rest[s + k]
        together.source[here, n + k], together.bin[here, n + k] = arriving.source[s + k], arriving.bin[s + k]


@compiled
def deposit_all(number, here, turn, first, last, layer, at, ahead, together):
    """Deposit spikes `first..last-1` at one neuron."""
    block, lane = number // LANES, number % LANES
    for n in range(first, last):
        deposit_in_lane(
            n, together.rest[here, n], together.source[here, n], turn, layer.slots, lane, layer.rows[block],
            layer.coefficients[block], at, layer.rate >= 0.0, ahead, here, block,
        )  # fmt: skip


@compiled
def foresee(number, here, trial, bin_, turn, layer, at, ahead, together, found, final):
    """See `fast.recurrent_forward.follow`."""
    block, lane = number // LANES, number % LANES
    spikes = Spikes(together.rest[here], together.source[here], ahead.next[here])
    return follow(
        _candidates(here, together), number, ahead.chain[here, block, turn * LANES + lane], spikes, layer, bin_, at,
        ahead.rest[here, block, :, lane], ahead.weight[here, block, :, lane], found.kept[trial], final,
    )  # fmt: skip


@compiled
def become_candidate(number, here, together):
    """Settled up to the start of the bin."""
    together.risky[here, number] = 1
    together.V_settled[here, number] = together.V[here, number]
    together.I_settled[here, number] = together.I[here, number]
    together.x_settled[here, number], together.n_settled[here, number] = 0.0, 0


@compiled
def enter_bin(thread, threads, here, trial, bin_, turn, first, last, layer, at, ahead, together, found):
    """Deposit what comes from outside, and find which neurons of a thread can spike; the earliest, and when it does."""
    when, best, slot, integral_read = math.inf, NONE, turn * LANES, layer.rate >= 0.0
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        deposit_all(number, here, turn, first, last, layer, at, ahead, together)
        risky = is_risky(
            together.V[here, number], together.I[here, number], slot, lane, ahead.deposits[here, block],
            layer.flow[block], together.level[here, number], 64 * at.u,
        )  # fmt: skip
        if bin_ == at.last and (integral_read or ahead.chain[here, block, slot + lane] >= 0):
            risky = True  # it ends at T, and not at the end of the bin
        together.risky[here, number] = 0
        if risky:
            become_candidate(number, here, together)
            foresee(number, here, trial, bin_, turn, layer, at, ahead, together, found, False)
            if together.when[here, number] < when:
                when, best = together.when[here, number], number
    return when, best


@compiled
def settle(number, here, trial, bin_, turn, n, count, layer, at, ahead, together, found):
    """Make the next spike of a neuron final: spike `count` of the layer, and `n` of all."""
    x, I, status = foresee(number, here, trial, bin_, turn, layer, at, ahead, together, found, True)
    found.neuron[trial, count], found.bin[trial, count] = number, bin_
    found.rest[trial, count], found.I[trial, count] = x, I
    for copy in range(layer.copies):
        together.rest[here, n + copy], together.bin[here, n + copy] = x, bin_
        together.source[here, n + copy] = layer.external + copy * layer.post + number
    return status


@compiled
def spread(thread, threads, winner, here, trial, bin_, turn, first, last, layer, at, ahead, together, found):
    """Deposit a spike of `winner` at the neurons of a thread; the earliest of their next spikes, and when it is."""
    when, best, slot = math.inf, NONE, turn * LANES
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        deposit_all(number, here, turn, first, last, layer, at, ahead, together)
        if number == winner or ahead.chain[here, block, slot + lane] >= first:
            if not together.risky[here, number]:
                become_candidate(number, here, together)
            foresee(number, here, trial, bin_, turn, layer, at, ahead, together, found, False)
        if together.risky[here, number] and together.when[here, number] < when:
            when, best = together.when[here, number], number
    return when, best


@compiled
def leave_bin(thread, threads, here, trial, bin_, turn, layer, at, ahead, together, found):
    """Take the neurons of a thread to the end of a bin."""
    slot, integral_read = turn * LANES, layer.rate >= 0.0
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        flow, kept = layer.flow[block], found.kept[trial, block]
        V, I = together.V[here, number], together.I[here, number]
        if together.risky[here, number]:
            foresee(number, here, trial, bin_, turn, layer, at, ahead, together, found, True)
            V, I = together.V_settled[here, number], together.I_settled[here, number]
            v_th = layer.constants[block, 2, lane]
            together.level[here, number] = new_level(kept, lane, bin_, v_th, layer.read_maximum)
        else:
            if integral_read:
                weight_end = math.exp(-layer.rate * (bin_ + 1))
                integrate_in_lane(V, I, slot + lane, lane, flow, ahead.integral[here, block], weight_end, kept)
            V, I = end_of_bin(V, I, slot, lane, ahead.deposits[here, block], flow)
        together.V[here, number], together.I[here, number] = V, I
        clear_bin(slot, lane, at, integral_read, ahead, here, block)


@compiled
def end_trial(thread, threads, here, layer, at, ahead):
    """Clear what arrives after T."""
    for number in range(thread, layer.post, threads):
        for later in range(layer.slots):
            clear_bin(later * LANES, number % LANES, at, layer.rate >= 0.0, ahead, here, number // LANES)


@on_device
def earliest(thread, threads, when, number, whens, numbers):
    """Of what each thread has found, the number that is first in time; NONE if there is none."""
    whens[thread], numbers[thread] = when, number
    cuda.syncthreads()
    half = TOGETHER // 2
    while half > 0:
        other = thread + half
        if thread < half and other < threads:
            sooner = whens[other] < whens[thread]
            if sooner or (whens[other] == whens[thread] and numbers[other] < numbers[thread]):
                whens[thread], numbers[thread] = whens[other], numbers[other]
        cuda.syncthreads()
        half //= 2
    first = numbers[0]
    cuda.syncthreads()
    return first


@kernel
def recurrent_forward_kernel(first_trial, arriving, layer, at, ahead, together, found):
    """One block of threads for each trial, from `first_trial` on."""
    whens = cuda.shared.array(TOGETHER, float64)
    numbers = cuda.shared.array(TOGETHER, int32)
    shared_status = cuda.shared.array(1, int32)
    thread, threads, here = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
    trial = first_trial + here
    start_trial(thread, threads, here, trial, layer, together, found)
    s, s_last = arriving.offsets[trial], arriving.offsets[trial + 1]
    n, oldest, count, turn, lacks, winner = 0, 0, 0, 0, 0, NONE
    size, ring, room = together.rest.shape[1], ahead.next.shape[2], found.bin.shape[1]
    status = CROSSED
    for bin_ in range(at.last + 1):
        first, s_next = n, end_of_arrivals(s, s_last, bin_, arriving.bin)
        oldest = oldest_under_way(oldest, n, bin_, layer.slots, together.bin[here])
        n += s_next - s
        if n - oldest > ring:
            lacks = NO_RING
            break
        take_arrivals(thread, threads, here, s, s_next, first, arriving, together)
        s = s_next
        cuda.syncthreads()
        when, number = enter_bin(
            thread, threads, here, trial, bin_, turn, first, n, layer, at, ahead, together, found
        )
        while cuda.syncthreads_or(np.int32(number != NONE)):
            winner = earliest(thread, threads, when, number, whens, numbers)
            if n + layer.copies - oldest > ring:
                lacks |= NO_RING
            if count == room or n + layer.copies > size:
                lacks |= NO_ROOM
            if lacks != 0:
                break
            if winner % threads == thread:
                shared_status[0] = settle(
                    winner, here, trial, bin_, turn, n, count, layer, at, ahead, together, found
                )
            cuda.syncthreads()
            status = shared_status[0]
            if status == STUCK:
                break
            first, n, count = n, n + layer.copies, count + 1
            when, number = spread(
                thread, threads, winner, here, trial, bin_, turn, first, n, layer, at, ahead, together, found
            )
        if lacks != 0 or status == STUCK:
            break
        leave_bin(thread, threads, here, trial, bin_, turn, layer, at, ahead, together, found)
        turn = turn + 1 if turn + 1 < layer.slots else 0
    end_trial(thread, threads, here, layer, at, ahead)
    if thread == 0:
        found.lacks[trial] = lacks
        found.counts[trial] = -1 - winner if status == STUCK else count
