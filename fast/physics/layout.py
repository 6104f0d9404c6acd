"""The arrays that kernels read: a layer packed in blocks of `LANES` neurons, and arriving spikes.

The CPU holds NumPy arrays in these tuples, the GPU device arrays of the same shapes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fast.physics.compiling import inlined
from fast.physics.polynomials import LANES

Array = Any  # a NumPy array, a tensor, or in a kernel a device array

# Columns of `Layer.flow`: factors that take a state or an adjoint across one whole bin. `V` decays
# by a, `I` by b, and adds k of itself to `V`; then the rates pm, ps per bin, and the convolutions
# of `fast.physics.polynomials` at 1.
FLOW = 13
FLOW_A, FLOW_K, FLOW_B, FLOW_PM, FLOW_PS, FLOW_AB, FLOW_AAB, FLOW_ABB = (n * LANES for n in range(8))
FLOW_RA, FLOW_RAB, FLOW_RAA, FLOW_RAAB, FLOW_RABB = (n * LANES for n in range(8, FLOW))


class Arriving(NamedTuple):
    """Spikes from outside, by (trial, bin): `offsets [trials + 1]`, `bin, rest, source [n]`."""

    offsets: Array
    bin: Array
    rest: Array
    source: Array


class Layer(NamedTuple):
    """Neurons that are solved together, and all synapses onto them; times in bins.

    Attributes:
        packed_synapses: `[blocks, sources, 3 * LANES]`: weights, ring offsets, rests of the delays.
            A ring offset counts places from the bin of the spike to the bin of the arrival:
            `SLOT` per bin, two per lane, the second for inhibition. An absent synapse, or one
            whose delay is longer than the trial, has an offset beyond the ring (`2 * slots` bins;
            the ring subtracts one turn), so its arrivals are never read.
        slots: bins of the ring: one more than an arrival can lie ahead.
        constants: `[blocks, 4, LANES]`: pm, ps, v_th, v_reset; `v_th` is infinite in lanes without
            a neuron.
        flow: `[blocks, FLOW * LANES]`: columns as above.
        coefficients: `[blocks, polynomials * terms * LANES]`, see `fast.physics.polynomials`.
        rate: rate of an integral readout per bin; negative: no integral is read.
        read_maximum: whether the largest voltage is read.
        external: number of sources outside the layer.
        copies: how often the layer's own neurons follow as sources, `post` at a time: 0 for a layer
            that is not recurrent, more than 1 where two neurons have several connections.
        post: number of neurons.
    """

    packed_synapses: Array
    slots: int
    constants: Array
    flow: Array
    coefficients: Array
    rate: float
    read_maximum: bool
    external: int
    copies: int
    post: int


class Block(NamedTuple):
    """One block of a `Layer`: `[sources, 3 * LANES]`, `[4, LANES]`, and flat arrays."""

    packed_synapses: Array
    constants: Array
    flow: Array
    coefficients: Array
    rate: float
    read_maximum: bool


@inlined
def block_of(layer, number):
    """Block `number` of a layer."""
    return Block(
        layer.packed_synapses[number], layer.constants[number], layer.flow[number], layer.coefficients[number],
        layer.rate, layer.read_maximum,
    )
