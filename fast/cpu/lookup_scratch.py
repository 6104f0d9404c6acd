"""Scratch of look-ups, and the sums of their terms.

The terms of PIECE arrivals of a synapse are added in the precision of the weights, and such pieces
in float64: the rounding error of a sum does not grow with the number of arrivals.
"""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import allocating, compiled, inlined
from delayprop.fast.cpu.arrivals import FACTORS, SIDE_BY_SIDE, aligned
from delayprop.fast.cpu.intrinsics import moved, pointer
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.physics.adjoint import ring_numbers
from delayprop.fast.physics.currents import currents

TERMS, OF_V, OF_I = 2, 0, LANES  # columns of `piece` and `sums`, LANES wide each; `terms` begins with them
PIECE = 128  # arrivals of a source that are added in the precision of the weights


class LookupScratch(NamedTuple):
    """Scratch per spike of a group, `[spikes, ...]`: of SIDE_BY_SIDE spikes, or of the copies of
    own spikes if these are more.

    `factors`: see `set_factors`. Of its arrivals: `address [..., LANES]` in the ring, of lane 0
    alone where they are in step (`fast.cpu.in_step`); `terms [..., ring_numbers * LANES]`, the
    adjoint there, and then its terms; `special`: one bit per lane whose arrival lies among own
    events. `listed [... * LANES]`: those arrivals, one after the other. `at_arrivals [8 +
    constants, LANES]`: the rows of `fast.cpu.sensitivities`. `piece [sources, TERMS * LANES]`: see
    `fast.physics.adjoint.PackAdjoint`; `added [sources]`: the number of spikes in it.
    """

    factors: np.ndarray
    address: np.ndarray
    terms: np.ndarray
    special: np.ndarray
    listed: np.ndarray
    at_arrivals: np.ndarray
    piece: np.ndarray
    added: np.ndarray


@inlined
def terms_of(k, others, scratch):
    """The rows of spike `k` of a group: first the numbers that its arrivals look up, a row of LANES
    for each number of the ring (`ring_numbers`); then the terms that follow from them. Pointers."""
    return moved(scratch.terms, k * (ring_numbers(others) * LANES))


@allocating
def lookup_scratch(w, others, constants):
    """Scratch for synapses `w [packs, sources, LANES]`, of their precision, and for the gradients
    of `constants` in `A`."""
    piece = aligned(w.shape[1], TERMS * LANES, w)
    at_arrivals = aligned(8 + constants, LANES, w)
    piece[:], at_arrivals[:] = 0.0, 0.0
    return LookupScratch(
        aligned(currents(others) * FACTORS, SIDE_BY_SIDE, w), aligned(SIDE_BY_SIDE, LANES, np.empty(0, np.int32)),
        aligned(SIDE_BY_SIDE, ring_numbers(others) * LANES, w), np.empty(SIDE_BY_SIDE, np.int64),
        np.empty(SIDE_BY_SIDE * LANES, np.int32), at_arrivals, piece, np.zeros(w.shape[1], np.int32),
    )


@inlined
def end_piece(source, piece, added, sums):
    """Add the piece of a source to its sums, and empty it. Arrays are pointers."""
    of, to = moved(piece, source * (TERMS * LANES)), moved(sums, source * (TERMS * LANES))
    for k in range(TERMS * LANES):
        to[k] += of[k]
        of[k] = 0.0
    added[source] = 0


@compiled
def end_pieces(scratch, sums):
    """Add the pieces of all sources to the sums, which then are complete."""
    for source in range(sums.shape[0]):
        end_piece(source, pointer(scratch.piece), pointer(scratch.added), pointer(sums))
