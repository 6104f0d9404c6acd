"""Checks of a gradient before the optimiser uses it: finite numbers, the identities, float64.

The identities are those of `fast.nn.certificate`. Kernels compute each gradient to a few units of
roundoff of the sum of its absolute terms, however many these are; a residual is relative to the
gradients, in which terms may cancel. So rounding leaves some hundred units at most. At a spike that
grazes its threshold, the crossing is off by `u / sqrt(kappa)` of a time constant, so this spike may
break the identities by as much. Its gradient may be off by `100 u / kappa`
(`spec/SPECIFICATION.md`, section 5), but nearly all of this obeys the identities: it is the exact
gradient of a network nearby. A residual above `USUAL` units gives a warning; one above `MOST`, or
more where spikes graze, stops the run.

So the identities are blind to rounding. In float32 a step that is certified also repeats one trial
in float64, with the same weights: the difference is the error of each block of this trial.
"""

import copy
import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from delayprop.fast.nn.certificate import Residuals, residuals, watched
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.fast.training.model import Classifier

USUAL = 1e3  # units of roundoff: 10 per term, and terms that cancel to 1 % of their sizes
MOST = 1e4  # units of roundoff: terms that cancel to 0.1 %
GRAZING = 100.0  # units of roundoff, divided by the root of kappa
LEGEND = (
    "A (scale of weights), B (unit of time), C (shift of time): residuals of the identities of an exact gradient, "
    "-: does not apply to that step"
)
BESIDE = "float64: the largest error of a block of the gradient of one trial, against float64 with the same weights"
UNKNOWN = 0.1  # error of a block above which to warn
SMALL = 1e-3  # a block below this share of the largest may nearly cancel


class NotFiniteError(ArithmeticError):
    """A loss, a gradient or a parameter is NaN or infinite."""


class CertificateError(ArithmeticError):
    """A gradient breaks an identity by more than rounding explains."""


def check_finite(named: Iterable[tuple[str, Tensor | None]]) -> None:
    """Refuses tensors with an entry that is NaN or infinite, by the name of the first."""
    for name, tensor in named:
        if tensor is not None and not bool(torch.isfinite(tensor).all()):
            raise NotFiniteError(f"{name} is not finite; nothing was learned from this step")


def certify(
    network: Classifier, spikes: Spikes, labels: Tensor, kept: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> tuple[Residuals, float, float]:
    """Residuals of the gradient of one batch's loss; the parameters' own `.grad` stay unchanged.

    Each layer is certified by itself, by the gradients of the spikes that it receives and emits:
    its terms then have its own size, and only its own spikes can graze. Returns the largest
    residual of each identity, the residual above which to warn, and the limit: that of a layer
    which exceeds its own, or the largest.
    """
    before = [parameter.grad for parameter in network.parameters()]
    network.zero_grad(set_to_none=True)
    with watched(network.layers, spikes):
        y, emitted = network(spikes, kept)
        outputs = [*(one.times for one in emitted), y][: len(network.layers)]  # first spikes are read from times
        for output in outputs:
            output.retain_grad()
        network.loss(y, labels, label_smoothing).backward()
        given = zip(network.layers, [spikes, *emitted], outputs, strict=False)
        found = [vars(residuals([layer], arriving, output, output.grad)) for layer, arriving, output in given]
    for parameter, grad in zip(network.parameters(), before, strict=True):
        parameter.grad = grad
    u = torch.finfo(network.out.w.dtype).eps / 2
    # rounding of a time is relative to T, its effect to a tau
    of_times = spikes.duration * max(layer.matrices().fastest for layer in network.layers)
    kappas = [smallest_kappa([layer]) for layer in network.layers]
    limits = [u * max(MOST, of_times, GRAZING / math.sqrt(min(kappa, 1.0)) if kappa else math.inf) for kappa in kappas]
    largest = [max((r for r in of_layer.values() if r is not None), default=0.0) for of_layer in found]
    exceeded = [limit for one, limit in zip(largest, limits, strict=True) if one > limit]
    worst = {name: max((one[name] for one in found if one[name] is not None), default=None) for name in "ABC"}
    return Residuals(**worst), u * max(USUAL, of_times), min(exceeded, default=max(limits))


def beside_float64(
    network: Classifier, spikes: Spikes, labels: Tensor, kept: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> float | None:
    """The error of the gradient of the first trial, against that in float64 with equal weights: the
    largest of a block, relative to the block or to a thousandth of the largest block. None in
    float64, and where the gradient is 0."""
    if network.out.w.dtype == torch.float64:
        return None
    one, narrow = kept, copy.deepcopy(network)
    if one is not None:  # with the scaled weights, so that both precisions have the same
        one = one[:1]
        narrow.out.w.data.mul_(1 / (1 - network.dropout))
        narrow.dropout = 0.0

    def gradient(of: Classifier) -> dict[tuple[int, str], Tensor]:
        blocks = {(n, name): one for n, layer in enumerate(of.layers) for name, one in layer.named_parameters()}
        learned = {place: block for place, block in blocks.items() if block.requires_grad}
        loss = of.loss(of(spikes[:1].detach(), one)[0], labels[:1], label_smoothing)
        return dict(zip(learned, (g.double() for g in torch.autograd.grad(loss, [*learned.values()])), strict=True))

    found, true = gradient(narrow), gradient(copy.deepcopy(narrow).double())
    errors = {place: float((found[place] - block).norm()) for place, block in true.items()}
    norms = {place: float(block.norm()) for place, block in true.items()}
    least = SMALL * max(norms.values(), default=0.0)
    if least == 0.0:
        return None
    return max(error / max(norms[place], least) for place, error in errors.items())


def rounding_warnings(beside: float | None) -> list[str]:
    """A warning of a gradient that rounding has moved far."""
    if beside is None or beside <= UNKNOWN:
        return []
    return [f"rounding puts a block of the gradient of one trial {beside:.0%} off; --dtype float64 does not"]


def smallest_kappa(layers: Sequence[SynapticLayer]) -> float:
    """The worst conditioning of a spike in the last forward pass; infinite without spikes."""
    found = [layer.record.kappa_min for layer in layers if layer.record is not None]
    return min((kappa for kappa in found if kappa is not None), default=math.inf)


def check_certificate(found: Residuals, usual: float, limit: float) -> list[str]:
    """Refuses residuals above the limit; returns a warning for each one above `usual`."""
    warnings = []
    for name, residual in vars(found).items():
        if residual is not None and residual > limit:
            explained = f"identity {name} is off by {residual:.1e}, rounding explains {limit:.1e}"
            raise CertificateError(f"{explained}; nothing was learned from this step")
        if residual is not None and residual > usual:
            warnings.append(f"identity {name} is off by {residual:.1e}; rounding may explain {limit:.1e}")
    return warnings
