"""The arrays that the backward kernels read, work in and write."""

from typing import NamedTuple

from delayprop.fast.compiling.compiler import compiled
from delayprop.fast.cuda.compiling import Array
from delayprop.fast.layout.arrays import LANES, Layer, pack_of, reads_integral
from delayprop.fast.layout.rows import A_VI
from delayprop.fast.physics.adjoint import EXCESS, Events, PackAdjoint, adjoint_rows, ring_numbers
from delayprop.fast.physics.clock import Clock
from delayprop.fast.physics.currents import currents
from delayprop.fast.physics.driven import excess_at_T

# Scratch of a pack of neurons, `[rows, LANES]`: three adjoints, then a driving term, a position and
# a mark. Shared memory has room for that of `lif` and `li`, whose adjoints have 9 rows.
NARROW = 3 * 9 + 3


class BackwardInput(NamedTuple):
    """Input of the backward pass: spikes, the loss, and the record of the forward pass.

    `offsets, bin, time, source`: as `fast.layout.arrays.Arriving`. `own_offsets`: of each train,
    or of each trial where all neurons are solved together; `own_neuron` (then only), `own_bin,
    own_rest, own_I, own_slope, own_others`, and `dL_dt`, the derivative of the loss by each spike.
    `dL_dy [trials, packs, LANES]`; `neuron_record [trials, packs, NEURON_RECORD, LANES]`.
    """

    offsets: Array
    bin: Array
    time: Array
    source: Array
    own_offsets: Array
    own_neuron: Array
    own_bin: Array
    own_rest: Array
    own_I: Array
    own_slope: Array
    own_others: Array
    dL_dt: Array
    dL_dy: Array
    neuron_record: Array


class Passed(NamedTuple):
    """Bins that the sweep has passed, and all own events: `[chunks, packs, ...]`.

    `ring [currents * ring_numbers * bins * LANES]`; `full_adjoint_ring [rows, bins * LANES]` (one
    place if it is not needed); `first` and the other arrays of `fast.physics.adjoint.Events`: of
    all spikes, then of the maxima of every neuron of every chunk. `scratch [rows, LANES]`, unless
    it lies in shared memory.
    """

    ring: Array
    full_adjoint_ring: Array
    first: Array
    rest: Array
    later: Array
    at_end: Array
    position: Array
    scratch: Array


class KernelSums(NamedTuple):
    """Sums of the kernel, see `fast.physics.adjoint.PackAdjoint`.

    `of_synapses [chunks, packs, sources, 2 * LANES]`; `dL_dconstants [chunks, packs, rows, LANES]`;
    `dL_dt_pre [spikes, lanes]`: derivative by each spike from outside, through each neuron, from
    spike `first_dL_dt_pre` on (one place unless wanted).
    """

    of_synapses: Array
    dL_dconstants: Array
    dL_dt_pre: Array
    first_dL_dt_pre: int


class BackwardSweep(NamedTuple):
    """Everything that the threads of a backward kernel share."""

    given: BackwardInput
    layer: Layer
    clock: Clock
    want_tau: bool
    passed: Passed
    sums: KernelSums


@compiled
def adjoint_of(trial, chunk, pack_number, sweep, scratch):
    """The adjoint of a pack in a trial: its part of every array; `scratch [rows, LANES]`."""
    rows = adjoint_rows(sweep.layer.others, sweep.layer.learned)
    given, layer, passed, sums = sweep.given, sweep.layer, sweep.passed, sweep.sums
    events = Events(passed.rest, passed.later, passed.at_end, passed.position, passed.first[chunk, pack_number])
    return PackAdjoint(
        pack_of(layer, pack_number), passed.ring[chunk, pack_number], passed.full_adjoint_ring[chunk, pack_number],
        scratch[:rows], scratch[rows : 2 * rows], scratch[2 * rows : 3 * rows], scratch[3 * rows],
        scratch[3 * rows + 1], scratch[3 * rows + 2], events,
        given.neuron_record[trial, pack_number], given.dL_dy[trial, pack_number], sums.of_synapses[chunk, pack_number],
        sums.of_synapses[chunk, pack_number], sums.dL_dconstants[chunk, pack_number],
    )


@compiled
def address_in_ring(current, place, pack):
    """The address of a place in the ring of adjoints of a current."""
    return ring_numbers(pack.others) * (current * pack.ticks.bins * LANES + place)


@compiled
def start_at_end(lane, bins, clock, b):
    """Set the adjoint of a lane to 0, and its rings, before the last bin of a trial."""
    rows = adjoint_rows(b.pack.others, b.pack.learned)
    for k in range(rows):
        b.adjoint[k, lane] = 0.0
    b.drive[lane] = b.dL_dy[lane] / (clock.last + float(clock.end)) if reads_integral(b.pack) else 0.0
    b.adjoint[EXCESS, lane] = excess_at_T(b.drive[lane], b.pack.constants[A_VI, lane], b.pack.rate, clock)
    b.marked[lane] = 0.0
    full = b.full_adjoint_ring.shape[1] > 1
    # 0 in the rings is what arrivals after T look up.
    for place in range(lane, bins * LANES, LANES):
        for current in range(currents(b.pack.others)):
            address = address_in_ring(current, place, b.pack)
            for k in range(ring_numbers(b.pack.others)):
                b.ring[address + k] = clock.zero
        if full:
            for k in range(rows):
                b.full_adjoint_ring[k, place] = 0.0
