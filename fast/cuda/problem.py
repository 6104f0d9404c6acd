"""A layer and its spikes, as tensors on a GPU, made ready for the kernels and solved."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fast.cuda import packing
from fast.cuda.kernels import CudaKernels
from fast.nn.spikes import Spikes
from fast.physics.clock import bin_width_for, clock_for


def solved(
    spikes: Spikes,
    times: Tensor,
    w: Tensor,
    d: Tensor,
    exists: Tensor | None,
    constants: tuple[Tensor, ...],
    read_maximum: bool,
    integral: str | None,
    width: float | None,
) -> tuple[CudaKernels, Tensor, float]:
    """The kernels after their forward pass, the order they read the spikes in, and the width of their bins (ms).

    Args:
        times: those of `spikes`.
        integral: `mean_voltage` or `exp_weighted_voltage`, if one is read.
        width: of the bins, if it is given.
    """
    # What is changed in place later does not reach the backward pass: packing copies, and so does this.
    times, w, d = (tensor.detach() for tensor in (times, w, d))
    tau_mem, tau_syn, v_th, v_reset = torch.stack([c.detach().double() for c in constants]).cpu().numpy()
    dtype = np.float32 if w.dtype == torch.float32 else np.float64
    if width is None:
        width = bin_width_for(float(min(tau_mem.min(), tau_syn.min())), spikes.duration)
    clock = clock_for(width, spikes.duration, dtype)
    arriving, order = packing.sorted_by_bin(times, spikes.offsets, spikes.trials, width, clock, w.dtype)
    sizes = packing.sizes(d, exists, arriving, width, clock)
    rate = {None: -1.0, "mean_voltage": 0.0, "exp_weighted_voltage": width / spikes.duration}[integral]
    layer = packing.layer(
        w, d, exists, (tau_mem, tau_syn, v_th, v_reset), spikes.size, rate, read_maximum, width, clock, sizes.longest
    )
    kernels = CudaKernels(arriving, spikes.trials, layer, clock, sizes)
    kernels.forward()
    return kernels, order, width
