"""Arrivals that reach more than `V` and the state that they raise: their deposits and look-ups.

`V` and `I` are deposited in the cells of `fast.cpu.deposit`, other states in a ring beside it,
`more`. A look-up takes the adjoint to the arrival itself (`fast.physics.response`).
"""

import numpy as np

from delayprop.fast.compiling.compiler import inlined, vectorised
from delayprop.fast.cpu.arrivals import SIDE_BY_SIDE, address_of
from delayprop.fast.cpu.deposit import AMOUNTS, MOST_AMOUNTS, UP, I, V
from delayprop.fast.cpu.intrinsics import CELL, add_to_cell, moved
from delayprop.fast.cpu.lookup_scratch import OF_I, OF_V, TERMS, terms_of
from delayprop.fast.cpu.rows import add_row, gather_fours, gather_threes
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.layout.instants import arrival_of, left_in_bin
from delayprop.fast.layout.rows import coefficients_a
from delayprop.fast.physics.currents import state_of
from delayprop.fast.physics.others import set_others
from delayprop.fast.physics.response import excitation, gradients_at_arrival, response

O = AMOUNTS * LANES  # column of amounts of other states, behind those of `fast.cpu.deposit`


@inlined
def _amounts(delay, time, into, lane, w, pack):
    """What an arrival adds to `V, I, O` at the end of its bin, and the most that it adds to the
    level in it."""
    _, rest, _ = arrival_of(delay, time, pack.ticks)
    h = left_in_bin(rest, pack.ticks)
    V, I, O = response(h, into, lane, pack.others, pack.coefficients, pack.clock.terms, pack.clock.one)
    dV, dI, dO = w * V, w * I, (w * O[0], w * O[1])
    of_A = coefficients_a(pack.others, pack.learned, pack.clock.terms)
    return dV, dI, dO, excitation(dV, dO, into, lane, pack.coefficients, of_A, pack.others, pack.clock.zero)


@vectorised
def deposit_reached(first, last, spikes, pack, links, cells, more, places, scratch):
    """Deposit spikes `first..last-1` in one pack, where arrivals reach other states.

    `V` and `I` are added to the cells, and the spike is linked into the chain there; other states
    are added to `more`, `places` numbers for each. Arrays are pointers.
    """
    others, size = pack.others, MOST_AMOUNTS * LANES
    for start in range(first, last, SIDE_BY_SIDE):
        stop = min(start + SIDE_BY_SIDE, last)
        for n in range(start, stop):
            time, row, into = spikes.time[n], spikes.source[n] * LANES, state_of(spikes.source[n], pack)
            delay, w = moved(pack.delay, row), moved(pack.w, row)
            address, amount = moved(scratch.address, (n - start) * LANES), moved(scratch.amount, (n - start) * size)
            for lane in range(LANES):
                address[lane], _ = address_of(delay[lane], time, lane, pack.ticks, CELL)
                dV, dI, dO, up = _amounts(delay[lane], time, into, lane, w[lane], pack)
                amount[V + lane], amount[I + lane], amount[UP + lane] = dV, dI, up
                set_others(amount, AMOUNTS, lane, dO, others)
        # After all amounts are computed: LLVM would hand them on lane by lane (LOG, 11-29).
        for n in range(start, stop):
            address, amount = moved(scratch.address, (n - start) * LANES), moved(scratch.amount, (n - start) * size)
            add_row(cells, address, amount, moved(links.next, (n & links.mask) * LANES), np.int32(n))
            for k in range(len(others.reached)):
                here, of = moved(more, k * places), moved(amount, O + k * LANES)
                for lane in range(LANES):
                    here[address[lane] >> 2] += of[lane]  # the place: a cell has 4 numbers


@inlined
def deposit_reached_in_bin(place0, n, time, source, lane, pack, links, cells, more, places):
    """Deposit spike `n` at one lane, if it arrives there in the bin in which it is emitted, where
    arrivals reach other states.

    `place0`: of lane 0 in that bin. `more`: the deposits of other states, `places` numbers for
    each. Arrays are pointers. Returns whether it arrives there.
    """
    delay = pack.delay[source * LANES + lane]
    address, carried = address_of(delay, time, lane, pack.ticks, CELL)
    if carried or address != CELL * (place0 + lane):
        return False
    dV, dI, dO, up = _amounts(delay, time, state_of(source, pack), lane, pack.w[source * LANES + lane], pack)
    links.next[(n & links.mask) * LANES + lane] = add_to_cell(cells, address, dV, dI, up, np.int32(n))
    for k in range(len(pack.others.reached)):
        more[k * places + place0 + lane] += dO[k]
    return True


@inlined
def gather_states(ring, address, found, others):
    """Gather the adjoint of every lane from its `address` in the ring into `found`, a row of LANES
    per state. Returns a bit per lane, set where the adjoint is NaN. Arrays are pointers."""
    return gather_threes(ring, address, found) if len(others.states) == 1 else gather_fours(ring, address, found)


@vectorised
def add_reached(k, time, source, pack, scratch):
    """Add `(A e).p` and `e.p` at the arrivals of spike `k` of a group to the piece of its source.

    The adjoint at the ends of their bins is in `scratch.terms`; `(A e).p` overwrites its first row,
    where the gradient of the spike's time reads it. Arrays are pointers.
    """
    others, terms, zero, one = pack.others, pack.clock.terms, pack.clock.zero, pack.clock.one
    of_A, into, p = coefficients_a(others, pack.learned, terms), state_of(source, pack), terms_of(k, others, scratch)
    delay = moved(pack.delay, source * LANES)
    add = moved(scratch.piece, source * (TERMS * LANES))
    for lane in range(LANES):
        _, rest, _ = arrival_of(delay[lane], time, pack.ticks)
        there = p[lane], p[LANES + lane], p[2 * LANES + lane], p[3 * LANES + lane]
        along, of_w = gradients_at_arrival(
            there, left_in_bin(rest, pack.ticks), into, lane, pack.coefficients, of_A, others, pack.coefficients, terms,
            one,
        )
        is_number = there[0] == there[0]  # nan-ok: NaN marks a bin with own events
        along, of_w = along if is_number else zero, of_w if is_number else zero
        p[OF_V + lane] = along
        add[OF_V + lane] += along
        add[OF_I + lane] += of_w
