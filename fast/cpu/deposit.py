"""Spikes under way: their arrivals, added up in the bins ahead.

The effect of an arrival on the state at the end of its bin is linear, so the arrivals of a bin are
added up in any order and without `exp`: each amount is a product of factors of the spike and of the
synapse (`fast.physics.factors`). A chain links the spikes that arrive, for the few bins that are
solved event by event.
"""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, compiled, inlined, outermost, vectorised
from delayprop.fast.cpu.arrivals import (
    FACTORS,
    SIDE_BY_SIDE,
    address_of,
    aligned,
    factors_at,
    ring_at,
    ring_places,
    set_factors,
)
from delayprop.fast.cpu.in_step import list_in_step
from delayprop.fast.cpu.intrinsics import CELL, add_to_cell, clear_cell, moved, pointer
from delayprop.fast.cpu.rows import add_row
from delayprop.fast.layout.arrays import LANES, reads_integral
from delayprop.fast.layout.instants import left_in_bin
from delayprop.fast.layout.rows import FLOW_A_VI
from delayprop.fast.physics.currents import current_of, currents, lane_of_coefficients
from delayprop.fast.physics.factors import (
    arrival_amounts,
    both_factors,
    driven_a_bin_more,
    driven_factors_of,
    factors_of,
    integral_amount,
    one_of,
)

AMOUNTS, V, I, UP = 3, 0, LANES, 2 * LANES  # columns per spike, LANES wide each
MOST_AMOUNTS = AMOUNTS + 2  # with those of other states (`fast.cpu.reached`)


class Ring(NamedTuple):
    """The bins ahead of a pack, and one more for synapses that do not exist, which is never read.

    `cells [currents * 4 * places]`: see `fast.cpu.intrinsics`. `integral [places]`: the part that
    the arrivals of a bin add to the integral of the voltage in it; empty if no integral is read.
    `more [reached * places]`: deposits of other states, state by state (`fast.cpu.reached`).
    """

    cells: np.ndarray
    integral: np.ndarray
    more: np.ndarray


class DepositScratch(NamedTuple):
    """Scratch of a group of at most SIDE_BY_SIDE spikes.

    `factors`: see `set_factors`. `address [SIDE_BY_SIDE, LANES]`: of the cell that each arrival is
    added to. `amount [SIDE_BY_SIDE, MOST_AMOUNTS * LANES]`: the numbers that are added, in rows of
    AMOUNTS where arrivals reach no further states. Between groups, `fast.cpu.bin_ahead.unzip` has
    its rows in `amount`.
    """

    factors: np.ndarray
    address: np.ndarray
    amount: np.ndarray


class Links(NamedTuple):
    """Chains of arrivals: `next`, pointer to `[mask + 1, LANES]`, by spike number `& mask`; lists
    of spikes in step take the same mask."""

    next: np.ndarray
    mask: int


@allocating
def empty_ring(layer, packs, clock):
    """A ring of bins of some packs."""
    places = packs * ring_places(layer.ticks)
    return Ring(
        np.full(currents(layer.others) * CELL * places, clock.zero),
        np.full(places if reads_integral(layer) else 0, clock.zero),
        np.full(places * len(layer.others.reached), clock.zero),
    )


@compiled
def clear_ring(ring, clock):
    """Empty a ring."""
    cells = pointer(ring.cells)
    for p in range(0, ring.cells.size, CELL):
        clear_cell(cells, p)
    ring.integral[:], ring.more[:] = clock.zero, clock.zero


@allocating
def deposit_scratch(w, others):
    """Scratch of the precision of `w`."""
    return DepositScratch(
        aligned(currents(others) * FACTORS, SIDE_BY_SIDE, w), aligned(SIDE_BY_SIDE, LANES, np.empty(0, np.int32)),
        aligned(SIDE_BY_SIDE, MOST_AMOUNTS * LANES, w),
    )


@inlined
def scratch_pointers(scratch):
    """Pointers to scratch."""
    return DepositScratch(pointer(scratch.factors), pointer(scratch.address), pointer(scratch.amount))


@outermost
def most_under_way(arriving, span):
    """The most spikes of a trial within `span` bins, rounded up to a power of two."""
    most = 1
    for trial in range(arriving.offsets.size - 1):
        oldest = arriving.offsets[trial]
        for n in range(arriving.offsets[trial], arriving.offsets[trial + 1]):
            while arriving.bin[oldest] <= arriving.bin[n] - span:
                oldest += 1
            while n + 1 - oldest > most:  # a power of two, since numbers of spikes are masked
                most *= 2
    return most


@inlined
def set_amount(lane, carried, both, row, pack, amount):
    """Set the amounts of an arrival; `both`: its factors; `row`: where the synapses of its source
    begin."""
    vv, vi, ii = one_of(carried, both)
    dV, dI = arrival_amounts(vv, vi, ii, pack.w_I[row + lane], pack.w_V[row + lane])
    # The bound on the level leaves inhibition out (`fast.physics.bin_step.level_may_pass`).
    amount[V + lane], amount[I + lane], amount[UP + lane] = dV, dI, max(dV, pack.clock.zero)


