"""The kernels over a whole layer: in pieces, on threads.

A piece is a block of neurons over some trials. The pieces do not depend on the number of threads, and each writes
arrays of its own, which are added up in one order: so results are bitwise the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from fast.cpu.backward import Given, backward_sweep
from fast.cpu.deposit import most_under_way
from fast.cpu.emitted import Emitted
from fast.cpu.forward import forward_sweep
from fast.cpu.packing import unpacked
from fast.cpu.recurrent_backward import recurrent_backward_sweep
from fast.cpu.recurrent_forward import recurrent_sweep
from fast.physics.clock import SLOT, Clock, stable_order
from fast.physics.layout import Arriving, Layer
from fast.physics.neuron_record import (
    EQUAL_MAXIMA,
    INTEGRAL,
    MAX_BIN,
    MAX_GROUP,
    MAX_REST,
    MAX_SLOPE,
    MAX_V,
    NEURON_RECORD,
    RECENT_BIN,
    SIMULTANEOUS_AT_MAXIMUM,
    SPIKE_AT_END,
    TIES,
)
from fast.physics.polynomials import LANES
from fast.physics.within_bin import NONE

PIECES = 16  # at least so many, if there are trials enough
BINS_A_PIECE = 1000  # and each is worth a call: a small batch is one piece, and runs on one thread


class Kernels:
    """One layer over some trials.

    Attributes, after `forward`:
        offsets: `[trials * post + 1]`: where each train of the emitted spikes begins.
        bin, rest, I: the emitted spikes, by (trial, neuron): instant, and current at the crossing.
        y: the voltage readout, `[trials, post]`; 0 without one.
        ties: `[trials, post]`, bits as in `fast.physics.within_bin`.
    """

    def __init__(self, arriving: Arriving, trials: int, layer: Layer, clock: Clock) -> None:
        self.arriving, self.trials, self.layer, self.post, self.clock = arriving, trials, layer, layer.post, clock
        self.blocks = len(layer.packed_synapses)
        together = self.blocks if layer.copies else 1  # neurons that reach each other are solved together
        chunks = min(trials, -(-PIECES * together // self.blocks), -(-trials * (clock.last + 1) // BINS_A_PIECE))
        edges = np.linspace(0, trials, chunks + 1).astype(int).tolist()
        self.pieces = [
            (slice(block, block + together), first, last)
            for block in range(0, self.blocks, together)
            for first, last in pairwise(edges)
        ]

    def forward(self) -> None:
        """Solve every neuron.

        Raises:
            ArithmeticError: a neuron spikes too fast, or without end.
        """
        most = most_under_way(self.arriving, self.layer.slots)
        self.neuron_record = np.zeros((self.trials, self.blocks, NEURON_RECORD, LANES))

        def solve(blocks: slice, first: int, last: int) -> tuple[Emitted, np.ndarray, int]:
            if self.layer.copies:
                return recurrent_sweep(first, last, self.arriving, most, self.layer, self.clock, self.neuron_record)
            return forward_sweep(blocks.start, first, last, self.arriving, most, self.layer, self.clock, self.neuron_record)

        self.found = _in_threads(solve, self.pieces)
        for _, _, stuck in self.found:
            if stuck != NONE:
                raise ArithmeticError(f"neuron {stuck} of a layer spikes too fast, or without end; lower its weights")
        self.found = [(_trimmed(spikes, ends), ends, NONE) for spikes, ends, _ in self.found]
        self._order()
        self._read()

    def _order(self) -> None:
        """Spikes by (trial, neuron, time), and where each of every piece has gone."""
        emitted = [
            (np.repeat(np.arange(first, last), np.diff(ends, prepend=0)), *spikes)
            for (spikes, ends, _), (_, first, last) in zip(self.found, self.pieces, strict=True)
        ]
        trial, neuron, bin_, rest, I = (np.concatenate(parts) for parts in zip(*emitted, strict=True))
        train = trial * self.post + neuron
        order, counts = np.empty(len(train), np.int64), np.empty(self.trials * self.post + 2, np.int64)
        stable_order(train, 0, len(train), counts, order)  # those of a train come in order of time already
        self.bin, self.rest, self.I = bin_[order], rest[order], I[order]
        self.offsets = np.concatenate([[0], counts[:-2]])  # where each train has ended
        self.rank = np.empty_like(order)
        self.rank[order] = np.arange(len(order))

    def _read(self) -> None:
        """The readout and the ties; the largest voltage of a neuron that spikes is its threshold, and no event."""
        neuron_record = self.neuron_record
        spiked = neuron_record[:, :, RECENT_BIN] >= 0
        neuron_record[:, :, MAX_BIN][spiked] = -1
        ties = neuron_record[:, :, TIES].astype(np.uint8)
        ties[neuron_record[:, :, MAX_GROUP] > 1] |= SIMULTANEOUS_AT_MAXIMUM
        ties[spiked] &= ~(EQUAL_MAXIMA | SIMULTANEOUS_AT_MAXIMUM) & 0xFF
        self.ties, self.y = self._by_neuron(ties), np.zeros((self.trials, self.post))
        if self.layer.read_maximum:
            self.y = self._by_neuron(np.where(spiked, self.layer.constants[:, 2], neuron_record[:, :, MAX_V]))
        elif self.layer.rate >= 0:
            self.y = self._by_neuron(neuron_record[:, :, INTEGRAL]) / (self.clock.last + float(self.clock.end))

    def _by_neuron(self, values: np.ndarray) -> np.ndarray:
        """`[trials, blocks, LANES]` as `[trials, post]`."""
        return values.reshape(self.trials, -1)[:, : self.post]

    def v_th_of_spikes(self) -> np.ndarray:
        """The threshold of the neuron of each spike."""
        v_th = self.layer.constants[:, 2].ravel()[: self.post]
        return np.repeat(np.tile(v_th, self.trials), np.diff(self.offsets))

    def sees_end(self) -> bool:
        """See `Record.sees_end`."""
        return self.layer.rate >= 0 or bool((self.ties & SPIKE_AT_END).any())

    def dy_dT(self) -> np.ndarray:
        """See `Record.dy_dT`; here per bin."""
        neuron_record, clock = self.neuron_record, self.clock
        at_end = (neuron_record[:, :, MAX_BIN] == clock.last) & (neuron_record[:, :, MAX_REST] == clock.end) & (neuron_record[:, :, MAX_GROUP] == 0)
        return self._by_neuron(np.where(at_end, neuron_record[:, :, MAX_SLOPE], 0.0))

    def backward(
        self, dL_dt_post: np.ndarray, dL_dy: np.ndarray, want_dt: bool, want_tau: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Gradients of input times (empty unless wanted), `w` and `d` `[sources, post]`, and constants `[4, post]`.

        Args:
            dL_dt_post: by emitted spike.
            dL_dy: `[trials, post]`.
            want_dt, want_tau: whether those of input times, of time constants, are wanted.

        Raises:
            ArithmeticError: a spike's gradient is infinite.
        """
        if (self.I <= self.v_th_of_spikes()).any():
            remedy = "use float64, or `reference`"
            raise ArithmeticError(f"a spike grazes its threshold, so its gradient is infinite; {remedy}")
        ends = np.cumsum([0] + [len_ends[-1] for _, len_ends, _ in self.found])
        padded = np.zeros((self.trials, self.blocks * LANES))
        padded[:, : self.post] = dL_dy
        g = padded.reshape(self.trials, self.blocks, LANES)

        def solve(number: int) -> Any:
            emitted, ends_of_trials, _ = self.found[number]
            dL_dt = dL_dt_post[self.rank[ends[number] : ends[number + 1]]]
            blocks, first, last = self.pieces[number]
            given = Given(
                self.arriving, emitted, ends_of_trials, dL_dt, g, self.neuron_record, want_dt, want_tau
            )
            if self.layer.copies:
                return recurrent_backward_sweep(first, last, given, self.layer, self.clock)
            return backward_sweep(blocks.start, first, last, given, self.layer, self.clock)

        pieces = _in_threads(solve, [(number,) for number in range(len(self.pieces))])
        sums = np.zeros((self.blocks, self.layer.packed_synapses.shape[1], 2 * LANES))
        dL_dconstants, dL_dt_pre = np.zeros((self.blocks, 4, LANES)), np.zeros_like(pieces[0][1])
        for (blocks, _, _), found in zip(self.pieces, pieces, strict=True):
            sums[blocks] += found.sums
            dL_dconstants[blocks] += found.dL_dconstants
            dL_dt_pre += found.dL_dt_pre
        if self.layer.read_maximum:
            dL_dconstants[:, 2] += np.where(self.neuron_record[:, :, RECENT_BIN] >= 0, g, 0.0).sum(axis=0)
        w, ps = self.layer.packed_synapses[:, :, :LANES], self.layer.constants[:, None, 1]
        exists = self.layer.packed_synapses[:, :, LANES : 2 * LANES] < 2 * self.layer.slots * SLOT
        dL_dw = unpacked(np.where(exists, -sums[:, :, :LANES] / ps, 0.0), self.post)
        dL_dd = unpacked(w * sums[:, :, LANES:], self.post)
        return dL_dt_pre, dL_dw, dL_dd, dL_dconstants.transpose(1, 0, 2).reshape(4, -1)[:, : self.post]


def _trimmed(spikes: Emitted, ends: np.ndarray) -> Emitted:
    """Without the room that was left for more: it would be kept until the backward pass."""
    return Emitted(*(part[: ends[-1]].copy() for part in spikes))


def _in_threads(solve: Callable, pieces: list[tuple]) -> list:
    """`solve` of every piece, in order, on as many threads as torch uses; the kernels release the GIL."""
    threads = min(torch.get_num_threads(), len(pieces))
    if threads <= 1:
        return [solve(*piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda piece: solve(*piece), pieces))
