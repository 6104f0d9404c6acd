"""Uses of a layer that torch offers and the kernels do not, refused in words for the caller.

These are second derivatives, `torch.func` and forward mode. `torch.compile` leaves a layer alone.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

from delayprop.fast.nn.devices import within_transforms
from delayprop.fast.nn.spikes import Spikes
from delayprop.spec import UnsupportedError

P = ParamSpec("P")
R = TypeVar("R")
Backward = Callable[..., tuple[Tensor | None, ...]]


def outside_transforms(function: Callable[P, R]) -> Callable[P, R]:
    """A function of tensors that runs outside of `torch.compile`, refused within `torch.func`.

    torch refuses by itself, in words for the author of the function and not for its caller.
    `torch.compile` would trace the NumPy code around the kernels and fail in one of them.
    """

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if within_transforms():
            raise _unsupported("cannot run within `grad`, `vmap`, `jvp` or another transform of `torch.func`")
        for given in (*args, *kwargs.values()):
            tensor = given.times if isinstance(given, Spikes) else given
            if isinstance(tensor, Tensor) and forward_ad.unpack_dual(tensor).tangent is not None:
                raise _unsupported("has no derivatives in forward mode, and got a tensor with a tangent")
        return function(*args, **kwargs)

    uncompiled: list[Callable[P, R]] = []

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if "torch._dynamo" not in sys.modules:  # nothing can be compiling; importing it costs a second
            return checked(*args, **kwargs)
        if not uncompiled:
            uncompiled.append(torch.compiler.disable(checked))
        return uncompiled[0](*args, **kwargs)

    return call


def differentiable_once(backward: Backward) -> Backward:
    """The `backward` of a function that keeps its tensors in `ctx.variables`; differentiable once.

    torch's own `once_differentiable` raises in `.backward()` only. It ends the graph at the
    gradient, so `torch.autograd.grad` finds nothing beyond it, and
    `torch.autograd.functional.hessian` returns 0 in silence; so does a penalty on the gradient of a
    loss that is linear in spike times.
    """

    @wraps(backward)
    def call(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        try:
            gradients[0].untyped_storage()  # a batch of gradients under one name has none
        except NotImplementedError:
            raise _unsupported("has one gradient at a time, and was asked for a batch of them") from None
        _ = ctx.saved_tensors  # torch refuses a graph that an earlier backward pass has freed
        return _Gradient.apply(backward, ctx, len(gradients), *gradients, *ctx.variables)

    return call


class _Gradient(torch.autograd.Function):
    """A gradient as a node of the graph, joined to all its inputs; it cannot be differentiated."""

    @staticmethod
    def forward(_: Any, backward: Backward, of: Any, number: int, *tensors: Tensor) -> tuple[Tensor | None, ...]:
        return backward(of, *tensors[:number])

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> None:
        raise _unsupported("has first derivatives only, and was asked for a second one")


def _unsupported(fault: str) -> UnsupportedError:
    remedy = "use `loss.backward()` or `torch.autograd.grad`; for other derivatives, differences of gradients"
    return UnsupportedError("layer", "", fault, remedy)
