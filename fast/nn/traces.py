"""Voltages over time from their closed form, and arrivals: the kernels keep none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.nn.joining import check_spikes, joined
from delayprop.fast.nn.layers import LI, LIF, check_layer
from delayprop.fast.nn.samples import sampled
from delayprop.fast.nn.spikes import Spikes
from delayprop.spec.checks import sequence, whole_number
from delayprop.spec.errors import SpecError, Verbatim


@torch.no_grad()
def membrane_traces(
    layer: LIF | LI, spikes: Spikes, times: Tensor | np.ndarray | Sequence, trial: int = 0,
    neurons: Tensor | np.ndarray | Sequence[int] | None = None,
) -> Tensor:
    """The voltages of neurons of a layer in one trial, float64, `[neurons, points]`.

    A neuron with the arrivals `(t_arr, w)` and the spikes `t_k` up to `t` has

        V(t) = sum_arr w k(t - t_arr) - (v_th - v_reset) sum_k exp(-(t - t_k) / tau_mem)

    where `k` is the voltage that a weight of 1 causes. At the time of a spike, `V` is the reset.
    The time of a call grows with the arrivals plus the points.

    Args:
        spikes: as in the layer's forward pass.
        times: `[points]`, ms, in any order.
        neurons: their numbers; None: all.

    Raises:
        SpecError: no layer, no such trial or neuron, spikes of another number of neurons; times
            that are not finite, or of a LIF layer after the trial.
        ArithmeticError: as the layer's forward pass.
    """
    check_layer(layer, reads=True)
    check_spikes(spikes)
    whole_number(trial, "trial", 0, spikes.trials - 1, "count from 0")
    if spikes.size != layer.pre:
        raise SpecError("spikes", f"of {layer.pre} neurons", spikes.size, "give the spikes that the layer receives")
    at = np.asarray(torch.as_tensor(times).cpu(), np.float64)
    if at.ndim != 1 or not np.isfinite(at).all():
        raise SpecError("times", "finite numbers [points] (ms)", Verbatim(f"shape {list(at.shape)}"), "give a list")
    given: Any = range(layer.post) if neurons is None else neurons.tolist() if isinstance(neurons, Tensor) else neurons
    numbers = sequence(list(given) if isinstance(given, range) else given, "neurons", None, "numbers of neurons")
    chosen = [whole_number(j, f"neurons[{n}]", 0, layer.post - 1, "count from 0") for n, j in enumerate(numbers)]
    one, own = spikes[trial].detach(), None
    if isinstance(layer, LIF):
        if len(at) and at.max() > one.duration:
            remedy = "the spikes are known up to there"
            raise SpecError("times", f"at most the duration, {one.duration:g} (ms)", float(at.max()), remedy)
        record = layer.record
        try:
            own = layer(one)
        finally:
            layer.record = record
    order = np.argsort(at, kind="stable")
    sources = one if own is None or not layer.recurrent else joined([one, own])
    w, d = (torch.cat(of)[:, chosen] for of in (layer.existing_w, layer.delays_of_synapses))
    constants = {name: values[chosen] for name, values in layer.constants.items()}
    emitted = None if own is None else _of_neurons(own, chosen)
    V = sampled(torch.from_numpy(at[order]), sources, w, d, constants, emitted)[0].cpu()
    return V[:, np.argsort(order)]


def _of_neurons(spikes: Spikes, neurons: list[int]) -> Spikes:
    """The spikes of these neurons in the only trial, in this order."""
    trains = [spikes.train(0, j) for j in neurons]
    ends = torch.tensor([0, *map(len, trains)], device=spikes.device).cumsum(0)
    return Spikes(torch.cat([spikes.times[:0], *trains]), ends, 1, len(neurons), spikes.duration)


def arrivals(w: Tensor, d: Tensor, spikes: Spikes, neuron: int) -> np.ndarray:
    """`t_arr` (ms) and `w` of each arrival at one neuron in trial 0, `[n, 2]`, by source neuron."""
    source = torch.arange(spikes.size).repeat_interleave(spikes.counts()[0].cpu())
    t = spikes.times[: len(source)].detach().cpu()
    weights, delays = (values[:, neuron].detach().cpu().double()[source] for values in (w, d))
    return torch.stack([t + delays, weights], dim=1).numpy()


def count_arrivals(spikes: Spikes, d: Tensor, exists: Tensor | None = None) -> int:
    """The number of arrivals in all trials: of a spike at `t` through an existing synapse with
    `t + d <= T`. `d`, ms, and `exists` (None: all): `[pre, post]`.

    With the delays of each source in order a binary search finds how many of them are short enough.
    """
    far = d.detach().double() if exists is None else d.detach().double().masked_fill(~exists, torch.inf)
    delays, post = far.sort(dim=1).values.cpu().numpy(), d.shape[1]
    t, source = spikes.times.detach().cpu().numpy(), neurons_of(spikes)
    found, step = np.zeros(len(t), np.int64), 1 << post.bit_length() >> 1
    while step:
        reached = t + delays[source, np.minimum(found + step, post) - 1] <= spikes.duration
        found += step * (reached & (found + step <= post))
        step //= 2
    return int(found.sum())


def neurons_of(spikes: Spikes) -> np.ndarray:
    """The neuron of each spike."""
    return np.repeat(np.tile(np.arange(spikes.size), spikes.trials), spikes.counts().cpu().numpy().ravel())
