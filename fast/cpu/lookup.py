"""The adjoint looked up at every arrival, for the gradients of weights, delays and spike times.

A ring holds the adjoint at the end of each bin ahead (which the sweep, backwards in time, has
passed). At an arrival it is multiplied by the factors of the spike (`fast.physics.factors`), as in
its deposit. Where a neuron has an own event in the bin, the ring holds NaN: those few arrivals are
looked up among the events (`fast.physics.own_events`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fast.cpu.arrivals import (
    FACTORS,
    SIDE_BY_SIDE,
    aligned,
    factors_at,
    place_of,
    pointers_of,
    set_factors,
    spike_pointers,
)
from fast.cpu.intrinsics import moved, pointer
from fast.cpu.rows import gather_row
from fast.physics.adjoint import ADJOINT, DRIVE, LAMBDA_I, LAMBDA_V, TAU_MEM, TAU_SYN, X, Y, Z, tau_back
from fast.physics.compiling import allocating, inlined, summing, vectorised
from fast.physics.factors import (
    adjoint_terms,
    both_factors,
    dL_dt_arrival,
    driven_a_bin_more,
    driven_dL_dt_arrival,
    driven_factors_of,
    driven_terms,
    factors_of,
    one_of,
)
from fast.physics.instants import arrival_of, carries, left_in_bin, masked, sum_of
from fast.physics.layout import FLOW_PM, FLOW_PS
from fast.physics.polynomials import LANES

TERMS, OF_V, OF_I, OF_G = 3, 0, LANES, 2 * LANES  # of a spike: columns, a lane each


class LookupScratch(NamedTuple):
    """Of each spike of a group, `[spikes, ...]`: SIDE_BY_SIDE, or the copies of own spikes if more.

    `factors [FACTORS, SIDE_BY_SIDE]`. Of its arrivals: `place [..., LANES]`, in the ring; `terms
    [..., TERMS * LANES]`, the adjoint there, and then its terms; `special`: one bit per lane whose
    arrival lies among own events. `listed [... * LANES]`: those arrivals, one after the other.
    """

    factors: np.ndarray
    place: np.ndarray
    terms: np.ndarray
    special: np.ndarray
    listed: np.ndarray


@allocating
def lookup_scratch(w):
    """Scratch of the precision of `w`."""
    return LookupScratch(
        aligned(FACTORS, SIDE_BY_SIDE, w), aligned(SIDE_BY_SIDE, LANES, np.empty(0, np.int32)),
        aligned(SIDE_BY_SIDE, TERMS * LANES, w), np.empty(SIDE_BY_SIDE, np.int64),
        np.empty(SIDE_BY_SIDE * LANES, np.int32),
    )


@inlined
def add_to_sums(lane, time, both, row, block, terms, keep, sums):
    """Add the terms of an arrival, whose adjoint is in `terms`, to the sums of its source; `both`:
    its factors; `row`: where the synapses of the source begin; `keep`: whether the terms take the
    place of the adjoint."""
    a, b, ab = one_of(carries(sum_of(block.delay[row + lane], time), time, block.ticks), both)
    V, I = terms[OF_V + lane], terms[OF_I + lane]
    is_nan = V != V  # nan-ok: NaN marks a bin with own events
    of_V, of_I = adjoint_terms(V, I, a, b, ab)
    of_V, of_I = block.clock.zero if is_nan else of_V, block.clock.zero if is_nan else of_I
    if keep:
        terms[OF_V + lane], terms[OF_I + lane] = of_V, of_I
    sums[OF_V + lane] += of_V  # [arrival-w], [arrival-d]
    sums[OF_I + lane] += of_I


@inlined
def add_group(start, stop, first, spikes, block, scratch, keep, sums, width):
    """`add_to_sums` for spikes `start..stop-1` of a group that began with `first`."""
    for n in range(start, stop):
        time, row = spikes.time[n], spikes.source[n] * LANES
        terms, add = moved(scratch.terms, (n - first) * (TERMS * LANES)), moved(sums, spikes.source[n] * width)
        if block.alike:
            both = factors_at(n - start, scratch.factors)
            for lane in range(LANES):
                add_to_sums(lane, time, both, row, block, terms, keep, add)
        else:
            for lane in range(LANES):
                both = both_factors(time, lane, True, block, block.clock.terms)
                add_to_sums(lane, time, both, row, block, terms, keep, add)


@vectorised
def gather(first, last, spikes, block, ring, scratch, keep, sums, width):
    """Look the adjoint up at the arrivals of spikes `first..last-1`.

    Adds their terms to `sums [sources, width]`, leaves them in `scratch.terms` if they are to be
    kept, and marks in `scratch.special` the arrivals among own events; returns whether there are
    any. Arrays are pointers.
    """
    any_special = 0
    for start in range(first, last, SIDE_BY_SIDE):
        stop = min(start + SIDE_BY_SIDE, last)
        if block.alike:
            set_factors(start, stop, spikes, block, True, scratch.factors)
        for n in range(start, stop):
            time, row, place = spikes.time[n], spikes.source[n] * LANES, moved(scratch.place, (n - first) * LANES)
            for lane in range(LANES):
                place[lane], _ = place_of(block.delay[row + lane], time, lane, block.ticks, 2)
        for k in range(start - first, stop - first):
            special = gather_row(ring, moved(scratch.place, k * LANES), moved(scratch.terms, k * (TERMS * LANES)))
            scratch.special[k] = special
            any_special |= special
        # Not above: LLVM would hand what is gathered on lane by lane. Two loops: a store under a
        # condition is slow without AVX-512.
        if keep:
            add_group(start, stop, first, spikes, block, scratch, True, sums, width)
        else:
            add_group(start, stop, first, spikes, block, scratch, False, sums, width)
    return any_special


@vectorised
def add_driven(first, last, spikes, block, full_adjoint_ring, ring, scratch, sums, width):
    """[readout-adjoint] Add the terms that an integral readout drives within the bins of arrivals
    just gathered.

    `full_adjoint_ring [places, ADJOINT + 1]`: at the ends of bins. Arrays are pointers.
    """
    ticks, terms, rate = block.ticks, block.clock.terms, block.rate
    for n in range(first, last):
        time, delay = spikes.time[n], moved(block.delay, spikes.source[n] * LANES)
        place, found = moved(scratch.place, (n - first) * LANES), moved(scratch.terms, (n - first) * (TERMS * LANES))
        add, x = moved(sums, spikes.source[n] * width), left_in_bin(masked(time, ticks.rest), ticks)
        for lane in range(LANES):
            _, _, carried = arrival_of(delay[lane], time, ticks)
            p, pm = place[lane] >> 1, block.flow[FLOW_PM + lane]
            is_number = ring[2 * p] == ring[2 * p]  # nan-ok: NaN marks a bin with own events
            g = full_adjoint_ring[p * (ADJOINT + 1) + DRIVE] if is_number else 0.0
            a, b, ab = factors_of(x, lane, block.coefficients, terms)
            ra, rab, e = driven_factors_of(x, a, pm, rate, lane, block.coefficients, terms)
            if carried:
                ra, rab, e = driven_a_bin_more(a, b, ab, ra, rab, e, rate, lane, block.flow)
            of_V, of_I, of_g = driven_terms(g, ra, rab, e, pm, block.flow[FLOW_PS + lane])
            found[OF_V + lane] += of_V
            found[OF_I + lane] += of_I
            found[OF_G + lane] = of_g
            add[OF_V + lane] += of_V
            add[OF_I + lane] += of_I
            add[OF_G + lane] += of_g


@vectorised
def add_all_tau(first, last, spikes, block, w, constants, full_adjoint_ring, ring, scratch, dL_dconstants):
    """[tau-flow] Add the terms of arrivals outside special bins to the gradients of the time
    constants. Arrays are pointers."""
    ticks, of_mem, of_syn = block.ticks, moved(dL_dconstants, TAU_MEM * LANES), moved(dL_dconstants, TAU_SYN * LANES)
    pm, ps = moved(constants, TAU_MEM * LANES), moved(constants, TAU_SYN * LANES)
    for n in range(first, last):
        time, row, place = spikes.time[n], spikes.source[n] * LANES, moved(scratch.place, (n - first) * LANES)
        for lane in range(LANES):
            _, rest, _ = arrival_of(block.delay[row + lane], time, ticks)
            h, p = float(left_in_bin(rest, ticks)), place[lane] >> 1
            there = moved(full_adjoint_ring, p * (ADJOINT + 1))
            X_before, Z_before = tau_back(
                there[LAMBDA_V], there[LAMBDA_I], there[X], there[Y], there[Z], h, there[DRIVE], pm[lane], ps[lane],
                lane, block, block.clock.terms,
            )
            weight = w[row + lane] if ring[2 * p] == ring[2 * p] else 0.0  # nan-ok: NaN marks a bin with own events
            of_mem[lane] += weight * X_before
            of_syn[lane] += weight * Z_before


@summing
def add_dL_dt_pre(first, last, source, block, scratch, dL_dt_pre):
    """[arrival-time] Add the derivative of the loss by each spike, from the terms of its arrivals.
    Pointers."""
    pm = moved(block.flow, FLOW_PM)
    for n in range(first, last):
        found, row = moved(scratch.terms, (n - first) * (TERMS * LANES)), source[n] * LANES
        w_b, w_ab, w_rab = moved(block.w_b, row), moved(block.w_ab, row), moved(block.w_rab, row)
        total = 0.0
        for lane in range(LANES):
            total += dL_dt_arrival(found[OF_V + lane], found[OF_I + lane], pm[lane], w_b[lane], w_ab[lane])
        if block.rate >= 0.0:
            for lane in range(LANES):
                total += driven_dL_dt_arrival(found[OF_G + lane], pm[lane], block.rate, w_ab[lane], w_rab[lane])
        dL_dt_pre[n] += total


@inlined
def look_up_plain(first, last, time, source, clock, want_tau, scratch, b, dL_dt_pre):
    """Add the terms of all arrivals of spikes `first..last-1`, a group of the scratch, but the
    special ones.

    `dL_dt_pre`: by spike, empty if not wanted. Returns whether there are special arrivals.
    """
    spikes, block, width = spike_pointers(time, source), pointers_of(b.block, clock), b.sums.shape[1]
    scratch_ = LookupScratch(
        pointer(scratch.factors), pointer(scratch.place), pointer(scratch.terms), pointer(scratch.special),
        pointer(scratch.listed),
    )
    ring, sums = pointer(b.ring), pointer(b.sums)
    any_special = gather(first, last, spikes, block, ring, scratch_, dL_dt_pre.size > 0, sums, width)
    if block.rate >= 0.0:
        add_driven(first, last, spikes, block, pointer(b.full_adjoint_ring), ring, scratch_, sums, width)
    if want_tau:
        add_all_tau(
            first, last, spikes, block, pointer(b.block.synapses.w), pointer(b.block.constants),
            pointer(b.full_adjoint_ring), ring, scratch_, pointer(b.dL_dconstants),
        )
    if dL_dt_pre.size > 0:
        add_dL_dt_pre(first, last, spikes.source, block, scratch_, pointer(dL_dt_pre))
    return any_special
