"""The adjoint looked up at the arrivals at one neuron, as `fast.cpu.lookup` does for a block of
neurons side by side."""

from __future__ import annotations

from fast.physics.adjoint import ADJOINT, DRIVE, flow_back
from fast.physics.compiling import compiled
from fast.physics.factors import (
    arrival_factors,
    dL_dt_arrival,
    driven_a_bin_more,
    driven_dL_dt_arrival,
    driven_factors_of,
    driven_terms,
    factors_of,
)
from fast.physics.instants import arrival_of, left_in_bin, masked
from fast.physics.layout import FLOW_PM, FLOW_PS
from fast.physics.own_events import add_at_arrival, add_pinned_kick, add_tau, add_terms, adjoint_among_events
from fast.physics.polynomials import LANES


@compiled
def add_driven_terms(time, carried, source, lane, g, clock, b):
    """[readout-adjoint] Add the terms of an arrival that an integral readout drives.

    `time, carried`: instant of the spike, whether its rest and that of the delay carry; `g`:
    driving term at the end of the bin. Returns its part of the derivative by the time of the
    arrival.
    """
    block, synapses, coefficients, flow = b.block, b.block.synapses, b.block.coefficients, b.block.flow
    pm, ps, rate = flow[FLOW_PM + lane], flow[FLOW_PS + lane], block.rate
    x = left_in_bin(masked(time, block.ticks.rest), block.ticks)
    a, b_, ab = factors_of(x, lane, coefficients, clock.terms)
    ra, rab, e = driven_factors_of(x, a, pm, rate, lane, coefficients, clock.terms)
    if carried:
        ra, rab, e = driven_a_bin_more(a, b_, ab, ra, rab, e, rate, lane, flow)
    of_V, of_I, of_g = driven_terms(g, ra, rab, e, pm, ps)
    b.sums[source, lane] += of_V
    b.sums[source, LANES + lane] += of_I
    b.sums[source, 2 * LANES + lane] += of_g
    w_b, w_ab, w_rab = synapses.w_b[source, lane], synapses.w_ab[source, lane], synapses.w_rab[source, lane]
    return dL_dt_arrival(of_V, of_I, pm, w_b, w_ab) + driven_dL_dt_arrival(of_g, pm, rate, w_ab, w_rab)


@compiled
def look_up_in_lane(time, source, bin_, lane, clock, want_tau, b):
    """Look the adjoint up at an arrival of a spike, emitted in bin `bin_`, and add its terms to the
    sums.

    Returns the derivative of the loss by the time of the arrival.
    """
    delay, ticks = b.block.synapses.delay[source, lane], b.block.ticks
    if delay < 0:
        return 0.0
    arrival = turn, rest, carried = arrival_of(delay, time, ticks)
    cell = turn * LANES + lane
    V, I, event, integral_read = b.ring[2 * cell], b.ring[2 * cell + 1], -1, b.block.rate >= 0.0
    if V != V:  # nan-ok: NaN marks a bin with own events
        V, I, event = adjoint_among_events(arrival, source, lane, bin_, clock, want_tau, b)
        if integral_read:
            return add_at_arrival(source, lane, V, I, b)
    elif want_tau:
        for k in range(ADJOINT):
            b.other[k, lane] = b.full_adjoint_ring[k, cell]
        g = b.full_adjoint_ring[DRIVE, cell]
        flow_back(b.other, lane, float(left_in_bin(rest, ticks)), g, b.block, clock.terms, True)
        add_tau(source, lane, b)
    factors = arrival_factors(time, carried, lane, True, b.block, clock.terms)
    dL_dt = add_terms(factors, source, lane, V, I, True, b)
    if integral_read:
        dL_dt += add_driven_terms(time, carried, source, lane, b.full_adjoint_ring[DRIVE, cell], clock, b)
    return dL_dt + add_pinned_kick(arrival, source, lane, bin_, clock, b) if event >= 0 else dL_dt


@compiled
def look_up_arrivals_in_lane(n_first, n, number, bin_, sweep, b):
    """Look up all arrivals of the outside spikes emitted in a bin, from the last, `n - 1`; returns
    the first."""
    given, sums = sweep.given, sweep.sums
    while n > n_first and given.bin[n - 1] == bin_:
        n -= 1
        dL_dt = look_up_in_lane(given.time[n], given.source[n], bin_, number % LANES, sweep.clock, sweep.want_tau, b)
        if sums.dL_dt_pre.shape[1] > 1:
            sums.dL_dt_pre[n - sums.first_dL_dt_pre, number] = dL_dt
    return n


@compiled
def last_in_time(first, last, bins, clock):
    """End of the spikes of a trial that lie within it."""
    while last > first and bins[last - 1] > clock.last:
        last -= 1
    return last
