"""All synapses of a block: packed in one pass, and their gradients in one.

In torch each of some thirty operations would write an array as large as the weights. Rows are a
`compiled` function: an `outermost` one would release the arrays of a block, which it does not own.
"""

from __future__ import annotations

from delayprop.fast.compiling.compiler import compiled, outermost, vectorised
from delayprop.fast.layout.arrays import LANES, block_of
from delayprop.fast.physics.synapse import gradients_of, pack


@outermost
def pack_block(number, w, d, exists, per_ms, last, layer):
    """Write the synapses of block `number` into `layer.synapses`.

    `w, d, exists [sources, blocks * LANES]`; `per_ms`, `last`: see `fast.physics.synapse.pack`.
    """
    _pack_rows(number, w, d, exists, per_ms, last, layer)


@compiled
def _pack_rows(number, w, d, exists, per_ms, last, layer):
    lanes, block = slice(number * LANES, (number + 1) * LANES), block_of(layer, number)
    for source in range(w.shape[0]):
        _pack_row(source, w[source, lanes], d[source, lanes], exists[source, lanes], per_ms, last, block)


@vectorised
def _pack_row(source, w, d, exists, per_ms, last, block):
    for lane in range(LANES):
        pack(source, lane, w[lane], d[lane], exists[lane], per_ms, last, block)


@outermost
def gradients_of_block(number, sums, layer, dL_dw, dL_dd):
    """Write the gradients of the synapses of block `number`.

    `sums [sources, sums * LANES]`: see `fast.physics.adjoint.BlockAdjoint`; `dL_dw`, and `dL_dd`
    per bin, `[sources, blocks * LANES]`.
    """
    _rows_of_gradients(number, sums, layer, dL_dw, dL_dd)


@compiled
def _rows_of_gradients(number, sums, layer, dL_dw, dL_dd):
    lanes, block = slice(number * LANES, (number + 1) * LANES), block_of(layer, number)
    for source in range(sums.shape[0]):
        _row_of_gradients(source, sums[source], block, dL_dw[source, lanes], dL_dd[source, lanes])


@vectorised
def _row_of_gradients(source, sums, block, dL_dw, dL_dd):
    for lane in range(LANES):
        dL_dw[lane], dL_dd[lane] = gradients_of(source, lane, sums, block)
