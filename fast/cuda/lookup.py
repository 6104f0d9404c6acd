"""The adjoint looked up at the arrivals at one neuron, as `fast.cpu.lookup` does for a pack of
neurons side by side."""

from delayprop.fast.compiling.compiler import compiled, read_anew
from delayprop.fast.cuda.arrays import address_in_ring
from delayprop.fast.layout.arrays import LANES, reads_integral
from delayprop.fast.layout.instants import arrival_of, left_in_bin
from delayprop.fast.physics.adjoint import DIFFERENCE, DRIVE, EXCESS, P_I, P_V
from delayprop.fast.physics.currents import current_of
from delayprop.fast.physics.factors import arrival_factors
from delayprop.fast.physics.own_events import (
    add_at_arrival,
    add_pinned_kick,
    add_sensitivities,
    add_terms,
    adjoint_among_events,
)


@compiled
def look_up_in_lane(time, source, bin_, lane, clock, want_tau, b):
    """Look the adjoint up at an arrival of a spike, emitted in bin `bin_`, and add its terms to the
    sums.

    Returns the derivative of the loss by the time of the arrival.
    """
    pack, full = b.pack, b.full_adjoint_ring
    delay, ticks = pack.synapses.delay[source, lane], pack.ticks
    if delay < 0:
        return 0.0
    arrival = slot, rest, carried = arrival_of(delay, time, ticks)
    place, h = slot * LANES + lane, float(left_in_bin(rest, ticks))
    count, current, event = len(pack.others.reached), current_of(source, pack), -1
    address = address_in_ring(current, place, pack)
    p_O = (float(b.ring[address + 2]) if count > 0 else 0.0), (float(b.ring[address + 3]) if count > 1 else 0.0)
    there = float(b.ring[address]), float(b.ring[address + 1]), p_O[0], p_O[1], 0.0
    if there[0] != there[0]:  # nan-ok: NaN marks a bin with own events
        there, h, event = adjoint_among_events(arrival, source, lane, bin_, clock, want_tau, b)
    elif reads_integral(pack) or want_tau:
        g = full[DRIVE, place]
        if reads_integral(pack):
            there = full[P_V, place], full[P_I, place], full[EXCESS, place], full[DIFFERENCE, place], g
        if want_tau:
            add_sensitivities(source, lane, (full[P_V, place], full[P_I + current, place]), full, place, h, g, b)
    if reads_integral(pack) or count > 0:
        lane = read_anew(lane) if count > 0 else lane
        return add_at_arrival(source, lane, there, h, clock, b)
    factors = arrival_factors(time, carried, current, lane, pack, clock.terms)
    dL_dt = add_terms(factors, source, lane, there[0], there[1], True, b)
    return dL_dt + add_pinned_kick(arrival, source, lane, bin_, clock, b) if event >= 0 else dL_dt


@compiled
def look_up_arrivals_in_lane(n_first, n, number, bin_, sweep, b):
    """Look the adjoint up at the arrivals, at one neuron, of all outside spikes emitted in a bin.

    The last of them has index `n - 1`. Returns the index of the first.
    """
    given, sums = sweep.given, sweep.sums
    while n > n_first and given.bin[n - 1] == bin_:
        n -= 1
        dL_dt = look_up_in_lane(given.time[n], given.source[n], bin_, number % LANES, sweep.clock, sweep.want_tau, b)
        if sums.dL_dt_pre.shape[1] > 1:
            sums.dL_dt_pre[n - sums.first_dL_dt_pre, number] = dL_dt
    return n


@compiled
def last_in_time(first, last, bins, clock):
    """The end, as an index, of the spikes of a trial that lie within it; later ones are last."""
    while last > first and bins[last - 1] > clock.last:
        last -= 1
    return last
