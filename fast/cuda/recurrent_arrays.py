"""The arrays that the forward kernel of a recurrent layer works in and writes."""

from typing import NamedTuple

from delayprop.fast.cuda.compiling import Array
from delayprop.fast.cuda.forward import Ahead, Written
from delayprop.fast.layout.arrays import Layer
from delayprop.fast.physics.clock import Clock


class Together(NamedTuple):
    """Arrays that the threads of a block share, `[trials at once, ...]`.

    `time, source, bin [size]`: spikes of the trial in the order they are deposited. `V, I, level,
    needs_solve [lanes]`, `others [lanes, others]`: of each neuron, at the start of the bin. Of
    pending neurons: `V, I, others, x, n` as settled: the state just after the last final spike, its
    instant, and the number of arrivals before it; `when`: rest of the next spike, infinite without
    one.
    """

    time: Array
    source: Array
    bin: Array
    V: Array
    I: Array
    others: Array
    level: Array
    needs_solve: Array
    V_settled: Array
    I_settled: Array
    others_settled: Array
    x_settled: Array
    n_settled: Array
    when: Array


class EmissionInOrder(NamedTuple):
    """Emitted spikes of each trial, in order of time: `spikes`, with equal room for each trial, and
    `neuron [trials, room]`.

    `counts [trials]`: number of spikes; or, below 0, -1 minus the neuron that spikes too fast.
    `lacks [trials]`: NO_ROOM, NO_RING. `neuron_record`: as in `fast.cuda.forward.Emission`.
    """

    counts: Array
    lacks: Array
    neuron: Array
    spikes: Written
    neuron_record: Array


class RecurrentSweep(NamedTuple):
    """Everything that the threads of the kernel share."""

    layer: Layer
    clock: Clock
    ahead: Ahead
    together: Together
    found: EmissionInOrder
