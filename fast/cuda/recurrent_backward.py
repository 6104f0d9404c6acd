"""Backward kernel of a recurrent layer: one block of threads for a chunk of trials.

See `fast.cpu.recurrent_backward`. Each thread has some of the neurons, and looks their arrivals up.
The derivative by the time of an own spike is the sum over all neurons, by a tree of fixed shape;
then the thread that has the neuron takes the spike.
"""

from numba import cuda, float64

from delayprop.fast.compiling.compiler import compiled
from delayprop.fast.cuda.arrays import BackwardSweep, adjoint_of, start_at_end
from delayprop.fast.cuda.backward import enter_bin, leave_bin
from delayprop.fast.cuda.compiling import TOGETHER, kernel, on_device
from delayprop.fast.cuda.lookup import last_in_time, look_up_arrivals_in_lane, look_up_in_lane
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.layout.instants import time_of
from delayprop.fast.physics.others import others_in
from delayprop.fast.physics.own_events import take_spike


@compiled
def adjoint_at(number, trial, chunk, sweep):
    """The adjoint of the pack of a neuron."""
    pack_number = number // LANES
    return adjoint_of(trial, chunk, pack_number, sweep, sweep.passed.scratch[chunk, pack_number])


@compiled
def start_all(thread, threads, chunk, trial, sweep):
    """Start the adjoints of the neurons of a thread, before the last bin of a trial."""
    for number in range(thread, sweep.layer.post, threads):
        b = adjoint_at(number, trial, chunk, sweep)
        start_at_end(number % LANES, sweep.layer.ticks.bins, sweep.clock, b)


@compiled
def enter_all(thread, threads, chunk, trial, bin_, place0, sweep):
    """Enter a bin from its end with the neurons of a thread: put their adjoints there into the
    ring, and take the maxima in the bin."""
    layer, passed = sweep.layer, sweep.passed
    for number in range(thread, layer.post, threads):
        last_event = passed.rest.shape[0] - 1 - (chunk * layer.constants.shape[0] * LANES + number)
        b = adjoint_at(number, trial, chunk, sweep)
        enter_bin(number % LANES, bin_, place0, last_event, sweep.clock, sweep.want_tau, b)


@compiled
def dL_dt_of_own(thread, threads, e, chunk, trial, bin_, sweep):
    """Derivative of the loss by own spike `e` through its arrivals at the neurons of a thread."""
    layer, given, dL_dt = sweep.layer, sweep.given, 0.0
    time = time_of(bin_, given.own_rest[e], layer.ticks)
    for copy in range(layer.copies):
        source = layer.external + copy * layer.post + given.own_neuron[e]
        for number in range(thread, layer.post, threads):
            b = adjoint_at(number, trial, chunk, sweep)
            dL_dt += look_up_in_lane(time, source, bin_, number % LANES, sweep.clock, sweep.want_tau, b)
    return dL_dt


@compiled
def take_own(e, dL_dt, chunk, trial, bin_, place0, sweep):
    """Let own spike `e` jump the adjoint; `dL_dt`, the derivative through its arrivals, is added to
    that of the spike."""
    given = sweep.given
    number, x = given.own_neuron[e], float(given.own_rest[e])
    b = adjoint_at(number, trial, chunk, sweep)
    I, O = given.own_I[e], others_in(given.own_others.T, 0, e, sweep.layer.others)
    given.dL_dt[e] += dL_dt
    take_spike(e, number % LANES, bin_, place0, x, I, O, given.dL_dt[e], sweep.clock, sweep.want_tau, b)


@compiled
def leave_all(thread, threads, chunk, trial, bin_, n_first, n, sweep):
    """Take the neurons of a thread to the start of a bin, and look the adjoint up at the arrivals
    of the bin's spikes from outside, of which the last is `n - 1`.

    Returns the first of these spikes.
    """
    n_here = n
    while n_here > n_first and sweep.given.bin[n_here - 1] == bin_:
        n_here -= 1
    for number in range(thread, sweep.layer.post, threads):
        b = adjoint_at(number, trial, chunk, sweep)
        leave_bin(number % LANES, bin_, sweep.want_tau, b)
        look_up_arrivals_in_lane(n_first, n, number, bin_, sweep, b)
    return n_here


@on_device
def sum_of_all(thread, threads, value, values):
    """The sum of the values of all threads, in one order."""
    values[thread] = value
    cuda.syncthreads()
    half = TOGETHER // 2
    while half > 0:
        if thread < half and thread + half < threads:
            values[thread] += values[thread + half]
        cuda.syncthreads()
        half //= 2
    total = values[0]
    cuda.syncthreads()  # all have read it before the next sum overwrites it
    return total


@kernel
def recurrent_backward_kernel(first_trial, last_trial, trials, parts, given, layer, clock, want_tau, passed, sums):
    """One block of threads for each chunk of `trials`; `parts` is 1."""
    sweep = BackwardSweep(given, layer, clock, want_tau, passed, sums)
    values = cuda.shared.array(TOGETHER, float64)
    thread, threads, chunk = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
    first = first_trial + chunk * trials
    for trial in range(first, min(first + trials, last_trial)):
        start_all(thread, threads, chunk, trial, sweep)
        e_first, e = given.own_offsets[trial], given.own_offsets[trial + 1] - 1
        n_first = given.offsets[trial]
        n = last_in_time(n_first, given.offsets[trial + 1], given.bin, clock)
        for bin_ in range(clock.last, -1, -1):
            place0 = (bin_ & (layer.ticks.bins - 1)) * LANES
            enter_all(thread, threads, chunk, trial, bin_, place0, sweep)
            while e >= e_first and given.own_bin[e] == bin_:
                dL_dt = dL_dt_of_own(thread, threads, e, chunk, trial, bin_, sweep)
                dL_dt = sum_of_all(thread, threads, dL_dt, values)
                if given.own_neuron[e] % threads == thread:
                    take_own(e, dL_dt, chunk, trial, bin_, place0, sweep)
                e -= 1
            n = leave_all(thread, threads, chunk, trial, bin_, n_first, n, sweep)
