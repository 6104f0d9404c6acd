"""Keeping hidden neurons active: heuristics beside the exact gradient, which does not see spikes appear or vanish.

The number of spikes is piecewise constant, so its exact gradient is 0. Nowotny, Turner, Knight (arXiv 2212.01232) write
it as `N = sum_k V(t_k-) / v_th` and hold the times still: then raising the voltage at a spike raises the count. For

    R = strength / 2 * sum_neurons (N_mean - target)^2,     N_mean: spikes a trial, mean over the batch,

that makes `dR/dV(t_k-) = strength (N_mean - target) / (trials v_th)`. A voltage that is higher by `dV` crosses earlier
by `dV / Vdot_minus`, so the same jump of `lambda_V` is that of a loss with

    dR/dt_k = -Vdot_minus strength (N_mean - target) / (trials v_th),

and grazing spikes count no more than others: `Vdot_minus` cancels the pole. A silent neuron has no `t_k`; `wake_` is
for it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fast.nn.layers import LIF
from fast.nn.spikes import Spikes


def count_pull(
    layer: LIF, emitted: Spikes, target: float, strength: float, total: Callable[[Tensor], Tensor] = torch.clone
) -> Tensor:
    """A number to add to the loss of a batch, so that its gradient gains that of `R`; its value means nothing.

    Args:
        layer: that has just emitted these spikes.
        target: spikes a neuron and trial.
        total: sums a tensor over all processes that share the batch.
    """
    counts = emitted.counts()
    sums = total(torch.cat([counts.sum(0), counts.new_tensor([len(counts)])]).double())
    excess = sums[:-1] / sums[-1] - target
    assert layer.record is not None and layer.v_th is not None
    neuron = torch.arange(emitted.size, device=counts.device).repeat(emitted.trials)
    neuron = neuron.repeat_interleave(counts.flatten(), output_size=len(emitted.times))
    slope = torch.from_numpy(layer.record.kappa).to(counts.device).double().sqrt() / layer.tau_mem.double()[neuron]
    pull = -strength / sums[-1] * excess[neuron] * slope  # kappa is relative to v_th, and so is the slope
    return (pull.detach() * emitted.times).sum()


@torch.no_grad()
def wake_(layer: LIF, fired: Tensor, by: float) -> int:
    """Raise all weights onto neurons that have not fired, as the paper's code does each epoch; how many there were."""
    silent = fired.to(layer.w.device) == 0
    layer.w[:, silent] += by
    return int(silent.sum())
