"""A synapse, packed for the sweeps, and its gradients from the sums of the backward sweep.

The flow over the rest `r` of a delay, backwards, is the flow at `-r`: the polynomials of
`fast.physics.polynomials` hold there too. It is computed in float64, as the sums are.
"""

from __future__ import annotations

from fast.physics.compiling import inlined
from fast.physics.instants import ABSENT, instant_of
from fast.physics.polynomials import AB, LANES, RA, RAB, TERMS, A, B, polynomial

EXACT = tuple(range(TERMS[8]))  # as long as the polynomials of `Layer.exact`


@inlined
def behind(r, lane, block):
    """`[pm]`, `[ps]` and `[pm, ps]` of `fast.physics.polynomials`, at `-r`."""
    a, b = polynomial(block.exact, A, lane, -r, EXACT), polynomial(block.exact, B, lane, -r, EXACT)
    return a, b, -r * polynomial(block.exact, AB, lane, -r, EXACT)


@inlined
def driven_behind(r, lane, block):
    """`[-rate, pm]` and `[-rate, pm, ps]`, of an integral readout, at `-r`."""
    return -r * polynomial(block.exact, RA, lane, -r, EXACT), r * r * polynomial(block.exact, RAB, lane, -r, EXACT)


@inlined
def pack(source, lane, w, d, exists, per_ms, last, block):
    """Write the synapse of weight `w` and delay `d` (ms) from a source to a lane into a block.

    Args:
        exists: whether the synapse does.
        per_ms: bins per ms, a power of two, so that nothing rounds.
        last: the last bin of a trial. A delay of more whole bins leaves the synapse absent.
    """
    synapses, ticks = block.synapses, block.ticks
    in_bins = float(d) * per_ms
    counts = exists & (in_bins < last + 1)
    in_bins, weight = in_bins if counts else 0.0, float(w) if counts else 0.0
    whole = int(in_bins)
    delay = instant_of(whole, in_bins - whole, ticks)
    r = (delay & ticks.rest) * float(ticks.tick)
    _, b, ab = behind(r, lane, block)
    synapses.delay[source, lane] = delay if counts else ABSENT
    synapses.w[source, lane], synapses.w_b[source, lane], synapses.w_ab[source, lane] = weight, weight * b, weight * ab
    if block.rate >= 0.0:
        synapses.w_rab[source, lane] = weight * driven_behind(r, lane, block)[1]


@inlined
def gradients_of(source, lane, sums, block):
    """`dL_dw`, and `dL_dd` per bin, of a synapse; 0 where it is absent.

    `sums`: of the source, see `fast.physics.adjoint.BlockAdjoint`: the adjoint taken back to the
    spikes. The flow over `-r` takes it on to the arrivals.
    """
    delay = block.synapses.delay[source, lane]
    r = (delay & block.ticks.rest) * float(block.ticks.tick)
    pm, ps = block.constants[0, lane], block.constants[1, lane]
    a, b, ab = behind(r, lane, block)
    of_V, of_I = sums[lane], sums[LANES + lane]
    lambda_I = ps * ab * of_V + b * of_I
    difference = a * of_V - lambda_I  # lambda_V - lambda_I
    if block.rate >= 0.0:
        ra, rab = driven_behind(r, lane, block)
        of_g = sums[2 * LANES + lane]
        lambda_I += sums[3 * LANES + lane] - pm * ps * rab * of_g
        difference += sums[4 * LANES + lane] + pm * (ps * rab - ra) * of_g
    # [arrival-w] -tau_syn lambda_I; [arrival-d] w (lambda_V - lambda_I)
    return -lambda_I / ps if delay >= 0 else 0.0, block.synapses.w[source, lane] * difference
