"""Backward kernel: one thread goes back with one neuron through some trials, in the same sweep as `fast.backward`.

A thread adds to the gradients of its own synapses only, in arrays of its own chunk of trials, which are added up
afterwards in one order. What the time of an incoming spike is worth is written down neuron by neuron, and added up
afterwards as well. So no two threads ever add to the same number, and results are bitwise the same each time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import cuda, float64

from fast.adjoint import (
    ADJOINT,
    LAMBDA_I,
    LAMBDA_V,
    Events,
    X,
    Y,
    Z,
    drive_at,
    flow_back,
    jump_at_spike,
    look_up,
    note_event,
)
from fast.backward import back_to, mark
from fast.bins import SLOT
from fast.compiling import compiled
from fast.cuda.compiling import THREADS, kernel
from fast.gather import DRIVE
from fast.polynomials import LANES, PS_AB, A, B, polynomial
from fast.solve import MAX_BIN, MAX_GROUP, MAX_REST, MAX_SLOPE
from fast.synapses import (
    FLOW_A,
    FLOW_AAB,
    FLOW_AB,
    FLOW_ABB,
    FLOW_B,
    FLOW_PM,
    FLOW_PS,
    FLOW_RA,
    FLOW_RAA,
    FLOW_RAAB,
    FLOW_RAB,
    FLOW_RABB,
)

GROUPS = THREADS // LANES
# Of a block of neurons, `[ROWS, LANES]`: four adjoints, then numbers.
SOLVED, OTHER, AT_T, DRIVES, POSITION, MARKED = ADJOINT, 2 * ADJOINT, 3 * ADJOINT, 4 * ADJOINT, 21, 22
ROWS = 23


class Given(NamedTuple):
    """What the backward pass is given: spikes from outside, own spikes, and what the loss says.

    `offsets, bin, rest, source`: as `fast.deposit.Arriving`. `own_offsets`: of each train, or of each trial if all
    neurons are solved together; `own_neuron` (then only), `own_bin, own_rest, own_I`, and `dL_dt` of each spike.
    `dL_dy [trials, blocks, LANES]`; `kept` of the forward pass.
    """

    offsets: np.ndarray
    bin: np.ndarray
    rest: np.ndarray
    source: np.ndarray
    own_offsets: np.ndarray
    own_neuron: np.ndarray
    own_bin: np.ndarray
    own_rest: np.ndarray
    own_I: np.ndarray
    dL_dt: np.ndarray
    dL_dy: np.ndarray
    kept: np.ndarray


class Passed(NamedTuple):
    """The bins that have been passed, `[chunks, blocks, ...]`, as `fast.gather` keeps them, and all own events.

    `ring [2 * slots * LANES]`; `whole_ring [ADJOINT + 1, slots * LANES]` (of one place if it is not needed); `first`
    and the rest as in `fast.adjoint.Events`, of all spikes, and then of the maxima of every neuron of every chunk.
    `scratch [ROWS, LANES]`, if neurons are solved together; the others have it in shared memory.
    """

    ring: np.ndarray
    whole_ring: np.ndarray
    first: np.ndarray
    rest: np.ndarray
    later: np.ndarray
    before: np.ndarray
    end: np.ndarray
    scratch: np.ndarray


class Sums(NamedTuple):
    """What is added up: `of_synapses [chunks, blocks, sources, 2 * LANES]` and `of_constants [chunks, blocks, 4,
    LANES]` as `fast.backward.backward_sweep`; `worth [spikes, lanes]` of the spikes from outside, from `first_worth`
    on (one place if it is not wanted)."""

    of_synapses: np.ndarray
    of_constants: np.ndarray
    worth: np.ndarray
    first_worth: int


class Lane(NamedTuple):
    """Everything of the block of a lane, in one chunk, under one name each."""

    rows: np.ndarray
    flow: np.ndarray
    constants: np.ndarray
    coefficients: np.ndarray
    ring: np.ndarray
    whole_ring: np.ndarray
    adjoint: np.ndarray
    solved: np.ndarray
    other: np.ndarray
    drive: np.ndarray
    position: np.ndarray
    marked: np.ndarray
    events: Events
    sums: np.ndarray
    of_constants: np.ndarray


@compiled
def lane_of(chunk, block, layer, passed, sums, scratch):
    """The arrays of a block; `scratch [ROWS, LANES]`."""
    events = Events(
        passed.rest, passed.later, passed.before, passed.end, passed.first[chunk, block], scratch[AT_T:DRIVES]
    )
    return Lane(
        layer.rows[block], layer.flow[block], layer.constants[block], layer.coefficients[block],
        passed.ring[chunk, block], passed.whole_ring[chunk, block], scratch[:SOLVED], scratch[SOLVED:OTHER],
        scratch[OTHER:AT_T], scratch[DRIVES], scratch[POSITION], scratch[MARKED], events,
        sums.of_synapses[chunk, block], sums.of_constants[chunk, block],
    )  # fmt: skip


@compiled
def start_at_end(lane, slots, at, rate, dL_dy, b):
    """Before the last bin of a trial: no adjoint, and nothing has been passed."""
    for k in range(ADJOINT):
        b.adjoint[k, lane] = b.events.at_T[k, lane] = 0.0
    b.drive[lane] = dL_dy[lane] / (at.last + float(at.end)) if rate >= 0.0 else 0.0
    b.marked[lane] = 0.0
    whole = b.whole_ring.shape[1] > 1
    for place in range(lane, slots * LANES, LANES):
        b.ring[2 * place] = b.ring[2 * place + 1] = at.zero
        if whole:
            for k in range(ADJOINT + 1):
                b.whole_ring[k, place] = 0.0


@compiled
def enter_bin(lane, bin_, slot, last_event, layer, at, want_tau, kept, dL_dy, b):
    """Publish the adjoint at the end of a bin, and take what is there besides spikes; `last_event`: of the maximum."""
    rate, end = layer.rate, float(at.end) if bin_ == at.last else 1.0
    b.ring[2 * (slot + lane)], b.ring[2 * (slot + lane) + 1] = b.adjoint[LAMBDA_V, lane], b.adjoint[LAMBDA_I, lane]
    b.events.first[slot + lane] = -1
    if rate >= 0.0 or want_tau:
        for k in range(ADJOINT):
            b.whole_ring[k, slot + lane] = b.adjoint[k, lane]
        b.whole_ring[DRIVE, slot + lane] = drive_at(b.drive, lane, bin_, 1.0, rate)
    if rate >= 0.0 and bin_ == at.last:  # it ends at T, and not at the end of the bin
        mark(lane, slot, end, b.adjoint, b.ring, b.marked, b.position, b.solved)
    if not layer.read_maximum or kept[MAX_BIN, lane] != bin_:
        return
    mark(lane, slot, end, b.adjoint, b.ring, b.marked, b.position, b.solved)
    kick = -dL_dy[lane] * b.constants[0, lane]
    if bin_ == at.last and kept[MAX_REST, lane] == at.end and kept[MAX_GROUP, lane] == 0.0:
        b.solved[LAMBDA_V, lane] += kick
        b.events.at_T[LAMBDA_V, lane] = b.solved[LAMBDA_V, lane]
    else:
        x = kept[MAX_REST, lane]
        back_to(x, lane, bin_, b.position, b.drive, b.constants, b.coefficients, at, rate, want_tau, b.solved)
        b.solved[LAMBDA_V, lane] += kick
        note_event(last_event, lane, slot, x, b.solved, b.adjoint, b.events)


@compiled
def take_spike(e, lane, bin_, slot, x, I_cross, dL_dt, layer, at, want_tau, b):
    """Take an own spike: `dL_dt` is all that its time is worth."""
    rate, end = layer.rate, float(at.end) if bin_ == at.last else 1.0
    mark(lane, slot, end, b.adjoint, b.ring, b.marked, b.position, b.solved)
    back_to(x, lane, bin_, b.position, b.drive, b.constants, b.coefficients, at, rate, want_tau, b.solved)
    g = drive_at(b.drive, lane, bin_, x, rate)
    jump_at_spike(b.solved, lane, I_cross, dL_dt, g, b.constants, b.of_constants, want_tau)
    note_event(e, lane, slot, x, b.solved, b.adjoint, b.events)


@compiled
def leave_bin(lane, bin_, layer, at, want_tau, b):
    """Go to the start of a bin, in one step if there was no event."""
    rate, adjoint, flow = layer.rate, b.adjoint, b.flow
    if b.marked[lane]:
        back_to(0.0, lane, bin_, b.position, b.drive, b.constants, b.coefficients, at, rate, want_tau, b.solved)
        for k in range(ADJOINT):
            adjoint[k, lane] = b.solved[k, lane]
        b.marked[lane] = 0.0
        return
    V, I, pm, ps = adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane], flow[FLOW_PM + lane], flow[FLOW_PS + lane]
    a, b_, k_ = flow[FLOW_A + lane], flow[FLOW_B + lane], pm * flow[FLOW_AB + lane]
    adjoint[LAMBDA_V, lane] = V * a
    adjoint[LAMBDA_I, lane] = I * b_ + V * ps * flow[FLOW_AB + lane]
    if want_tau:
        x, y = adjoint[X, lane], adjoint[Y, lane]
        adjoint[X, lane] = x * b_ + y * k_ + V * (k_ - pm * pm * flow[FLOW_AAB + lane])
        adjoint[Y, lane] = a * (y - pm * V)
        adjoint[Z, lane] = b_ * (adjoint[Z, lane] - ps * I) - ps * ps * flow[FLOW_ABB + lane] * V
    if rate >= 0.0:
        g = pm * drive_at(b.drive, lane, bin_, 1.0, rate)
        adjoint[LAMBDA_V, lane] -= g * flow[FLOW_RA + lane]
        adjoint[LAMBDA_I, lane] -= g * ps * flow[FLOW_RAB + lane]
        if want_tau:
            adjoint[X, lane] -= g * pm * (flow[FLOW_RAB + lane] - pm * flow[FLOW_RAAB + lane])
            adjoint[Y, lane] += g * pm * flow[FLOW_RAA + lane]
            adjoint[Z, lane] += g * ps * ps * flow[FLOW_RABB + lane]


@compiled
def add_whole(source, lane, V, I, w, want_tau, b):
    """Add what an arrival is worth; the adjoint there is in `other`."""
    b.sums[source, lane] += I
    b.sums[source, LANES + lane] += V - I
    if want_tau:
        b.of_constants[0, lane] += w * b.other[X, lane]
        b.of_constants[1, lane] += w * b.other[Z, lane]
    return w * (V - I)


@compiled
def look_up_in_lane(q, source, bin_, turn, lane, layer, at, want_tau, kept, dL_dy, b):
    """Look the adjoint up at an arrival of a spike of rest `q`, and add what it is worth to the sums.

    Returns:
        What a later spike would gain through it.
    """
    row, slots, rate = b.rows[source], layer.slots, layer.rate
    w, x, p = row[lane], at.one - (q + row[2 * LANES + lane]), turn * SLOT + int(row[LANES + lane])
    if x <= at.zero:
        x += at.one
        p += SLOT
    if p >= slots * SLOT:
        p -= slots * SLOT
    if p >= slots * SLOT:  # no synapse, or after the trial
        return 0.0
    place = p >> 1
    V, I = b.ring[2 * place], b.ring[2 * place + 1]
    if V == V and not want_tau and rate < 0.0:
        I = I * polynomial(b.coefficients, B, lane, x, at.terms) + V * (
            x * polynomial(b.coefficients, PS_AB, lane, x, at.terms)
        )
        V = V * polynomial(b.coefficients, A, lane, x, at.terms)
        b.sums[source, lane] += I
        b.sums[source, LANES + lane] += V - I
        return w * (V - I)
    if V == V:
        for k in range(ADJOINT):
            b.other[k, lane] = b.whole_ring[k, place]
        flow_back(
            b.other, lane, float(x), b.whole_ring[DRIVE, place], b.constants, b.coefficients, at.terms, rate, want_tau
        )
        return add_whole(source, lane, b.other[LAMBDA_V, lane], b.other[LAMBDA_I, lane], w, want_tau, b)
    # an own event in this bin: exactly, see `fast.gather.look_up_special`
    r, target = q + row[2 * LANES + lane], bin_ + int(row[LANES + lane]) // SLOT
    if r >= at.one:
        r, target = r - at.one, target + 1
    if target == at.last and r > at.end:
        return 0.0
    event = look_up(
        b.other, lane, target, place - lane, float(r), b.events, b.drive, b.constants, b.coefficients, at, rate,
        want_tau,
    )  # fmt: skip
    V_there = b.other[LAMBDA_V, lane]
    if event >= 0 and kept[MAX_BIN, lane] == target and kept[MAX_GROUP, lane] > 0.0 and w != 0.0:
        V_there += dL_dy[lane] * max(0.0, kept[MAX_SLOPE, lane] - b.constants[0, lane] * w) / w
    return add_whole(source, lane, V_there, b.other[LAMBDA_I, lane], w, want_tau, b)


@compiled
def look_up_arrivals_in_lane(n_first, n, number, bin_, turn, lane, layer, at, want_tau, given, kept, dL_dy, b, sums):
    """All arrivals of the spikes from outside that are emitted in a bin, the last of them `n - 1`; the first."""
    while n > n_first and given.bin[n - 1] == bin_:
        n -= 1
        worth = look_up_in_lane(
            given.rest[n], given.source[n], bin_, turn, lane, layer, at, want_tau, kept, dL_dy, b
        )
        if sums.worth.shape[1] > 1:
            sums.worth[n - sums.first_worth, number] = worth
    return n


@compiled
def last_in_time(first, last, bins, at):
    """Where the spikes of a trial end that come before its end."""
    while last > first and bins[last - 1] > at.last:
        last -= 1
    return last


@compiled
def backward_lane(chunk, block, lane, first_trial, last_trial, given, layer, at, want_tau, passed, sums, scratch):
    """One neuron in trials `first_trial..last_trial-1`."""
    b, number, slots = lane_of(chunk, block, layer, passed, sums, scratch), block * LANES + lane, layer.slots
    last_event = passed.rest.shape[0] - 1 - (chunk * layer.rows.shape[0] * LANES + number)
    for trial in range(first_trial, last_trial):
        kept, dL_dy, train = given.kept[trial, block], given.dL_dy[trial, block], trial * layer.post + number
        start_at_end(lane, slots, at, layer.rate, dL_dy, b)
        e_first, e, turn = given.own_offsets[train], given.own_offsets[train + 1] - 1, at.last % slots
        n_first = given.offsets[trial]
        n = last_in_time(n_first, given.offsets[trial + 1], given.bin, at)
        for bin_ in range(at.last, -1, -1):
            slot = turn * LANES
            enter_bin(lane, bin_, slot, last_event, layer, at, want_tau, kept, dL_dy, b)
            while e >= e_first and given.own_bin[e] == bin_:
                take_spike(
                    e, lane, bin_, slot, float(given.own_rest[e]), given.own_I[e], given.dL_dt[e], layer, at, want_tau,
                    b,
                )  # fmt: skip
                e -= 1
            leave_bin(lane, bin_, layer, at, want_tau, b)
            n = look_up_arrivals_in_lane(
                n_first, n, number, bin_, turn, lane, layer, at, want_tau, given, kept, dL_dy, b, sums
            )
            turn = turn - 1 if turn > 0 else slots - 1


@kernel
def backward_kernel(first_trial, last_trial, trials, parts, given, layer, at, want_tau, passed, sums):
    """`parts` blocks of threads for each chunk of so many `trials`."""
    scratch = cuda.shared.array((GROUPS, ROWS, LANES), float64)
    chunk = cuda.blockIdx.x // parts
    number = (cuda.blockIdx.x % parts) * cuda.blockDim.x + cuda.threadIdx.x
    if number < layer.post:
        first = first_trial + chunk * trials
        backward_lane(
            chunk, number // LANES, number % LANES, first, min(first + trials, last_trial), given, layer, at, want_tau,
            passed, sums, scratch[cuda.threadIdx.x // LANES],
        )  # fmt: skip
