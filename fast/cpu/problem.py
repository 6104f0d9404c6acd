"""A layer and its spikes, as tensors on the CPU, made ready for the kernels and solved."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fast.cpu import packing
from fast.cpu.kernels import Kernels
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
) -> tuple[Kernels, np.ndarray, float]:
    """The kernels after their forward pass, the order they read the spikes in, and the width of their bins (ms).

    Args:
        times: those of `spikes`.
        integral: `mean_voltage` or `exp_weighted_voltage`, if one is read.
        width: of the bins, if it is given.
    """
    # Everything is copied: a parameter or readout that is changed in place later does not reach the backward pass.
    dtype = np.float32 if w.dtype == torch.float32 else np.float64
    tau_mem, tau_syn, v_th, v_reset = (c.detach().double().numpy().copy() for c in constants)
    if width is None:
        width = bin_width_for(float(min(tau_mem.min(), tau_syn.min())), spikes.duration)
    clock = clock_for(width, spikes.duration, dtype)
    rate = {None: -1.0, "mean_voltage": 0.0, "exp_weighted_voltage": width / spikes.duration}[integral]
    layer = packing.layer(
        w.detach().numpy(), d.detach().double().numpy(), None if exists is None else exists.numpy(),
        (tau_mem, tau_syn, v_th, v_reset), spikes.size, rate, read_maximum, width, clock,
    )
    arriving, order = packing.sorted_by_bin(times.detach().numpy(), spikes.offsets.numpy(), spikes.trials, width, clock, dtype)
    kernels = Kernels(arriving, spikes.trials, layer, clock)
    kernels.forward()
    return kernels, order, width
