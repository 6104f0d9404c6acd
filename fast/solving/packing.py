"""A problem in the layouts of `fast.layout.arrays`, on the device of its tensors."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from delayprop.fast.layout.arrays import LANES, Layer, Others, Synapses
from delayprop.fast.layout.instants import Ticks, ticks_for
from delayprop.fast.physics.clock import Clock
from delayprop.fast.solving.problem import Problem
from delayprop.fast.solving.tables import tables


def split(times: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """`(bin, rest)` of times in ms, int32 and float64.

    A time beyond the trial gives `(last + 1, 0)`. The width of a bin is a power of two, so nothing
    rounds.
    """
    in_bins, last = times.double() / problem.width, problem.clock.last
    bins = in_bins.clamp(max=last + 1).to(torch.int32)  # no time is negative: this rounds down
    return bins, in_bins.sub_(bins).masked_fill_(bins > last, 0.0)


def instants(bin_: Tensor, rest: Tensor, ticks: Ticks) -> Tensor:
    """Times, split, as instants of the ring (`fast.layout.instants`), for the GPU."""
    in_ticks = (rest * 2.0**ticks.bits).round_().clamp_(max=ticks.rest).to(torch.int64)
    return in_ticks.bitwise_or_(bin_.to(torch.int64).bitwise_left_shift_(ticks.bits).bitwise_and_(ticks.slot))


def in_lanes(problem: Problem) -> list[Tensor]:
    """`w`, `d` and `exists` of a problem, `[sources, packs * LANES]`; no synapse exists in lanes
    without a neuron."""
    exists = torch.ones_like(problem.w, dtype=torch.bool) if problem.exists is None else problem.exists
    without = -problem.w.shape[1] % LANES
    return [pad(values, (0, without)).contiguous() for values in (problem.w, problem.d, exists)]


def layer(problem: Problem, longest: int, clock: Clock) -> Layer:
    """The neurons of a problem, and room for its synapses, which `fast.physics.synapse` fills.
    `longest`: `problem.longest_delay`, on the host. `clock`: of a sweep, whose numbers it takes.
    `UnsupportedError`: delays of more bins than can be counted."""
    w, (sources, post) = problem.w, problem.w.shape
    dtype: Any = type(clock.one)
    ticks = ticks_for(longest, problem.width).in_precision(dtype)
    key = problem.neuron, problem.host_constants.tobytes(), post, problem.width, problem.rate
    found = tables(*key, dtype, len(clock.terms))
    constants, flow, factors, exact = (torch.from_numpy(values).to(w.device) for values in found)
    neurons = problem.matrices
    states, learned = (0,) * len(neurons.c), (0,) * len(neurons.learned)
    others = Others(states, states if neurons.reached else (), (0,) * neurons.currents)
    into = torch.tensor(neurons.into, dtype=torch.int32, device=w.device)
    into = into[:1].expand(sources).contiguous() if problem.into is None else into[problem.into.to(w.device)]
    arriving = neurons.A[: 2 + neurons.currents, : 2 + neurons.currents]
    # Factors of arrivals depend on `V` and the currents alone; other states may differ.
    alike = bool((arriving == arriving[..., :1]).all())
    packs = -(-post // LANES)
    shape, none = (packs, sources, LANES), (packs, 0, LANES)
    number = torch.from_numpy(np.empty(0, dtype)).dtype
    synapses = Synapses(*(w.new_empty(size, dtype=kind) for size, kind in (
        (shape, torch.int64), (shape, number), *2 * [(none if neurons.reached else shape, number)],
        (shape if problem.rate >= 0 else none, number), ((packs, sources), torch.int64), ((packs, 2 * sources), number),
    )))
    # `longest + 2`: the bin of the spike, those of its longest delay, and one if the rests carry.
    return Layer(
        synapses, ticks, longest + 2, constants, flow, factors, exact, others, learned,
        into, neurons.resets, alike, False, False, problem.rate, problem.readout == "max_voltage", problem.sources,
        (sources - problem.sources) // post, post,
    )
