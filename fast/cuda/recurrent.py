"""Launches of a recurrent layer, whose neurons are solved together, one block of threads for each trial."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fast.cuda import workspace
from fast.cuda.arrays import Given
from fast.cuda.compiling import TOGETHER
from fast.cuda.launches import launch, threads_for
from fast.cuda.packing import ArrivingThere, LayerThere, Sizes
from fast.cuda.recurrent_backward import recurrent_backward_kernel
from fast.cuda.recurrent_forward import recurrent_forward_kernel
from fast.cuda.recurrent_steps import NO_RING, NO_ROOM, FoundInOrder, Together
from fast.physics.clock import Clock
from fast.physics.neuron_record import NEURON_RECORD
from fast.physics.polynomials import LANES


class Emitted(NamedTuple):
    """Emitted spikes by (trial, time): `offsets [trials + 1]`, `neuron, bin, rest, I [n]`; `order`: by train, which of
    them; `trains`: where each train then begins."""

    offsets: Tensor
    neuron: Tensor
    bin: Tensor
    rest: Tensor
    I: Tensor
    order: Tensor
    trains: Tensor

    def by_train(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`offsets` of the trains, and `bin, rest, I`, by (trial, neuron)."""
        return self.trains, self.bin[self.order], self.rest[self.order], self.I[self.order]


def together(trials: int, size: int, layer: LayerThere) -> Together:
    """What threads share, for trials of so many spikes."""
    packed_synapses, lanes = layer.packed_synapses, layer.packed_synapses.shape[0] * LANES

    def of(count: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(trials, max(count, 1), dtype=dtype, device=packed_synapses.device)

    float64, int32, int64 = torch.float64, torch.int32, torch.int64
    return Together(
        of(size, packed_synapses.dtype), of(size, int32), of(size, int32), of(lanes, float64), of(lanes, float64),
        of(lanes, float64), of(lanes, int32), of(lanes, float64), of(lanes, float64), of(lanes, float64),
        of(lanes, int64), of(lanes, float64),
    )


def found_in(trials: int, size: int, layer: LayerThere) -> FoundInOrder:
    """Room for so many spikes of each trial."""
    packed_synapses = layer.packed_synapses

    def of(*shape: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=packed_synapses.device)

    return FoundInOrder(
        of(trials, dtype=torch.int64), of(trials, dtype=torch.int32), of(trials, size, dtype=torch.int32),
        of(trials, size, dtype=torch.int32), of(trials, size, dtype=packed_synapses.dtype), of(trials, size, dtype=torch.float64),
        of(trials, packed_synapses.shape[0], NEURON_RECORD, LANES, dtype=torch.float64),
    )


def forward(arriving: ArrivingThere, trials: int, layer: LayerThere, clock: Clock, sizes: Sizes) -> tuple[Emitted, Tensor]:
    """The emitted spikes, and what is kept of each neuron; solved again as long as there was too little workspace.

    Raises:
        ArithmeticError: a neuron spikes too fast, or without end.
    """
    device, lanes = layer.packed_synapses.device, layer.packed_synapses.shape[0] * LANES
    most = workspace.remembered("spikes", layer, workspace.FIRST_ROOM)
    ring = max(workspace.remembered("ring", layer, workspace.FIRST_ROOM), sizes.under_way)
    threads, _ = threads_for(lanes, TOGETHER)
    while True:
        size = sizes.of_a_trial + layer.copies * most
        each = workspace.bytes_ahead(layer, ring) + size * 16 + lanes * 80
        at_once = min(trials, max(workspace.MEMORY // each, 1))
        ahead, shared = workspace.bins_ahead(at_once, layer, ring), together(at_once, size, layer)
        found = found_in(trials, most, layer)
        for first in range(0, trials, at_once):
            blocks = min(at_once, trials - first)
            launch(
                recurrent_forward_kernel, blocks, threads, device, first, arriving, layer, clock, ahead, shared, found
            )
        offsets = torch.cat([found.counts.new_zeros(1), found.counts.cumsum(0)])
        lacks = [(found.lacks & bit).max() for bit in (NO_ROOM, NO_RING)]
        least, total, no_room, no_ring = torch.stack([found.counts.min(), offsets[-1], *lacks]).tolist()
        if least < 0:
            raise ArithmeticError(f"neuron {-1 - least} of a layer spikes too fast, or without end; lower its weights")
        if not (no_room or no_ring):
            break
        most, ring = 4 * most if no_room else most, 2 * ring if no_ring else ring
        workspace.remember("spikes", layer, most)
        workspace.remember("ring", layer, ring)
    trial = torch.repeat_interleave(torch.arange(trials, device=device), found.counts, output_size=total)
    index = torch.arange(total, device=device) - offsets[trial] + trial * found.bin.shape[1]
    neuron, bin_, rest, I = (
        part.flatten()[index] for part in (found.neuron, found.bin, found.rest, found.I)
    )
    train = trial * layer.post + neuron
    order = torch.argsort(train, stable=True)  # those of a train are in order of time already
    trains = torch.searchsorted(train[order], torch.arange(trials * layer.post + 1, device=device))
    return Emitted(offsets, neuron, bin_, rest, I, order, trains), found.neuron_record


def backward(
    arriving: ArrivingThere, spikes: int, emitted: Emitted, dL_dt: Tensor, dL_dy: Tensor, neuron_record: Tensor,
    layer: LayerThere, clock: Clock, want_dt: bool, want_tau: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """See `feed_forward.backward`."""
    in_time = torch.empty_like(dL_dt)
    in_time[emitted.order] = dL_dt
    own = [workspace.some(part) for part in (emitted.neuron, emitted.bin, emitted.rest, emitted.I, in_time)]
    given = Given(*arriving, emitted.offsets, *own, dL_dy, neuron_record)  # type: ignore[call-arg]
    threads, _ = threads_for(layer.packed_synapses.shape[0] * LANES, TOGETHER)
    return workspace.added_up(
        recurrent_backward_kernel, threads, 1, given, spikes, len(dL_dt), layer, clock, want_dt, want_tau
    )
