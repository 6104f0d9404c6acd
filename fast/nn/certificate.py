"""The live certificate: conservation identities that an exact gradient obeys, checked on that of a training step.

They follow from the symmetries of the model alone (proofs: `derivations/`), so they need no second implementation:

    A  scale of weights, thresholds: sum w g_w + v_th g_v_th + v_reset g_v_reset = sum y dL/dy
    B  unit of time:  sum d g_d + tau_mem g_tau_mem + tau_syn g_tau_syn + sum t_in g_t_in + T dL/dT = sum t dL/dt
    C  shift of time: sum g_t_in + dL/dT = sum dL/dt

The right sides are those of the loss itself: `y` voltages read, `t` spike times. `dL/dT` is there if a largest voltage
is reached exactly at `T`. Exact gradients leave residuals of rounding; `tests/agreement/test_planted_faults.py` shows what faults
leave (A does not see delays, C does not see weights: they are read together). An integral of the voltage, or a spike
exactly at `T`, knows the end of the trial in other ways, and obeys A only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from fast.nn.layers import LI, LIF
from fast.nn.spikes import Spikes


@dataclass(frozen=True)
class Residuals:
    """Residual of each identity, relative to the sum of its terms' absolute values.

    None where it does not apply, or where all terms are 0 and there is nothing to certify.
    """

    A: float | None
    B: float | None
    C: float | None

    def __str__(self) -> str:
        return "  ".join(f"{name} {'-' if r is None else format(r, '.0e')}" for name, r in vars(self).items())


@contextmanager
def watched(layers: Sequence[LIF | LI], spikes: Spikes) -> Iterator[None]:
    """Within, every parameter and the input times get gradients, as the identities need; afterwards as before.

    Args:
        layers: every layer of the network, in order.
        spikes: the input of the first.
    """
    parameters = [spikes.times, *(parameter for layer in layers for parameter in layer.parameters())]
    before = [(parameter.requires_grad, parameter.grad) for parameter in parameters]
    for parameter, (_, grad) in zip(parameters, before, strict=True):
        parameter.requires_grad_()
        parameter.grad = None if grad is None else torch.zeros_like(grad)
    try:
        yield
    finally:
        for parameter, (learned, grad) in zip(parameters, before, strict=True):
            if grad is not None and parameter.grad is not None:
                parameter.grad += grad
            parameter.requires_grad_(learned)
            if not learned:
                parameter.grad = None


def residuals(layers: Sequence[LIF | LI], spikes: Spikes, output: Tensor, dL_doutput: Tensor) -> Residuals:
    """Check the gradients that one backward pass has left, within `watched`.

    Args:
        layers: every layer of the network, in order; their `.grad` holds the gradient of one loss.
        spikes: the input of the first.
        output, dL_doutput: what the loss is a function of, and its derivative by it: the readout of the last layer, or
            the times of its spikes.
    """
    A, B, C = [], [_product(spikes.times)], [_gradient(spikes.times)]
    for layer in layers:
        A += [_product(parameter) for parameter in (layer.w, layer.v_th, layer.v_reset) if parameter is not None]
        B += [_product(parameter) for parameter in (layer.d, layer.tau_mem, layer.tau_syn)]
    dL_doutput = dL_doutput.detach().double()
    last = layers[-1].record
    assert last is not None, "call within `watched`"
    if isinstance(layers[-1], LI):
        dL_dT = dL_doutput * torch.from_numpy(last.dy_dT).to(dL_doutput.device)
        A.append(-output * dL_doutput)
        B.append(spikes.duration * dL_dT)
        C.append(dL_dT)
    else:
        B.append(-output * dL_doutput)
        C.append(-dL_doutput)
    if any(layer.record is not None and layer.record.sees_end for layer in layers):
        return Residuals(_relative(A), None, None)
    # A time's gradient is w (lambda_V - lambda_I), summed over arrivals: rounding is that of the parts, of which dL_dw
    # tells lambda_I. Where no time matters (one spike in a trial), they cancel, and nothing but rounding is left.
    tau_syn = min(float(layer.tau_syn.detach().min()) for layer in layers if len(layer.tau_syn))
    parts = [_gradient(layers[0].d), *(_product(layer.w) / tau_syn for layer in layers)]
    return Residuals(_relative(A), _relative(B), _relative(C, parts))


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None, "call within `watched`"
    return parameter.grad.double()


def _product(parameter: Tensor) -> Tensor:
    return parameter.detach().double() * _gradient(parameter)


def _relative(terms: list[Tensor], parts: Sequence[Tensor] = ()) -> float | None:
    """Residual of the sum of all terms; None where all are 0, which certifies nothing.

    Args:
        parts: what the terms are themselves sums of, if they are, in one or several ways. Where the parts cancel,
            rounding is relative to them and not to what is left.
    """
    flat = torch.cat([term.detach().double().flatten() for term in terms])
    size = float(flat.abs().sum())
    size = max(size, sum(float(part.abs().sum()) for part in parts)) if size > 0 else size
    return abs(float(flat.sum())) / size if size > 0 else None
