"""A layer and the spikes that arrive at it, and the bins of time that its kernels count in."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.layout.instants import BATCH, ticks_for
from delayprop.fast.physics.clock import Clock, bin_width_for, clock_for
from delayprop.fast.solving.matrices import Matrices, matrices
from delayprop.fast.solving.recording import Start
from delayprop.spec.neuron import Neuron
from delayprop.spec.readouts import MAX_VOLTAGE, READOUT_BY_NAME


@dataclass(frozen=True, eq=False)
class Problem:
    """One layer over a batch of trials; tensors on one device, without history; times in ms.

    Attributes:
        times: `[n]`, float64: arriving spikes by (trial, source), each train in order.
        offsets: `[trials * sources + 1]`, int64: start of each train in `times`.
        trials, sources: batch size, and number of neurons outside the layer.
        duration: `T`; a trial is `[0, T]`.
        w, d: `[sources + copies * post, post]`, float32 or float64. In a recurrent layer its own
            neurons follow as sources, `copies` times if two neurons are connected more than once.
        exists: boolean, of the shape of `w`: which synapses exist; None: all.
        neuron: the equations of all neurons.
        constants: of the neurons, `[post]` each, in the order of `neuron.constants`.
        readout: `max_voltage`, `mean_voltage`, `exp_weighted_voltage` or None.
        bin_width: width of the bins, a power of two; None: chosen here.
        into: `[rows of w]`, int64: the state that a source raises, as its number in
            `neuron.arrivals`; None: the first.
        start: the state with which the trials begin; None: at rest.
        goes_on: whether the state at `T` is asked for.
    """

    times: Tensor
    offsets: Tensor
    trials: int
    sources: int
    duration: float
    w: Tensor
    d: Tensor
    exists: Tensor | None
    neuron: Neuron
    constants: tuple[Tensor, ...]
    readout: str | None = None
    bin_width: float | None = None
    into: Tensor | None = None
    start: Start | None = None
    goes_on: bool = False

    @property
    def of_recording(self) -> bool:
        """Whether the trials are parts of recordings: widths and ticks then depend on no `T`."""
        return self.start is not None or self.goes_on

    @property
    def dtype(self) -> type:
        """The precision of weights, delays, gradients and the sweep back, as a NumPy type.

        The sweep forward is in float64: a spike is where a small difference of large sums vanishes.
        """
        return np.float32 if self.w.dtype == torch.float32 else np.float64

    @cached_property
    def host_constants(self) -> np.ndarray:
        """`[constants, post]`, float64: the constants, copied to the host."""
        if not self.constants:
            return np.empty((0, self.w.shape[1]))
        return torch.stack([constant.double() for constant in self.constants]).cpu().numpy()

    @cached_property
    def matrices(self) -> Matrices:
        """The matrices of the neurons; `UnsupportedError`: the kernels cannot run them."""
        return matrices(self.neuron, self.host_constants)

    @cached_property
    def width(self) -> float:
        """Width of a bin, ms."""
        if self.bin_width is not None:
            return self.bin_width
        return bin_width_for(1.0 / self.matrices.fastest, math.inf if self.of_recording else self.duration)

    @cached_property
    def clock(self) -> Clock:
        """The bins of a trial; `UnsupportedError`: it has more than can be counted."""
        clock, first = clock_for(self.width, self.duration), 0
        if not self.of_recording:
            return clock
        longest = int(self.longest_delay)
        bits = ticks_for(longest, self.width).bits
        if self.start is not None:
            ticks, _ = self.start.under_way.in_ticks(self.width, bits, longest)
            first = (int(ticks.min(initial=0)) >> bits) // BATCH * BATCH
        return clock.of_recording(first, bits, self.goes_on)

    @cached_property
    def longest_delay(self) -> Tensor:
        """The largest whole number of bins in a delay that is no longer than the trial, one number
        on the device; in a recording, in any delay."""
        in_bins = self.d.to(torch.float64, copy=True).div_(self.width)
        if not in_bins.numel():
            return in_bins.new_zeros((), dtype=torch.int64)
        counts = torch.ones_like(in_bins, dtype=torch.bool) if self.exists is None else self.exists
        if not self.of_recording:
            counts = counts & (in_bins < self.clock.last + 1)
        return in_bins.masked_fill_(~counts, 0.0).max().long()

    @property
    def rate(self) -> float:
        """Rate per bin of the weight of an integral readout; negative: no integral is read."""
        read = None if self.readout is None else READOUT_BY_NAME[self.readout]
        assert read is None or read.of_voltage, "first spikes are no readout of a kernel"
        rate = read.rate if read else None
        assert rate is not None or read in (None, MAX_VOLTAGE), f"no kernel reads {self.readout}"
        return -1.0 if rate is None else rate * self.width / self.duration
