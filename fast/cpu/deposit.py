"""Spikes under way: their arrivals, added up in the bins ahead.

The effect of an arrival on the state at the end of its bin is linear, so the arrivals of a bin are
added up in any order and without `exp`: a polynomial of the time left in the bin gives each amount.
A chain links the spikes that arrive, for the few bins that are solved event by event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fast.cpu.intrinsics import (
    CELL,
    CELL_I,
    CELL_LINK,
    CELL_UP,
    CELL_V,
    add_to_cell,
    clear_cell,
    moved,
    pointer,
)
from fast.physics.bin_step import arrival_amounts
from fast.physics.clock import SLOT
from fast.physics.compiling import allocating, compiled, inlined, vectorised
from fast.physics.polynomials import LANES, RAB, polynomial

SIDE_BY_SIDE = 16  # spikes whose deposits are computed before any is made


class SpikePointers(NamedTuple):
    """`rest, source` of spikes, as pointers."""

    rest: np.ndarray
    source: np.ndarray


class BlockPointers(NamedTuple):
    """Arrays of a `fast.physics.layout.Block`, as pointers."""

    packed_synapses: np.ndarray
    coefficients: np.ndarray
    flow: np.ndarray


class Ring(NamedTuple):
    """The bins ahead of a block, and as many again for arrivals that are never read.

    `cells [4 * places / 2]`: see `fast.cpu.intrinsics`. `integral [places / 2]`: the part that the
    arrivals of a bin add to the integral of the voltage in it; empty if no integral is read.
    """

    cells: np.ndarray
    integral: np.ndarray


class DepositScratch(NamedTuple):
    """`ring_offset, amount [SIDE_BY_SIDE, ...]`: the cells of deposits, and their amounts."""

    ring_offset: np.ndarray
    amount: np.ndarray


class Links(NamedTuple):
    """Chains of arrivals: `next`, pointer to `[mask + 1, LANES]`, by spike number `& mask`."""

    next: np.ndarray
    mask: int


@inlined
def spike_pointers(rest, source):
    """Pointers to spikes."""
    return SpikePointers(pointer(rest), pointer(source))


@inlined
def block_pointers(layer, b):
    """Pointers to block `b` of a layer."""
    return BlockPointers(pointer(layer.packed_synapses[b]), pointer(layer.coefficients[b]), pointer(layer.flow[b]))


@compiled
def ring_places(slots):
    """Places of a ring: bins ahead, as many for arrivals never read, and one bin for a carry."""
    return (2 * slots + 1) * SLOT


@allocating
def empty_ring(slots, integral_read, clock):
    """A ring of `slots` bins."""
    places = ring_places(slots)
    return Ring(np.full(CELL * places // 2, clock.zero), np.full(places // 2 if integral_read else 0, clock.zero))


@compiled
def clear_ring(ring, clock):
    """Empty a ring."""
    cells = pointer(ring.cells)
    for p in range(ring.cells.size // CELL):
        clear_cell(cells, p)
    ring.integral[:] = clock.zero


@allocating
def deposit_scratch(packed_synapses):
    """Scratch of the precision of `packed_synapses`."""
    return DepositScratch(
        np.empty((SIDE_BY_SIDE, LANES), np.int32), np.zeros((SIDE_BY_SIDE, CELL * LANES), packed_synapses.dtype)
    )


@compiled
def most_under_way(arriving, slots):
    """The most spikes of a trial within `slots` bins, rounded up to a power of two."""
    most = 1
    for trial in range(arriving.offsets.size - 1):
        oldest = arriving.offsets[trial]
        for n in range(arriving.offsets[trial], arriving.offsets[trial + 1]):
            while arriving.bin[oldest] <= arriving.bin[n] - slots:
                oldest += 1
            while n + 1 - oldest > most:
                most *= 2
    return most


@inlined
def arrival_of(q, row, lane, here, size, clock):
    """Time left in the bin of an arrival, and its place in the ring.

    `q`: rest of the spike; `here`: place of its bin.
    """
    x, p = clock.one - (q + row[2 * LANES + lane]), here + row[LANES + lane]
    if x <= clock.zero:
        x += clock.one
        p += clock.slot
    if p >= size:
        p -= size
    return x, p


@inlined
def fill(amounts, k, w, x, lane, coefficients, clock):
    """Set amounts `k` for an arrival of weight `w`, a time `x` before the end of its bin."""
    dV, dI = arrival_amounts(w, x, lane, coefficients, clock.terms)
    amounts[CELL * k + CELL_V] = dV
    amounts[CELL * k + CELL_I] = dI
    amounts[CELL * k + CELL_UP] = max(dV, clock.zero)
    amounts[CELL * k + CELL_LINK] = clock.zero


@vectorised
def deposit(here, size, first, last, spikes, block, clock, links, cells, scratch):
    """Add the arrivals of spikes `first..last-1`, emitted in the bin at `here`, to one block.

    Arrays are pointers. The loops over lanes have no branch, so they vectorise; only the additions
    to cells are done one by one.
    """
    for start in range(first, last, SIDE_BY_SIDE):
        stop = min(start + SIDE_BY_SIDE, last)
        for n in range(start, stop):
            q, row = spikes.rest[n], moved(block.packed_synapses, spikes.source[n] * (3 * LANES))
            to = moved(scratch.ring_offset, (n - start) * LANES)
            amounts = moved(scratch.amount, (n - start) * (CELL * LANES))
            for lane in range(LANES):
                x, p = arrival_of(q, row, lane, here, size, clock)
                to[lane] = np.int32(p) >> 1
                fill(amounts, lane, row[lane], x, lane, block.coefficients, clock)
        for n in range(start, stop):
            to = moved(scratch.ring_offset, (n - start) * LANES)
            amounts = moved(scratch.amount, (n - start) * (CELL * LANES))
            before = moved(links.next, (n & links.mask) * LANES)
            for lane in range(LANES):
                before[lane] = add_to_cell(cells, to[lane], amounts, lane, n)


@inlined
def deposit_in_bin(slot, n, q, row, lane, coefficients, clock, links, cells, amount):
    """Add the arrival of spike `n`, of rest `q`, at one lane, if it arrives in its own bin.

    `slot`: first cell of this bin; `amount`: scratch. Arrays are pointers. Returns whether it does.
    """
    x = clock.one - (q + row[2 * LANES + lane])
    if x <= clock.zero:
        return False
    fill(amount, 0, row[lane], x, lane, coefficients, clock)
    links.next[(n & links.mask) * LANES + lane] = add_to_cell(cells, slot + lane, amount, 0, n)
    return True


@vectorised
def deposit_integral(here, size, first, last, spikes, block, clock, integral):
    """Like `deposit` for an integral readout, without the factor `1/tau_mem`."""
    for n in range(first, last):
        q, row = spikes.rest[n], moved(block.packed_synapses, spikes.source[n] * (3 * LANES))
        for lane in range(LANES):
            x, p = arrival_of(q, row, lane, here, size, clock)
            rab = polynomial(block.coefficients, RAB, lane, x, clock.terms)
            integral[np.int32(p) >> 1] += row[lane] * (x * x * rab)
