"""Launches of a layer that is not recurrent, one thread for each neuron of each trial."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fast.cuda import workspace
from fast.cuda.arrays import Given
from fast.cuda.backward import backward_kernel
from fast.cuda.compiling import THREADS
from fast.cuda.forward import IS_STUCK, Ahead, Found, forward_kernel
from fast.cuda.launches import launch, threads_for
from fast.cuda.packing import ArrivingThere, LayerThere, Sizes
from fast.physics.clock import Clock
from fast.physics.polynomials import LANES
from fast.physics.within_bin import KEPT


class Emitted(NamedTuple):
    """Emitted spikes by (trial, neuron): `offsets [trials * post + 1]`, `bin, rest, I [n]`."""

    offsets: Tensor
    bin: Tensor
    rest: Tensor
    I: Tensor

    def by_train(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same."""
        return self


def room_for(starts: Tensor, size: int, rows: Tensor, kept: Tensor) -> Found:
    """Room for so many spikes, those of each train from `starts` on."""
    return Found(
        starts, torch.empty(len(starts) - 1, dtype=torch.int64, device=rows.device),
        torch.empty(max(size, 1), dtype=torch.int32, device=rows.device), rows.new_empty(max(size, 1)),
        kept.new_empty(max(size, 1)), kept,
    )


def forward(arriving: ArrivingThere, trials: int, layer: LayerThere, at: Clock, sizes: Sizes) -> tuple[Emitted, Tensor]:
    """The emitted spikes, and what is kept of each neuron.

    Raises:
        ArithmeticError: a neuron spikes too fast, or without end.
    """
    rows, trains = layer.rows, trials * layer.post
    kept = torch.zeros(trials, rows.shape[0], KEPT, LANES, dtype=torch.float64, device=rows.device)
    at_once = min(trials, max(workspace.MEMORY // workspace.bytes_ahead(layer, sizes.under_way), 1))
    ahead = workspace.bins_ahead(at_once, layer, sizes.under_way)
    places = min(workspace.remembered("room", layer, workspace.FIRST_ROOM), max(workspace.MEMORY // (20 * trains), 1))
    starts = places * torch.arange(trains + 1, device=rows.device)
    found = room_for(starts, places * trains, rows, kept)
    _solve(arriving, trials, at_once, layer, at, ahead, found)
    offsets = torch.cat([starts[:1], found.counts.cumsum(0)])
    total, most, least = torch.stack([offsets[-1], found.counts.max(), found.counts.min()]).tolist()
    if least == IS_STUCK:
        stuck = int((found.counts == IS_STUCK).nonzero()[0]) % layer.post
        raise ArithmeticError(f"neuron {stuck} of a layer spikes too fast, or without end; lower its weights")
    if most <= places:
        train = torch.repeat_interleave(torch.arange(trains, device=rows.device), found.counts, output_size=total)
        index = torch.arange(total, device=rows.device) + (starts[:-1] - offsets[:-1])[train]
        return Emitted(offsets, found.bin[index], found.rest[index], found.I[index]), kept
    workspace.remember("room", layer, workspace.whole_power(most))
    kept.zero_()
    found = room_for(offsets, total, rows, kept)
    _solve(arriving, trials, at_once, layer, at, ahead, found)
    return Emitted(offsets, found.bin[:total], found.rest[:total], found.I[:total]), kept


def _solve(
    arriving: ArrivingThere, trials: int, at_once: int, layer: LayerThere, at: Clock, ahead: Ahead, found: Found
) -> None:
    threads, parts = threads_for(layer.rows.shape[0] * LANES, THREADS)
    for first in range(0, trials, at_once):
        blocks = min(at_once, trials - first) * parts
        launch(forward_kernel, blocks, threads, layer.rows.device, first, parts, arriving, layer, at, ahead, found)


def backward(
    arriving: ArrivingThere, spikes: int, emitted: Emitted, dL_dt: Tensor, dL_dy: Tensor, kept: Tensor,
    layer: LayerThere, at: Clock, want_dt: bool, want_tau: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over the arrivals of each synapse, worth of incoming spikes, gradients of constants, over all trials."""
    nobody = torch.zeros(1, dtype=torch.int32, device=kept.device)
    own: list[Tensor] = [workspace.some(part) for part in (emitted.bin, emitted.rest, emitted.I, dL_dt)]
    given = Given(*arriving, emitted.offsets, nobody, *own, dL_dy, kept)  # type: ignore[call-arg]
    threads, parts = threads_for(layer.rows.shape[0] * LANES, THREADS)
    return workspace.added_up(
        backward_kernel, threads, parts, given, spikes, len(dL_dt), layer, at, want_dt, want_tau
    )
