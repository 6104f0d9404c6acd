"""Arrivals of a solved bin in order of time, and the flow over the gaps between them, side by side.

A neuron is followed from arrival to arrival, one after the other. The order of the arrivals and the
factors of the flow over each gap do not depend on its state: they are computed before, for all
arrivals of the bin at once.
"""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, compiled, inlined, vectorised
from delayprop.fast.cpu.intrinsics import moved, pointer
from delayprop.fast.cpu.short_rows import FEW, GAPS, count_before, polynomial_row
from delayprop.fast.layout.rows import block_size
from delayprop.fast.layout.sorting import insert_in_order, sort_by_rest
from delayprop.fast.physics.clock import end_of
from delayprop.fast.physics.within_bin import Arrivals


class GapScratch(NamedTuple):
    """The arrivals of one bin, `[room]`: `rest, weight`, those in step and then by current, the
    latest spike first in each; `rank` of the first FEW; `start`: of pieces of time, see
    `sort_by_pieces`.

    The gaps between them: `gap`, the length; `factors [block_size, room]`.
    """

    rest: np.ndarray
    weight: np.ndarray
    rank: np.ndarray
    start: np.ndarray
    gap: np.ndarray
    factors: np.ndarray


@allocating
def gap_scratch(most, w, others):
    """Scratch for `most` arrivals of a bin."""
    room = most + max(FEW, GAPS)  # whole rows are read and written
    return GapScratch(
        np.zeros(room, w.dtype), np.zeros(room, w.dtype), np.zeros(FEW, np.int32), np.zeros(room, np.int32),
        np.zeros(room),
        np.zeros((block_size(others), room)),
    )


@vectorised
def rank_few(found, count, rank):
    """Write the rank of each of `count` instants in order of time, at most FEW, into `rank`.

    Of equal instants the last one goes first. Pointers.
    """
    for n in range(FEW):
        rank[n] = 0
    for other in range(count):
        count_before(found, other, rank)


@inlined
def put_in_order(count, scratch, rest, weight):
    """Write the `count` arrivals of a scratch into `rest, weight` in order of time.

    At one instant, where arrivals commute, of those in step and of those at one current the earlier
    spike goes first, unless `sort_by_rest` sorts many.
    """
    if count <= FEW:
        rank_few(pointer(scratch.rest), count, pointer(scratch.rank))
        for n in range(count):
            rank = scratch.rank[n]
            rest[rank], weight[rank] = scratch.rest[n], scratch.weight[n]
        return
    sort_by_pieces(scratch.rest, scratch.weight, count, scratch.start, rest, weight)


@compiled
def sort_by_pieces(found, weights, count, start, rest, weight):
    """Write `count` arrivals into `rest, weight` in order of time: by piece, of `count` pieces of
    the bin, then by insertion, since most pieces have an arrival or two.

    If a piece has more than FEW, `sort_by_rest` sorts them: arrivals may crowd at one instant.
    `start`: scratch for a piece more, of arrivals at the end of the bin, and for one number more.
    """
    for n in range(count + 2):
        start[n] = 0
    for n in range(count):
        start[int(found[n] * count) + 1] += 1
    most = 0
    for n in range(count + 1):
        most = max(most, start[n + 1])
        start[n + 1] += start[n]
    for n in range(count):
        at, piece = n, int(found[n] * count)
        if most <= FEW:
            at = start[piece]
            start[piece] += 1
        rest[at], weight[at] = found[n], weights[n]
    if most <= FEW:
        insert_in_order(rest, weight, count)
    else:
        sort_by_rest(rest, weight, count)


@vectorised
def set_factors_of_gaps(rest, first, count, end, lane, coefficients, others, terms, gap, factors, room):
    """Set the factors of the gaps between `count` instants of a bin that ends at `end`, from gap
    `first` on. Arrays are pointers."""
    before = float(rest[first - 1]) if first > 0 else 0.0
    for n in range(first, count):
        gap[n] = float(rest[n]) - before
        before = float(rest[n])
    gap[count] = end - before
    for n in range(first, count + 1, GAPS):
        for entry in range(block_size(others)):
            polynomial_row(coefficients, entry, lane, moved(gap, n), terms, moved(factors, entry * room + n))


@inlined
def arrivals_with_gaps(rest, weight, first, count, bin_, lane, pack, clock, scratch):
    """`count` arrivals at a lane, in order of time, and the factors of the gaps from `first` on."""
    factors = scratch.factors
    set_factors_of_gaps(
        pointer(rest), first, count, end_of(bin_, clock), lane, pointer(pack.coefficients), pack.others,
        clock.terms, pointer(scratch.gap), pointer(factors), factors.shape[1],
    )
    return Arrivals(rest, weight, count, factors)
