"""Launches of a recurrent layer, whose neurons are solved together: one block of threads for each
trial."""

from __future__ import annotations

import torch

from fast.cuda import launches, workspace
from fast.cuda.arrays import Given
from fast.cuda.compiling import TOGETHER
from fast.cuda.launches import Emitted, Sizes
from fast.cuda.recurrent_backward import recurrent_backward_kernel
from fast.cuda.recurrent_forward import recurrent_forward_kernel
from fast.cuda.recurrent_steps import NO_RING, NO_ROOM, FoundInOrder
from fast.physics.clock import Clock
from fast.physics.layout import Arriving, Layer
from fast.physics.polynomials import LANES
from fast.solving.solved import Sums, Trains


def forward(arriving: Arriving, trials: int, layer: Layer, clock: Clock, sizes: Sizes) -> Emitted:
    """Sweep forward, and again with larger buffers as long as one is too small.

    Raises:
        ArithmeticError: a neuron spikes too fast, or without end.
    """
    device, lanes = layer.constants.device, len(layer.constants) * LANES
    most = workspace.remembered("spikes", layer, workspace.FIRST_ROOM)
    ring = max(workspace.remembered("ring", layer, workspace.FIRST_ROOM), sizes.under_way)
    threads, _ = launches.threads_for(lanes, TOGETHER)
    while True:
        size = sizes.of_a_trial + layer.copies * most
        each = workspace.bytes_ahead(layer, ring) + size * 16 + lanes * 80
        at_once = min(trials, max(workspace.MEMORY // each, 1))
        ahead, shared = workspace.bins_ahead(at_once, layer, ring), workspace.together(at_once, size, layer)
        found = workspace.found_in_order(trials, most, layer)
        for first in range(0, trials, at_once):
            launches.launch(
                recurrent_forward_kernel, min(at_once, trials - first), threads, device, first, arriving, layer, clock,
                ahead, shared, found,
            )
        lacks = [(found.lacks & bit).max() for bit in (NO_ROOM, NO_RING)]
        least, no_room, no_ring, total = torch.stack([found.counts.min(), *lacks, found.counts.sum()]).tolist()
        if least < 0:
            raise ArithmeticError(f"neuron {-1 - least} of a layer spikes too fast, or without end; lower its weights")
        if not (no_room or no_ring):
            return _emitted(found, total, layer.post)
        most, ring = 4 * most if no_room else most, 2 * ring if no_ring else ring
        workspace.remember("spikes", layer, most)
        workspace.remember("ring", layer, ring)


def _emitted(found: FoundInOrder, total: int, post: int) -> Emitted:
    """The spikes without the free room of their buffers."""
    trials, room = found.bin.shape
    numbers = torch.arange(total, device=found.bin.device)
    offsets = torch.cat([found.counts.new_zeros(1), found.counts.cumsum(0)])
    trial = torch.arange(trials, device=numbers.device).repeat_interleave(found.counts, output_size=total)
    index = numbers - offsets[trial] + trial * room
    own = [part.flatten()[index] for part in (found.neuron, found.bin, found.rest, found.I)]
    train = trial * post + own[0]
    order = torch.argsort(train, stable=True)  # the spikes of a train are in order of time already
    trains = torch.searchsorted(train[order], torch.arange(trials * post + 1, device=numbers.device))
    by_train = Trains(trains, *(part[order] for part in own))
    return Emitted(by_train, Trains(offsets, *own), order, found.neuron_record)


def backward(given: Given, spikes: int, layer: Layer, clock: Clock, want_dt: bool, want_tau: bool) -> Sums:
    """Sweep back; see `fast.cuda.launches.backward`."""
    threads, _ = launches.threads_for(len(layer.constants) * LANES, TOGETHER)
    return launches.sums_of(
        recurrent_backward_kernel, threads, 1, given, spikes, layer, clock, want_dt, want_tau
    )
