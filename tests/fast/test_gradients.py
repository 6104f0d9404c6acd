"""Gradients of torch functions of spikes; what a layer does not offer is refused."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad, functional

from delayprop.fast import LI, LIF, propagate
from delayprop.spec import VOLTAGE_READOUTS, UnsupportedError
from tests.support.networks.layers import TRIALS, first_layer, given_spikes
from tests.support.refusals import Refusals, assert_refused


@pytest.mark.parametrize("readout", VOLTAGE_READOUTS)
def test_a_readout_may_be_changed_in_place(readout: str) -> None:
    gradients = []
    for change in (lambda y: y * 1.0, lambda y: y.mul_(2.0) / 2.0):
        layer = LI(3, 2, readout=readout, dtype=torch.float64).requires_grad_()
        layer.initialise_(2.0, 0.5, 3.0, torch.Generator().manual_seed(1))
        change(layer(given_spikes())).square().sum().backward()
        gradients.append([p.grad for p in layer.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("name", ["w", "d", "tau_mem", "tau_syn", "v_th", "v_reset"])
@pytest.mark.parametrize("pre", [1, 3])
def test_a_parameter_changed_before_the_backward_pass(name: str, pre: int) -> None:
    """The gradient is that of the forward pass, or torch refuses with its in-place error."""
    gradients = []
    for factor in (1.0, 1.25):
        layer = LIF(pre, 1, v_reset=-0.5, dtype=torch.float64).requires_grad_()
        layer.initialise_(9.0 / pre, 0.5, 3.0, torch.Generator().manual_seed(1))
        loss = layer(given_spikes([TRIALS[0][:pre]])).times.square().sum()
        with torch.no_grad():
            getattr(layer, name).mul_(factor)
        try:
            loss.backward()
        except RuntimeError as refusal:
            assert "modified by an inplace operation" in str(refusal)
            return
        gradients.append([p.grad for p in layer.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


W, *OTHERS = [parameter.detach() for parameter in first_layer().parameters()]  # d and the constants


def times(w: Tensor) -> Tensor:
    return propagate(given_spikes(), w, *OTHERS)[0].times


def learned() -> tuple[Tensor, Tensor]:
    w = W.clone().requires_grad_()
    return w, times(w)


def linear(w: Tensor) -> Tensor:
    """A loss with a constant derivative by the times: torch has nothing to differentiate."""
    return times(w).sum()


def curved(w: Tensor) -> Tensor:
    return times(w).square().sum()


Loss = Callable[[Tensor], Tensor]


def penalty(loss: Loss) -> None:
    """A penalty on the gradient of a loss; without a refusal it would act as a constant."""
    w = W.clone().requires_grad_()
    value = loss(w)
    (slope,) = torch.autograd.grad(value, w, create_graph=True)
    (value + slope.square().sum()).backward()


def by_the_scale(loss: Loss) -> None:
    """The slope by a factor of the loss, which enters through the incoming gradient alone."""
    w, scale = W.clone().requires_grad_(), torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(scale * loss(w), w, create_graph=True)
    torch.autograd.grad(slope.sum(), scale, allow_unused=True)


@pytest.mark.parametrize("loss", [linear, curved])
@pytest.mark.parametrize("way", [
    penalty, by_the_scale, lambda loss: functional.hessian(loss, W),
    *(lambda loss, of=of: of(loss, W, W) for of in (functional.hvp, functional.vhp, functional.jvp)),
])
def test_a_second_derivative_is_refused(way: Callable[[Loss], None], loss: Loss) -> None:
    """`once_differentiable` of torch would return 0 for most of these."""
    words = "`layer` has first derivatives only, and was asked for a second one; use"
    assert_refused(lambda: way(loss), words, UnsupportedError)


def test_control_an_unused_graph_of_the_gradient_is_allowed() -> None:
    w = W.clone().requires_grad_()
    (plain,) = torch.autograd.grad(curved(w), w)
    (with_graph,) = torch.autograd.grad(curved(w), w, create_graph=True)
    assert torch.equal(plain, with_graph.detach()) and with_graph.requires_grad and plain.any()


def with_a_tangent() -> None:
    with forward_ad.dual_level():
        linear(forward_ad.make_dual(W, torch.ones_like(W)))


def times_with_a_tangent() -> None:
    spikes = given_spikes()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(spikes.times, torch.ones_like(spikes.times))
        object.__setattr__(spikes, "times", dual)  # past the constructor, which would look at it
        propagate(spikes, W, *OTHERS)


def several_gradients_at_once() -> None:
    w, found = learned()
    torch.autograd.grad(found, w, torch.eye(len(found), dtype=torch.float64), is_grads_batched=True)


def several_gradients_by_vmap() -> None:
    w, found = learned()
    torch.vmap(lambda v: torch.autograd.grad(found, w, v)[0])(torch.eye(len(found), dtype=torch.float64))


TRANSFORMS: Refusals = [
    *((call, "transform of `torch.func`") for call in (
        lambda: torch.func.grad(linear)(W), lambda: torch.vmap(linear)(torch.stack([W] * 2)),
        lambda: torch.func.jvp(linear, (W,), (W,)), lambda: torch.func.vjp(linear, W),
        lambda: torch.func.jacrev(times)(W), lambda: torch.func.grad(lambda x: x * linear(W))(torch.tensor(1.0)),
    )),
    *((call, "no derivatives in forward mode") for call in (with_a_tangent, times_with_a_tangent)),
    *((call, "one gradient at a time") for call in (
        several_gradients_at_once, several_gradients_by_vmap,
        lambda: functional.jacobian(times, W, vectorize=True),
    )),
]


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # forward mode of torch uses it itself
@pytest.mark.parametrize(("call", "expected"), TRANSFORMS)
def test_transforms_are_refused(call: Callable[[], object], expected: str) -> None:
    """torch's own message names internals."""
    assert_refused(call, rf"`layer` (has|cannot) .*{expected}.*; use `loss\.backward\(\)` ", UnsupportedError)


