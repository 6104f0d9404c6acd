"""torch's optimisers train exactly the given parameters, each group at its own rate."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, parameters_to_vector, vector_to_parameters

from delayprop.fast import Spikes, spike_time_mse
from tests.support.networks.front_modules import TARGETS, found_by, network
from tests.support.networks.layers import first_layer, given_spikes, second_layer
from tests.support.tolerances import SAME_SUM

PARAMETERS = ("w", "d", "tau_mem", "tau_syn", "v_th", "v_reset")


def mean_loss(emitted: Spikes) -> Tensor:
    return spike_time_mse(emitted, [TARGETS] * emitted.trials)


OPTIMISERS: dict[str, Callable[[list], torch.optim.Optimizer]] = {
    "SGD": lambda groups: torch.optim.SGD(groups, momentum=0.9, nesterov=True),
    "AdamW": lambda groups: torch.optim.AdamW(groups, weight_decay=0.01),
    "RMSprop": lambda groups: torch.optim.RMSprop(groups, centered=True),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_parameter_groups_step_with_their_own_rates(name: str) -> None:
    """Weights and delays change, a group of rate 0 stays, the loss falls."""
    layer = first_layer().requires_grad_()
    frozen = {c: getattr(layer, c).detach().clone() for c in ("tau_mem", "tau_syn", "v_th", "v_reset")}
    start = {"w": layer.w.detach().clone(), "d": layer.d.detach().clone()}
    optimiser = OPTIMISERS[name](
        [
            {"params": [layer.w], "lr": 1e-3}, {"params": [layer.d], "lr": 3e-3},
            {"params": [getattr(layer, constant) for constant in frozen], "lr": 0.0},
        ]
    )
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 5)
    losses = []
    for _ in range(10):
        optimiser.zero_grad()
        loss = mean_loss(layer(given_spikes()))
        loss.backward()
        optimiser.step()
        scheduler.step()
        layer.project_()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all(not torch.equal(getattr(layer, p), value) for p, value in start.items())
    assert all(torch.equal(getattr(layer, c), value) for c, value in frozen.items())


def test_constants_are_learned_only_when_asked() -> None:
    layer = first_layer()
    mean_loss(layer(given_spikes())).backward()
    assert {name for name, p in layer.named_parameters() if p.grad is not None} == {"w", "d"}
    layer.tau_syn.requires_grad_()
    mean_loss(layer(given_spikes())).backward()
    assert layer.tau_syn.grad is not None and layer.tau_mem.grad is None


@pytest.mark.parametrize(("rate_w", "rate_d"), [(1e-3, 3e-3), (0.0, 3e-3), (1e-3, 0.0)])
def test_weights_and_delays_move_by_their_own_rate_times_their_gradient(rate_w: float, rate_d: float) -> None:
    layer = first_layer()
    w, d = layer.w.detach().clone(), layer.d.detach().clone()
    optimiser = torch.optim.SGD([{"params": [layer.w], "lr": rate_w}, {"params": [layer.d], "lr": rate_d}])
    mean_loss(layer(given_spikes())).backward()
    optimiser.step()
    for now, before, rate in ((layer.w, w, rate_w), (layer.d, d, rate_d)):
        assert now.grad is not None and now.grad.any()
        assert torch.equal(now.detach(), before - rate * now.grad)


SUBSETS = [subset for size in range(len(PARAMETERS)) for subset in combinations(PARAMETERS, size)]


def gradients_of(free: tuple[str, ...]) -> dict[str, Tensor | None]:
    """The gradients of two layers in which only the parameters of these names require gradients."""
    layers = [first_layer().requires_grad_(False), second_layer().requires_grad_(False)]
    for layer in layers:
        for name in free:
            getattr(layer, name).requires_grad_()
    mean_loss(layers[1](layers[0](given_spikes()))).backward()
    return {f"{n}.{name}": getattr(layer, name).grad for n, layer in enumerate(layers) for name in PARAMETERS}


def test_any_subset_can_be_frozen() -> None:
    """A free parameter keeps its gradient, a frozen parameter has none."""
    everything = gradients_of(PARAMETERS)
    assert all(gradient is not None and gradient.any() for gradient in everything.values())
    for frozen in SUBSETS:
        found = gradients_of(tuple(name for name in PARAMETERS if name not in frozen))
        for name, gradient in found.items():
            full = everything[name]
            assert (gradient is None) == (name[2:] in frozen), (frozen, name)
            if gradient is not None and full is not None:
                assert float((gradient - full).norm()) <= SAME_SUM * float(full.norm()), (frozen, name)


def test_with_everything_frozen_there_is_nothing_to_differentiate() -> None:
    assert not first_layer().requires_grad_(False)(given_spikes()).times.requires_grad


def test_parameters_as_one_vector_and_back() -> None:
    module = network()
    vector = parameters_to_vector(module.parameters())
    assert len(vector) == 2 * (6 + 4) + 2 * 4 * 2
    before = found_by(module)
    vector_to_parameters(1.05 * vector, module.parameters())
    assert not torch.equal(found_by(module), before)
    vector_to_parameters(vector, module.parameters())
    assert torch.equal(found_by(module), before)


def test_gradients_can_be_clipped_together() -> None:
    layer = first_layer()
    mean_loss(layer(given_spikes())).backward()
    whole = parameters_to_vector([p.grad for p in (layer.w, layer.d) if p.grad is not None])
    norm = clip_grad_norm_(layer.parameters(), 0.5)
    clipped = parameters_to_vector([p.grad for p in (layer.w, layer.d) if p.grad is not None])
    assert norm > 0.5 and float(norm) == pytest.approx(float(whole.norm()), rel=1e-12)
    assert torch.allclose(clipped / clipped.norm(), whole / whole.norm(), rtol=1e-12)
    assert float(clipped.norm()) == pytest.approx(0.5, rel=1e-4)
