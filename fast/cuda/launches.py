"""Launches of the kernels of a layer, on tensors in place and on torch's current stream.

Packing synapses, and taking their gradients, takes one thread for each synapse. A sweep takes one
thread for each neuron of each trial; in a recurrent layer, whose neurons are solved together, one
block of threads for each trial.
"""

from typing import Any, NamedTuple

import torch
from numba import config, cuda
from torch import Tensor

from delayprop.fast.compiling.compiler import on_host
from delayprop.fast.cuda import workspace
from delayprop.fast.cuda.arrays import BackwardInput, KernelSums
from delayprop.fast.cuda.backward import backward_kernel, wide_backward_kernel
from delayprop.fast.cuda.compiling import THREADS, TOGETHER
from delayprop.fast.cuda.forward import IS_STUCK, Emission, Written, forward_kernel
from delayprop.fast.cuda.recurrent_arrays import EmissionInOrder
from delayprop.fast.cuda.recurrent_backward import recurrent_backward_kernel
from delayprop.fast.cuda.recurrent_forward import recurrent_forward_kernel
from delayprop.fast.cuda.recurrent_steps import NO_RING, NO_ROOM
from delayprop.fast.cuda.synapses import SynapseGradients, gradients_kernel, write_synapses_kernel
from delayprop.fast.layout.arrays import LANES, Arriving, Layer, reads_integral
from delayprop.fast.layout.neuron_record import NEURON_RECORD
from delayprop.fast.physics.adjoint import gradient_rows
from delayprop.fast.physics.clock import Clock
from delayprop.fast.solving.bound import spikes_per_train, too_many
from delayprop.fast.solving.packing import in_lanes
from delayprop.fast.solving.problem import Problem
from delayprop.fast.solving.solved import Sums, Trains, too_fast

WARP = 32  # threads that run side by side

SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", 0))
"""Whether Numba simulates a GPU, for tests without one: tensors are then on the CPU."""


class Sizes(NamedTuple):
    """Sizes on the host.

    Attributes:
        longest: the longest delay, whole bins.
        under_way: the most arriving spikes within one turn of the ring.
        of_a_trial: the most arriving spikes of a trial.
    """

    longest: int
    under_way: int
    of_a_trial: int


