"""Spikes under way: their arrivals, added up in the bins ahead.

An arrival's effect on the state at the end of its bin is linear, so the arrivals of a bin are added up, in any order
and with no `exp`: a polynomial of the time left in the bin gives what each is worth. A chain keeps which they were, for
the few bins that are solved event by event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fast.cpu.cells import CELL, CELL_I, CELL_LINK, CELL_UP, CELL_V, add, clear
from fast.cpu.pointers import moved, pointer
from fast.physics.layout import Arriving
from fast.physics.clock import SLOT, Clock, split, stable_order
from fast.physics.compiling import allocating, compiled, inlined, vectorised
from fast.physics.polynomials import AB, LANES, RAB, B, polynomial

SIDE_BY_SIDE = 16  # spikes whose deposits are computed before they are made


class Ring(NamedTuple):
    """The bins ahead of a block: those that are read, and more for what arrives nowhere.

    `cells [4 * places / 2]`: what arrives in each bin and lane, see `fast.cpu.cells`. `integral [places / 2]`: what
    arrivals add to the integral of the voltage in their bin, if that is read.
    """

    cells: np.ndarray
    integral: np.ndarray


class Scratch(NamedTuple):
    """`ring_offset, amount [SIDE_BY_SIDE, ...]`: where deposits go, and what they are."""

    ring_offset: np.ndarray
    amount: np.ndarray


@compiled
def ring_places(slots):
    """Places of a ring: of the bins ahead, as many for what arrives nowhere, and a bin that such a sum may carry to."""
    return (2 * slots + 1) * SLOT


@allocating
def empty_ring(slots, integral_read, clock):
    """A ring of so many bins."""
    places = ring_places(slots)
    return Ring(np.full(CELL * places // 2, clock.zero), np.full(places // 2 if integral_read else 0, clock.zero))


@compiled
def clear_ring(ring, clock):
    """Nothing is under way."""
    cells = pointer(ring.cells)
    for p in range(ring.cells.size // CELL):
        clear(cells, p)
    ring.integral[:] = clock.zero


@allocating
def scratch_for(packed_synapses):
    """Scratch of the precision of `packed_synapses`."""
    return Scratch(np.empty((SIDE_BY_SIDE, LANES), np.int32), np.zeros((SIDE_BY_SIDE, CELL * LANES), packed_synapses.dtype))


@compiled
def most_under_way(arriving, slots):
    """The most spikes of a trial that are emitted within so many bins, rounded up to a power of two."""
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
def fill(amounts, k, w, x, lane, coefficients, clock):
    """Set amounts `k` to what an arrival of weight `w` adds to a cell, with `x` of its bin to go."""
    added = w * (x * polynomial(coefficients, AB, lane, x, clock.terms))
    amounts[CELL * k + CELL_V] = added
    amounts[CELL * k + CELL_I] = w * polynomial(coefficients, B, lane, x, clock.terms)
    amounts[CELL * k + CELL_UP] = max(added, clock.zero)
    amounts[CELL * k + CELL_LINK] = clock.zero


@vectorised
def deposit(here, size, first, last, rest, source, next_, mask, packed_synapses, coefficients, clock, cells, ring_offset, amount):
    """Add the arrivals of spikes `first..last-1`, emitted in bin `here`, to one block; arrays come as pointers.

    `next_`: links, `mask + 1` spikes long. The loops over lanes have no branch, so that the compiler does all lanes at
    once; what is left to do one by one is to add to a cell.
    """
    for start in range(first, last, SIDE_BY_SIDE):
        stop = min(start + SIDE_BY_SIDE, last)
        for n in range(start, stop):
            q, row = rest[n], moved(packed_synapses, source[n] * (3 * LANES))
            to, what = moved(ring_offset, (n - start) * LANES), moved(amount, (n - start) * (CELL * LANES))
            for lane in range(LANES):
                x, p, w = clock.one - (q + row[2 * LANES + lane]), here + row[LANES + lane], row[lane]
                if x <= clock.zero:
                    x += clock.one
                    p += clock.slot
                if p >= size:
                    p -= size
                to[lane] = np.int32(p) >> 1
                fill(what, lane, w, x, lane, coefficients, clock)
        for n in range(start, stop):
            to, what = moved(ring_offset, (n - start) * LANES), moved(amount, (n - start) * (CELL * LANES))
            before = moved(next_, (n & mask) * LANES)
            for lane in range(LANES):
                before[lane] = add(cells, to[lane], what, lane, n)


@inlined
def deposit_in_bin(slot, n, q, row, lane, next_, mask, coefficients, clock, cells, amount):
    """Add the arrival of spike `n`, of rest `q`, at one lane of a block in the bin that it is emitted in.

    `slot`: that bin's first cell; `amount`: scratch. Arrays come as pointers. Returns whether it is in that bin.
    """
    x = clock.one - (q + row[2 * LANES + lane])
    if x <= clock.zero:
        return False
    fill(amount, 0, row[lane], x, lane, coefficients, clock)
    next_[(n & mask) * LANES + lane] = add(cells, slot + lane, amount, 0, n)
    return True


@vectorised
def deposit_integral(here, size, first, last, rest, source, packed_synapses, coefficients, clock, integral):
    """The same for an integral readout, without the factor `1/tau_mem`."""
    for n in range(first, last):
        q, row = rest[n], moved(packed_synapses, source[n] * (3 * LANES))
        for lane in range(LANES):
            x, p = clock.one - (q + row[2 * LANES + lane]), here + row[LANES + lane]
            if x <= clock.zero:
                x += clock.one
                p += clock.slot
            if p >= size:
                p -= size
            integral[np.int32(p) >> 1] += row[lane] * (x * x * polynomial(coefficients, RAB, lane, x, clock.terms))
