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
from fast.physics.neuron_record import NEURON_RECORD
from fast.physics.polynomials import LANES


class Emitted(NamedTuple):
    """Emitted spikes by (trial, neuron): `offsets [trials * post + 1]`, `bin, rest, I [n]`."""

    offsets: Tensor
    bin: Tensor
    rest: Tensor
    I: Tensor

    def by_train(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same."""
        return self


def room_for(starts: Tensor, size: int, packed_synapses: Tensor, neuron_record: Tensor) -> Found:
    """Room for so many spikes, those of each train from `starts` on."""
    return Found(
        starts, torch.empty(len(starts) - 1, dtype=torch.int64, device=packed_synapses.device),
        torch.empty(max(size, 1), dtype=torch.int32, device=packed_synapses.device), packed_synapses.new_empty(max(size, 1)),
        neuron_record.new_empty(max(size, 1)), neuron_record,
    )


def forward(arriving: ArrivingThere, trials: int, layer: LayerThere, clock: Clock, sizes: Sizes) -> tuple[Emitted, Tensor]:
    """The emitted spikes, and what is kept of each neuron.

    Raises:
        ArithmeticError: a neuron spikes too fast, or without end.
    """
    packed_synapses, trains = layer.packed_synapses, trials * layer.post
    neuron_record = torch.zeros(trials, packed_synapses.shape[0], NEURON_RECORD, LANES, dtype=torch.float64, device=packed_synapses.device)
    at_once = min(trials, max(workspace.MEMORY // workspace.bytes_ahead(layer, sizes.under_way), 1))
    ahead = workspace.bins_ahead(at_once, layer, sizes.under_way)
    places = min(workspace.remembered("room", layer, workspace.FIRST_ROOM), max(workspace.MEMORY // (20 * trains), 1))
    starts = places * torch.arange(trains + 1, device=packed_synapses.device)
    found = room_for(starts, places * trains, packed_synapses, neuron_record)
    _solve(arriving, trials, at_once, layer, clock, ahead, found)
    offsets = torch.cat([starts[:1], found.counts.cumsum(0)])
    total, most, least = torch.stack([offsets[-1], found.counts.max(), found.counts.min()]).tolist()
    if least == IS_STUCK:
        stuck = int((found.counts == IS_STUCK).nonzero()[0]) % layer.post
        raise ArithmeticError(f"neuron {stuck} of a layer spikes too fast, or without end; lower its weights")
    if most <= places:
        train = torch.repeat_interleave(torch.arange(trains, device=packed_synapses.device), found.counts, output_size=total)
        index = torch.arange(total, device=packed_synapses.device) + (starts[:-1] - offsets[:-1])[train]
        return Emitted(offsets, found.bin[index], found.rest[index], found.I[index]), neuron_record
    workspace.remember("room", layer, workspace.whole_power(most))
    neuron_record.zero_()
    found = room_for(offsets, total, packed_synapses, neuron_record)
    _solve(arriving, trials, at_once, layer, clock, ahead, found)
    return Emitted(offsets, found.bin[:total], found.rest[:total], found.I[:total]), neuron_record


def _solve(
    arriving: ArrivingThere, trials: int, at_once: int, layer: LayerThere, clock: Clock, ahead: Ahead, found: Found
) -> None:
    threads, parts = threads_for(layer.packed_synapses.shape[0] * LANES, THREADS)
    for first in range(0, trials, at_once):
        blocks = min(at_once, trials - first) * parts
        launch(forward_kernel, blocks, threads, layer.packed_synapses.device, first, parts, arriving, layer, clock, ahead, found)


def backward(
    arriving: ArrivingThere, spikes: int, emitted: Emitted, dL_dt: Tensor, dL_dy: Tensor, neuron_record: Tensor,
    layer: LayerThere, clock: Clock, want_dt: bool, want_tau: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over the arrivals of each synapse, worth of incoming spikes, gradients of constants, over all trials."""
    nobody = torch.zeros(1, dtype=torch.int32, device=neuron_record.device)
    own: list[Tensor] = [workspace.some(part) for part in (emitted.bin, emitted.rest, emitted.I, dL_dt)]
    given = Given(*arriving, emitted.offsets, nobody, *own, dL_dy, neuron_record)  # type: ignore[call-arg]
    threads, parts = threads_for(layer.packed_synapses.shape[0] * LANES, THREADS)
    return workspace.added_up(
        backward_kernel, threads, parts, given, spikes, len(dL_dt), layer, clock, want_dt, want_tau
    )
