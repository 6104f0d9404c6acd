"""What the kernels read, packed by torch on the device of the tensors: as `fast.cpu.packing` and `fast.cpu.deposit` do.

What is small, and of neurons rather than synapses, is computed by the very functions of `fast.cpu.packing` and copied.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from fast.cpu import packing
from fast.physics.clock import SLOT, Clock
from fast.physics.layout import Arriving
from fast.physics.polynomials import LANES

LayerThere = Any  # a `fast.cpu.packing.Layer` of tensors
ArrivingThere = Any  # a `fast.cpu.deposit.Arriving` of tensors


class Sizes(NamedTuple):
    """What the host has to know before it can launch anything: the longest delay (ms), the most spikes from outside
    that are under way at once, and the most of a trial."""

    longest: float
    under_way: int
    of_a_trial: int


def split(times: Tensor, width: float, clock: Clock, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """`fast.physics.clock.split` of a tensor in ms."""
    times = times.double()
    number = torch.floor(times.clamp(max=(clock.last + 2) * width) / width)
    beyond = number > clock.last
    rest = torch.where(beyond, 0.0, times / width - number).to(dtype)
    return torch.where(beyond, clock.last + 1, number).to(torch.int32), rest


def sorted_by_bin(
    times: Tensor, offsets: Tensor, trials: int, width: float, clock: Clock, dtype: torch.dtype
) -> tuple[ArrivingThere, Tensor]:
    """`fast.cpu.deposit.sorted_by_bin` of tensors; spikes after `T` stay, at the end of their trial, in bin `last + 1`.

    To leave them out would mean to wait for how many there are.
    """
    number, rest = split(times, width, clock, dtype)
    trains = torch.arange(len(offsets) - 1, device=times.device)
    train = torch.repeat_interleave(trains, offsets.diff(), output_size=len(times))
    sources = (len(offsets) - 1) // trials
    trial = train // max(sources, 1)
    order = torch.argsort(trial * (clock.last + 2) + number, stable=True)
    starts = offsets[::sources] if sources else offsets.new_zeros(trials + 1)
    source = (train - trial * sources)[order].to(torch.int32)
    parts: list[Any] = [starts.contiguous(), number[order], rest[order], source]
    return Arriving(*parts), order


def sizes(d: Tensor, exists: Tensor | None, arriving: ArrivingThere, width: float, clock: Clock) -> Sizes:
    """See `Sizes`; the one time that the host waits before the first kernel."""
    delay = d.double().masked_fill(torch.floor(d.double() / width) > clock.last, 0.0)
    if exists is not None:
        delay = delay.masked_fill(~exists, 0.0)
    longest = delay.max() if delay.numel() else delay.new_zeros(())
    most = longest.new_zeros(())
    n = arriving.bin.numel()
    if n:
        # Sorted by `key`; those under way when one is emitted are all before it, back to the oldest that counts.
        here = torch.arange(n, device=d.device)
        trial = torch.searchsorted(arriving.offsets, here, right=True) - 1
        begin = trial * (clock.last + 2)
        key = begin + arriving.bin
        slots = torch.floor(longest / width).long() + 2
        oldest = torch.searchsorted(key, torch.maximum(key - slots + 1, begin))
        most = torch.where(arriving.bin <= clock.last, here + 1 - oldest, 0).max().double()
    found = torch.stack([longest, most, arriving.offsets.diff().max().double()]).tolist()
    return Sizes(found[0], max(int(found[1]), 1), int(found[2]))


def layer(
    w: Tensor,
    d: Tensor,
    exists: Tensor | None,
    constants: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    external: int,
    rate: float,
    read_maximum: bool,
    width: float,
    clock: Clock,
    longest: float,
) -> LayerThere:
    """`fast.cpu.packing.layer` with tensors in place of arrays, `w` and `d` taken where they are.

    Args:
        longest: the longest delay that arrives within a trial, ms.
    """
    sources, post = w.shape
    dtype = np.float32 if w.dtype == torch.float32 else np.float64
    # Constants, and the refusal of delays that are too long, are those of a layer of one source.
    one = packing.layer(
        np.zeros((1, post), dtype), np.full((1, post), longest), None, constants, 1, rate, read_maximum, width, clock
    )
    number, rest = split(d, width, clock, w.dtype)
    there = number <= clock.last
    if exists is not None:
        there &= exists
    nowhere = 2 * one.slots * SLOT
    ring_offset = torch.where(there, number.to(torch.int64) * SLOT, nowhere)
    blocks = len(one.constants)
    fill = (0, blocks * LANES - post)
    lanes = 2 * torch.arange(LANES, device=w.device).repeat(blocks)
    ring_offset = pad(ring_offset, fill, value=nowhere) + lanes + pad(w < 0, fill)
    columns = torch.stack([pad(w, fill), ring_offset.to(w.dtype), pad(rest, fill)], dim=1)
    packed_synapses = columns.reshape(sources, 3, blocks, LANES).permute(2, 0, 1, 3).reshape(blocks, sources, 3 * LANES)

    tensors: dict[str, Any] = {
        name: torch.from_numpy(np.ascontiguousarray(getattr(one, name))).to(w.device)
        for name in ("constants", "flow", "coefficients")
    }
    tensors["rows"] = packed_synapses.contiguous()
    return one._replace(**tensors, external=external, copies=(sources - external) // post)
