"""All synapses of a layer, one thread for each: packed, and their gradients."""

from typing import NamedTuple

from numba import cuda

from delayprop.fast.compiling.compiler import compiled
from delayprop.fast.cuda.compiling import Array, kernel
from delayprop.fast.layout.arrays import LANES, pack_of
from delayprop.fast.physics.synapse import gradients_of, write_synapse


class SynapseGradients(NamedTuple):
    """`sums [packs, sources, sums * LANES]`, see `fast.physics.adjoint.PackAdjoint`; and the
    gradients `dL_dw`, and `dL_dd` per bin, `[sources, packs * LANES]`."""

    sums: Array
    dL_dw: Array
    dL_dd: Array


@kernel
def write_synapses_kernel(w, d, exists, per_ms, last, layer):
    """Write all synapses into `layer.synapses`, one per thread.

    `w, d, exists [sources, packs * LANES]`; `per_ms, last`: as in
    `fast.physics.synapse.write_synapse`.
    """
    number, source, lane = _place(cuda.grid(1), layer)
    if number < layer.constants.shape[0]:
        j = number * LANES + lane
        write_synapse(source, lane, w[source, j], d[source, j], exists[source, j], per_ms, last, pack_of(layer, number))


@kernel
def gradients_kernel(found, layer):
    """Write the `SynapseGradients` of all synapses, one per thread, from their sums."""
    number, source, lane = _place(cuda.grid(1), layer)
    if number < layer.constants.shape[0]:
        dL_dw, dL_dd = gradients_of(source, lane, found.sums[number, source], pack_of(layer, number))
        found.dL_dw[source, number * LANES + lane] = dL_dw
        found.dL_dd[source, number * LANES + lane] = dL_dd


@compiled
def _place(n, layer):
    """Pack, source and lane of synapse `n`; neighbouring threads take neighbouring lanes."""
    sources = layer.synapses.w.shape[1]
    return n // (LANES * sources), n // LANES % sources, n % LANES
