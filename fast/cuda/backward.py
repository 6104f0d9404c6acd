"""Backward kernel: one thread goes back with one neuron through some trials, in the same sweep as `fast.cpu.backward`.

A thread adds to the gradients of its own synapses only, in arrays of its own chunk of trials, which are added up
afterwards in one order. What the time of an incoming spike is worth is written down neuron by neuron, and added up
afterwards as well. So no two threads ever add to the same number, and results are bitwise the same each time.
"""

from __future__ import annotations

from numba import cuda, float64

from fast.cpu.backward import back_to, mark
from fast.cpu.lookup import DRIVE
from fast.cuda.arrays import ROWS, lane_of, start_at_end
from fast.cuda.compiling import THREADS, kernel
from fast.cuda.lookup import last_in_time, look_up_arrivals_in_lane
from fast.physics.adjoint import ADJOINT, LAMBDA_I, LAMBDA_V, X, Y, Z, drive_at, jump_at_spike, note_event
from fast.physics.compiling import compiled
from fast.physics.layout import (
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
from fast.physics.polynomials import LANES
from fast.physics.within_bin import MAX_BIN, MAX_GROUP, MAX_REST

GROUPS = THREADS // LANES


@compiled
def enter_bin(lane, bin_, slot, last_event, layer, clock, want_tau, neuron_record, dL_dy, b):
    """Publish the adjoint at the end of a bin, and take what is there besides spikes; `last_event`: of the maximum."""
    rate, end = layer.rate, float(clock.end) if bin_ == clock.last else 1.0
    b.ring[2 * (slot + lane)], b.ring[2 * (slot + lane) + 1] = b.adjoint[LAMBDA_V, lane], b.adjoint[LAMBDA_I, lane]
    b.events.first[slot + lane] = -1
    if rate >= 0.0 or want_tau:
        for k in range(ADJOINT):
            b.full_adjoint_ring[k, slot + lane] = b.adjoint[k, lane]
        b.full_adjoint_ring[DRIVE, slot + lane] = drive_at(b.drive, lane, bin_, 1.0, rate)
    if rate >= 0.0 and bin_ == clock.last:  # it ends at T, and not at the end of the bin
        mark(lane, slot, end, b.adjoint, b.ring, b.marked, b.position, b.solved)
    if not layer.read_maximum or neuron_record[MAX_BIN, lane] != bin_:
        return
    mark(lane, slot, end, b.adjoint, b.ring, b.marked, b.position, b.solved)
    kick = -dL_dy[lane] * b.constants[0, lane]
    if bin_ == clock.last and neuron_record[MAX_REST, lane] == clock.end and neuron_record[MAX_GROUP, lane] == 0.0:
        b.solved[LAMBDA_V, lane] += kick
        b.events.at_T[LAMBDA_V, lane] = b.solved[LAMBDA_V, lane]
    else:
        x = neuron_record[MAX_REST, lane]
        back_to(x, lane, bin_, b.position, b.drive, b.constants, b.coefficients, clock, rate, want_tau, b.solved)
        b.solved[LAMBDA_V, lane] += kick
        note_event(last_event, lane, slot, x, b.solved, b.adjoint, b.events)


@compiled
def take_spike(e, lane, bin_, slot, x, I_cross, dL_dt, layer, clock, want_tau, b):
    """Take an own spike: `dL_dt` is all that its time is worth."""
    rate, end = layer.rate, float(clock.end) if bin_ == clock.last else 1.0
    mark(lane, slot, end, b.adjoint, b.ring, b.marked, b.position, b.solved)
    back_to(x, lane, bin_, b.position, b.drive, b.constants, b.coefficients, clock, rate, want_tau, b.solved)
    g = drive_at(b.drive, lane, bin_, x, rate)
    jump_at_spike(b.solved, lane, I_cross, dL_dt, g, b.constants, b.dL_dconstants, want_tau)
    note_event(e, lane, slot, x, b.solved, b.adjoint, b.events)


@compiled
def leave_bin(lane, bin_, layer, clock, want_tau, b):
    """Go to the start of a bin, in one step if there was no event."""
    rate, adjoint, flow = layer.rate, b.adjoint, b.flow
    if b.marked[lane]:
        back_to(0.0, lane, bin_, b.position, b.drive, b.constants, b.coefficients, clock, rate, want_tau, b.solved)
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
def backward_lane(chunk, block, lane, first_trial, last_trial, given, layer, clock, want_tau, passed, sums, scratch):
    """One neuron in trials `first_trial..last_trial-1`."""
    b, number, slots = lane_of(chunk, block, layer, passed, sums, scratch), block * LANES + lane, layer.slots
    last_event = passed.rest.shape[0] - 1 - (chunk * layer.packed_synapses.shape[0] * LANES + number)
    for trial in range(first_trial, last_trial):
        neuron_record, dL_dy, train = given.neuron_record[trial, block], given.dL_dy[trial, block], trial * layer.post + number
        start_at_end(lane, slots, clock, layer.rate, dL_dy, b)
        e_first, e, ring_index = given.own_offsets[train], given.own_offsets[train + 1] - 1, clock.last % slots
        n_first = given.offsets[trial]
        n = last_in_time(n_first, given.offsets[trial + 1], given.bin, clock)
        for bin_ in range(clock.last, -1, -1):
            slot = ring_index * LANES
            enter_bin(lane, bin_, slot, last_event, layer, clock, want_tau, neuron_record, dL_dy, b)
            while e >= e_first and given.own_bin[e] == bin_:
                take_spike(
                    e, lane, bin_, slot, float(given.own_rest[e]), given.own_I[e], given.dL_dt[e], layer, clock, want_tau,
                    b,
                )
                e -= 1
            leave_bin(lane, bin_, layer, clock, want_tau, b)
            n = look_up_arrivals_in_lane(
                n_first, n, number, bin_, ring_index, lane, layer, clock, want_tau, given, neuron_record, dL_dy, b, sums
            )
            ring_index = ring_index - 1 if ring_index > 0 else slots - 1


@kernel
def backward_kernel(first_trial, last_trial, trials, parts, given, layer, clock, want_tau, passed, sums):
    """`parts` blocks of threads for each chunk of so many `trials`."""
    scratch = cuda.shared.array((GROUPS, ROWS, LANES), float64)
    chunk = cuda.blockIdx.x // parts
    number = (cuda.blockIdx.x % parts) * cuda.blockDim.x + cuda.threadIdx.x
    if number < layer.post:
        first = first_trial + chunk * trials
        backward_lane(
            chunk, number // LANES, number % LANES, first, min(first + trials, last_trial), given, layer, clock, want_tau,
            passed, sums, scratch[cuda.threadIdx.x // LANES],
        )
