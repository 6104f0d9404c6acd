"""The adjoint looked up at every arrival: what a weight, a delay and the time of a spike are worth.

The adjoint at the end of each bin is kept in a ring of the bins ahead (which have been passed, backwards in time). An
arrival takes it back by the time left in its bin, with the same polynomials as its deposit. Where a neuron has an own
event the ring holds NaN: these few arrivals are looked up exactly (`fast.physics.adjoint.look_up`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fast.cpu.deposit import SIDE_BY_SIDE
from fast.cpu.packing import FLOW_PM, FLOW_PS
from fast.cpu.pointers import copy_pair, lowest_bit, moved, nan_bits, pointer
from fast.physics.adjoint import ADJOINT, LAMBDA_I, LAMBDA_V, X, Z, flow_back, look_up
from fast.physics.compiling import allocating, compiled, inlined, summing, vectorised
from fast.physics.polynomials import LANES, PS_AB, RA, RAB, A, B, polynomial
from fast.physics.within_bin import MAX_BIN, MAX_GROUP, MAX_SLOPE

DRIVE = 5  # column of the ring of whole adjoints, after those of `fast.physics.adjoint`: what drives it


class Scratch(NamedTuple):
    """What is found for each spike of a group, `[SIDE_BY_SIDE, ...]`.

    Of its arrivals: `place [..., LANES]` in the ring; `found [..., 2 * LANES]`: `lambda_V, lambda_I` there, and
    `driven [..., LANES]`, what drives them; `special`: a bit a lane, where they are to be looked up exactly.
    """

    place: np.ndarray
    found: np.ndarray
    driven: np.ndarray
    special: np.ndarray


@allocating
def scratch_for(rows):
    """Scratch of the precision of `rows`."""
    return Scratch(
        np.empty((SIDE_BY_SIDE, LANES), np.int32),
        np.empty((SIDE_BY_SIDE, 2 * LANES), rows.dtype),
        np.empty((SIDE_BY_SIDE, LANES)),
        np.empty(SIDE_BY_SIDE, np.int64),
    )


@vectorised
def gather(here, size, first, last, rest, source, rows, coefficients, at, ring, place, found, sums, special):
    """Look the adjoint up at the arrivals of spikes `first..last-1`, at most SIDE_BY_SIDE, emitted in bin `here`.

    Leaves `lambda_V, lambda_I` of each in `found`, adds `lambda_I` and `lambda_V - lambda_I` to `sums [source]`, and
    leaves in `special` which are to be looked up exactly; returns whether any are. Arrays come as pointers.
    """
    for n in range(first, last):
        q, row, to = rest[n], moved(rows, source[n] * (3 * LANES)), moved(place, (n - first) * LANES)
        for lane in range(LANES):
            x, p = at.one - (q + row[2 * LANES + lane]), here + row[LANES + lane]
            if x <= at.zero:
                p += at.slot
            if p >= size:
                p -= size
            to[lane] = np.int32(p) >> 1
    any_special = 0
    for n in range(first, last):
        to, what = moved(place, (n - first) * LANES), moved(found, (n - first) * (2 * LANES))
        for lane in range(LANES):
            copy_pair(ring, to[lane], what, lane)
    for n in range(first, last):
        special[n - first] = nan_bits(moved(found, (n - first) * (2 * LANES)))
        any_special |= special[n - first]
    for n in range(first, last):
        q, row, what = rest[n], moved(rows, source[n] * (3 * LANES)), moved(found, (n - first) * (2 * LANES))
        add = moved(sums, source[n] * (2 * LANES))
        for lane in range(LANES):
            x = at.one - (q + row[2 * LANES + lane])
            if x <= at.zero:
                x += at.one
            V, I = what[2 * lane], what[2 * lane + 1]
            is_nan = V != V
            I = I * polynomial(coefficients, B, lane, x, at.terms) + V * (
                x * polynomial(coefficients, PS_AB, lane, x, at.terms)
            )
            V = V * polynomial(coefficients, A, lane, x, at.terms)
            V, I = at.zero if is_nan else V, at.zero if is_nan else I  # nan-ok: a NaN marks a special lane
            what[2 * lane], what[2 * lane + 1] = V, I
            add[lane] += I
            add[LANES + lane] += V - I
    return any_special


@vectorised
def add_driven(first, last, rest, source, rows, coefficients, flow, at, whole_ring, ring, place, found, driven, sums):
    """Add what an integral readout drives within the bins of the arrivals that `gather` has just looked up.

    `whole_ring [places / 2, ADJOINT + 1]`: of the ends of bins. `driven`: scratch. Arrays come as pointers.
    """
    for n in range(first, last):
        to, what = moved(place, (n - first) * LANES), moved(found, (n - first) * (2 * LANES))
        g_of = moved(driven, (n - first) * LANES)
        for lane in range(LANES):
            p = to[lane]
            # nan-ok: a NaN marks a special lane
            g_of[lane] = whole_ring[p * (ADJOINT + 1) + DRIVE] if ring[2 * p] == ring[2 * p] else 0.0
        q, row, add = rest[n], moved(rows, source[n] * (3 * LANES)), moved(sums, source[n] * (2 * LANES))
        for lane in range(LANES):
            x = at.one - (q + row[2 * LANES + lane])
            if x <= at.zero:
                x += at.one
            g = -flow[FLOW_PM + lane] * g_of[lane] * x
            V = g * polynomial(coefficients, RA, lane, x, at.terms)
            I = g * flow[FLOW_PS + lane] * x * polynomial(coefficients, RAB, lane, x, at.terms)
            what[2 * lane] += V
            what[2 * lane + 1] += I
            add[lane] += I
            add[LANES + lane] += V - I


@compiled
def add_tau(
    first, last, rest, source, rows, constants, coefficients, at, ring, whole_ring, rate, place, adjoint, of_constants
):
    """Add to the gradients of the time constants what arrivals outside special bins are worth."""
    for n in range(first, last):
        q, row, to = rest[n], rows[source[n]], place[n - first]
        for lane in range(LANES):
            x, p = at.one - (q + row[2 * LANES + lane]), to[lane]
            whole = whole_ring[p]
            if x <= at.zero:
                x += at.one
            if ring[2 * p] != ring[2 * p] or row[lane] == at.zero:  # nan-ok: a NaN marks a special lane
                continue
            for k in range(ADJOINT):
                adjoint[k, lane] = whole[k]
            flow_back(adjoint, lane, float(x), whole[DRIVE], constants, coefficients, at.terms, rate, True)
            of_constants[0, lane] += row[lane] * adjoint[X, lane]
            of_constants[1, lane] += row[lane] * adjoint[Z, lane]


@inlined
def look_up_special(
    bin_, base, first, last, rest, source, rows, constants, coefficients, at, rate, scratch, kept, events, dL_dy, drive,
    adjoint, want_tau, sums, of_constants, worth,
):
    """Look up exactly the special arrivals of spikes `first..last-1`, emitted in bin `bin_`, of a group from `base` on.

    An arrival that pins the maximum that is read gains what lies beyond the kink as well.
    """
    for n in range(first, last):
        row, add, bits = rows[source[n]], sums[source[n]], scratch.special[n - base]
        while bits:
            lane = lowest_bit(bits)
            bits &= bits - 1
            r, target, w = rest[n] + row[2 * LANES + lane], bin_, row[lane]
            if r >= at.one:
                r, target = r - at.one, target + 1
            target += int(row[LANES + lane]) // (2 * LANES)
            if target == at.last and r > at.end:
                continue
            here = look_up(
                adjoint, lane, target, scratch.place[n - base, lane] - lane, float(r), events, drive, constants,
                coefficients, at, rate, want_tau,
            )
            V, I = adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane]
            if here >= 0 and kept[MAX_BIN, lane] == target and kept[MAX_GROUP, lane] > 0.0 and w != 0.0:
                # per unit of weight, as everything here is
                V += dL_dy[lane] * max(0.0, kept[MAX_SLOPE, lane] - constants[0, lane] * w) / w
            add[lane] += I
            add[LANES + lane] += V - I
            if worth.size > 0:
                worth[n] += w * (V - I)
            if want_tau:
                of_constants[0, lane] += w * adjoint[X, lane]
                of_constants[1, lane] += w * adjoint[Z, lane]


@summing
def worth_of_spikes(first, last, source, rows, found, worth):
    """Add `sum w (lambda_V - lambda_I)` over the arrivals of each spike to `worth`: what its time is worth.

    Arrays come as pointers.
    """
    for n in range(first, last):
        row, what, total = moved(rows, source[n] * (3 * LANES)), moved(found, (n - first) * (2 * LANES)), 0.0
        for lane in range(LANES):
            total += row[lane] * (what[2 * lane] - what[2 * lane + 1])
        worth[n] += total


@inlined
def look_up_plain(
    here, size, first, last, rest, source, rows, flow, constants, coefficients, at, rate, want_tau, ring, whole_ring,
    scratch, other, sums, of_constants, worth,
):
    """All that the arrivals of spikes `first..last-1`, at most SIDE_BY_SIDE, add to a block, but the special ones.

    `here`: the bin they are emitted in; `worth`: what the spikes are worth, by spike; empty: not wanted. Returns
    whether there are special ones.
    """
    rest_, source_, rows_, coefficients_ = pointer(rest), pointer(source), pointer(rows), pointer(coefficients)
    ring_, place_, found_, sums_ = pointer(ring), pointer(scratch.place), pointer(scratch.found), pointer(sums)
    any_special = gather(
        here, size, first, last, rest_, source_, rows_, coefficients_, at, ring_, place_, found_, sums_,
        pointer(scratch.special),
    )
    if rate >= 0.0:
        add_driven(
            first, last, rest_, source_, rows_, coefficients_, pointer(flow), at, pointer(whole_ring), ring_, place_,
            found_, pointer(scratch.driven), sums_,
        )
    if want_tau:
        add_tau(
            first, last, rest, source, rows, constants, coefficients, at, ring, whole_ring, rate, scratch.place, other,
            of_constants,
        )
    if worth.size > 0:
        worth_of_spikes(first, last, source_, rows_, found_, pointer(worth))
    return any_special
