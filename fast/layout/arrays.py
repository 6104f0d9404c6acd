"""The arrays that kernels read: a layer packed in packs of `LANES` neurons, and arriving spikes.

The CPU holds NumPy arrays in these tuples, the GPU device arrays of the same shapes.
"""

from typing import Any, NamedTuple

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.instants import Ticks

LANES = 32  # neurons computed side by side

Array = Any  # a NumPy array, a tensor, or in a kernel a device array

# Columns of `Layer.flow`: factors that take a state or an adjoint across one whole bin. `V` decays
# by a, `I` by b, and adds k of itself to `V`; then the rates pm, ps per bin, and the convolutions
# of `fast.physics.polynomials` at 1.
FLOW = 14
FLOW_A, FLOW_K, FLOW_B, FLOW_PM, FLOW_PS, FLOW_AB, FLOW_AAB, FLOW_ABB = (n * LANES for n in range(8))
FLOW_RA, FLOW_RAB, FLOW_RAA, FLOW_RAAB, FLOW_RABB, FLOW_RB = (n * LANES for n in range(8, FLOW))


class Arriving(NamedTuple):
    """Spikes from outside the layer, by (trial, bin): `offsets [trials + 1]`, `bin, time, source
    [n]`; `time`: the instant in the ring, see `fast.layout.instants`."""

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
        w_b, w_ab, w_rab: `w` times the convolutions `[ps]`, `[pm, ps]` and `[-r, pm, ps]` of
            `fast.physics.polynomials` at minus the rest of the delay; `w_rab` only with an integral
            readout.
    """

    delay: Array
    w: Array
    w_b: Array
    w_ab: Array
    w_rab: Array


class Layer(NamedTuple):
    """Neurons that are solved together, and all synapses onto them; times in bins.

    Attributes:
        synapses: onto the neurons of each pack.
        ticks: the division of instants. `slots`: bins that an arrival can lie ahead, and one more.
        constants: `[packs, 4, LANES]`: pm, ps, v_th, v_reset; `v_th` is infinite in lanes without
            a neuron.
        flow: `[packs, FLOW * LANES]`: columns as above.
        coefficients: `[packs, polynomials * terms * LANES]`, see `fast.physics.polynomials`.
        exact: `coefficients` in float64, for synapses; with the polynomials of a rate in any layer.
        alike: whether all neurons have equal time constants.
        rate: rate of an integral readout per bin; negative: no integral is read.
        read_maximum: whether the largest voltage is read.
        external: number of sources outside the layer.
        copies: how often the layer's own neurons follow as sources, `post` at a time: 0 for a layer
            that is not recurrent, more than 1 where two neurons have several connections.
        post: number of neurons.
    """

    synapses: Synapses
    ticks: Ticks
    slots: int
    constants: Array
    flow: Array
    coefficients: Array
    exact: Array
    alike: bool
    rate: float
    read_maximum: bool
    external: int
    copies: int
    post: int


class Pack(NamedTuple):
    """The part of a `Layer` that belongs to one pack: `[sources, LANES]`, `[4, LANES]`, and flat
    arrays."""

    synapses: Synapses
    ticks: Ticks
    constants: Array
    flow: Array
    coefficients: Array
    exact: Array
    alike: bool
    rate: float
    read_maximum: bool


@inlined
def pack_of(layer, number):
    """Pack `number` of a layer."""
    s = layer.synapses
    synapses = Synapses(s.delay[number], s.w[number], s.w_b[number], s.w_ab[number], s.w_rab[number])
    return Pack(
        synapses, layer.ticks, layer.constants[number], layer.flow[number], layer.coefficients[number],
        layer.exact[number], layer.alike, layer.rate, layer.read_maximum,
    )
