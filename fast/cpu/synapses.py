"""All synapses of a pack: packed in one pass, and their gradients in one.

In torch each of some thirty operations would write an array as large as the weights. Rows are a
`compiled` function: an `outermost` one would release the arrays of a pack, which it does not own.
"""

from delayprop.fast.compiling.compiler import compiled, inlined, outermost, vectorised
from delayprop.fast.layout.arrays import LANES, pack_of, reaches_others
from delayprop.fast.layout.instants import ABSENT
from delayprop.fast.physics.currents import current_of, lane_of_coefficients
from delayprop.fast.physics.factors import factors_of
from delayprop.fast.physics.polynomials import EXACT
from delayprop.fast.physics.synapse import gradients_of, write_synapse


@outermost
def write_synapses(number, w, d, exists, per_ms, last, layer):
    """Write the synapses of pack `number` into `layer.synapses`.

    `w, d, exists [sources, packs * LANES]`; `per_ms`, `last`: as in
    `fast.physics.synapse.write_synapse`.
    """
    _write_rows(number, w, d, exists, per_ms, last, layer)


@compiled
def _write_rows(number, w, d, exists, per_ms, last, layer):
    lanes, pack = slice(number * LANES, (number + 1) * LANES), pack_of(layer, number)
    for source in range(w.shape[0]):
        _write_row(source, w[source, lanes], d[source, lanes], exists[source, lanes], per_ms, last, pack)
        _write_shared(source, min(layer.post - number * LANES, LANES), source >= layer.external, pack)


@vectorised
def _write_row(source, w, d, exists, per_ms, last, pack):
    for lane in range(LANES):
        write_synapse(source, lane, w[lane], d[lane], exists[lane], per_ms, last, pack)


@inlined
def _write_shared(source, neurons, is_own, pack):
    """Write the delay that a source has at all neurons of a pack, and the numbers of a synapse of
    weight 1; ABSENT, if it has several delays.

    `neurons`: of the pack; `is_own`: whether the source is a neuron of the layer. An own spike that
    may arrive in its own bin never arrives in step (`fast.cpu.in_step`).
    """
    synapses, delay, ticks = pack.synapses, pack.synapses.delay[source], pack.ticks
    shared = pack.alike and not reaches_others(pack.others) and delay[0] >= (1 << ticks.bits if is_own else 0)
    for lane in range(neurons):  # lanes without a neuron have no synapse to compare
        shared &= delay[lane] == delay[0]
    synapses.shared_delay[source] = delay[0] if shared else ABSENT
    if shared:
        r = (delay[0] & ticks.rest) * float(ticks.tick)
        _, vi, ii = factors_of(-r, lane_of_coefficients(current_of(source, pack), 0, pack, EXACT), pack.exact, EXACT)
        synapses.of_shared[2 * source], synapses.of_shared[2 * source + 1] = ii, vi


@outermost
def gradients_of_pack(number, sums, layer, dL_dw, dL_dd):
    """Write the gradients of the synapses of pack `number`.

    `sums [sources, sums * LANES]`: see `fast.physics.adjoint.PackAdjoint`; `dL_dw`, and `dL_dd`
    per bin, `[sources, packs * LANES]`.
    """
    _rows_of_gradients(number, sums, layer, dL_dw, dL_dd)


@compiled
def _rows_of_gradients(number, sums, layer, dL_dw, dL_dd):
    lanes, pack = slice(number * LANES, (number + 1) * LANES), pack_of(layer, number)
    for source in range(sums.shape[0]):
        _row_of_gradients(source, sums[source], pack, dL_dw[source, lanes], dL_dd[source, lanes])


@vectorised
def _row_of_gradients(source, sums, pack, dL_dw, dL_dd):
    for lane in range(LANES):
        dL_dw[lane], dL_dd[lane] = gradients_of(source, lane, sums, pack)
