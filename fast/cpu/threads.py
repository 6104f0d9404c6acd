"""A layer in pieces, on threads.

A piece is a pack of neurons over some trials. Pieces do not depend on the number of threads, and
each one fills arrays of its own, which are added up in one order: results are bitwise equal for any
number of threads.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeVar

import torch

PIECES = 16  # at least, if there are enough trials
BINS_PER_PIECE = 2000  # about, so that a piece is worth a call: a small batch is one piece

P = TypeVar("P")
R = TypeVar("R")
_check: ContextVar[Callable[[], None]] = ContextVar("_check", default=lambda: None)


class Piece(NamedTuple):
    """Packs of neurons in trials `first..last-1`."""

    packs: slice
    first: int
    last: int


def pieces_of(trials: int, bins: int, packs: int, together: bool) -> list[Piece]:
    """The pieces of a layer of `packs` packs over `trials` trials of `bins` bins.

    `together`: whether each piece holds all packs, since their neurons reach each other.
    """
    each = packs if together else 1
    chunks = min(trials, -(-PIECES * each // packs), -(-trials * bins // BINS_PER_PIECE))
    edges = [trials * n // chunks for n in range(chunks + 1)]
    starts = range(0, packs, each)
    return [Piece(slice(start, start + each), first, last) for start in starts for first, last in pairwise(edges)]


@contextmanager
def asked_between_pieces(check: Callable[[], None]) -> Iterator[None]:
    """Context in which every piece begins with a call of `check`, which may raise.

    A kernel does not return to Python before its piece is done, so nothing else can end a layer of
    many pieces early.
    """
    before = _check.set(check)
    try:
        yield
    finally:
        _check.reset(before)


def in_threads(solve: Callable[[P], R], pieces: Sequence[P]) -> list[R]:
    """`solve` of each piece, in order, on at most as many threads as torch uses.

    Kernels release the GIL. The caller's own thread takes pieces too. A helper that has not begun
    when none is left is cancelled, so on a busy machine nobody waits for it. Once all have ended,
    the error of the first piece that has one is raised.
    """
    most = torch.get_num_threads()
    threads = min(most, len(pieces))
    check = _check.get()  # of the thread that calls

    def asking(piece: P) -> R:
        check()
        return solve(piece)

    if threads == 1:
        return list(map(asking, pieces))
    left, found = deque(range(len(pieces))), [Future[R]() for _ in pieces]

    def take() -> None:
        with suppress(IndexError):
            while True:
                number = left.popleft()
                try:
                    found[number].set_result(asking(pieces[number]))
                except Exception as error:
                    found[number].set_exception(error)

    helpers: list[Future[None]] = []
    try:
        for _ in range(threads - 1):
            helpers.append(_pool(most - 1).submit(take))
        take()
    finally:  # also after Ctrl-C: helpers write to arrays of the caller
        left.clear()
        wait(begun := [one for one in helpers if not one.cancel()])
    for one in begun:
        one.result()  # raises what is no `Exception`
    return [each.result() for each in found]


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that stay: to start them takes as long as a small layer."""
    return ThreadPoolExecutor(threads, "delayprop")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork has the pool, but not its threads
