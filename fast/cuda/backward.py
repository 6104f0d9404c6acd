"""Backward kernel: one thread sweeps one neuron back through some trials (see `fast.cpu.backward`).

A thread adds to the gradients of its own synapses only, in arrays of its own chunk of trials, which
are added up afterwards in one order. The derivative by the time of an incoming spike is written
neuron by neuron, and added up afterwards as well. So no two threads add to one number, and results
are bitwise equal every time.
"""

import math

from numba import cuda, float64

from delayprop.fast.compiling.compiler import compiled
from delayprop.fast.cuda.arrays import NARROW, BackwardSweep, address_in_ring, adjoint_of, start_at_end
from delayprop.fast.cuda.compiling import THREADS, kernel
from delayprop.fast.cuda.lookup import last_in_time, look_up_arrivals_in_lane
from delayprop.fast.layout.arrays import LANES, reads_integral
from delayprop.fast.layout.neuron_record import MAX_BIN
from delayprop.fast.physics.adjoint import DRIVE, P_I, P_O, P_V, adjoint_rows
from delayprop.fast.physics.bin_step import adjoint_across_bin, full_adjoint_across_bin
from delayprop.fast.physics.currents import currents
from delayprop.fast.physics.others import lane_anew, others_in
from delayprop.fast.physics.own_events import back_to, start_at_T, take_maximum, take_spike

GROUPS = THREADS // LANES


@compiled
def enter_bin(lane, bin_, place0, last_event, clock, want_tau, b):
    """Put the adjoint of a lane at the end of a bin into the ring, and take the maximum in the bin.

    `place0`: of lane 0 in the bin; `last_event`: event of the maximum, or of `T`.
    """
    for current in range(currents(b.pack.others)):
        address = address_in_ring(current, place0 + lane, b.pack)
        b.ring[address], b.ring[address + 1] = b.adjoint[P_V, lane], b.adjoint[P_I + current, lane]
        for k in range(len(b.pack.others.reached)):
            b.ring[address + 2 + k] = b.adjoint[P_O + k, lane]
    b.events.first[place0 + lane] = -1
    if reads_integral(b.pack) or want_tau:
        for k in range(adjoint_rows(b.pack.others, b.pack.learned)):
            b.full_adjoint_ring[k, place0 + lane] = b.adjoint[k, lane]
        b.full_adjoint_ring[DRIVE, place0 + lane] = b.drive[lane] * damping_of(bin_, b.pack)
    if reads_integral(b.pack) and bin_ == clock.last:  # the last bin ends at T
        start_at_T(last_event, lane, bin_, place0, clock, want_tau, b)
    if b.pack.read_maximum and b.neuron_record[MAX_BIN, lane] == bin_:
        take_maximum(last_event, lane, bin_, place0, clock, want_tau, b)


@compiled
def damping_of(bin_, pack):
    """Weight of an integral readout at the end of a bin; 0 without one."""
    return math.exp(-pack.rate * (bin_ + 1)) if reads_integral(pack) else 0.0


@compiled
def leave_bin(lane, bin_, want_tau, b):
    """Take the adjoint of a lane to the start of a bin, in one step if there was no event."""
    adjoint, others = b.adjoint, b.pack.others
    lane = lane_anew(lane, others)
    if b.marked[lane]:
        back_to(0.0, lane, bin_, want_tau, b)
        for k in range(adjoint_rows(others, b.pack.learned)):
            adjoint[k, lane] = b.solved[k, lane]
        b.marked[lane] = 0.0
    elif reads_integral(b.pack) or want_tau:
        # The product that `enter_bin` publishes: in another grouping last digits would differ.
        driven = b.drive[lane] * damping_of(bin_, b.pack)
        full_adjoint_across_bin(adjoint, lane, b.pack, driven, 1.0)
    else:
        p_V, p_I, p_O = adjoint[P_V, lane], adjoint[P_I, lane], others_in(adjoint, P_O, lane, others)
        adjoint[P_V, lane], adjoint[P_I, lane], O = adjoint_across_bin(p_V, p_I, p_O, lane, b.pack.flow, others)
        for k in range(len(others.states)):
            adjoint[P_O + k, lane] = O[k]


@compiled
def backward_lane(chunk, number, trials, sweep, scratch):
    """Sweep one neuron back through the trials of a chunk.

    `number`: of the neuron. `trials`: the first and the last trial of all chunks, and the number of
    trials in a chunk. `scratch [rows, LANES]`: of its pack.
    """
    given, layer, clock, want_tau = sweep.given, sweep.layer, sweep.clock, sweep.want_tau
    pack_number, lane, bins, (first, last, each) = number // LANES, number % LANES, layer.ticks.bins, trials
    last_event = sweep.passed.rest.shape[0] - 1 - (chunk * layer.constants.shape[0] * LANES + number)
    for trial in range(first + chunk * each, min(first + (chunk + 1) * each, last)):
        b, train = adjoint_of(trial, chunk, pack_number, sweep, scratch), trial * layer.post + number
        start_at_end(lane, bins, clock, b)
        e_first, e = given.own_offsets[train], given.own_offsets[train + 1] - 1
        n_first = given.offsets[trial]
        n = last_in_time(n_first, given.offsets[trial + 1], given.bin, clock)
        for bin_ in range(clock.last, -1, -1):
            place0 = (bin_ & (bins - 1)) * LANES
            enter_bin(lane, bin_, place0, last_event, clock, want_tau, b)
            while e >= e_first and given.own_bin[e] == bin_:
                x = float(given.own_rest[e])
                O = others_in(given.own_others.T, 0, e, layer.others)
                take_spike(e, lane, bin_, place0, x, given.own_I[e], O, given.dL_dt[e], clock, want_tau, b)
                e -= 1
            leave_bin(lane, bin_, want_tau, b)
            n = look_up_arrivals_in_lane(n_first, n, number, bin_, sweep, b)


@kernel
def wide_backward_kernel(first_trial, last_trial, trials, parts, given, layer, clock, want_tau, passed, sums):
    """Sweep all neurons back, `parts` blocks of threads for each chunk of `trials`, with scratch in
    global memory: adjoints with many rows have no room in shared memory."""
    chunk = cuda.blockIdx.x // parts
    number = (cuda.blockIdx.x % parts) * cuda.blockDim.x + cuda.threadIdx.x
    if number < layer.post:
        sweep = BackwardSweep(given, layer, clock, want_tau, passed, sums)
        scratch = passed.scratch[chunk, number // LANES]
        backward_lane(chunk, number, (first_trial, last_trial, trials), sweep, scratch)


@kernel
def backward_kernel(first_trial, last_trial, trials, parts, given, layer, clock, want_tau, passed, sums):
    """Sweep all neurons back, `parts` blocks of threads for each chunk of `trials`, with scratch in
    shared memory."""
    shared = cuda.shared.array((GROUPS, NARROW, LANES), float64)
    chunk = cuda.blockIdx.x // parts
    number = (cuda.blockIdx.x % parts) * cuda.blockDim.x + cuda.threadIdx.x
    if number < layer.post:
        sweep = BackwardSweep(given, layer, clock, want_tau, passed, sums)
        scratch = shared[cuda.threadIdx.x // LANES]
        backward_lane(chunk, number, (first_trial, last_trial, trials), sweep, scratch)
