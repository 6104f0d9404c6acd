"""Pieces of a layer on threads that stay, and the check of spike trains in one pass."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from delayprop.fast.cpu.threads import _pool, asked_between_pieces, in_threads
from delayprop.fast.nn.conversion import are_trains
from tests import ROOT

both_at_work = threading.Barrier(2)


def piece_and_thread(piece: int) -> tuple[int, threading.Thread]:
    if piece < 3:
        both_at_work.wait(timeout=60)
    return piece, threading.current_thread()


def test_pieces_come_in_order_from_threads_that_stay(use_threads: Callable[[int], None]) -> None:
    use_threads(2)
    first, second = in_threads(piece_and_thread, [1, 2, 3]), in_threads(piece_and_thread, [1, 2])
    assert [piece for piece, _ in first] == [1, 2, 3]
    assert len({thread for _, thread in first}) == 2
    assert {thread for _, thread in first} == {thread for _, thread in second}


def test_an_error_of_a_piece_is_raised_once_all_have_ended(use_threads: Callable[[int], None]) -> None:
    use_threads(2)
    ended = []

    def solve(piece: float) -> None:
        time.sleep(piece)
        ended.append(1 / piece)

    with pytest.raises(ZeroDivisionError):
        in_threads(solve, [0.0, 0.5, 0.25])
    assert sorted(ended) == [2.0, 4.0]


def test_nothing_waits_for_a_thread_that_has_no_processor(use_threads: Callable[[int], None]) -> None:
    """The other thread is held up; the caller's own does all pieces."""
    use_threads(2)
    held, own = threading.Event(), threading.current_thread()
    _pool(1).submit(held.wait, 60)
    try:
        assert in_threads(lambda piece: (piece, threading.current_thread()), [1, 2, 3]) == [(n, own) for n in (1, 2, 3)]
    finally:
        held.set()


def test_an_exit_in_another_thread_reaches_the_caller(use_threads: Callable[[int], None]) -> None:
    use_threads(2)
    meet = threading.Barrier(2)

    def solve(piece: int) -> None:
        meet.wait(timeout=60)
        if threading.current_thread() is not threading.main_thread():
            raise SystemExit(3)

    with pytest.raises(SystemExit, match="3"):
        in_threads(solve, [0, 1])


@pytest.mark.parametrize("number", [1, 2])
def test_a_check_may_end_the_work_between_pieces(number: int, use_threads: Callable[[int], None]) -> None:
    """Threads begin no piece after it has raised; without the check all are done."""
    done: list[int] = []

    def check() -> None:
        if len(done) >= 3:
            raise InterruptedError

    def solve(piece: int) -> None:
        time.sleep(0.01)
        done.append(piece)

    use_threads(number)
    with asked_between_pieces(check), pytest.raises(InterruptedError):
        in_threads(solve, range(20))
    assert 3 <= len(done) < 3 + number
    in_threads(solve, range(20))
    assert len(done) >= 23


@pytest.mark.full
def test_a_fork_starts_threads_of_its_own() -> None:
    """The threads of the parent do not exist in a fork: work handed to them would wait for ever."""
    program = (
        "import os, torch; from delayprop.fast.cpu.threads import in_threads; torch.set_num_threads(2)\n"
        "assert in_threads(abs, [-1, -2]) == [1, 2]\n"
        "child = os.fork()\n"
        "if not child: os._exit(in_threads(abs, [-1, -2]) != [1, 2])\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, check=True, timeout=60)


instants = st.sampled_from([-1.0, -0.0, 0.0, 1.0, 2.0, 3.0, math.inf, math.nan])


@given(st.lists(st.lists(instants, max_size=3), max_size=4), st.lists(st.integers(-1, 1), max_size=5))
@example([[1.0, 2.0], [1.0]], [])
@example([], [])
def test_trains_are_checked_in_one_pass(trains: list[list[float]], off: list[int]) -> None:
    """Of trains in any state, with wrong offsets as well."""
    flat = np.array([time for train in trains for time in train], np.float64)
    offsets = np.cumsum([0, *map(len, trains)])
    offsets[: len(off)] += np.array(off[: len(offsets)], np.int64)
    cut = [flat[first:last] for first, last in pairwise(offsets)]
    right = (
        offsets[0] == 0 and offsets[-1] == len(flat) and (np.diff(offsets) >= 0).all()
        and all((0 <= train).all() and (train < math.inf).all() and (np.diff(train) >= 0).all() for train in cut)
    )
    assert are_trains(flat, offsets) == right
