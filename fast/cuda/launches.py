"""Launches of kernels on torch tensors, in place and on torch's current stream; here of a layer
that is not recurrent, with one thread for each neuron of each trial."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from numba import config, cuda
from torch import Tensor

from fast.cuda import workspace
from fast.cuda.arrays import Given
from fast.cuda.arrays import Sums as KernelSums
from fast.cuda.backward import backward_kernel
from fast.cuda.compiling import THREADS
from fast.cuda.forward import IS_STUCK, Ahead, Found, forward_kernel
from fast.physics.clock import Clock
from fast.physics.layout import Arriving, Layer
from fast.physics.neuron_record import NEURON_RECORD
from fast.physics.polynomials import LANES
from fast.solving.solved import Sums, Trains

WARP = 32  # threads that run side by side

SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", 0))
"""Whether Numba simulates a GPU, for tests without one: tensors are then on the CPU."""


class Sizes(NamedTuple):
    """Numbers on the host: `longest` delay in whole bins; the most arriving spikes within a turn of
    the ring, `under_way`; the most arriving spikes of a trial, `of_a_trial`."""

    longest: int
    under_way: int
    of_a_trial: int


class Emitted(NamedTuple):
    """Emitted spikes of a forward sweep, and the record of each neuron.

    `trains`: by (trial, neuron). `own`: in the order that the backward kernel reads, and `order`:
    of each spike in `trains`, its number in `own`; None where both are one. If `own` is by (trial,
    time), its offsets are of the trials.
    """

    trains: Trains
    own: Trains
    order: Tensor | None
    neuron_record: Tensor


def launch(kernel: Any, blocks: int, threads: int, device: torch.device, *arguments: Any) -> None:
    """Start `blocks` blocks of threads, which read and write tensors, also in tuples, in place."""
    if SIMULATED:
        kernel[blocks, threads](*map(_view, arguments))
        return
    with torch.cuda.device(device), cuda.gpus[torch.cuda.current_device() if device.index is None else device.index]:
        stream = torch.cuda.current_stream(device).cuda_stream  # 0: the default stream, for Numba as for torch
        on = cuda.external_stream(stream) if stream else 0
        kernel[blocks, threads, on](*map(_view, arguments))


def threads_for(lanes: int, most: int) -> tuple[int, int]:
    """Threads of a block, whole warps and at most `most`, and the number of blocks for `lanes`."""
    threads = min(most, -(-lanes // WARP) * WARP)
    return threads, -(-lanes // threads)


def _view(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach()
        return value.numpy() if SIMULATED else cuda.as_cuda_array(value, sync=False)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_view, value))
    return value


def forward(arriving: Arriving, trials: int, layer: Layer, clock: Clock, sizes: Sizes) -> Emitted:
    """Sweep forward.

    The first sweep counts the spikes for which a buffer is too small; a second one then has room
    for each.

    Raises:
        ArithmeticError: a neuron spikes too fast, or without end.
    """
    device, post, trains = layer.constants.device, layer.post, trials * layer.post
    record = torch.zeros(
        trials, len(layer.constants), NEURON_RECORD, LANES, dtype=torch.float64, device=device
    )
    at_once = min(trials, max(workspace.MEMORY // workspace.bytes_ahead(layer, sizes.under_way), 1))
    ahead = workspace.bins_ahead(at_once, layer, sizes.under_way)
    room = min(workspace.remembered("room", layer, workspace.FIRST_ROOM), max(workspace.MEMORY // (20 * trains), 1))
    starts = room * torch.arange(trains + 1, device=device)
    found = workspace.found_from(starts, room * trains, layer, record)
    _sweep(arriving, trials, layer, clock, ahead, found)
    offsets = torch.cat([starts[:1], found.counts.cumsum(0)])
    total, most, least = torch.stack([offsets[-1], found.counts.max(), found.counts.min()]).tolist()
    if least == IS_STUCK:
        stuck = int((found.counts == IS_STUCK).nonzero()[0]) % post
        raise ArithmeticError(f"neuron {stuck} of a layer spikes too fast, or without end; lower its weights")
    if most > room:
        workspace.remember("room", layer, workspace.whole_power(most))
        starts = offsets
        found = workspace.found_from(starts, total, layer, record.zero_())
        _sweep(arriving, trials, layer, clock, ahead, found)
    train = torch.arange(trains, device=device).repeat_interleave(found.counts, output_size=total)
    index = torch.arange(total, device=device) + (starts - offsets)[train]
    spikes = Trains(
        offsets, (train % post).to(torch.int32), found.bin[index], found.rest[index], found.I[index]
    )
    return Emitted(spikes, spikes, None, record)


def _sweep(arriving: Arriving, trials: int, layer: Layer, clock: Clock, ahead: Ahead, found: Found) -> None:
    device, at_once = layer.constants.device, len(ahead.chain)
    threads, parts = threads_for(len(layer.constants) * LANES, THREADS)
    for first in range(0, trials, at_once):
        blocks = min(at_once, trials - first) * parts
        launch(forward_kernel, blocks, threads, device, first, parts, arriving, layer, clock, ahead, found)


def backward(given: Given, spikes: int, layer: Layer, clock: Clock, want_dt: bool, want_tau: bool) -> Sums:
    """Sweep back; `spikes`: number of arriving spikes, since `given` has at least one place."""
    threads, parts = threads_for(len(layer.constants) * LANES, THREADS)
    return sums_of(backward_kernel, threads, parts, given, spikes, layer, clock, want_dt, want_tau)


def sums_of(
    kernel: Any, threads: int, parts: int, given: Given, spikes: int, layer: Layer, clock: Clock, want_dt: bool,
    want_tau: bool,
) -> Sums:
    """Sums over all trials of a backward kernel, which runs over chunks of trials, each one in
    `parts` blocks of threads and with sums of its own."""
    packed, trials, device = layer.packed_synapses, len(given.dL_dy), layer.constants.device
    (blocks, sources, _), full = packed.shape, want_tau or layer.rate >= 0
    chunks = workspace.chunks_of(trials, layer, full)
    passed = workspace.passed_by(chunks, layer, full, len(given.dL_dt))
    of_synapses = packed.new_zeros(chunks, blocks, sources, 2 * LANES)
    dL_dconstants = torch.zeros(chunks, blocks, 4, LANES, dtype=torch.float64, device=device)
    dL_dt_pre = []
    for first, last, first_spike, last_spike in workspace.in_waves(given.offsets, spikes, layer, want_dt):
        each = -(-(last - first) // chunks)
        n = last_spike - first_spike if want_dt else 0
        of_spikes = packed.new_zeros(n, blocks * LANES) if n else packed.new_zeros(1, 1)
        sums = KernelSums(of_synapses, dL_dconstants, of_spikes, first_spike)
        grid = -(-(last - first) // each) * parts
        launch(kernel, grid, threads, device, first, last, each, parts, given, layer, clock, want_tau, passed, sums)
        dL_dt_pre.append(of_spikes.sum(dim=1, dtype=torch.float64)[:n])
    return Sums(of_synapses.sum(dim=0, dtype=torch.float64), torch.cat(dL_dt_pre), dL_dconstants.sum(dim=0))
