"""Checks of trials solved together: their gradients, and the threads of a simulated GPU."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from math import inf
from typing import Any
from unittest import mock

import numpy as np
from numba import cuda

from delayprop.spec import VOLTAGE_READOUTS, Case, CrossEntropy
from tests.support.tolerances import U64, identity

THREADS = 12  # of `wrong_sum`: no power of two


def simulated() -> bool:
    """Whether a GPU is simulated."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"


def wrong_batch(case: Case) -> float:
    """Gradients of three trials, in two pieces or chunks, against the sum of those of each; the
    inputs of a trial are those of the one before, of the next neuron each. A voltage is read if the
    loss reads one, or in a recurrent layer."""
    import torch

    from delayprop.fast import Network, Spikes

    ((name, given),) = case.inputs.items()
    trains = [list(train) for train in given]
    trials = [[*trains[n:], *trains[:n]] for n in range(3)]
    read = next(((c.source, "mean_voltage") for c in case.network.connections if c.source == c.target), None)
    if isinstance(case.loss, CrossEntropy) and case.loss.readout in VOLTAGE_READOUTS:
        read = case.loss.population, case.loss.readout

    def gradients(chosen: list) -> np.ndarray:
        network = Network(case.network, torch.float64).requires_grad_()
        activity = network({name: Spikes.from_trains(chosen, case.duration)}, read)
        read_too = 0.0 if activity.y is None else activity.y.square().sum()
        (sum(spikes.times.square().sum() for spikes in activity.spikes.values()) + read_too).backward()
        return np.concatenate([p.grad.numpy().ravel() for p in network.parameters() if p.grad is not None])

    apart = sum(gradients([trial]) for trial in trials)
    noted: dict[tuple[int, int], set] = {}
    with two_pieces(noted):
        together = gradients(trials)
    if any(event < 0 or len(threads) > 1 for (_, event), threads in noted.items()):
        return inf
    return float(np.linalg.norm(together - apart) / np.linalg.norm(apart)) / identity(U64)


@contextmanager
def two_pieces(noted: dict[tuple[int, int], set]) -> Iterator[None]:
    """Three trials in two pieces; on a GPU in two chunks, and their arriving spikes in two waves.

    Collects the threads that note each event, by (sweep, event): two of them must not share one,
    though it shows no other way where they run one after the other, as in the simulator.
    """
    from delayprop.fast.cpu import threads

    with ExitStack() as changed:
        changed.enter_context(mock.patch.multiple(threads, PIECES=2, BINS_PER_PIECE=1))
        if simulated():
            from delayprop.fast.cuda import launches, workspace
            from delayprop.fast.physics import own_events

            note, swept = own_events.note_event, launches.backward
            sweeps: list[Any] = []

            def noting(event: int, *rest: Any) -> None:
                thread: Any = threading.current_thread()
                own = noted.setdefault((len(sweeps), event), set())
                own.add((tuple(thread.blockIdx), tuple(thread.threadIdx)))
                note(event, *rest)

            def sweep_back(*arguments: Any) -> Any:
                sweeps.append(arguments)
                return swept(*arguments)

            changed.enter_context(mock.patch.object(own_events, "note_event", noting))
            changed.enter_context(mock.patch.object(launches, "backward", sweep_back))
            changed.enter_context(mock.patch.multiple(workspace, chunks_of=lambda *_: 2, in_waves=two_waves))
        yield


def two_waves(offsets: Any, spikes: int, layer: Any, want_dt: bool) -> list[tuple[int, int, int, int]]:
    """Waves of the first trial, and of the others."""
    starts = offsets.tolist()
    edges = [0, 1, len(starts) - 1] if want_dt else [0, len(starts) - 1]
    return [(first, last, starts[first], starts[last]) for first, last in pairwise(edges)]


def wrong_sum() -> float:
    """Whether the sum over the threads of a block, in memory that is not 0, is wrong."""
    from delayprop.fast.cuda import recurrent_backward

    sum_of_all = recurrent_backward.sum_of_all

    @cuda.jit
    def kernel(values: Any, found: Any) -> None:
        thread = cuda.threadIdx.x
        found[thread] = sum_of_all(thread, cuda.blockDim.x, 2.0**thread, values)

    found = np.zeros(THREADS)
    kernel[1, THREADS](np.full(recurrent_backward.TOGETHER, np.nan), found)
    return 0.0 if (found == 2.0**THREADS - 1).all() else inf
