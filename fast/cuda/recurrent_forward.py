"""Forward kernel of a recurrent layer: a block of threads follows all neurons of a trial.

See `fast.cpu.recurrent_forward`. Each thread handles some of the neurons. In a bin the threads
find the earliest spike, by a tree in which the lower number wins a tie. This spike is final, and
every thread deposits it at its own neurons. So spikes are in order of time, for any order of
threads.
"""

import numpy as np
from numba import cuda, float64, int32

from delayprop.fast.cuda.compiling import TOGETHER, kernel, on_device
from delayprop.fast.cuda.recurrent_arrays import RecurrentSweep
from delayprop.fast.cuda.recurrent_steps import (
    NO_RING,
    NO_ROOM,
    end_of_arrivals,
    end_trial,
    enter_bin,
    leave_bin,
    oldest_under_way,
    settle,
    spread,
    start_trial,
    take_arrivals,
)
from delayprop.fast.physics.within_bin import CROSSED, NONE, STUCK


@on_device
def earliest(thread, threads, when, number, whens, numbers):
    """The neuron that spikes first, of those that the threads have found; NONE without a spike."""
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
    cuda.syncthreads()  # all have read it before the next search overwrites it
    return first


@kernel
def recurrent_forward_kernel(first_trial, arriving, layer, clock, ahead, together, found):
    """One block of threads for each trial, from `first_trial` on."""
    sweep = RecurrentSweep(layer, clock, ahead, together, found)
    whens = cuda.shared.array(TOGETHER, float64)
    numbers = cuda.shared.array(TOGETHER, int32)
    shared_status = cuda.shared.array(1, int32)
    thread, threads, here = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
    trial = first_trial + here
    start_trial(thread, threads, here, trial, sweep)
    s, s_last = arriving.offsets[trial], arriving.offsets[trial + 1]
    n, oldest, count, lacks, winner = 0, 0, 0, 0, NONE
    size, ring, room = together.time.shape[1], ahead.next.shape[2], found.neuron.shape[1]
    status = CROSSED
    for bin_ in range(clock.last + 1):
        slot = bin_ & (layer.ticks.bins - 1)
        # arrivals from outside, written by all threads
        first, s_next = n, end_of_arrivals(s, s_last, bin_, arriving.bin)
        oldest = oldest_under_way(oldest, n, bin_, layer.span, together.bin[here])
        n += s_next - s
        if n - oldest > ring:
            lacks = NO_RING
            break
        take_arrivals(thread, threads, here, s, s_next, first, arriving, together)
        s = s_next
        cuda.syncthreads()
        # the neurons' own spikes, the earliest of all threads first
        when, number = enter_bin(thread, threads, here, trial, bin_, slot, first, n, sweep)
        while cuda.syncthreads_or(np.int32(number != NONE)):
            winner = earliest(thread, threads, when, number, whens, numbers)
            if n + layer.copies - oldest > ring:
                lacks |= NO_RING
            if count == room or n + layer.copies > size:
                lacks |= NO_ROOM
            if lacks != 0:
                break
            # the thread of the winner emits; then all deliver, and predict again
            if winner % threads == thread:
                shared_status[0] = settle(winner, here, trial, bin_, slot, n, count, sweep)
            cuda.syncthreads()
            status = shared_status[0]  # shared, since all threads must leave the loop together
            if status == STUCK:
                break
            first, n, count = n, n + layer.copies, count + 1
            when, number = spread(thread, threads, winner, here, trial, bin_, slot, first, n, sweep)
        if lacks != 0 or status == STUCK:
            break
        leave_bin(thread, threads, here, trial, bin_, slot, sweep)
    end_trial(thread, threads, here, sweep)
    if thread == 0:
        found.lacks[trial] = lacks
        found.counts[trial] = -1 - winner if status == STUCK else count
