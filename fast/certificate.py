"""The live certificate: conservation identities that an exact gradient obeys, checked on that of a training step.

They follow from the symmetries of the model alone (proofs: `derivations/`), so they need no second implementation:

    A  scale of weights, thresholds: sum w g_w + v_th g_v_th + v_reset g_v_reset = sum y dL/dy
    B  unit of time:                 sum d g_d + tau_mem g_tau_mem + tau_syn g_tau_syn + sum t_in g_t_in = sum t dL/dt
    C  shift of time:                sum g_t_in = sum dL/dt

The right sides are those of the loss itself: `y` voltages read (in A), `t` spike times (in B and C). A flipped delay
sign, a slope from the wrong side of a reset, a dropped jump leave residuals of 1e-2 to 1; exact gradients those of
rounding. B and C hold for spike times and for largest voltages inside the trial; an integral of the voltage, or a
maximum or spike exactly at `T`, knows where the trial ends, and obeys A only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from fast.layers import LI, LIF


@dataclass(frozen=True)
class Residuals:
    """Residual of each identity, relative to the sum of its terms' absolute values; None where it does not apply."""

    A: float
    B: float | None
    C: float | None

    def __str__(self) -> str:
        return "  ".join(f"{name} {'-' if r is None else format(r, '.0e')}" for name, r in vars(self).items())


@contextmanager
def watched(layers: Sequence[LIF | LI], times_in: Tensor) -> Iterator[None]:
    """Within, every parameter and the input times get gradients, as the identities need; afterwards as before."""
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    learned = [parameter.requires_grad for parameter in parameters]
    for tensor in (times_in, *parameters):
        tensor.requires_grad_()
    try:
        yield
    finally:
        for parameter, before in zip(parameters, learned, strict=True):
            parameter.requires_grad_(before)
            if not before:
                parameter.grad = None


def residuals(layers: Sequence[LIF | LI], times_in: Tensor, y: Tensor, dL_dy: Tensor) -> Residuals:
    """Check the gradients that one backward pass has left, within `watched`.

    Args:
        layers: every layer of the network, the last one an `LI`; their `.grad` holds the gradient of one loss.
        times_in: times of the input spikes, with `.grad`.
        y, dL_dy: the voltage readout of the loss, and the loss's derivative by it.
    """
    A, B = [-(y * dL_dy)], [_product(times_in)]
    for layer in layers:
        A += [_product(parameter) for parameter in (layer.w, layer.v_th, layer.v_reset) if parameter is not None]
        B += [_product(parameter) for parameter in (layer.d, layer.tau_mem, layer.tau_syn)]
    if any(layer.record is not None and layer.record.sees_end for layer in layers):
        return Residuals(_relative(A), None, None)
    assert times_in.grad is not None
    return Residuals(_relative(A), _relative(B), _relative([times_in.grad], layers[0].d.grad))


def _product(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None, "call within `watched`"
    return parameter.detach().double() * parameter.grad.double()


def _relative(terms: list[Tensor], parts: Tensor | None = None) -> float:
    """Residual of the sum of all terms; 0 where all are 0.

    Args:
        parts: what the terms are themselves sums of, if they are: a time's gradient sums over its targets, as delay
            gradients list them. Where the parts cancel, rounding is relative to them and not to what is left.
    """
    flat = torch.cat([term.detach().double().flatten() for term in terms])
    size = float(flat.abs().sum())
    if parts is not None:
        size = max(size, float(parts.double().abs().sum()))
    return abs(float(flat.sum())) / size if size > 0 else 0.0
