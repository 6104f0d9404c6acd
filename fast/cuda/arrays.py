"""What the backward kernels read, work in and write."""

from __future__ import annotations

from typing import NamedTuple

from fast.cuda.compiling import Array
from fast.physics.adjoint import ADJOINT, Events
from fast.physics.compiling import compiled
from fast.physics.polynomials import LANES

# Scratch of a block of neurons, `[ROWS, LANES]`: four adjoints, then numbers.
SOLVED, OTHER, AT_T, DRIVES, POSITION, MARKED = ADJOINT, 2 * ADJOINT, 3 * ADJOINT, 4 * ADJOINT, 21, 22
ROWS = 23


class Given(NamedTuple):
    """What the backward pass is given: spikes from outside, own spikes, and what the loss says.

    `offsets, bin, rest, source`: as `fast.cpu.deposit.Arriving`. `own_offsets`: of each train, or of each trial if all
    neurons are solved together; `own_neuron` (then only), `own_bin, own_rest, own_I`, and `dL_dt` of each spike.
    `dL_dy [trials, blocks, LANES]`; `neuron_record` of the forward pass.
    """

    offsets: Array
    bin: Array
    rest: Array
    source: Array
    own_offsets: Array
    own_neuron: Array
    own_bin: Array
    own_rest: Array
    own_I: Array
    dL_dt: Array
    dL_dy: Array
    neuron_record: Array


class Passed(NamedTuple):
    """The bins that have been passed, `[chunks, blocks, ...]`, as `fast.cpu.lookup` keeps them, and all own events.

    `ring [2 * slots * LANES]`; `full_adjoint_ring [ADJOINT + 1, slots * LANES]` (of one place if it is not needed); `first`
    and the rest as in `fast.physics.adjoint.Events`, of all spikes, and then of the maxima of every neuron of every chunk.
    `scratch [ROWS, LANES]`, if neurons are solved together; the others have it in shared memory.
    """

    ring: Array
    full_adjoint_ring: Array
    first: Array
    rest: Array
    later: Array
    before: Array
    end: Array
    scratch: Array


class Sums(NamedTuple):
    """What is added up: `of_synapses [chunks, blocks, sources, 2 * LANES]` and `of_constants [chunks, blocks, 4,
    LANES]` as `fast.cpu.backward.backward_sweep`; `worth [spikes, lanes]` of the spikes from outside, from `first_worth`
    on (one place if it is not wanted)."""

    of_synapses: Array
    dL_dconstants: Array
    dL_dt_pre: Array
    first_dL_dt_pre: int


class Lane(NamedTuple):
    """Everything of the block of a lane, in one chunk, under one name each."""

    packed_synapses: Array
    flow: Array
    constants: Array
    coefficients: Array
    ring: Array
    full_adjoint_ring: Array
    adjoint: Array
    solved: Array
    other: Array
    drive: Array
    position: Array
    marked: Array
    events: Events
    sums: Array
    dL_dconstants: Array


@compiled
def lane_of(chunk, block, layer, passed, sums, scratch):
    """The arrays of a block; `scratch [ROWS, LANES]`."""
    events = Events(
        passed.rest, passed.later, passed.before, passed.end, passed.first[chunk, block], scratch[AT_T:DRIVES]
    )
    return Lane(
        layer.packed_synapses[block], layer.flow[block], layer.constants[block], layer.coefficients[block],
        passed.ring[chunk, block], passed.full_adjoint_ring[chunk, block], scratch[:SOLVED], scratch[SOLVED:OTHER],
        scratch[OTHER:AT_T], scratch[DRIVES], scratch[POSITION], scratch[MARKED], events,
        sums.of_synapses[chunk, block], sums.dL_dconstants[chunk, block],
    )


@compiled
def start_at_end(lane, slots, clock, rate, dL_dy, b):
    """Before the last bin of a trial: no adjoint, and nothing has been passed."""
    for k in range(ADJOINT):
        b.adjoint[k, lane] = b.events.at_T[k, lane] = 0.0
    b.drive[lane] = dL_dy[lane] / (clock.last + float(clock.end)) if rate >= 0.0 else 0.0
    b.marked[lane] = 0.0
    whole = b.full_adjoint_ring.shape[1] > 1
    for ring_offset in range(lane, slots * LANES, LANES):
        b.ring[2 * ring_offset] = b.ring[2 * ring_offset + 1] = clock.zero
        if whole:
            for k in range(ADJOINT + 1):
                b.full_adjoint_ring[k, ring_offset] = 0.0
