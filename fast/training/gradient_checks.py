"""The live certificate of a run: the identities of an exact gradient, checked on its own batches while it learns.

Rounding alone leaves a residual of about the unit roundoff of the dtype, and may leave more where a spike grazes its
threshold: its part of the gradient is rounded by up to `100 u / kappa` (`spec/SPECIFICATION.md`, section 6). So a
residual beyond `LIMIT` units is said, and one beyond what its grazing spikes explain as well stops the run.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fast.nn.certificate import Residuals, residuals, watched
from fast.nn.spikes import Spikes
from fast.training.model import Reader

LIMIT = 1e4  # units of roundoff
GRAZING = 100.0  # units of roundoff, over kappa


class CertificateError(ArithmeticError):
    """A gradient that breaks an identity by more than rounding can."""


def certify(network: Reader, spikes: Spikes, labels: Tensor) -> tuple[Residuals, float, float]:
    """The residuals of the gradient of one batch's loss, and what rounding explains: without and with grazing spikes.

    The parameters' gradients are left as they are.
    """
    before = [parameter.grad for parameter in network.parameters()]
    network.zero_grad(set_to_none=True)
    with watched(network.layers, spikes):
        y, _ = network(spikes)
        y.retain_grad()
        network.loss(y, labels).backward()
        assert y.grad is not None
        found = residuals(network.layers, spikes, y, y.grad)
    for parameter, grad in zip(network.parameters(), before, strict=True):
        parameter.grad = grad
    kappa = [layer.record.kappa_min for layer in network.layers if layer.record is not None]
    u = torch.finfo(network.out.w.dtype).eps / 2
    worst = min((k for k in kappa if k is not None), default=1.0)
    taus = [float(tau.min()) for layer in network.layers for tau in (layer.tau_mem.detach(), layer.tau_syn.detach())]
    usual = max(LIMIT, spikes.duration / min(taus))  # a time is rounded by its own size, and what counts is a tau
    return found, u * usual, u * max(usual, GRAZING / worst if worst else math.inf)


def check_certificate(found: Residuals, usual: float, limit: float) -> list[str]:
    """Refuse residuals beyond the limit, and say which are beyond what is usual.

    Raises:
        CertificateError: it names the identity.
    """
    said = []
    for name, residual in vars(found).items():
        if residual is not None and residual > limit:
            explained = f"identity {name} is off by {residual:.1e}, rounding explains {limit:.1e}"
            raise CertificateError(f"{explained}; nothing was learned from this step")
        if residual is not None and residual > usual:
            said.append(f"identity {name} is off by {residual:.1e}, which a grazing spike may explain ({limit:.1e})")
    return said
