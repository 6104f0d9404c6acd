"""Numba's simulator of a GPU with small blocks, and with threads that wait for each other.

Its own blocks ask all the time whether their threads wait, and so take turns of Python from these
threads: half of the time of a process that compiles.
"""

import sys
from threading import Barrier, BrokenBarrierError
from typing import Any

import numpy as np

PATIENCE = 600.0  # s: another thread may compile


def small_blocks() -> None:
    """Changes the simulator, and the sizes of blocks, in this process."""
    from numba.cuda.simulator.kernel import BlockManager, BlockThread
    from numba.cuda.simulator.kernelapi import FakeCUDAShared

    from delayprop.fast.cuda import launches

    assert launches.SIMULATED
    launches.WARP = launches.TOGETHER = 3
    launches.THREADS = 16  # two blocks to a pack
    BlockManager.run = run_block
    BlockThread.syncthreads = lambda thread: thread._manager.barrier.wait(PATIENCE)
    FakeCUDAShared.array = shared_array


def run_block(block: Any, place: tuple[int, ...], *arguments: Any) -> None:
    """Runs the threads of a block. One that raises breaks the barrier of the others at once; where
    one returns while others wait, these raise after `PATIENCE`."""
    from numba.cuda.simulator.kernel import BlockThread

    def run() -> None:
        try:
            block._f(*arguments)
        except BaseException:
            block.barrier.abort()
            raise

    threads = [BlockThread(run, block, place, thread, False) for thread in np.ndindex(*block._block_dim)]
    block.barrier = Barrier(len(threads))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = [thread.exception for thread in threads if thread.exception]
    for error, traceback in sorted(failed, key=lambda one: isinstance(one[0], BrokenBarrierError)):
        raise error.with_traceback(traceback)


def shared_array(shared: Any, shape: Any, dtype: Any) -> np.ndarray:
    """`cuda.shared.array`; the simulator's own gives two arrays where two threads ask at once."""
    from numba.np.numpy_support import as_dtype

    line = sys._getframe(1)
    return shared._allocations.setdefault((line.f_code.co_filename, line.f_lineno), np.empty(shape, as_dtype(dtype)))
