"""The live certificate of a run: the identities of an exact gradient, checked on its own batches while it learns.

Rounding alone leaves a residual of about the unit roundoff of the dtype, and more where a spike grazes its threshold:
its part of the gradient is rounded by about `100 u / kappa` (`spec/SPECIFICATION.md`, section 6). A residual beyond
`LIMIT` of both is no rounding, and stops the run.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fast.certificate import Residuals, residuals, watched
from fast.spikes import Spikes
from fast.training.reader import Reader

LIMIT = 1e4  # units of roundoff
GRAZING = 100.0  # units of roundoff, over kappa


class CertificateError(ArithmeticError):
    """A gradient that breaks an identity by more than rounding can."""


def certify(network: Reader, spikes: Spikes, labels: Tensor) -> tuple[Residuals, float]:
    """The residuals of the gradient of one batch's loss, and how large rounding may make them.

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
    return found, u * max(LIMIT, GRAZING / min((k for k in kappa if k is not None), default=1.0))


def check_certificate(found: Residuals, limit: float) -> None:
    """Refuse residuals beyond the limit; from a limit of 1 on, nothing can be told.

    Raises:
        CertificateError: it names the identity.
    """
    for name, residual in vars(found).items():
        if residual is not None and residual > limit:
            explained = f"identity {name} is off by {residual:.1e}, rounding explains {limit:.1e}"
            raise CertificateError(f"{explained}; nothing was learned from this step")
