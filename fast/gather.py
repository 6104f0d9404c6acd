"""The adjoint looked up at every arrival: what a weight, a delay and the time of a spike are worth.

The adjoint at the end of each bin is kept in a ring of the bins ahead (which have been passed, backwards in time). An
arrival takes it back by the time left in its bin, with the same polynomials as its deposit. Where a neuron has an own
event the ring holds NaN: these few arrivals are looked up exactly (`fast.adjoint.look_up`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fast.adjoint import ADJOINT, LAMBDA_I, LAMBDA_V, X, Z, flow_back, look_up
from fast.compiling import allocating, compiled, inlined, vectorised
from fast.deposit import SIDE_BY_SIDE
from fast.polynomials import LANES, PS_AB, RA, RAB, A, B, polynomial
from fast.solve import MAX_BIN, MAX_GROUP, MAX_SLOPE
from fast.synapses import FLOW_PM, FLOW_PS

DRIVE = 5  # column of the ring of whole adjoints, after those of `fast.adjoint`: what drives it


class Scratch(NamedTuple):
    """What is found for each spike of a group, `[SIDE_BY_SIDE, ...]`.

    Of its arrivals `[..., LANES]`: where they are in the ring; whether that is NaN; the adjoint there (V of all lanes,
    then I), and its drive. Whether any are to be looked up exactly.
    """

    place: np.ndarray
    nan: np.ndarray
    found: np.ndarray
    driven: np.ndarray
    special: np.ndarray


@allocating
def scratch_for(rows):
    """Scratch of the precision of `rows`."""
    return Scratch(
        np.empty((SIDE_BY_SIDE, LANES), np.int32),
        np.empty((SIDE_BY_SIDE, LANES), np.int32),
        np.empty((SIDE_BY_SIDE, 2 * LANES), rows.dtype),
        np.empty((SIDE_BY_SIDE, LANES)),
        np.empty(SIDE_BY_SIDE, np.int64),
    )


@vectorised
def gather(here, size, first, last, rest, source, rows, coefficients, at, ring, place, nan, found, sums, special):
    """Look the adjoint up at the arrivals of spikes `first..last-1`, at most SIDE_BY_SIDE, emitted in bin `here`.

    Leaves `lambda_V, lambda_I` of each in `found`, adds `lambda_I` and `lambda_V - lambda_I` to `sums [source]`, and
    marks in `special` the spikes with arrivals that are to be looked up exactly; returns whether there are any.
    """
    for n in range(first, last):
        q, row, to = rest[n], rows[source[n]], place[n - first]
        for lane in range(LANES):
            x, p = at.one - (q + row[2 * LANES + lane]), here + row[LANES + lane]
            if x <= at.zero:
                p += at.slot
            if p >= size:
                p -= size
            to[lane] = np.int32(p) & -2
    for n in range(first, last):
        to, what = place[n - first], found[n - first]
        for lane in range(LANES):
            p = np.uint32(to[lane])
            what[lane] = ring[p]
            what[LANES + lane] = ring[p + 1]
    any_special = 0
    for n in range(first, last):
        q, row, what, add, unknown = rest[n], rows[source[n]], found[n - first], sums[source[n]], nan[n - first]
        for lane in range(LANES):
            x = at.one - (q + row[2 * LANES + lane])
            if x <= at.zero:
                x += at.one
            V, I = what[lane], what[LANES + lane]
            is_nan = V != V
            unknown[lane] = np.int32(is_nan)
            I = I * polynomial(coefficients, B, lane, x, at.terms) + V * (
                x * polynomial(coefficients, PS_AB, lane, x, at.terms)
            )
            V = V * polynomial(coefficients, A, lane, x, at.terms)
            V, I = at.zero if is_nan else V, at.zero if is_nan else I
            what[lane] = V
            what[LANES + lane] = I
            add[lane] += I
            add[LANES + lane] += V - I
    for n in range(first, last):
        unknown, any_unknown = nan[n - first], 0
        for lane in range(LANES):
            any_unknown |= unknown[lane]
        special[n - first] = any_unknown
        any_special |= any_unknown
    return any_special


@vectorised
def add_driven(
    first, last, rest, source, rows, coefficients, flow, at, whole_ring, ring, place, found, driven, sums
):
    """Add what an integral readout drives within the bins of the arrivals that `gather` has just looked up.

    `whole_ring`: `[places / 2, ADJOINT + 1]`, of the ends of bins. `driven`: scratch.
    """
    for n in range(first, last):
        to, what, g_of = place[n - first], found[n - first], driven[n - first]
        for lane in range(LANES):
            p = np.uint32(to[lane])
            g_of[lane] = whole_ring[p >> 1, DRIVE] if ring[p] == ring[p] else 0.0
        q, row, add = rest[n], rows[source[n]], sums[source[n]]
        for lane in range(LANES):
            x = at.one - (q + row[2 * LANES + lane])
            if x <= at.zero:
                x += at.one
            g = -flow[FLOW_PM + lane] * g_of[lane] * x
            V = g * polynomial(coefficients, RA, lane, x, at.terms)
            I = g * flow[FLOW_PS + lane] * x * polynomial(coefficients, RAB, lane, x, at.terms)
            what[lane] += V
            what[LANES + lane] += I
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
            x, p = at.one - (q + row[2 * LANES + lane]), np.uint32(to[lane])
            whole = whole_ring[p >> 1]
            if x <= at.zero:
                x += at.one
            if ring[p] != ring[p] or row[lane] == at.zero:
                continue
            for k in range(ADJOINT):
                adjoint[k, lane] = whole[k]
            flow_back(adjoint, lane, float(x), whole[DRIVE], constants, coefficients, at.terms, rate, True)
            of_constants[0, lane] += row[lane] * adjoint[X, lane]
            of_constants[1, lane] += row[lane] * adjoint[Z, lane]


@compiled
def look_up_special(
    bin_, slots, n, rest, source, rows, constants, coefficients, at, rate, nan, found, kept, events, dL_dy, drive,
    adjoint, want_tau, sums, of_constants,
):  # fmt: skip
    """Look up exactly the special arrivals of spike `n`, emitted in bin `bin_`; `nan, found`: of this spike.

    An arrival that pins the maximum that is read gains what lies beyond the kink as well.
    """
    row, add = rows[source[n]], sums[source[n]]
    for lane in range(LANES):
        if not nan[lane]:
            continue
        r, target, w = rest[n] + row[2 * LANES + lane], bin_, row[lane]
        if r >= at.one:
            r, target = r - at.one, target + 1
        target += int(row[LANES + lane]) // (2 * LANES)
        if target == at.last and r > at.end:
            continue
        slot = (target % slots) * LANES
        here = look_up(
            adjoint, lane, target, slot, float(r), events, drive, constants, coefficients, at, rate, want_tau
        )
        V, I = adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane]
        if here >= 0 and kept[MAX_BIN, lane] == target and kept[MAX_GROUP, lane] > 0.0 and w != 0.0:
            # per unit of weight, as everything here is
            V += dL_dy[lane] * max(0.0, kept[MAX_SLOPE, lane] - constants[0, lane] * row[lane]) / row[lane]
        found[lane] = V
        found[LANES + lane] = I
        add[lane] += I
        add[LANES + lane] += V - I
        if want_tau:
            of_constants[0, lane] += row[lane] * adjoint[X, lane]
            of_constants[1, lane] += row[lane] * adjoint[Z, lane]


@compiled
def worth_of_spikes(first, last, source, rows, found, worth):
    """Add `sum w (lambda_V - lambda_I)` over the arrivals of each spike to `worth`: what its time is worth."""
    for n in range(first, last):
        row, what = rows[source[n]], found[n - first]
        total = 0.0
        for lane in range(LANES):
            total += row[lane] * (what[lane] - what[LANES + lane])
        worth[n] += total


@inlined
def look_up_arrivals(
    here, size, bin_, slots, first, last, rest, source, rows, flow, constants, coefficients, at, rate, want_tau, ring,
    whole_ring, kept, events, dL_dy, drive, scratch, other, sums, of_constants,
):  # fmt: skip
    """All that the arrivals of spikes `first..last-1`, at most SIDE_BY_SIDE, emitted in bin `bin_`, add to a block."""
    any_special = gather(
        here, size, first, last, rest, source, rows, coefficients, at, ring, scratch.place, scratch.nan, scratch.found,
        sums, scratch.special,
    )  # fmt: skip
    if rate >= 0.0:
        add_driven(
            first, last, rest, source, rows, coefficients, flow, at, whole_ring, ring, scratch.place, scratch.found,
            scratch.driven, sums,
        )  # fmt: skip
    if want_tau:
        add_tau(
            first, last, rest, source, rows, constants, coefficients, at, ring, whole_ring, rate, scratch.place, other,
            of_constants,
        )  # fmt: skip
    if any_special:
        for n in range(first, last):
            if scratch.special[n - first]:
                look_up_special(
                    bin_, slots, n, rest, source, rows, constants, coefficients, at, rate,
                    scratch.nan[n - first], scratch.found[n - first], kept, events, dL_dy, drive, other, want_tau,
                    sums, of_constants,
                )  # fmt: skip
