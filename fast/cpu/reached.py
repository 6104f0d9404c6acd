"""Arrivals that reach more states than `V` and `I`: their deposits and look-ups.

`V` and `I` are deposited in the cells of `fast.cpu.deposit`, other states in a ring beside it. A
look-up reads the full adjoint, at the arrival itself (`fast.physics.response`).
"""

import numpy as np

from delayprop.fast.compiling.compiler import inlined, vectorised
from delayprop.fast.cpu.arrivals import place_of
from delayprop.fast.cpu.deposit import AMOUNTS, UP, I, V
from delayprop.fast.cpu.intrinsics import CELL, add_to_cell, moved
from delayprop.fast.cpu.lookup_scratch import OF_I, OF_V, TERMS
from delayprop.fast.cpu.rows import add_row
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.layout.instants import arrival_of, left_in_bin
from delayprop.fast.physics.adjoint import P_I, P_O, P_V, sensitivity_row
from delayprop.fast.physics.response import (
    excitation,
    gradients_at_arrival,
    response,
    sensitivity_of_arrival,
)


@inlined
def reached_at(more, place, places, others):
    """Deposits of other states at a place of a ring, as two numbers."""
    return (
        float(more[place]) if len(others.reached) > 0 else 0.0,
        float(more[places + place]) if len(others.reached) > 1 else 0.0,
    )


@inlined
def clear_reached(more, place, places, others):
    """Empty a place of a ring of other states."""
    for k in range(len(others.reached)):
        more[k * places + place] = 0.0


@inlined
def _amounts(delay, time, into, lane, w, pack, clock):
    """What an arrival adds to `V, I, O` at the end of its bin, and at most to the level in it."""
    _, rest, _ = arrival_of(delay, time, pack.ticks)
    h = left_in_bin(rest, pack.ticks)
    V, I, O = response(h, into, lane, pack.others, pack.coefficients, clock.terms)
    dV, dI, dO = w * V, w * I, (w * O[0], w * O[1])
    return dV, dI, dO, excitation(dV, dO, into, lane, pack.constants, pack.others)


@vectorised
def deposit_reached(first, last, spikes, pack, clock, links, cells, more, places, scratch):
    """Add the arrivals of spikes `first..last-1` to one pack.

    `more [reached, places]`: the ring of other states. All arrays but those of `pack` are pointers.
    """
    place, amount, others, synapses = scratch.place, scratch.amount, pack.others, pack.synapses
    rows = moved(amount, AMOUNTS * LANES)  # other states, in the place of the next spike
    for n in range(first, last):
        time, source = spikes.time[n], spikes.source[n]
        into = pack.into[source]
        for lane in range(LANES):
            delay, w = synapses.delay[source, lane], synapses.w[source, lane]
            place[lane], _ = place_of(delay, time, lane, pack.ticks, CELL)
            dV, dI, dO, up = _amounts(delay, time, into, lane, w, pack, clock)
            amount[V + lane], amount[I + lane], amount[UP + lane] = dV, dI, up
            for k in range(len(others.reached)):
                rows[k * LANES + lane] = dO[k]
        add_row(cells, place, amount, moved(links.next, (n & links.mask) * LANES), np.int32(n))
        for k in range(len(others.reached)):
            for lane in range(LANES):
                more[k * places + (place[lane] >> 2)] += rows[k * LANES + lane]


@inlined
def deposit_reached_in_bin(slot, n, time, source, lane, pack, clock, links, cells, more, places):
    """`fast.cpu.deposit.deposit_in_bin`, with other states."""
    delay = pack.synapses.delay[source, lane]
    place, carried = place_of(delay, time, lane, pack.ticks, CELL)
    if carried or place != CELL * (slot + lane):
        return False
    into, w = pack.into[source], pack.synapses.w[source, lane]
    dV, dI, dO, up = _amounts(delay, time, into, lane, w, pack, clock)
    zero = clock.zero
    links.next[(n & links.mask) * LANES + lane] = add_to_cell(
        cells, place, zero + dV, zero + dI, zero + up, np.int32(n)
    )
    for k in range(len(pack.others.reached)):
        more[k * places + slot + lane] += dO[k]
    return True


@vectorised
def add_all_reached(first, last, spikes, b, clock, scratch, want_tau):
    """Add the adjoint at the arrivals just gathered to the sums, and to the gradients of constants;
    `(A e).p` takes the place of the adjoint in the scratch, of which the arrays are pointers."""
    pack, full, others = b.pack, b.full_adjoint_ring, b.pack.others
    for n in range(first, last):
        time, source = spikes.time[n], spikes.source[n]
        place, found = moved(scratch.place, (n - first) * LANES), moved(scratch.terms, (n - first) * (TERMS * LANES))
        for lane in range(LANES):
            _, rest, _ = arrival_of(pack.synapses.delay[source, lane], time, pack.ticks)
            h, at, w = left_in_bin(rest, pack.ticks), place[lane] >> 1, pack.synapses.w[source, lane]
            is_number = b.ring[2 * at] == b.ring[2 * at]  # nan-ok: NaN marks a bin with own events
            second = full[at, P_O + 1] if len(others.states) > 1 else 0.0
            p = full[at, P_V], full[at, P_I], full[at, P_O], second
            along, of_w = gradients_at_arrival(p, h, source, lane, pack, pack.coefficients, clock.terms)
            along, of_w = along if is_number else 0.0, of_w if is_number else 0.0
            found[OF_V + lane] = along
            b.sums[source, OF_V + lane] += along
            b.sums[source, OF_I + lane] += of_w
            if want_tau:
                for constant in range(len(pack.learned)):
                    row = sensitivity_row(constant, others)
                    second = full[at, row + 3] if len(others.states) > 1 else 0.0
                    m = full[at, row], full[at, row + 1], full[at, row + 2], second
                    of = sensitivity_of_arrival(
                        constant, p, m, h, source, lane, pack, pack.coefficients, clock.terms
                    )
                    b.dL_dconstants[constant, lane] += (w if is_number else 0.0) * of
