"""The adjoint looked up at every arrival, for the gradients of weights, delays and spike times.

A ring holds the adjoint at the end of each bin ahead (which the sweep, backwards in time, has
passed). At an arrival it is taken back by the time left in the bin, with the polynomials of its
deposit. Where a neuron has an own event in the bin, the ring holds NaN: these few arrivals are
looked up exactly (`fast.physics.own_events`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fast.cpu.deposit import SIDE_BY_SIDE, BlockPointers, arrival_of, spike_pointers
from fast.cpu.intrinsics import copy_pair, lowest_bit, moved, nan_bits, pointer
from fast.physics.adjoint import ADJOINT, DRIVE, TAU_MEM, TAU_SYN, X, Z, adjoint_in_bin, flow_back
from fast.physics.compiling import allocating, compiled, inlined, summing, vectorised
from fast.physics.layout import FLOW_PM, FLOW_PS
from fast.physics.own_events import add_arrival_among_events
from fast.physics.polynomials import LANES, RA, RAB, polynomial


class LookupScratch(NamedTuple):
    """Results for each spike of a group, `[SIDE_BY_SIDE, ...]`.

    Of its arrivals: `ring_offset [..., LANES]`, their cells; `found [..., 2 * LANES]`, `lambda_V,
    lambda_I` there; `driven [..., LANES]`, the driving term; `special`: one bit per lane whose
    arrival must be looked up exactly.
    """

    ring_offset: np.ndarray
    found: np.ndarray
    driven: np.ndarray
    special: np.ndarray


@allocating
def lookup_scratch(packed_synapses):
    """Scratch of the precision of `packed_synapses`."""
    return LookupScratch(
        np.empty((SIDE_BY_SIDE, LANES), np.int32),
        np.empty((SIDE_BY_SIDE, 2 * LANES), packed_synapses.dtype),
        np.empty((SIDE_BY_SIDE, LANES)),
        np.empty(SIDE_BY_SIDE, np.int64),
    )


@inlined
def left_in_bin(q, row, lane, clock):
    """Time left in the bin of an arrival of a spike of rest `q`."""
    x = clock.one - (q + row[2 * LANES + lane])
    if x <= clock.zero:
        x += clock.one
    return x


@vectorised
def gather(here, size, first, last, spikes, block, clock, ring, scratch, sums):
    """Look the adjoint up at the arrivals of spikes `first..last-1` (at most SIDE_BY_SIDE).

    The spikes are emitted in the bin at `here`. Leaves `lambda_V, lambda_I` in `scratch.found`,
    adds `lambda_I` and `lambda_V - lambda_I` to `sums [source]`, and marks in `scratch.special` the
    arrivals that need an exact look-up. Returns whether there are any. Arrays are pointers.
    """
    for n in range(first, last):
        q, row = spikes.rest[n], moved(block.packed_synapses, spikes.source[n] * (3 * LANES))
        to = moved(scratch.ring_offset, (n - first) * LANES)
        for lane in range(LANES):
            _, p = arrival_of(q, row, lane, here, size, clock)
            to[lane] = np.int32(p) >> 1
    any_special = 0
    for n in range(first, last):
        to, found = moved(scratch.ring_offset, (n - first) * LANES), moved(scratch.found, (n - first) * (2 * LANES))
        for lane in range(LANES):
            copy_pair(ring, to[lane], found, lane)
    for n in range(first, last):
        scratch.special[n - first] = nan_bits(moved(scratch.found, (n - first) * (2 * LANES)))
        any_special |= scratch.special[n - first]
    for n in range(first, last):
        q, row = spikes.rest[n], moved(block.packed_synapses, spikes.source[n] * (3 * LANES))
        found, add = moved(scratch.found, (n - first) * (2 * LANES)), moved(sums, spikes.source[n] * (2 * LANES))
        for lane in range(LANES):
            V, I = found[2 * lane], found[2 * lane + 1]
            is_nan = V != V  # nan-ok: NaN marks a bin with own events
            V, I = adjoint_in_bin(V, I, left_in_bin(q, row, lane, clock), lane, block.coefficients, clock.terms)
            V, I = clock.zero if is_nan else V, clock.zero if is_nan else I
            found[2 * lane], found[2 * lane + 1] = V, I
            add[lane] += I  # [arrival-w]
            add[LANES + lane] += V - I  # [arrival-d]
    return any_special


@vectorised
def add_driven(first, last, spikes, block, clock, full_adjoint_ring, ring, scratch, sums):
    """[readout-adjoint] Add the drive of an integral readout within the bins of gathered arrivals.

    `full_adjoint_ring [places / 2, ADJOINT + 1]`: at the ends of bins. Arrays are pointers.
    """
    for n in range(first, last):
        to, found = moved(scratch.ring_offset, (n - first) * LANES), moved(scratch.found, (n - first) * (2 * LANES))
        g_of = moved(scratch.driven, (n - first) * LANES)
        for lane in range(LANES):
            p = to[lane]
            is_number = ring[2 * p] == ring[2 * p]  # nan-ok: NaN marks a bin with own events
            g_of[lane] = full_adjoint_ring[p * (ADJOINT + 1) + DRIVE] if is_number else 0.0
        q, row = spikes.rest[n], moved(block.packed_synapses, spikes.source[n] * (3 * LANES))
        add = moved(sums, spikes.source[n] * (2 * LANES))
        for lane in range(LANES):
            x = left_in_bin(q, row, lane, clock)
            g = -block.flow[FLOW_PM + lane] * g_of[lane] * x
            V = g * polynomial(block.coefficients, RA, lane, x, clock.terms)
            I = g * block.flow[FLOW_PS + lane] * x * polynomial(block.coefficients, RAB, lane, x, clock.terms)
            found[2 * lane] += V
            found[2 * lane + 1] += I
            add[lane] += I
            add[LANES + lane] += V - I


@compiled
def add_tau(first, last, rest, source, clock, ring_offset, b):
    """[tau-flow] Add the terms of plain arrivals to the gradients of the time constants."""
    for n in range(first, last):
        q, row, to = rest[n], b.block.packed_synapses[source[n]], ring_offset[n - first]
        for lane in range(LANES):
            x, p = left_in_bin(q, row, lane, clock), to[lane]
            at_end = b.full_adjoint_ring[p]
            if b.ring[2 * p] != b.ring[2 * p] or row[lane] == clock.zero:  # nan-ok: NaN marks a bin with own events
                continue
            for k in range(ADJOINT):
                b.other[k, lane] = at_end[k]
            flow_back(b.other, lane, float(x), at_end[DRIVE], b.block, clock.terms, True)
            b.dL_dconstants[TAU_MEM, lane] += row[lane] * b.other[X, lane]
            b.dL_dconstants[TAU_SYN, lane] += row[lane] * b.other[Z, lane]


@summing
def add_dL_dt_pre(first, last, source, packed_synapses, found, dL_dt_pre):
    """[arrival-time] Add to each spike's derivative `sum w (lambda_V - lambda_I)` over arrivals.

    Arrays are pointers.
    """
    for n in range(first, last):
        row, at_arrivals = moved(packed_synapses, source[n] * (3 * LANES)), moved(found, (n - first) * (2 * LANES))
        total = 0.0
        for lane in range(LANES):
            total += row[lane] * (at_arrivals[2 * lane] - at_arrivals[2 * lane + 1])
        dL_dt_pre[n] += total


@inlined
def look_up_plain(here, size, first, last, rest, source, clock, want_tau, scratch, b, dL_dt_pre):
    """Add the terms of all arrivals of spikes `first..last-1`, except special ones.

    There are at most SIDE_BY_SIDE spikes. `here`: place of their bin; `dL_dt_pre`: by spike, empty
    unless wanted. Returns whether there are special arrivals.
    """
    spikes, block = spike_pointers(rest, source), b.block
    block_ = BlockPointers(pointer(block.packed_synapses), pointer(block.coefficients), pointer(block.flow))
    scratch_ = LookupScratch(
        pointer(scratch.ring_offset), pointer(scratch.found), pointer(scratch.driven), pointer(scratch.special)
    )
    ring, sums = pointer(b.ring), pointer(b.sums)
    any_special = gather(here, size, first, last, spikes, block_, clock, ring, scratch_, sums)
    if block.rate >= 0.0:
        add_driven(first, last, spikes, block_, clock, pointer(b.full_adjoint_ring), ring, scratch_, sums)
    if want_tau:
        add_tau(first, last, rest, source, clock, scratch.ring_offset, b)
    if dL_dt_pre.size > 0:
        add_dL_dt_pre(first, last, spikes.source, block_.packed_synapses, scratch_.found, pointer(dL_dt_pre))
    return any_special


@inlined
def look_up_special(bin_, base, first, last, rest, source, clock, want_tau, scratch, b, dL_dt_pre):
    """Look up exactly the special arrivals of spikes `first..last-1`, emitted in bin `bin_`.

    `base`: first spike of their group.
    """
    for n in range(first, last):
        bits = scratch.special[n - base]
        while bits:
            lane = lowest_bit(bits)
            bits &= bits - 1
            slot = scratch.ring_offset[n - base, lane] - lane
            per_weight = add_arrival_among_events(rest[n], source[n], lane, bin_, slot, clock, want_tau, b)
            if dL_dt_pre.size > 0:
                # The product is formed here, where the compiler fuses it with the sum.
                dL_dt_pre[n] += b.block.packed_synapses[source[n], lane] * per_weight