@pytest.mark.parametrize("read", [times, linear], ids=["times", "linear"])
def test_a_graph_is_freed_by_its_backward_pass(read: Callable[[Tensor], Tensor]) -> None:
    """As any graph of torch: otherwise a second pass would add the gradient again."""
    w = W.clone().requires_grad_()
    loss = read(w).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    twice = w.grad.clone() if w.grad is not None else None
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        loss.backward()
    once = torch.autograd.grad(read(w).sum(), w)[0]
    assert once.any() and torch.equal(w.grad, twice) and torch.equal(w.grad, 2 * once)


def test_a_jacobian_is_offered_one_row_at_a_time() -> None:
    jacobian = functional.jacobian(times, W)
    w, found = learned()
    rows = [torch.autograd.grad(time, w, retain_graph=True)[0] for time in found]
    assert torch.equal(jacobian, torch.stack(rows)) and jacobian.any()


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the compiler reads `.grad` of all tensors
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")  # the compiler's own advice
def test_a_layer_is_a_graph_break_of_compiled_code() -> None:
    """Loss and gradient of a compiled function equal the plain ones; `eager` needs no compiler."""
    torch.manual_seed(0)  # excitation, so that no gradient is 0
    hidden, out = first_layer(), LI(2, 2, readout="max_voltage", dtype=torch.float64)

    def loss() -> Tensor:
        return out(hidden(given)).square().sum()

    given = given_spikes()
    plain = torch.autograd.grad(loss(), (hidden.w, out.d))
    compiled = torch.autograd.grad(torch.compile(loss, backend="eager")(), (hidden.w, out.d))
    assert all(torch.equal(a, b) and a.any() for a, b in zip(plain, compiled, strict=True))
