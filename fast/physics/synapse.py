"""A synapse, packed for the sweeps, and its gradients from the sums of the backward sweep.

The flow over the rest `r` of a delay, backwards, is the flow at `-r`: the polynomials of
`fast.physics.polynomials` hold there too. It is computed in float64, as the sums are.
"""

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import LANES, reaches_others, reads_integral
from delayprop.fast.layout.instants import ABSENT, instant_of
from delayprop.fast.layout.rows import A_VI, FLOW_A_II, FLOW_A_VI
from delayprop.fast.physics.currents import current_of, lane_of_coefficients, lane_of_flow
from delayprop.fast.physics.factors import adjoint_terms, factors_of
from delayprop.fast.physics.polynomials import EXACT, RAB, polynomial


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
    counts = exists & (in_bins < last + 1)  # a longer delay would not fit into the ring
    in_bins, weight = in_bins if counts else 0.0, float(w) if counts else 0.0
    whole = int(in_bins)
    delay = instant_of(whole, in_bins - whole, ticks)
    synapses.delay[source, lane], synapses.w[source, lane] = delay if counts else ABSENT, weight
    if reaches_others(pack.others):  # an arrival is a column of the flow (`fast.physics.response`)
        return
    r = (delay & ticks.rest) * float(ticks.tick)
    # In float64, and rounded once when it is stored: one number serves all arrivals of a synapse.
    _, vi, ii = factors_of(-r, lane_of_coefficients(current_of(source, pack), lane, pack, EXACT), pack.exact, EXACT)
    synapses.w_I[source, lane], synapses.w_V[source, lane] = weight * ii, weight * vi
    if reads_integral(pack):
        rab = r * r * polynomial(pack.exact, RAB, lane, -r, EXACT)
        synapses.w_y[source, lane] = weight * pack.constants[A_VI, lane] * rab


@inlined
def gradients_of(source, lane, sums, pack):
    """`dL_dw`, and `dL_dd` per bin, of a synapse; 0 where it is absent.

    `sums`: of the source, see `fast.physics.adjoint.PackAdjoint`: the adjoint taken back to the
    spikes, which the flow over `-r` takes on to the arrivals; or `(A e).p` and `e.p` at the
    arrivals, with an integral readout, or where they reach other states.
    """
    delay = pack.synapses.delay[source, lane]
    r = (delay & pack.ticks.rest) * float(pack.ticks.tick)
    along, p_I = sums[lane], sums[LANES + lane]
    if not reads_integral(pack) and not reaches_others(pack.others):
        current = current_of(source, pack)
        vv, vi, ii = factors_of(-r, lane_of_coefficients(current, lane, pack, EXACT), pack.exact, EXACT)
        p_V, p_I = adjoint_terms(along, p_I, vv, vi, ii)
        at = lane_of_flow(current, lane)
        along = pack.flow[FLOW_A_VI + at] * p_V + pack.flow[FLOW_A_II + at] * p_I
    # [arrival] p_I, and -w (A e).p
    return p_I if delay >= 0 else 0.0, -pack.synapses.w[source, lane] * along
