"""A layer in pieces, on threads.

A piece is a block of neurons over some trials. Pieces do not depend on the number of threads. Each one writes arrays of
its own, which are added up in one order, so results are bitwise equal for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
import torch

PIECES = 16  # at least, given trials enough
BINS_PER_PIECE = 1000  # at least, so that a piece is worth a call: a small batch is one piece, on one thread

P = TypeVar("P")
R = TypeVar("R")


class Piece(NamedTuple):
    """Blocks of neurons `blocks`, over trials `first..last-1`."""

    blocks: slice
    first: int
    last: int


def pieces_of(trials: int, bins: int, blocks: int, together: bool) -> list[Piece]:
    """The pieces of a layer.

    Args:
        bins: of a trial; `blocks`: of the layer.
        together: whether all blocks belong to one piece, since their neurons reach each other.
    """
    side_by_side = blocks if together else 1
    chunks = min(trials, -(-PIECES * side_by_side // blocks), -(-trials * bins // BINS_PER_PIECE))
    edges = np.linspace(0, trials, chunks + 1).astype(int).tolist()
    return [
        Piece(slice(block, block + side_by_side), first, last)
        for block in range(0, blocks, side_by_side)
        for first, last in pairwise(edges)
    ]


def in_threads(solve: Callable[[P], R], pieces: Sequence[P]) -> list[R]:
    """`solve` of every piece, in order, on as many threads as torch uses; the kernels release the GIL."""
    threads = min(torch.get_num_threads(), len(pieces))
    if threads <= 1:
        return list(map(solve, pieces))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(solve, pieces))
