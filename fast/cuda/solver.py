"""`solve` on a GPU: a problem packed, swept forward by kernels, and ready for its backward sweep.

The host waits for the GPU where it needs a number: the constants, which its choice of bins depends
on; the sizes of `fast.cuda.launches.Sizes`; and the number of emitted spikes. If there are more
spikes than a buffer has room for, the sweep is made once more.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.cuda import launches
from delayprop.fast.cuda.arrays import BackwardInput
from delayprop.fast.cuda.launches import Sizes
from delayprop.fast.cuda.workspace import some
from delayprop.fast.layout.arrays import Arriving, Layer
from delayprop.fast.physics.clock import Clock
from delayprop.fast.solving import packing
from delayprop.fast.solving.problem import Problem
from delayprop.fast.solving.solved import Solved, Sums, Trains, solved


@dataclass(frozen=True, eq=False)
class SweptOnGpu:
    """Results of a forward sweep, for its backward sweep.

    Attributes:
        arriving, spikes: arriving spikes, with at least one place, and their number.
        own, order, neuron_record: see `fast.cuda.launches.SweptForward`.
    """

    arriving: Arriving
    spikes: int
    layer: Layer
    clock: Clock
    own: Trains
    order: Tensor | None
    neuron_record: Tensor

    def backward(
        self, dL_dt_post: Tensor, dL_dy: Tensor, dL_dx: Tensor | None, want_dt: bool, want_tau: bool
    ) -> Sums:
        """Sweep back; see `fast.solving.solved.Swept`."""
        assert dL_dx is None, "no state is carried on a GPU"
        dL_dt = dL_dt_post
        if self.order is not None:
            dL_dt = torch.empty_like(dL_dt_post).index_copy_(0, self.order, dL_dt_post)
        own = Trains(*map(some, self.own))
        given = BackwardInput(*self.arriving, *own, some(dL_dt), dL_dy, self.neuron_record)
        found = launches.backward(given, self.spikes, self.layer, self.clock, want_dt, want_tau)
        return found if self.order is None else found._replace(dL_dt_post=dL_dt.index_select(0, self.order))


def solve(problem: Problem) -> Solved:
    """Solve a problem whose tensors lie on a GPU.

    Raises:
        UnsupportedError: more bins, in a trial or a delay, than can be counted.
        ArithmeticError: a neuron spikes too fast, or without end, or a layer above the bound
            (`fast.solving.bound`).
    """
    # Packing copies, so tensors that are changed in place later do not reach the backward pass.
    found, order = _arriving(problem)
    sizes = _sizes(problem, problem.longest_delay, found)
    layer = _packed(problem, sizes.longest, problem.clock)
    times = packing.instants(found.bin, found.time, layer.ticks)
    arriving = Arriving(*map(some, found._replace(time=times)))
    emitted = launches.forward(problem, arriving, layer, sizes)
    clock = problem.clock.in_precision(problem.dtype)
    if problem.dtype is not np.float64:
        layer = _packed(problem, sizes.longest, clock)
    swept = SweptOnGpu(arriving, len(order), layer, clock, emitted.own, emitted.order, emitted.neuron_record)
    return solved(problem, layer, order, emitted.trains, swept)


def _packed(problem: Problem, longest: int, clock: Clock) -> Layer:
    """A layer with its synapses, for a sweep of this clock."""
    layer = packing.layer(problem, longest, clock)
    launches.write_synapses(problem, layer)
    return layer


def _arriving(problem: Problem) -> tuple[Arriving, Tensor]:
    """Arriving spikes as kernels read them, but for `time`, which is the rest, and the number of
    each in the problem.

    Spikes after `T` stay, at the end of their trial and in bin `last + 1`: to leave them out, the
    host would have to wait for their number.
    """
    bin_, rest = packing.split(problem.times, problem)
    n, device = len(bin_), bin_.device
    trials, sources = (torch.arange(size, device=device) for size in (problem.trials, problem.sources))
    starts = problem.offsets[torch.arange(problem.trials + 1, device=device) * problem.sources]
    trial = trials.repeat_interleave(starts.diff(), output_size=n)
    source = sources.to(torch.int32).repeat(problem.trials).repeat_interleave(problem.offsets.diff(), output_size=n)
    order = torch.argsort(trial * (problem.clock.last + 2) + bin_, stable=True)
    return Arriving(starts, bin_[order], rest[order], source[order]), order


def _sizes(problem: Problem, longest_delay: Tensor, arriving: Arriving) -> Sizes:
    """See `Sizes`; the host waits once for all three."""
    bins, last, under_way = arriving.bin, problem.clock.last, longest_delay.new_zeros(())
    if len(bins):
        # Spikes are sorted by (trial, bin): the spikes under way when one is emitted lie before it,
        # back to the oldest within a turn of the ring.
        here = torch.arange(len(bins), device=bins.device)
        begin = (torch.searchsorted(arriving.offsets, here, right=True) - 1) * (last + 2)
        oldest = torch.searchsorted(begin + bins, torch.maximum(begin + bins - longest_delay - 1, begin))
        under_way = torch.where(bins <= last, here + 1 - oldest, 0).max()
    longest, most, of_a_trial = torch.stack([longest_delay, under_way, arriving.offsets.diff().max()]).tolist()
    return Sizes(longest, max(most, 1), of_a_trial)
