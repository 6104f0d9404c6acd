"""Gradients of arbitrary torch functions of spike times and readouts are exact, in any batch."""

import pytest
import torch
from torch import Tensor

from delayprop.fast import LI, LIF, Spikes, spike_time_mse
from delayprop.spec import VOLTAGE_READOUTS
from tests.support.networks.layers import (
    DURATION,
    LOSSES,
    TARGETS,
    TRIALS,
    assert_batch_is_mean,
    first_layer,
    given_spikes,
    second_layer,
)


def user_loss(hidden: Spikes, out: Spikes) -> Tensor:
    """No case file can express this loss of layers, trials, first spikes and spike counts."""
    pull = (out.times / 7).sin() @ torch.arange(1.0, len(out.times) + 1, dtype=torch.float64)
    return pull + out.first().logsumexp(0).square().sum() + (hidden.train(0, 1) ** 1.5).sum() / hidden.first()[1, 0]


def test_any_loss_through_two_layers_equals_a_finite_difference() -> None:
    """Along a random direction of all parameters and input times; the error is of fourth order."""
    first, second = first_layer().requires_grad_(), second_layer().requires_grad_()
    spikes = given_spikes()
    spikes.times.requires_grad_()
    free = [spikes.times, *first.parameters(), *second.parameters()]
    values = [tensor.detach().clone() for tensor in free]
    generator = torch.Generator().manual_seed(0)
    direction = [torch.randn(v.shape, dtype=v.dtype, generator=generator) for v in values]

    def loss(step: float = 0.0) -> Tensor:
        with torch.no_grad():
            for tensor, value, along in zip(free, values, direction, strict=True):
                tensor.copy_(value + step * along)
        hidden = first(spikes)
        return user_loss(hidden, second(hidden))

    gradients = torch.autograd.grad(loss(), free)
    assert all(bool(g.any()) for g in gradients)
    slope = sum(float((g * along).sum()) for g, along in zip(gradients, direction, strict=True))
    h = 5e-5
    with torch.no_grad():
        difference = float(8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    assert slope == pytest.approx(difference, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_is_the_mean_of_its_trials(name: str, dtype: torch.dtype) -> None:
    assert_batch_is_mean(name, dtype)


def test_a_silent_batch_has_a_finite_loss_and_no_gradient() -> None:
    layer = first_layer().requires_grad_()
    silent = layer(given_spikes(TRIALS[2:]))
    spike_time_mse(silent, [TARGETS]).backward()
    assert silent.first().tolist() == [[DURATION, DURATION]] and len(silent.times) == 0
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


def scaled_twice(y: Tensor) -> Tensor:
    return y.mul_(2.0) / 2.0


@pytest.mark.parametrize("readout", VOLTAGE_READOUTS)
def test_a_readout_may_be_changed_in_place(readout: str) -> None:
    gradients = []
    for change in (lambda y: y * 1.0, scaled_twice):
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
