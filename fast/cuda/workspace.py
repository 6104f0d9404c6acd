"""Room for the kernels, as much as there is memory for, and sums over chunks of trials."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fast.cuda.arrays import ROWS, Given, Passed, Sums
from fast.cuda.forward import Ahead
from fast.cuda.launches import launch
from fast.cuda.packing import ArrivingThere, LayerThere
from fast.physics.adjoint import ADJOINT, DRIVE
from fast.physics.clock import Clock
from fast.physics.layout import Arriving
from fast.physics.polynomials import LANES

MEMORY = 2**30
"""Bytes for bins ahead, and for sums of the backward pass; a constant, since it decides how sums are grouped."""
FIRST_ROOM = 16
"""Spikes that there is room for at first; what was needed is remembered."""
_needed: dict[tuple[object, ...], int] = {}


def remembered(name: str, layer: LayerThere, least: int) -> int:
    """What a layer of this size needed last."""
    return _needed.get((name, *layer.packed_synapses.shape), least)


def remember(name: str, layer: LayerThere, needed: int) -> None:
    """Keep what a layer of this size needed, for the next one; results do not depend on it."""
    _needed[name, *layer.packed_synapses.shape] = needed


def some(part: Tensor) -> Tensor:
    """The tensor, with a place if it has none: it would have no address to give to a kernel."""
    return part if part.numel() else part.new_zeros(1)


def whole_power(n: int) -> int:
    """The power of two that is not below `n`."""
    return 1 << max(n - 1, 0).bit_length()


def bins_ahead(trials: int, layer: LayerThere, under_way: int) -> Ahead:
    """Bins ahead of so many trials at once."""
    packed_synapses, blocks = layer.packed_synapses, layer.packed_synapses.shape[0]
    places, under_way = layer.slots * LANES, whole_power(under_way)
    return Ahead(
        packed_synapses.new_zeros(trials, blocks, 4 * places),
        packed_synapses.new_zeros(trials, blocks, places if layer.rate >= 0 else 1),
        torch.full((trials, blocks, places), -1, dtype=torch.int32, device=packed_synapses.device),
        torch.empty(trials, blocks, under_way, LANES, dtype=torch.int32, device=packed_synapses.device),
        packed_synapses.new_empty(trials, blocks, under_way, LANES),
        packed_synapses.new_empty(trials, blocks, under_way, LANES),
    )


def bytes_ahead(layer: LayerThere, under_way: int) -> int:
    """Of the bins ahead of one trial."""
    item, lanes = layer.packed_synapses.element_size(), layer.packed_synapses.shape[0] * LANES
    return lanes * (layer.slots * (5 * item + 4) + whole_power(under_way) * (2 * item + 4))


def chunks_of(trials: int, layer: LayerThere, whole: bool) -> int:
    """How many chunks of trials have sums of their own: as many as there is memory for."""
    blocks, sources = layer.packed_synapses.shape[:2]
    item, places = layer.packed_synapses.element_size(), layer.slots * LANES
    ring = places * (2 * item + 8 + (8 * (ADJOINT + 1) if whole else 0))
    each = blocks * (2 * sources * LANES * item + ring + LANES * 8 * (2 * ADJOINT + 2))
    chunks = min(trials, max(MEMORY // each, 1))
    return -(-trials // -(-trials // chunks))


def passed_by(chunks: int, layer: LayerThere, whole: bool, spikes: int) -> Passed:
    """Room for what the backward pass leaves behind, with so many own spikes."""
    packed_synapses, blocks, places = layer.packed_synapses, layer.packed_synapses.shape[0], layer.slots * LANES
    events = spikes + chunks * blocks * LANES

    def numbers(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.float64, device=packed_synapses.device)

    return Passed(
        packed_synapses.new_empty(chunks, blocks, 2 * places), numbers(chunks, blocks, DRIVE + 1, places if whole else 1),
        torch.empty(chunks, blocks, places, dtype=torch.int64, device=packed_synapses.device), numbers(events),
        torch.empty(events, dtype=torch.int64, device=packed_synapses.device), numbers(events, ADJOINT), numbers(events, ADJOINT),
        numbers(chunks, blocks, ROWS, LANES) if layer.copies else numbers(1, 1, ROWS, LANES),
    )


def in_waves(
    arriving: ArrivingThere, spikes: int, trials: int, layer: LayerThere, want_dt: bool
) -> list[tuple[int, int, int]]:
    """Trials `(first, last)` whose incoming spikes there is memory for, neuron by neuron, and the first such spike."""
    most = MEMORY // (layer.packed_synapses.shape[0] * LANES * layer.packed_synapses.element_size())
    if not want_dt or spikes <= most:
        return [(0, trials, 0)]
    offsets, waves, first = arriving.offsets.tolist(), [], 0
    for trial in range(1, trials + 1):
        if trial == trials or offsets[trial + 1] - offsets[first] > most:
            waves.append((first, trial, offsets[first]))
            first = trial
    return waves


def added_up(
    kernel: Any, threads: int, parts: int, given: Given, spikes: int, own_spikes: int, layer: LayerThere, clock: Clock,
    want_dt: bool, want_tau: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a backward kernel over all trials, in chunks of `parts` blocks of threads, and add up what each has found.

    Returns:
        Sums over the arrivals of each synapse; worth of incoming spikes, if wanted; gradients of constants.
    """
    packed_synapses, trials, lanes = layer.packed_synapses, given.dL_dy.shape[0], layer.packed_synapses.shape[0] * LANES
    whole = want_tau or layer.rate >= 0
    chunks = chunks_of(trials, layer, whole)
    passed = passed_by(chunks, layer, whole, own_spikes)
    of_synapses = packed_synapses.new_zeros(chunks, *packed_synapses.shape[:2], 2 * LANES)
    dL_dconstants = torch.zeros(chunks, packed_synapses.shape[0], 4, LANES, dtype=torch.float64, device=packed_synapses.device)
    dL_dt_pre = []
    for first, last, first_spike in in_waves(Arriving(*given[:4]), spikes, trials, layer, want_dt):
        each = -(-(last - first) // chunks)
        blocks = -(-(last - first) // each) * parts
        n = 0
        if want_dt:
            n = (spikes if last == trials else int(given.offsets[last])) - first_spike
        of_spikes = packed_synapses.new_zeros(n, lanes) if n else packed_synapses.new_zeros(1, 1)
        sums = Sums(of_synapses, dL_dconstants, of_spikes, first_spike)
        launch(
            kernel, blocks, threads, packed_synapses.device, first, last, each, parts, given, layer, clock, want_tau, passed, sums
        )
        dL_dt_pre.append(of_spikes.sum(dim=1, dtype=torch.float64)[:n])
    return of_synapses.sum(dim=0, dtype=torch.float64), torch.cat(dL_dt_pre), dL_dconstants.sum(dim=0)