class SweptForward(NamedTuple):
    """SweptForward spikes of a forward sweep, and the record of each neuron.

    `trains`: by (trial, neuron). `own`: in the order that the backward kernel reads. `order`: the
    index in `own` of each spike in `trains`, or None if both are the same array. If `own` is by
    (trial, time), `own.offsets` has one entry per trial.
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


def write_synapses(problem: Problem, layer: Layer) -> None:
    """Fill the synapses of a layer."""
    per_ms, last = 1.0 / problem.width, problem.clock.last
    _for_each_synapse(write_synapses_kernel, layer, *in_lanes(problem), per_ms, last, layer)


def _for_each_synapse(kernel: Any, layer: Layer, *arguments: Any) -> None:
    synapses = layer.synapses.w.numel()
    if synapses:
        threads, blocks = threads_for(synapses, THREADS)
        launch(kernel, blocks, threads, layer.constants.device, *arguments)


def forward(problem: Problem, arriving: Arriving, layer: Layer, sizes: Sizes) -> SweptForward:
    """Sweep forward, and again with larger buffers if one is too small.

    Raises:
        ArithmeticError: a neuron spikes too fast, or without end, or a layer above the bound
            (`fast.solving.bound`).
    """
    return (_recurrent_forward if layer.copies else _feed_forward)(problem, arriving, layer, sizes)


def _allowed(problem: Problem, layer: Layer) -> int:
    """The most spikes that all neurons of a layer may emit in one trial."""
    return int(layer.post * spikes_per_train(problem))


def _feed_forward(problem: Problem, arriving: Arriving, layer: Layer, sizes: Sizes) -> SweptForward:
    """Sweep a layer that is not recurrent forward. Where its buffers are too small, the first sweep
    still counts all spikes, so that the second one has room for each."""
    clock, trials, post = problem.clock, problem.trials, layer.post
    device, trains, packs = layer.constants.device, trials * post, len(layer.constants)
    record = torch.zeros(trials, packs, NEURON_RECORD, LANES, dtype=torch.float64, device=device)
    at_once = min(trials, max(workspace.MEMORY // workspace.bytes_ahead(layer, sizes.under_way), 1))
    ahead = workspace.bins_ahead(at_once, layer, sizes.under_way)
    threads, parts = threads_for(packs * LANES, THREADS)

    def sweep(starts: Tensor, size: int) -> Emission:
        found = workspace.found_from(starts, size, layer, record)
        for first in range(0, trials, at_once):
            grid = min(at_once, trials - first) * parts
            launch(forward_kernel, grid, threads, device, first, parts, arriving, layer, clock, ahead, found)
        return found

    room = min(workspace.remembered("room", layer, workspace.FIRST_ROOM), max(workspace.MEMORY // (20 * trains), 1))
    starts = room * torch.arange(trains + 1, device=device)
    found = sweep(starts, room * trains)
    offsets = torch.cat([starts[:1], found.counts.cumsum(0)])
    of_trials = found.counts.view(trials, post).sum(dim=1)
    numbers = offsets[-1], found.counts.max(), found.counts.min(), of_trials.max()
    total, most, least, of_a_trial = torch.stack(numbers).tolist()
    if least == IS_STUCK:
        raise too_fast(int((found.counts == IS_STUCK).nonzero()[0]) % post)
    if of_a_trial > _allowed(problem, layer):
        raise too_many(problem)
    if most > room:
        workspace.remember("room", layer, workspace.whole_power(most))
        record.zero_()
        starts, found = offsets, sweep(offsets, total)
    train = torch.arange(trains, device=device).repeat_interleave(found.counts, output_size=total)
    index = torch.arange(total, device=device) + (starts - offsets)[train]
    spikes = Trains(offsets, (train % post).to(torch.int32), *_written(found.spikes, index, layer))
    return SweptForward(spikes, spikes, None, record)


def _recurrent_forward(problem: Problem, arriving: Arriving, layer: Layer, sizes: Sizes) -> SweptForward:
    """Sweep a recurrent layer forward. A sweep stops where a buffer is too small, and is repeated
    until each is long enough: its spikes follow from each other, so it cannot count the rest."""
    clock, trials, allowed = problem.clock, problem.trials, _allowed(problem, layer)
    device, lanes = layer.constants.device, len(layer.constants) * LANES
    most = workspace.remembered("spikes", layer, workspace.FIRST_ROOM)
    ring = max(workspace.remembered("ring", layer, workspace.FIRST_ROOM), sizes.under_way)
    threads, _ = threads_for(lanes, TOGETHER)
    while True:
        size = sizes.of_a_trial + layer.copies * most
        each = workspace.bytes_ahead(layer, ring) + size * 16 + lanes * 80
        at_once = min(trials, max(workspace.MEMORY // each, 1))
        ahead, shared = workspace.bins_ahead(at_once, layer, ring), workspace.together(at_once, size, layer)
        found = workspace.found_in_order(trials, most, layer)
        for first in range(0, trials, at_once):
            arguments = (first, arriving, layer, clock, ahead, shared, found)
            launch(recurrent_forward_kernel, min(at_once, trials - first), threads, device, *arguments)
        lacks = [(found.lacks & bit).max() for bit in (NO_ROOM, NO_RING)]
        numbers = found.counts.min(), found.counts.max(), found.counts.sum(), *lacks
        least, of_a_trial, total, no_room, no_ring = torch.stack(numbers).tolist()
        if least < 0:
            raise too_fast(-1 - least)
        if of_a_trial > allowed or (no_room and most >= allowed):
            raise too_many(problem)
        if not (no_room or no_ring):
            return _in_trains(found, total, layer)
        most, ring = min(4 * most, allowed) if no_room else most, 2 * ring if no_ring else ring
        workspace.remember("spikes", layer, most)
        workspace.remember("ring", layer, ring)


def _in_trains(found: EmissionInOrder, total: int, layer: Layer) -> SweptForward:
    """The spikes of a recurrent layer, without the free room of their buffers, and by train."""
    (trials, room), post = found.neuron.shape, layer.post
    numbers = torch.arange(total, device=found.neuron.device)
    offsets = torch.cat([found.counts.new_zeros(1), found.counts.cumsum(0)])
    trial = torch.arange(trials, device=numbers.device).repeat_interleave(found.counts, output_size=total)
    index = numbers - offsets[trial] + trial * room
    own = [found.neuron.flatten()[index], *_written(found.spikes, index, layer)]
    train = trial * post + own[0]
    order = torch.argsort(train, stable=True)  # the spikes of one train are in order of time already
    starts = torch.searchsorted(train[order], torch.arange(trials * post + 1, device=numbers.device))
    trains = Trains(starts, *(part[order] for part in own))
    return SweptForward(trains, Trains(offsets, *own), order, found.neuron_record)


def _written(spikes: Written, index: Tensor, layer: Layer) -> list[Tensor]:
    """The spikes at `index` of their buffers, in the order of `Trains`."""
    *parts, others = (part[index] for part in spikes)
    return [*parts, others[:, : len(layer.others.states)]]


def backward(given: BackwardInput, spikes: int, layer: Layer, clock: Clock, want_dt: bool, want_tau: bool) -> Sums:
    """Sweep back, over chunks of trials, each with sums of its own.

    `spikes`: number of arriving spikes, since their arrays have at least one place.
    """
    packed, trials, device = layer.synapses.w, len(given.dL_dy), layer.constants.device
    (packs, sources, _), full = packed.shape, want_tau or on_host(reads_integral)(layer)
    threads, parts = threads_for(packs * LANES, TOGETHER if layer.copies else THREADS)
    kernel = wide_backward_kernel if workspace.is_wide(layer) else backward_kernel
    kernel, parts = (recurrent_backward_kernel, 1) if layer.copies else (kernel, parts)
    chunks = workspace.chunks_of(trials, layer, full)
    passed = workspace.passed_by(chunks, layer, full, len(given.dL_dt))
    float64 = {"dtype": torch.float64, "device": device}
    of_synapses = torch.zeros(chunks, packs, sources, 2 * LANES, **float64)
    rows = on_host(gradient_rows)(layer.others, layer.learned)
    dL_dconstants = torch.zeros(chunks, packs, rows, LANES, **float64)
    dL_dt_pre = []
    for first, last, first_spike, last_spike in workspace.in_waves(given.offsets, spikes, layer, want_dt):
        each = -(-(last - first) // chunks)
        n = last_spike - first_spike if want_dt else 0
        of_spikes = packed.new_zeros(n, packs * LANES) if n else packed.new_zeros(1, 1)
        sums = KernelSums(of_synapses, dL_dconstants, of_spikes, first_spike)
        grid = -(-(last - first) // each) * parts
        launch(kernel, grid, threads, device, first, last, each, parts, given, layer, clock, want_tau, passed, sums)
        dL_dt_pre.append(of_spikes.sum(dim=1, dtype=torch.float64)[:n])
    dL_dw, dL_dd = (packed.new_empty(sources, packs * LANES) for _ in range(2))
    found = SynapseGradients(of_synapses.sum(dim=0), dL_dw, dL_dd)
    _for_each_synapse(gradients_kernel, layer, found, layer)
    dL_dw, dL_dd = (part[:, : layer.post].contiguous() for part in (dL_dw, dL_dd))
    return Sums(dL_dw, dL_dd, torch.cat(dL_dt_pre), dL_dconstants.sum(dim=0), given.dL_dt)
