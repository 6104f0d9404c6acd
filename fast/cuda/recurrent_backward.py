"""Backward kernel of a recurrent layer: one block of threads for a chunk of trials, as `fast.cpu.recurrent_backward`.

Each thread has some of the neurons, and looks their arrivals up. What the time of an own spike is worth is the sum over
all neurons, by a tree of fixed shape; then the thread that has the neuron takes the spike.
"""

from __future__ import annotations

from numba import cuda, float64

from fast.cuda.arrays import lane_of, start_at_end
from fast.cuda.backward import enter_bin, leave_bin, take_spike
from fast.cuda.compiling import TOGETHER, kernel, on_device
from fast.cuda.lookup import last_in_time, look_up_arrivals_in_lane, look_up_in_lane
from fast.physics.compiling import compiled
from fast.physics.polynomials import LANES


@compiled
def start_all(thread, threads, chunk, trial, given, layer, clock, passed, sums):
    """Before the last bin."""
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        b = lane_of(chunk, block, layer, passed, sums, passed.scratch[chunk, block])
        start_at_end(lane, layer.slots, clock, layer.rate, given.dL_dy[trial, block], b)


@compiled
def enter_all(thread, threads, chunk, trial, bin_, ring_index, given, layer, clock, want_tau, passed, sums):
    """Publish the adjoint at the end of a bin, and take maxima."""
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        b = lane_of(chunk, block, layer, passed, sums, passed.scratch[chunk, block])
        last_event = passed.rest.shape[0] - 1 - (chunk * layer.packed_synapses.shape[0] * LANES + number)
        enter_bin(
            lane, bin_, ring_index * LANES, last_event, layer, clock, want_tau, given.neuron_record[trial, block],
            given.dL_dy[trial, block], b,
        )


@compiled
def dL_dt_of_own(thread, threads, e, chunk, trial, bin_, ring_index, given, layer, clock, want_tau, passed, sums):
    """What the time of own spike `e` is worth through its arrivals at the neurons of a thread."""
    dL_dt_pre = 0.0
    for copy in range(layer.copies):
        source = layer.external + copy * layer.post + given.own_neuron[e]
        for number in range(thread, layer.post, threads):
            block, lane = number // LANES, number % LANES
            b = lane_of(chunk, block, layer, passed, sums, passed.scratch[chunk, block])
            dL_dt_pre += look_up_in_lane(
                given.own_rest[e], source, bin_, ring_index, lane, layer, clock, want_tau, given.neuron_record[trial, block],
                given.dL_dy[trial, block], b,
            )
    return dL_dt_pre


@compiled
def take_own(e, dL_dt_pre, chunk, bin_, ring_index, given, layer, clock, want_tau, passed, sums):
    """Take own spike `e`, whose arrivals are worth that much."""
    block, lane = given.own_neuron[e] // LANES, given.own_neuron[e] % LANES
    b = lane_of(chunk, block, layer, passed, sums, passed.scratch[chunk, block])
    take_spike(
        e, lane, bin_, ring_index * LANES, float(given.own_rest[e]), given.own_I[e], given.dL_dt[e] + dL_dt_pre, layer, clock,
        want_tau, b,
    )


@compiled
def leave_all(thread, threads, chunk, trial, bin_, ring_index, n_first, n, given, layer, clock, want_tau, passed, sums):
    """Go to the start of a bin, and look the arrivals of its spikes from outside up; the first of them."""
    n_here = n
    while n_here > n_first and given.bin[n_here - 1] == bin_:
        n_here -= 1
    for number in range(thread, layer.post, threads):
        block, lane = number // LANES, number % LANES
        b = lane_of(chunk, block, layer, passed, sums, passed.scratch[chunk, block])
        leave_bin(lane, bin_, layer, clock, want_tau, b)
        look_up_arrivals_in_lane(
            n_first, n, number, bin_, ring_index, lane, layer, clock, want_tau, given, given.neuron_record[trial, block],
            given.dL_dy[trial, block], b, sums,
        )
    return n_here


@on_device
def sum_of_all(thread, threads, value, values):
    """The sum of what each thread has, in one order."""
    values[thread] = value
    cuda.syncthreads()
    half = TOGETHER // 2
    while half > 0:
        if thread < half and thread + half < threads:
            values[thread] += values[thread + half]
        cuda.syncthreads()
        half //= 2
    total = values[0]
    cuda.syncthreads()
    return total


@kernel
def recurrent_backward_kernel(first_trial, last_trial, trials, parts, given, layer, clock, want_tau, passed, sums):
    """One block of threads for each chunk of so many `trials`; `parts` is 1."""
    values = cuda.shared.array(TOGETHER, float64)
    thread, threads, chunk = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
    first = first_trial + chunk * trials
    for trial in range(first, min(first + trials, last_trial)):
        start_all(thread, threads, chunk, trial, given, layer, clock, passed, sums)
        e_first, e, ring_index = given.own_offsets[trial], given.own_offsets[trial + 1] - 1, clock.last % layer.slots
        n_first = given.offsets[trial]
        n = last_in_time(n_first, given.offsets[trial + 1], given.bin, clock)
        for bin_ in range(clock.last, -1, -1):
            enter_all(thread, threads, chunk, trial, bin_, ring_index, given, layer, clock, want_tau, passed, sums)
            while e >= e_first and given.own_bin[e] == bin_:
                dL_dt_pre = dL_dt_of_own(
                    thread, threads, e, chunk, trial, bin_, ring_index, given, layer, clock, want_tau, passed, sums
                )
                dL_dt_pre = sum_of_all(thread, threads, dL_dt_pre, values)
                if given.own_neuron[e] % threads == thread:
                    take_own(e, dL_dt_pre, chunk, bin_, ring_index, given, layer, clock, want_tau, passed, sums)
                e -= 1
            n = leave_all(
                thread, threads, chunk, trial, bin_, ring_index, n_first, n, given, layer, clock, want_tau, passed, sums
            )
            ring_index = ring_index - 1 if ring_index > 0 else layer.slots - 1
