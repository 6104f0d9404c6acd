"""A synapse, packed for the sweeps, and its gradients from the sums of the backward sweep.

The flow over the rest `r` of a delay, backwards, is the flow at `-r`: the polynomials of
`fast.physics.polynomials` hold there too. It is computed in float64, as the sums are.
"""

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.layout.instants import ABSENT, instant_of
from delayprop.fast.physics.polynomials import AB, EXACT, RAB, A, B, polynomial


@inlined
def behind(r, lane, pack):
    """`[pm]`, `[ps]` and `[pm, ps]` of `fast.physics.polynomials`, at `-r`."""
    a, b = polynomial(pack.exact, A, lane, -r, EXACT), polynomial(pack.exact, B, lane, -r, EXACT)
    return a, b, -r * polynomial(pack.exact, AB, lane, -r, EXACT)


@inlined
def write_synapse(source, lane, w, d, exists, per_ms, last, pack):
    """Write the synapse of weight `w` and delay `d` (ms) from a source to a lane into a pack.

    Args:
        exists: whether the synapse does.
        per_ms: bins per ms, a power of two, so that nothing rounds.
        last: the last bin of a trial. A delay of more whole bins leaves the synapse absent.
    """
    synapses, ticks = pack.synapses, pack.ticks
    in_bins = float(d) * per_ms
    counts = exists & (in_bins < last + 1)
    in_bins, weight = in_bins if counts else 0.0, float(w) if counts else 0.0
    whole = int(in_bins)
    delay = instant_of(whole, in_bins - whole, ticks)
    r = (delay & ticks.rest) * float(ticks.tick)
    _, b, ab = behind(r, lane, pack)
    synapses.delay[source, lane] = delay if counts else ABSENT
    synapses.w[source, lane], synapses.w_b[source, lane], synapses.w_ab[source, lane] = weight, weight * b, weight * ab
    if pack.rate >= 0.0:
        synapses.w_rab[source, lane] = weight * r * r * polynomial(pack.exact, RAB, lane, -r, EXACT)


@inlined
def gradients_of(source, lane, sums, pack):
    """`dL_dw`, and `dL_dd` per bin, of a synapse; 0 where it is absent.

    `sums`: of the source, see `fast.physics.adjoint.PackAdjoint`: the adjoint taken back to the
    spikes, which the flow over `-r` takes on to the arrivals; or, of an integral readout, at them.
    """
    delay = pack.synapses.delay[source, lane]
    r = (delay & pack.ticks.rest) * float(pack.ticks.tick)
    ps = pack.constants[1, lane]
    difference, lambda_I = sums[lane], sums[LANES + lane]  # lambda_V - lambda_I
    if pack.rate < 0.0:
        a, b, ab = behind(r, lane, pack)
        of_V, of_I = difference, lambda_I
        lambda_I = ps * ab * of_V + b * of_I
        difference = a * of_V - lambda_I
    # [arrival-w] -tau_syn lambda_I; [arrival-d] w (lambda_V - lambda_I)
    return -lambda_I / ps if delay >= 0 else 0.0, pack.synapses.w[source, lane] * difference
