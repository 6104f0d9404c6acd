"""The live certificate: three conservation identities of an exact gradient, checked while training.

They follow from the symmetries of the model (proofs: `derivations`), so the check needs no second
implementation:

    A  scale of weights, thresholds: sum w g_w + v_th g_v_th + v_reset g_v_reset = sum y dL/dy
    B  unit of time:  sum d g_d + tau_mem g_tau_mem + tau_syn g_tau_syn + t_in g_t_in + T dL/dT
                      = sum t dL/dt
    C  shift of time: sum g_t_in + dL/dT = sum dL/dt

The right sides belong to the loss: `y` are the voltages read, `t` the spike times. `dL/dT` differs
from 0 only where a maximum of the voltage lies exactly at `T`. An exact gradient leaves rounding
errors; `tests/agreement/test_planted_faults.py` shows what faults leave. Read all three: A is blind
to delays, C to weights. A loss that depends on `T` otherwise, through an integral of the voltage or
a spike exactly at `T`, obeys A only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from fast.nn.layers import LI, LIF
from fast.nn.spikes import Spikes
from fast.nn.trials import check_spikes
from spec import SpecError
from spec.errors import Verbatim


@dataclass(frozen=True)
class Residuals:
    """Residual of each identity, relative to the sum of the absolute values of its terms.

    None if the identity does not apply, or if all its terms are 0, which certifies nothing.
    """

    A: float | None
    B: float | None
    C: float | None

    def __str__(self) -> str:
        return "  ".join(f"{name} {'-' if r is None else format(r, '.0e')}" for name, r in vars(self).items())


@contextmanager
def watched(layers: Sequence[LIF | LI], spikes: Spikes) -> Iterator[None]:
    """Give every parameter and the input times the gradient of one backward pass.

    Afterwards `requires_grad` is as before, and `.grad` of a learned parameter is the sum of its
    former value and the new gradient.

    Args:
        layers: every layer of the network, in order.
        spikes: the input of the first layer.
    """
    check_spikes(spikes)
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


def residuals(layers: Sequence[LIF | LI], spikes: Spikes, output: Tensor, dL_doutput: Tensor | None) -> Residuals:
    """The residuals after one backward pass; call it within `watched`.

    Args:
        layers: every layer of the network, in order; their `.grad` holds the gradient of one loss.
        spikes: the input of the first layer.
        output: the argument of the loss: the readout of the last layer, or its spike times (ms).
        dL_doutput: the derivative of the loss by `output`.

    Raises:
        SpecError: a gradient is missing, since the call is not within `watched`, or since `output`
            did not retain its own.
    """
    if dL_doutput is None:
        remedy = "call `output.retain_grad()` before the backward pass"
        raise SpecError("dL_doutput", "the gradient of `output`", Verbatim("None"), remedy)
    A, B, C = [], [_product(spikes.times)], [_gradient(spikes.times)]
    for layer in layers:
        A += [_product(parameter) for parameter in (*layer.weights, layer.v_th, layer.v_reset) if parameter is not None]
        B += [_product(parameter) for parameter in (*layer.delays, layer.tau_mem, layer.tau_syn)]
    dL_doutput = dL_doutput.detach().double()
    last = layers[-1].record
    assert last is not None, "its parameters have gradients"
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
    # The gradient of a time sums w (lambda_V - lambda_I) over arrivals, so it has the rounding
    # error of these parts; dL/dw gives lambda_I. If no time matters (one spike), they cancel.
    tau_syn = min(float(layer.tau_syn.detach().min()) for layer in layers if len(layer.tau_syn))
    parts = [_gradient(layers[0].delays[0]), *(_product(w) / tau_syn for layer in layers for w in layer.weights)]
    return Residuals(_relative(A), _relative(B), _relative(C, parts))


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        remedy = "run forward pass, `backward()` and `residuals` in one block `with watched(layers, spikes):`"
        raise SpecError("layers", "of parameters and input times with gradients", Verbatim("one without"), remedy)
    return parameter.grad.double()


def _product(parameter: Tensor) -> Tensor:
    return parameter.detach().double() * _gradient(parameter)


def _relative(terms: list[Tensor], parts: Sequence[Tensor] = ()) -> float | None:
    """Residual of the sum of all terms; None if all are 0.

    Args:
        parts: the summands of the terms, if the terms are sums. Where the parts cancel, the
            rounding error is relative to the parts.
    """
    flat = torch.cat([term.detach().double().flatten() for term in terms])
    size = float(flat.abs().sum())
    size = max(size, sum(float(part.abs().sum()) for part in parts)) if size > 0 else size
    return abs(float(flat.sum())) / size if size > 0 else None
