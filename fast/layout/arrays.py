"""The arrays that kernels read: a layer packed in packs of `LANES` neurons, and arriving spikes.

The CPU holds NumPy arrays in these tuples, the GPU device arrays of the same shapes.
"""

from typing import Any, NamedTuple

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.instants import Ticks

LANES = 32  # neurons computed side by side, a power of two

Array = Any  # a NumPy array, a tensor, or in a kernel a device array

class Arriving(NamedTuple):
    """Spikes from outside the layer, sorted by (trial, bin).

    `offsets [trials + 1]`: where each trial begins. Of each of `n` spikes: `bin`, in which it is
    emitted; `time`, its instant in ticks (`fast.layout.instants`); `source`, its neuron.
    """

    offsets: Array
    bin: Array
    time: Array
    source: Array


class Synapses(NamedTuple):
    """Synapses, `[packs, sources, LANES]` (or of one pack, without its axis).

    The flow over the time from an arrival to the end of its bin factorises into that over the rest
    of the delay, backwards, and that from the spike on: a synapse holds the first, a spike the
    second, and no arrival needs more than products.

    Attributes:
        delay: ticks; ABSENT: no synapse, or none that arrives within the trial.
        w: weight; 0 where absent, as all that follow.
        w_I, w_V: the current and `V` that an arrival gives, `w` times the column of the current in
            `exp(A x)`, at minus the rest of the delay; empty where arrivals reach other states.
        w_y: with an integral readout, its part of the integral of `V`.
        shared_delay: `[packs, sources]`: the delay that a source has at all neurons of the pack, if
            these are alike, arrivals reach `V` and their current alone, and no own spike can arrive
            in its own bin; else ABSENT. The CPU alone fills and reads it, and `of_shared`.
        of_shared: `[packs, 2 * sources]`: `w_I` and `w_V` of such a source, of a weight of 1.
    """

    delay: Array
    w: Array
    w_I: Array
    w_V: Array
    w_y: Array
    shared_delay: Array
    of_shared: Array


class Others(NamedTuple):
    """States beside `V` and `I`, counted by the lengths of tuples; their entries are never read.

    The type of a tuple has its length. So the compiler knows it, and drops each loop over states
    that a neuron lacks.

    `states`: an entry for each. `currents`: an entry for each that arrivals raise and that drives
    `V` alone, as `I` does (`fast.physics.currents`); these come first, and all others change at own
    spikes alone. `reached`: if an arrival reaches a further state, an entry for each state;
    `currents` is then empty.
    """

    states: tuple[int, ...]
    reached: tuple[int, ...]
    currents: tuple[int, ...]


class Layer(NamedTuple):
    """Neurons that are solved together, and all synapses onto them; times in bins.

    Attributes:
        synapses: onto the neurons of each pack.
        ticks: the division of instants. `span`: bins in which spikes of one bin can arrive.
        constants, flow, coefficients: `[packs, rows, LANES]`, the last two flat; see
            `fast.layout.rows`. `v_th` is infinite in lanes without a neuron.
        exact: `coefficients` in float64, and long enough for it.
        others: states beside `V` and `I`. `learned`: a tuple as long as there are constants in `A`.
        into: `[sources]`: the state that arrivals of a source raise: 0: `I`, else 1 + the number of
            the other state.
        resets: whether a constant is in `R`, or in `c` of other states.
        alike: whether arrivals have equal factors at all neurons.
        any_shared: whether any source has a `shared_delay`. `of_float32`: whether the weights, held
            in float64, are numbers of float32. The CPU alone sets both.
        rate: rate of an integral readout per bin; negative: no integral is read.
        read_maximum: whether the largest voltage is read.
        external: number of sources outside the layer.
        copies: how often the layer's own neurons follow as sources, `post` at a time: 0 for a layer
            that is not recurrent, more than 1 where two neurons have several connections.
        post: number of neurons.
    """

    synapses: Synapses
    ticks: Ticks
    span: int
    constants: Array
    flow: Array
    coefficients: Array
    exact: Array
    others: Others
    learned: tuple[int, ...]
    into: Array
    resets: bool
    alike: bool
    any_shared: bool
    of_float32: bool
    rate: float
    read_maximum: bool
    external: int
    copies: int
    post: int


class Pack(NamedTuple):
    """The part of a `Layer` that belongs to one pack: `[sources, LANES]`, `[rows, LANES]`, and flat
    arrays."""

    synapses: Synapses
    ticks: Ticks
    constants: Array
    flow: Array
    coefficients: Array
    exact: Array
    others: Others
    learned: tuple[int, ...]
    into: Array
    resets: bool
    alike: bool
    any_shared: bool
    of_float32: bool
    rate: float
    read_maximum: bool


@inlined
def lane_of(number):
    """The lane of a neuron, given its number in the layer."""
    # A mask, not `number % LANES`: no index at the lane can be negative, so none is tested for it.
    return number & (LANES - 1)


@inlined
def pack_of(layer, number):
    """Pack `number` of a layer."""
    s = layer.synapses
    synapses = Synapses(
        s.delay[number], s.w[number], s.w_I[number], s.w_V[number], s.w_y[number], s.shared_delay[number],
        s.of_shared[number],
    )
    return Pack(
        synapses, layer.ticks, layer.constants[number], layer.flow[number], layer.coefficients[number],
        layer.exact[number], layer.others, layer.learned, layer.into, layer.resets, layer.alike, layer.any_shared,
        layer.of_float32, layer.rate, layer.read_maximum,
    )


@inlined
def reads_integral(of):
    """Whether an integral of the voltage is read. `of`: a layer, a pack, or its pointers."""
    return of.rate >= 0.0


@inlined
def reaches_others(others):
    """Whether an arrival reaches more states than `V` and the one that it raises; the compiler
    knows."""
    return len(others.reached) > 0
