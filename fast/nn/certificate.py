"""The live certificate: three identities of an exact gradient, checked while training.

They follow from the symmetries of the model (proofs: `derivations`), so the check needs no second
implementation:

    A  scale of weights, thresholds: sum w g_w + v_th g_v_th + v_reset g_v_reset = sum y dL/dy
    B  unit of time:  sum d g_d + tau_mem g_tau_mem + tau_syn g_tau_syn + t_in g_t_in
                      = sum t dL/dt + sum u dL/dy
    C  shift of time: sum g_t_in = sum g_d of each layer = sum dL/dt + sum s dL/dy

Neurons of other equations have other constants in A and B, each with its power of the unit of
voltage, or of time (`fast.nn.exponents`). The right sides belong to the loss: `y` are the voltages
read, `t` the spike times, `u` and `s` the change of `y` with unit and origin of time, while `T`
stays (`moved`). In C the delays of a layer are those of the spikes from outside it: if all are
longer, all spikes of this layer and of those after it are later. So C checks the delays of every
layer against their own size, however small they are.

An exact gradient leaves rounding errors; `tests/agreement/test_planted_faults.py` shows what faults
leave. Read all three: A is blind to times, C to weights. With a spike exactly at `T` only A holds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from delayprop.fast.nn.autograd import Record
from delayprop.fast.nn.exponents import exponents
from delayprop.fast.nn.joining import check_spikes
from delayprop.fast.nn.layers import LI
from delayprop.fast.nn.samples import no_record
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.state import check_whole
from delayprop.fast.nn.synaptic_layer import SynapticLayer, check_layers
from delayprop.fast.solving.problem import Problem
from delayprop.spec.errors import SpecError, Verbatim

LEAST = 1e-20  # of `lambda_I`: below, adjoints come near the smallest numbers of float32
CHUNK = 2**20  # arrivals that are looked at together, which bounds the memory


@dataclass(frozen=True)
class Residuals:
    """[identity-A, identity-B, identity-C] Residual of each, relative to the sum of absolute terms.

    C is the largest residual of the input times and of the delays of each layer. None if the
    identity does not apply, or if all its terms are 0, which certifies nothing.
    """

    A: float | None
    B: float | None
    C: float | None

    def __str__(self) -> str:
        return "  ".join(f"{name} {'-' if r is None else format(r, '.0e')}" for name, r in vars(self).items())


@contextmanager
def watched(layers: Sequence[SynapticLayer], spikes: Spikes) -> Iterator[None]:
    """Give every parameter and the input times the gradient of one backward pass.

    Afterwards `requires_grad` is as before, and `.grad` of a learned parameter is the sum of its
    former value and the new gradient.

    Args:
        layers: every layer of the network, in order.
        spikes: the input of the first layer.
    """
    check_spikes(spikes)
    layers = check_layers(layers)
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


def residuals(layers: Sequence[SynapticLayer], spikes: Spikes, output: Tensor, dL_doutput: Tensor | None) -> Residuals:
    """The residuals after one backward pass; call it within `watched`.

    Args:
        layers: every layer of the network, in order; their `.grad` holds the gradient of one loss.
        spikes: the input of the first layer.
        output: the argument of the loss: the readout of the last layer, or its spike times (ms).
        dL_doutput: the derivative of the loss by `output`.

    Raises:
        SpecError: a gradient is missing, since the call is not within `watched`, or since `output`
            did not retain its own.
        UnsupportedError: a layer has run on a window of a recording (`LayerState`).
    """
    layers = check_layers(layers)
    for n, layer in enumerate(layers):
        if layer.record is not None:
            check_whole(layer.record.problem, f"layers[{n}]")
    if dL_doutput is None:
        remedy = "call `output.retain_grad()` before the backward pass"
        raise SpecError("dL_doutput", "the gradient of `output`", Verbatim("None"), remedy)
    A, B, applies = [], [_product(spikes.times)], {"A", "B"}
    for layer in layers:
        of_voltage, of_time = exponents(layer.equations)
        A += [_product(w) for w in layer.all_w]
        B += [_product(d) for d in layer.all_d]
        for terms, powers in ((A, of_voltage), (B, of_time)):
            applies &= {"A", "B"} if powers is not None else {"B"} if terms is A else {"A"}
            terms += [_product(layer.constants[name]) * power for name, power in (powers or {}).items()]
    output, dL_doutput = output.detach().double(), dL_doutput.detach().double()
    last = layers[-1].record
    if last is None:
        raise no_record(f"layers[{len(layers) - 1}]")
    if isinstance(layers[-1], LI):
        unit, shift = moved(last, output, spikes.duration)
        A.append(-output * dL_doutput)
        B += [-change * dL_doutput for change in unit]
        C = [-change * dL_doutput for change in shift]
    else:
        B.append(-output * dL_doutput)
        C = [-dL_doutput]
    if any(layer.record is not None and layer.record.spikes_at_end for layer in layers):
        return Residuals(_relative(A) if "A" in applies else None, None, None)
    found, parts = [], list[Tensor]()
    for layer in reversed(layers):
        parts += _parts(layer)
        found.append(_relative([_gradient(layer.all_d[0]), *C], parts))
    found.append(_relative([_gradient(spikes.times), *C], parts))
    of_A, of_B = (_relative(terms) if name in applies else None for name, terms in (("A", A), ("B", B)))
    return Residuals(of_A, of_B, max((r for r in found if r is not None), default=None))


def _parts(layer: SynapticLayer) -> list[Tensor]:
    """The summands of the gradient of a time, which may cancel.

    It sums `w (lambda_V - lambda_I)` over arrivals, and may vanish although the parts do not (if
    one spike arrives, no time matters); `dL/dw` gives `lambda_I`. With an integral readout the
    difference has one sign, and is exact however far below the parts it lies, down to `LEAST`.
    """
    least = LEAST if layer.record is not None and layer.record.integrated is not None else 1.0
    decay = float(-layer.matrices().A[1, 1].min())
    return [_gradient(layer.all_d[0]), *(_product(w) * least * decay for w in layer.all_w)]


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        remedy = "run forward pass, `backward()` and `residuals` in one block `with watched(layers, spikes):`"
        raise SpecError("layers", "", "has no gradient for a parameter, or for input times", remedy)
    return parameter.grad.double()


def _product(parameter: Tensor) -> Tensor:
    return parameter.detach().double() * _gradient(parameter)


def _relative(terms: list[Tensor], parts: Sequence[Tensor] = ()) -> float | None:
    """Residual of the sum of all terms; None if all are 0. `parts`: the summands of terms that are
    sums; where the parts cancel, the rounding error is relative to the parts."""
    flat = torch.cat([term.detach().double().flatten() for term in terms])
    size = float(flat.abs().sum())
    size = max(size, sum(float(part.abs().sum()) for part in parts)) if size > 0 else size
    return abs(float(flat.sum())) / size if size > 0 else None


def moved(record: Record, y: Tensor, duration: float) -> tuple[list[Tensor], list[Tensor]]:
    """The change of the readouts `y [trials, post]`, float64, of a layer with this record: by a
    common factor, at 1, of all times of the input and all constants of the network; and by a common
    shift of all times of the input, per ms. Each is a list of summands `[trials, post]`.

    An integral `y = (1/T) int_0^T exp(-r t) V dt` loses its end, and its weight `exp(-r t)` stays.
    The change takes `V` at `T`, and for `r > 0` the moment `(1/T) int_0^T t exp(-r t) V dt`
    [identity-readout], computed from the arrivals alone, in closed form and float64, so that they
    depend on no kernel.
    """
    problem = record.integrated
    if problem is None:
        slope = torch.from_numpy(record.dy_dT).to(y.device)
        return [-duration * slope], [-slope]
    T, r = duration, max(problem.rate, 0.0) / problem.width
    tau_mem, tau_syn = (tau.double() for tau in problem.constants[:2])
    V, I, late = _at_end(problem, r)
    weight = torch.exp(torch.tensor(-r * T, dtype=torch.float64, device=y.device))
    at_end = -weight * V
    if r == 0:
        return [y, at_end], [at_end / T]
    # The equations of motion, times exp(-r t) and t exp(-r t), integrated over the trial.
    integral_I = (1 + r * tau_mem) * T * y + tau_mem * weight * V
    moment_I = (tau_syn * (late - T * weight * I) + tau_syn * integral_I) / (1 + r * tau_syn)
    moment = (moment_I + tau_mem * (T * y - T * weight * V)) / (1 + r * tau_mem) / T
    return [y, at_end, -r * moment], [at_end / T, -r * y]


def _at_end(problem: Problem, r: float) -> tuple[Tensor, Tensor, Tensor]:
    """`V` and `I` at `T`, and the sum of `w t exp(-r t)` over arrivals, `[trials, post]` each."""
    T, device, most = problem.duration, problem.w.device, max(1, CHUNK // problem.w.shape[1])
    tau_mem, tau_syn = (tau.double() for tau in problem.constants[:2])
    slower, apart = torch.minimum(1 / tau_mem, 1 / tau_syn), (1 / tau_mem - 1 / tau_syn).abs()
    w, d = problem.w.double(), problem.d.double()
    if problem.exists is not None:
        w = torch.where(problem.exists, w, 0.0)
    sources = torch.arange(problem.sources, device=device).repeat(problem.trials)
    sources = sources.repeat_interleave(problem.offsets.diff(), output_size=len(problem.times))
    sums = torch.zeros(3, problem.trials, w.shape[1], dtype=torch.float64, device=device)
    for trial, (first, last) in enumerate(pairwise(problem.offsets[:: problem.sources].tolist())):
        for part in (slice(at, min(at + most, last)) for at in range(first, last, most)):
            source = sources[part]
            arrival = problem.times[part, None] + d[source]
            left, weight = (T - arrival).clamp(min=0.0), torch.where(arrival <= T, w[source], 0.0)
            # [flow] (1/tau_mem) E(left; 1/tau_mem, 1/tau_syn), accurate near equal constants
            x = apart * left
            response = left / tau_mem * torch.exp(-slower * left) * torch.where(x == 0, 1.0, -torch.expm1(-x) / x)
            sums[0, trial] += (weight * response).sum(0)
            if r:
                sums[1, trial] += (weight * torch.exp(-left / tau_syn)).sum(0)
                sums[2, trial] += (weight * arrival * torch.exp(-r * arrival)).sum(0)
    V, I, late = sums
    return V, I, late
