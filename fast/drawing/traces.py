"""Voltages over time from their closed form: the kernels keep none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.nn.layers import LI, LIF
from delayprop.fast.nn.spikes import Spikes
from delayprop.spec import SpecError
from delayprop.spec.checks import whole_number
from delayprop.spec.errors import Verbatim

BLOCK = 1024  # arrivals whose voltages are in memory at once


@torch.no_grad()
def membrane_traces(layer: LIF | LI, spikes: Spikes, times: Tensor | np.ndarray | Sequence, trial: int = 0) -> Tensor:
    """The voltages of the neurons of a layer in one trial, float64, `[post, points]`.

    A neuron with the arrivals `(t_arr, w)` and the spikes `t_k` up to `t` has

        V(t) = sum_arr w k(t - t_arr) - (v_th - v_reset) sum_k exp(-(t - t_k) / tau_mem)

    where `k` is the voltage that a weight of 1 causes. At the time of a spike, `V` is the reset.

    Args:
        spikes: as in the layer's forward pass.
        times: `[points]`, ms.

    Raises:
        SpecError: no such trial, spikes of another number of neurons; times that are not finite, or
            of a LIF layer after the trial.
        ArithmeticError: as the layer's forward pass.
    """
    whole_number(trial, "trial", 0, spikes.trials - 1, "count from 0")
    if spikes.size != layer.pre:
        raise SpecError("spikes", f"of {layer.pre} neurons", spikes.size, "give the spikes that the layer receives")
    at = np.asarray(torch.as_tensor(times).cpu(), np.float64)
    if at.ndim != 1 or not np.isfinite(at).all():
        raise SpecError("times", "finite numbers [points] (ms)", Verbatim(f"shape {list(at.shape)}"), "give a list")
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
    return torch.from_numpy(np.array([_voltage(layer, one, own, neuron, at) for neuron in range(layer.post)]))


def _voltage(layer: LIF | LI, spikes: Spikes, own: Spikes | None, neuron: int, times: np.ndarray) -> np.ndarray:
    arriving = arrivals(layer, spikes, neuron)
    if own is not None and layer.w_rec is not None and layer.d_rec is not None:
        arriving = np.concatenate([arriving, _through(layer.w_rec, layer.d_rec, own, neuron)])
    tau_mem, tau_syn = float(layer.tau_mem[neuron]), float(layer.tau_syn[neuron])
    V = voltage_of(arriving, tau_mem, tau_syn, times)
    if own is None or layer.v_th is None or layer.v_reset is None:
        return V
    fall = float(layer.v_th[neuron]) - float(layer.v_reset[neuron])
    for t in own.train(0, neuron).tolist():
        V -= fall * np.where(times >= t, np.exp(-np.maximum(times - t, 0.0) / tau_mem), 0.0)
    return V


def arrivals(layer: LIF | LI, spikes: Spikes, neuron: int) -> np.ndarray:
    """`t_arr` (ms) and `w` of each arrival at one neuron in trial 0, `[n, 2]`, by source neuron."""
    return _through(layer.w, layer.d, spikes, neuron)


def _through(w: Tensor, d: Tensor, spikes: Spikes, neuron: int) -> np.ndarray:
    source = torch.arange(spikes.size).repeat_interleave(spikes.counts()[0].cpu())
    t = spikes.times[: len(source)].detach().cpu()
    weights, delays = (values[:, neuron].detach().cpu().double()[source] for values in (w, d))
    return torch.stack([t + delays, weights], dim=1).numpy()


def voltage_of(arrivals: np.ndarray | Sequence, tau_mem: float, tau_syn: float, times: np.ndarray) -> np.ndarray:
    """`V(t)` of a neuron without threshold from its arrivals `t_arr, w`, `[n, 2]`; in ms."""
    pm, ps = 1 / tau_mem, 1 / tau_syn
    total, found = np.zeros_like(times), np.asarray(arrivals, np.float64).reshape(-1, 2)
    for first in range(0, len(found), BLOCK):
        t_arr, w = found[first : first + BLOCK, :, None].transpose(1, 0, 2)
        x = np.maximum(times - t_arr, 0.0)
        z = np.abs(ps - pm) * x
        shape = np.divide(-np.expm1(-z), z, out=np.ones_like(z), where=z > 0)
        total += (w * pm * x * np.exp(-min(pm, ps) * x) * shape).sum(0)
    return total
