"""`solve` on the CPU: a problem packed, swept forward in pieces on threads, and ready for its backward sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fast.cpu.backward import backward_sweep
from fast.cpu.deposit import most_under_way
from fast.cpu.forward import forward_sweep
from fast.cpu.recurrent_backward import recurrent_backward_sweep
from fast.cpu.recurrent_forward import recurrent_sweep
from fast.cpu.sorting import sort_by_bin, sort_by_train
from fast.cpu.threads import Piece, in_threads, pieces_of
from fast.physics.clock import Clock
from fast.physics.layout import Arriving, Layer
from fast.physics.polynomials import LANES
from fast.physics.within_bin import NEURON_RECORD, NONE, Emitted
from fast.solving import packing
from fast.solving.problem import Problem
from fast.solving.solved import Solved, Sums, Trains, solved


class Found(NamedTuple):
    """What the forward sweep of a piece found: spikes in the order they were found, and where each trial ends in them."""

    emitted: Emitted
    ends: np.ndarray


@dataclass(frozen=True, eq=False)
class Swept:
    """What the forward sweeps of all pieces leave for the backward sweeps; see `fast.solving.solved.Swept`.

    Attributes:
        arriving, layer: arrays that the kernels read.
        pieces, found: in one order; `rank`: of all their spikes in that order, the place by (trial, neuron).
    """

    arriving: Arriving
    layer: Layer
    clock: Clock
    pieces: list[Piece]
    found: list[Found]
    rank: np.ndarray
    neuron_record: Tensor

    def backward(self, dL_dt_post: Tensor, dL_dy: Tensor, want_dt: bool, want_tau: bool) -> Sums:
        by_spike, g, record = dL_dt_post.numpy()[self.rank], dL_dy.numpy(), self.neuron_record.numpy()
        ends = np.cumsum([len(found.emitted.bin) for found in self.found])

        def sweep(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            (blocks, first, last), (emitted, trial_ends) = self.pieces[number], self.found[number]
            dL_dt = by_spike[ends[number] - len(emitted.bin) : ends[number]]
            given = (self.arriving, emitted, trial_ends, dL_dt, g, record, self.layer, self.clock, want_dt, want_tau)
            if self.layer.copies:
                return recurrent_backward_sweep(first, last, *given)
            return backward_sweep(blocks.start, first, last, *given)

        found = in_threads(sweep, range(len(self.pieces)))
        blocks, sources, _ = self.layer.packed_synapses.shape
        sums, dL_dconstants = np.zeros((blocks, sources, 2 * LANES)), np.zeros((blocks, 4, LANES))
        dL_dt_pre = np.zeros_like(found[0][1])
        for piece, (of_synapses, of_times, of_constants) in zip(self.pieces, found, strict=True):
            sums[piece.blocks] += of_synapses
            dL_dt_pre += of_times
            dL_dconstants[piece.blocks] += of_constants
        return Sums(*map(torch.from_numpy, (sums, dL_dt_pre, dL_dconstants)))


def solve(problem: Problem) -> Solved:
    """Solve a problem whose tensors lie on the CPU.

    Raises:
        UnsupportedError: more bins, in a trial or a delay, than can be counted.
        ArithmeticError: a neuron spikes too fast, or without end.
    """
    # Packing copies: a parameter or a time that is changed in place later does not reach the backward pass.
    arriving, order = _arriving(problem)
    delays = packing.delays(problem)
    layer = packing.layer(problem, delays, int(delays.longest))
    trains, swept = _swept(_arrays(arriving), _arrays(layer), problem)
    return solved(problem, layer, order, trains, swept)


def _arriving(problem: Problem) -> tuple[Arriving, Tensor]:
    """Arriving spikes as the kernels read them, without those after `T`, and which of the problem's spikes they are."""
    bin_, rest = packing.split(problem.times, problem)
    starts, counts = np.empty(problem.trials + 1, np.int64), np.empty(problem.clock.last + 2, np.int64)
    order, source = np.empty(len(bin_), np.int64), np.empty(len(bin_), np.int32)
    sort_by_bin(bin_.numpy(), problem.offsets.numpy(), counts, starts, order, source)
    kept = torch.from_numpy(order[: starts[-1]])
    parts = (bin_.index_select(0, kept), rest.index_select(0, kept), torch.from_numpy(source[: starts[-1]]))
    return Arriving(torch.from_numpy(starts), *parts), kept


def _swept(arriving: Arriving, layer: Layer, problem: Problem) -> tuple[Trains, Swept]:
    """The forward sweep: emitted spikes by (trial, neuron), and what the backward sweep needs."""
    clock, blocks = problem.clock, len(layer.constants)
    most, record = most_under_way(arriving, layer.slots), np.zeros((problem.trials, blocks, NEURON_RECORD, LANES))
    pieces = pieces_of(problem.trials, clock.last + 1, blocks, layer.copies > 0)

    def sweep(piece: Piece) -> tuple[Emitted, np.ndarray, int]:
        if layer.copies:
            return recurrent_sweep(piece.first, piece.last, arriving, most, layer, clock, record)
        return forward_sweep(piece.blocks.start, piece.first, piece.last, arriving, most, layer, clock, record)

    found = []
    for emitted, ends, stuck in in_threads(sweep, pieces):
        if stuck != NONE:
            raise ArithmeticError(f"neuron {stuck} of a layer spikes too fast, or without end; lower its weights")
        # Without the room that was left for more: it would be kept until the backward pass.
        found.append(Found(Emitted(*(part[: ends[-1]].copy() for part in emitted)), ends))
    trial = np.concatenate(
        [np.repeat(np.arange(piece.first, piece.last), np.diff(one.ends, prepend=0)) for piece, one in zip(pieces, found)]
    )
    neuron, bin_, rest, I = map(np.concatenate, zip(*(one.emitted for one in found)))
    offsets, rank = np.empty(problem.trials * layer.post + 1, np.int64), np.empty(len(trial), np.int64)
    sort_by_train(trial * layer.post + neuron, offsets, rank)  # the spikes of a train are in order of time already
    by_train = [torch.from_numpy(_placed(part, rank)) for part in (neuron, bin_, rest, I)]
    swept = Swept(arriving, layer, clock, pieces, found, rank, torch.from_numpy(record))
    return Trains(torch.from_numpy(offsets), *by_train), swept


def _placed(values: np.ndarray, rank: np.ndarray) -> np.ndarray:
    placed = np.empty_like(values)
    placed[rank] = values
    return placed


def _arrays(packed: tuple) -> tuple:
    """A named tuple of tensors as one of arrays that share their memory."""
    return type(packed)(*(part.numpy() if isinstance(part, Tensor) else part for part in packed))
