"""Spike count regularisation and excitation of silent neurons, beside the exact gradient.

The exact gradient of a spike count is 0, since the count is piecewise constant. Nowotny, Turner,
Knight (arXiv 2212.01232) write it as `N = sum_k V(t_k-) / v_th` at fixed times: a higher voltage at
a spike raises it. For the `R` of `spike_count_penalty` this gives

    dR/dV(t_k-) = strength (N_mean - target) / (trials v_th)

A voltage that is higher by `dV` crosses the threshold earlier by `dV / Vdot_minus`. So a loss with

    dR/dt_k = -Vdot_minus strength (N_mean - target) / (trials v_th)

has the same jump of `lambda_V`. `Vdot_minus` cancels the pole of the jump, so grazing spikes weigh
no more than others. A silent neuron has no `t_k`: `wake_` raises its weights instead.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from delayprop.fast.nn.joining import check_spikes
from delayprop.fast.nn.layers import check_layer
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.spiking_layer import SpikingLayer
from delayprop.spec.checks import finite_number
from delayprop.spec.errors import SpecError, Verbatim


def spike_count_penalty(
    layer: SpikingLayer, emitted: Spikes, target: float, strength: float,
    total: Callable[[Tensor], Tensor] = torch.clone,
) -> Tensor:
    """A penalty that pulls the spike counts of a layer to a target: a scalar to add to the loss.

        R = strength / 2 * sum_neurons (N_mean - target)^2,    N_mean: spikes per trial, batch mean

    Its gradient is that of Nowotny, Turner, Knight (arXiv 2212.01232), as if a higher voltage at a
    spike were more spikes. Neurons that are silent in the batch have none: see `wake_`. Check
    `residuals` before you add it.

    Args:
        layer: the layer that has just emitted these spikes.
        emitted: its spikes, before `keep`.
        target: spikes per neuron and trial.
        total: sums a tensor over all processes that share the batch.

    Raises:
        SpecError: other spikes than those of the layer's last forward pass; `target` or `strength`
            below 0 or not finite.
    """
    check_layer(layer)
    check_spikes(emitted, "emitted")
    for name, value in (("target", target), ("strength", strength)):
        if finite_number(value, name) < 0:
            raise SpecError(name, "at least 0", value, "give 0 for none")
    if layer.record is None or len(layer.record.kappa) != len(emitted.times) or emitted.size != layer.post:
        got = Verbatim(f"{len(emitted.times)} spikes of {emitted.size} neurons")
        raise SpecError("emitted", "the last spikes of the layer", got, "call it after the forward pass, before `keep`")
    counts = emitted.counts()
    sums = total(torch.cat([counts.sum(0), counts.new_tensor([len(counts)])]).double())
    excess = sums[:-1] / sums[-1] - target
    neuron = torch.arange(emitted.size, device=counts.device).repeat(emitted.trials)
    neuron = neuron.repeat_interleave(counts.flatten(), output_size=len(emitted.times))
    unit = torch.from_numpy(layer.matrices().unit_rate).to(counts.device)[neuron]
    slope = torch.from_numpy(layer.record.kappa).to(counts.device).double().sqrt() * unit
    dR_dt = -strength / sums[-1] * excess[neuron] * slope  # kappa is relative to v_th, and so is the slope
    term = (dR_dt.detach() * emitted.times).sum()  # of no meaning but its gradient
    return term - term.detach() + strength / 2 * excess.square().sum()


@torch.no_grad()
def wake_(layer: SpikingLayer, spike_counts: Tensor, increment: float) -> int:
    """Add `increment` to all weights onto silent neurons, which no gradient reaches.

    The code of Nowotny, Turner, Knight (arXiv 2212.01232) does so after each epoch.

    Args:
        spike_counts: `[post]`: spikes of each neuron, such as the sum of `emitted.counts().sum(0)`
            over an epoch.

    Returns:
        The number of silent neurons.

    Raises:
        SpecError: another shape; `increment` not finite.
    """
    check_layer(layer)
    finite_number(increment, "increment")
    if spike_counts.shape != (layer.post,):
        got = Verbatim(f"shape {list(spike_counts.shape)}")
        raise SpecError("spike_counts", f"of shape [{layer.post}]", got, "sum the counts over trials")
    silent = spike_counts.to(layer.w.device) == 0
    layer.w[:, silent] += increment if layer.mask is None else increment * layer.mask[:, silent]
    return int(silent.sum())


def is_silenced(spike_counts: Sequence[float]) -> bool:
    """Whether a layer receives spikes and emits none, so that no gradient passes through it.

    `spike_counts`: totals of a batch, of the input and of each hidden layer in order.
    """
    return any(received > 0 and emitted == 0 for received, emitted in pairwise(spike_counts))
