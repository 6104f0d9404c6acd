"""The adjoint looked up at the arrivals at one neuron; `fast.cpu.lookup` does so for a block."""

from __future__ import annotations

from fast.physics.adjoint import ADJOINT, DRIVE, LAMBDA_I, LAMBDA_V, adjoint_in_bin, flow_back
from fast.physics.clock import SLOT
from fast.physics.compiling import compiled
from fast.physics.own_events import add_arrival, add_arrival_among_events
from fast.physics.polynomials import LANES


@compiled
def look_up_in_lane(q, source, bin_, ring_index, lane, slots, clock, want_tau, b):
    """Look the adjoint up at an arrival of a spike of rest `q`, and add its terms to the sums.

    Returns the derivative of the loss by the time of the arrival.
    """
    row = b.block.packed_synapses[source]
    w, x, p = row[lane], clock.one - (q + row[2 * LANES + lane]), ring_index * SLOT + int(row[LANES + lane])
    if x <= clock.zero:
        x += clock.one
        p += SLOT
    if p >= slots * SLOT:
        p -= slots * SLOT
    if p >= slots * SLOT:  # no synapse, or after the trial
        return 0.0
    cell = p >> 1
    V, I = b.ring[2 * cell], b.ring[2 * cell + 1]
    if V != V:  # nan-ok: NaN marks a bin with own events
        return w * add_arrival_among_events(q, source, lane, bin_, cell - lane, clock, want_tau, b)
    if not want_tau and b.block.rate < 0.0:
        V, I = adjoint_in_bin(V, I, x, lane, b.block.coefficients, clock.terms)
        return w * add_arrival(source, lane, V, I, w, False, b)
    for k in range(ADJOINT):
        b.other[k, lane] = b.full_adjoint_ring[k, cell]
    flow_back(b.other, lane, float(x), b.full_adjoint_ring[DRIVE, cell], b.block, clock.terms, want_tau)
    return w * add_arrival(source, lane, b.other[LAMBDA_V, lane], b.other[LAMBDA_I, lane], w, want_tau, b)


@compiled
def look_up_arrivals_in_lane(n_first, n, number, bin_, ring_index, sweep, b):
    """All arrivals of the spikes from outside that are emitted in a bin; `n - 1`: the last of them.

    Returns the first of them.
    """
    given, sums, slots = sweep.given, sweep.sums, sweep.layer.slots
    while n > n_first and given.bin[n - 1] == bin_:
        n -= 1
        dL_dt = look_up_in_lane(
            given.rest[n], given.source[n], bin_, ring_index, number % LANES, slots, sweep.clock, sweep.want_tau, b
        )
        if sums.dL_dt_pre.shape[1] > 1:
            sums.dL_dt_pre[n - sums.first_dL_dt_pre, number] = dL_dt
    return n


@compiled
def last_in_time(first, last, bins, clock):
    """End of the spikes of a trial that lie within it."""
    while last > first and bins[last - 1] > clock.last:
        last -= 1
    return last
