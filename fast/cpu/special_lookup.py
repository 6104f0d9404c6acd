"""Arrivals among own events, looked up one by one.

Most of them lie in a bin with one event. Such an arrival takes the adjoint before or after it, by
an index and not by a branch, which the processor would often predict wrong.
"""

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.cpu.arrivals import SIDE_BY_SIDE, factors_at
from delayprop.fast.cpu.intrinsics import lowest_bit, moved, pointer
from delayprop.fast.layout.arrays import LANES, lane_of, reaches_others, reads_integral
from delayprop.fast.layout.instants import ABSENT, arrival_of, in_bins, left_in_bin
from delayprop.fast.physics.adjoint import P_I, P_O, P_V, Events
from delayprop.fast.physics.currents import current_of
from delayprop.fast.physics.factors import both_factors, one_of
from delayprop.fast.physics.others import others_of
from delayprop.fast.physics.own_events import (
    add_at_arrival,
    add_pinned_kick,
    add_sensitivities,
    add_terms,
    adjoint_among_events,
    row_around_one_event,
)


@inlined
def list_special(first, last, special, listed):
    """List the arrivals marked in `special[first..last-1]` as spike * LANES + lane; their count."""
    count = 0
    for k in range(first, last):
        bits = special[k]
        while bits:
            listed[count] = k * LANES + lowest_bit(bits)
            count += 1
            bits &= bits - 1
    return count


@inlined
def look_up_special(base, first, last, bins, time, source, clock, want_tau, scratch, b, dL_dt_pre):
    """Look the adjoint up at the special arrivals of spikes `first..last-1`, one by one, and add
    their terms to the gradients.

    The spikes belong to the group that begins with `base`; `bins, time, source`: by spike.
    `dL_dt_pre`: by spike, is added to; empty if not wanted.
    """
    want_dt, factors, ticks = dL_dt_pre.size > 0, pointer(scratch.factors), b.pack.ticks
    kept = b.pack.alike and scratch.address.shape[0] <= SIDE_BY_SIDE  # the factors of the whole group
    plain, last_slot = not reads_integral(b.pack) and not reaches_others(b.pack.others), clock.last & (ticks.bins - 1)
    e, rows = b.events, b.events.at_end.shape[1]
    events = Events(pointer(e.rest), pointer(e.later), pointer(e.at_end), pointer(e.position), pointer(e.first))
    listed, synapses = pointer(scratch.listed), b.pack.synapses
    delay, shared_delay = pointer(synapses.delay), pointer(synapses.shared_delay)
    for m in range(list_special(first - base, last - base, pointer(scratch.special), listed)):
        n, lane = base + listed[m] // LANES, lane_of(listed[m])
        current = current_of(source[n], b.pack)
        own_delay = shared_delay[source[n]] if b.pack.any_shared else ABSENT  # the synapse's own, and in the cache
        if own_delay < 0:
            own_delay = delay[source[n] * LANES + lane]
        arrival = arrival_of(own_delay, time[n], ticks)
        slot, ticks_after, carried = arrival
        # The bin of T has arrivals after T, which `adjoint_among_events` leaves out.
        row = -1
        if not reads_integral(b.pack) and slot != last_slot:
            row = row_around_one_event(slot, in_bins(ticks_after, ticks), lane, events)
        if row >= 0:
            p, h, event = moved(events.at_end, row * rows), float(left_in_bin(ticks_after, ticks)), -1
            p_O = others_of(moved(p, P_O), b.pack.others)
            there = p[P_V], p[P_I + current], p_O[0], p_O[1], 0.0
            if want_tau:
                add_sensitivities(source[n], lane, (there[0], there[1]), e.at_end.T, row, h, 0.0, b)
        else:
            there, h, event = adjoint_among_events(arrival, source[n], lane, bins[n], clock, want_tau, b)
        if not plain:
            dL_dt = add_at_arrival(source[n], lane, there, h, clock, b)
        else:
            if kept:
                both = factors_at(n - base, current, factors)
            else:
                both = both_factors(time[n], current, lane, b.pack, clock.terms)
            dL_dt = add_terms(one_of(carried, both), source[n], lane, there[0], there[1], want_dt, b)
        if event >= 0:
            dL_dt += add_pinned_kick(arrival, source[n], lane, bins[n], clock, b)
        if want_dt:
            dL_dt_pre[n] += dL_dt
