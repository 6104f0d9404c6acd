"""Layers and networks are ordinary torch modules: saved, copied, hooked, cast and trained like any other."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from fast import LI, LIF, Network, Spikes, spike_time_mse
from spec import SpikeTimeMSE
from tests.layers import TRIALS, case_of, filled, first_layer, given_spikes, second_layer, trains

TARGETS = trains([6.0, 9.0], [8.0])
LOSS = SpikeTimeMSE("layer1", TARGETS)


def network(dtype: torch.dtype = torch.float64) -> Network:
    """Two layers as a `Network`, whose weights are those of the layers."""
    return Network(case_of([first_layer(), second_layer()], TRIALS[0], LOSS).network, dtype)


def last_spikes(module: Network) -> Spikes:
    return module({"in": given_spikes()}).spikes["layer1"]


def mean_loss(emitted: Spikes) -> Tensor:
    return spike_time_mse(emitted, [TARGETS] * emitted.trials)


def test_a_network_is_its_layers() -> None:
    """The same spikes from the network as from the layers one after the other."""
    emitted = second_layer()(first_layer()(given_spikes()))
    assert torch.equal(last_spikes(network()).times, emitted.times)
    assert len(emitted.times) > 0


def test_a_state_dict_keeps_every_delay_bit_for_bit() -> None:
    """Through a file, read without pickled objects, after training has made the numbers odd."""
    trained = network(torch.float32)
    optimiser = torch.optim.Adam(trained.parameters(), lr=0.01)
    mean_loss(last_spikes(trained)).backward()
    optimiser.step()
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    restored = network(torch.float32)
    assert not torch.equal(restored.synapses[0].d, trained.synapses[0].d)
    restored.load_state_dict(torch.load(file, weights_only=True))
    for name, tensor in trained.state_dict().items():
        assert torch.equal(restored.state_dict()[name], tensor), name
    assert torch.equal(last_spikes(restored).times, last_spikes(trained).times)


def saved_whole(module: Any) -> Any:
    """The module itself through a file, not only its state."""
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)  # our own file


COPIES: dict[str, Callable[[Any], Any]] = {"deepcopy": copy.deepcopy, "saved whole": saved_whole}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_does_the_same_and_is_independent(way: str) -> None:
    layer = first_layer()
    before = layer(given_spikes()).times  # a layer that has run keeps a record, which must not be in the way
    copied = COPIES[way](layer)
    assert torch.equal(copied(given_spikes()).times, before)
    with torch.no_grad():
        copied.w.mul_(2.0)
    assert torch.equal(layer(given_spikes()).times, before)
    assert torch.equal(COPIES[way](layer.w).detach(), layer.w.detach())


@pytest.mark.parametrize("way", COPIES)
def test_a_network_can_be_copied(way: str) -> None:
    original = network()
    assert torch.equal(last_spikes(COPIES[way](original)).times, last_spikes(original).times)


@pytest.mark.parametrize(
    ("max_delay", "left", "outside"),
    [(None, [[0.0, 0.0, 3.0, 99.0]], 1), (3.0, [[0.0, 0.0, 3.0, 3.0]], 2)],
    ids=["no bound", "bound"],
)
def test_project_clamps_delays_and_counts_those_outside(max_delay: float | None, left: list, outside: int) -> None:
    """A delay on the bound has not left the interval."""
    layer = LIF(1, 4, max_delay=max_delay)
    filled(layer, [[1.0] * 4], [[-0.5, 0.0, 3.0, 99.0]])
    assert layer.project_() == outside
    assert layer.d.tolist() == left
    assert layer.project_() == 0


def test_hooks_run() -> None:
    layer, readout = first_layer(), LI(2, 2, readout="mean_voltage", dtype=torch.float64)
    readout.initialise_(1.0, 0.1, generator=torch.Generator().manual_seed(0))
    ran: list[str] = []

    def double(gradient: Tensor) -> Tensor:
        ran.append("gradient")
        return 2.0 * gradient

    layer.register_forward_pre_hook(lambda module, inputs: ran.append("before"))
    layer.register_forward_hook(lambda module, inputs, output: ran.append("after"))
    layer.w.register_hook(double)
    layer.d.register_post_accumulate_grad_hook(lambda parameter: ran.append("accumulated"))
    plain = torch.autograd.grad(readout(layer(given_spikes())).square().sum(), layer.d)
    loss = readout(layer(given_spikes())).square().sum()
    (doubled,) = torch.autograd.grad(loss, layer.w, retain_graph=True)
    loss.backward()
    assert ran == ["before", "after"] * 2 + ["gradient", "gradient", "accumulated"]
    assert layer.w.grad is not None and layer.d.grad is not None
    assert torch.equal(layer.d.grad, plain[0]) and torch.equal(layer.w.grad, doubled)


OPTIMISERS: dict[str, Callable[[list], torch.optim.Optimizer]] = {
    "SGD": lambda groups: torch.optim.SGD(groups, momentum=0.9, nesterov=True),
    "AdamW": lambda groups: torch.optim.AdamW(groups, weight_decay=0.01),
    "RMSprop": lambda groups: torch.optim.RMSprop(groups, centered=True),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_parameter_groups_step_with_their_own_rates(name: str) -> None:
    """Weights and delays at rates of their own; a group of rate 0 stays; the loss falls."""
    layer = first_layer().requires_grad_()
    frozen = {c: getattr(layer, c).detach().clone() for c in ("tau_mem", "tau_syn", "v_th", "v_reset")}
    start = {"w": layer.w.detach().clone(), "d": layer.d.detach().clone()}
    optimiser = OPTIMISERS[name](
        [
            {"params": [layer.w], "lr": 1e-3},
            {"params": [layer.d], "lr": 3e-3},
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_layer_can_be_cast(dtype: torch.dtype) -> None:
    """`.to(dtype)` changes what is computed in; gradients have the dtype of their parameter, times are float64."""
    layer = first_layer().to(dtype)
    emitted = layer(given_spikes())
    emitted.times.square().sum().backward()
    assert emitted.times.dtype == torch.float64
    assert layer.w.grad is not None and layer.d.grad is not None
    assert layer.w.grad.dtype == layer.d.grad.dtype == dtype
    assert torch.allclose(emitted.times, first_layer()(given_spikes()).times, rtol=1e-5)


def test_initialise_draws_what_it_says() -> None:
    layers = [LIF(40, 50).initialise_(2.0, 0.5, 3.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(layers[0].w, layers[1].w) and torch.equal(layers[0].d, layers[1].d)
    assert not torch.equal(layers[0].w, layers[2].w)
    w, d = layers[0].w.detach(), layers[0].d.detach()
    assert abs(float(w.mean()) - 2.0) < 0.05 and abs(float(w.std()) - 0.5) < 0.05
    assert 0.0 <= float(d.min()) < 0.1 and 2.9 < float(d.max()) <= 3.0


def test_without_gradients_nothing_is_tracked() -> None:
    layer = first_layer()
    with torch.no_grad():
        assert not layer(given_spikes()).times.requires_grad
    assert layer(given_spikes()).times.requires_grad


def test_a_layer_says_what_it_is() -> None:
    assert repr(LIF(3, 2, max_delay=5.0)) == "LIF(3, 2, max_delay=5.0)"
    assert repr(LI(2, 1, readout="max_voltage")) == "LI(2, 1, max_delay=None)"


def test_functional_call_uses_the_parameters_given() -> None:
    layer = first_layer()
    heavier = {name: p.detach().clone() for name, p in layer.named_parameters()} | {"w": 1.2 * layer.w.detach()}
    emitted = torch.func.functional_call(layer, heavier, (given_spikes(),))
    assert len(emitted.times) > len(layer(given_spikes()).times)
