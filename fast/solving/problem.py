"""A layer and the spikes that arrive at it, and the bins of time that its kernels count in."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.physics.clock import Clock, bin_width_for, clock_for
from delayprop.fast.solving.matrices import Matrices, matrices
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
        return bin_width_for(1.0 / self.matrices.fastest, self.duration)

    @cached_property
    def clock(self) -> Clock:
        """The bins of a trial; `UnsupportedError`: it has more than can be counted."""
        return clock_for(self.width, self.duration)

    @property
    def rate(self) -> float:
        """Rate per bin of the weight of an integral readout; negative: no integral is read."""
        read = None if self.readout is None else READOUT_BY_NAME[self.readout]
        assert read is None or read.of_voltage, "first spikes are no readout of a kernel"
        rate = read.rate if read else None
        assert rate is not None or read in (None, MAX_VOLTAGE), f"no kernel reads {self.readout}"
        return -1.0 if rate is None else rate * self.width / self.duration