@vectorised
def deposit(first, last, spikes, pack, links, cells, in_step, scratch):
    """[flow-cut] Deposit spikes `first..last-1` in one pack.

    Each arrival is added to the cell of its lane and bin, and linked into the chain there. A spike
    that arrives in step is listed instead (`fast.cpu.in_step`). Arrays are pointers. The loops over
    lanes have no branch, so the compiler handles many lanes with one instruction.
    """
    size = CELL * ring_places(pack.ticks)
    for start in range(first, last, SIDE_BY_SIDE):
        stop = min(start + SIDE_BY_SIDE, last)
        if pack.alike:
            set_factors(start, stop, spikes, pack, scratch.factors)
        for n in range(start, stop):
            k, time, row = n - start, spikes.time[n], spikes.source[n] * LANES
            current = current_of(spikes.source[n], pack)
            address, amount = moved(scratch.address, k * LANES), moved(scratch.amount, k * (AMOUNTS * LANES))
            if pack.any_shared and pack.shared_delay[spikes.source[n]] >= 0:
                both = factors_at(k, current, scratch.factors)
                list_in_step(n, time, spikes.source[n], both, links.mask, pack, in_step)
            elif pack.alike:
                both = factors_at(k, current, scratch.factors)
                for lane in range(LANES):
                    address[lane], carried = address_of(pack.delay[row + lane], time, lane, pack.ticks, CELL)
                    set_amount(lane, carried, both, row, pack, amount)
            else:
                for lane in range(LANES):
                    address[lane], carried = address_of(pack.delay[row + lane], time, lane, pack.ticks, CELL)
                    both = both_factors(time, current, lane, pack, pack.clock.terms)
                    set_amount(lane, carried, both, row, pack, amount)
        # In a loop of its own, so that the one above is vector code (LOG, 11-26).
        for n in range(start, stop):
            if pack.any_shared and pack.shared_delay[spikes.source[n]] >= 0:
                continue
            k = n - start
            address, amount = moved(scratch.address, k * LANES), moved(scratch.amount, k * (AMOUNTS * LANES))
            ring = ring_at(current_of(spikes.source[n], pack), cells, size)
            add_row(ring, address, amount, moved(links.next, (n & links.mask) * LANES), np.int32(n))


@inlined
def deposit_in_bin(place0, n, time, source, lane, pack, links, cells):
    """Deposit spike `n` at one lane, if it arrives there in the bin in which it is emitted.

    The arrival is added to the lane's cell, and linked into its chain.

    `place0`: of lane 0 in that bin. Arrays are pointers. Returns whether it arrives there.
    """
    at = source * LANES + lane
    address, carried = address_of(pack.delay[at], time, lane, pack.ticks, CELL)
    if carried or address != CELL * (place0 + lane):
        return False
    x = left_in_bin(time & pack.ticks.rest, pack.ticks)
    current = current_of(source, pack)
    at_current = lane_of_coefficients(current, lane, pack, pack.clock.terms)
    vv, vi, ii = factors_of(x, at_current, pack.coefficients, pack.clock.terms)
    ring = ring_at(current, cells, CELL * ring_places(pack.ticks))
    dV, dI = arrival_amounts(vv, vi, ii, pack.w_I[at], pack.w_V[at])
    links.next[(n & links.mask) * LANES + lane] = add_to_cell(
        ring, address, dV, dI, max(dV, pack.clock.zero), np.int32(n)
    )
    return True


@vectorised
def deposit_integral(first, last, spikes, pack, integral):
    """Add to `integral` what spikes `first..last-1` add to the integral readout in the bin of each
    arrival. Arrays are pointers.

    An integral is read of `li` alone, or of LIF: there is one current, and a ring with one number
    per place.
    """
    ticks, terms, rate = pack.ticks, pack.clock.terms, pack.rate
    for n in range(first, last):
        time, row = spikes.time[n], spikes.source[n] * LANES
        delay, w_I, w_V, w_y = (
            moved(pack.delay, row), moved(pack.w_I, row), moved(pack.w_V, row), moved(pack.w_y, row)
        )
        x = left_in_bin(time & ticks.rest, ticks)
        for lane in range(LANES):
            address, carried = address_of(delay[lane], time, lane, ticks, 1)
            vv, vi, ii = factors_of(x, lane, pack.coefficients, terms)
            pm = pack.flow[FLOW_A_VI + lane]
            yv, yi, e = driven_factors_of(x, vv, pm, rate, lane, pack.coefficients, terms)
            if carried:
                yv, yi, e = driven_a_bin_more(vv, vi, ii, yv, yi, e, pm, rate, lane, pack.flow)
            integral[address] += integral_amount(yv, yi, e, w_I[lane], w_V[lane], w_y[lane])
