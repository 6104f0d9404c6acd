"""Checks of `fast` alone: trials solved together, threads of a GPU, and the bound of a bin."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from math import inf
from typing import Any
from unittest import mock

import numpy as np
import torch
from numba import cuda

from delayprop.spec import VOLTAGE_READOUTS, Case, CrossEntropy
from tests.support.networks.neurons import ALL, FAST, RANGES
from tests.support.tolerances import U64, identity

THREADS = 12  # of `wrong_sum`: no power of two
STATES, INSTANTS = 150, np.linspace(0.0, 1.0, 65)  # of `excluded`: states, and instants of a bin
NEAR = 1e-9  # how far below the highest level a neuron must already be solved


def simulated() -> bool:
    return os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"


def wrong_batch(case: Case) -> float:
    """Gradients of three trials, in two pieces or chunks, against the sum of those of each; the
    inputs of a trial are those of the one before, of the next neuron each. A voltage is read if the
    loss reads one, or in a recurrent layer."""
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

            note = own_events.note_event
            sweeps = changed.enter_context(mock.patch.object(launches, "backward", wraps=launches.backward))

            def noting(event: int, *rest: Any) -> None:
                thread: Any = threading.current_thread()
                own = noted.setdefault((sweeps.call_count, event), set())
                own.add((tuple(thread.blockIdx), tuple(thread.threadIdx)))
                note(event, *rest)

            changed.enter_context(mock.patch.object(own_events, "note_event", noting))
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


def excluded() -> int:
    """How often the bound of a bin excludes that a level is passed, which an instant passes."""
    from delayprop.fast.layout.arrays import Others
    from delayprop.fast.physics.bin_step import level_may_pass, state_across_bin
    from delayprop.fast.physics.polynomials import EXACT
    from delayprop.fast.solving.matrices import matrices
    from delayprop.fast.solving.tables import tables

    found, post, width, random = 0, 3, 0.5, np.random.default_rng(7)
    for name in FAST:
        neuron = ALL[name]
        constants = np.array([random.uniform(*RANGES[each], post) for each in neuron.constants])
        key = neuron, constants.tobytes(), post, width, -1.0, np.float64, len(EXACT)
        flow, n = tables(*key)[1][0], matrices(neuron, constants)
        others = Others((0,) * len(n.c), (0,) * len(n.c) if n.reached else (), (0,) * n.currents)
        for lane in range(post):
            A, c = n.A[..., lane] * width, np.array([1.0, 0.0, *n.c[:, lane]])
            levels = c @ torch.linalg.matrix_exp(torch.from_numpy(np.multiply.outer(INSTANTS, A))).numpy()
            for state in random.normal(size=(STATES, len(A))):
                V, I, O = state[0], state[1], (*state[2:], 0.0, 0.0)[:2]
                end = state_across_bin(V, I, O, lane, flow, others)
                start, most = (levels @ state)[0], (levels @ state).max() - NEAR
                for up in (0.0, 3.0):  # a level that is passed lies above the start
                    may = level_may_pass((V, I, O), end, up, lane, flow, others, most + up, 0.0)
                    passed = most > start and not may
                    found += int(passed)
    return found
