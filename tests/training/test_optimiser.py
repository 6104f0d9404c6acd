"""Step sizes: one group each, eased in as in the paper's code, scheduled; frozen groups stay."""

import math
from typing import Any

import pytest
import torch

from delayprop.fast.nn.constants import project_constants_
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.optimiser import Optimiser, ease_in
from delayprop.fast.training.settings import Settings


def made(steps: int = 10, epochs: int = 1, **changed: Any) -> tuple[Classifier, Optimiser]:
    settings = Settings(hidden=(3, 2), **changed)
    network = Classifier(4, 2, settings, torch.float64, 0)
    optimiser = Optimiser(network, settings, epochs, steps)
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            parameter.grad = torch.ones_like(parameter) * (3.0 if name.endswith("w") else 2.0)
    return network, optimiser


@torch.no_grad()
def moved(network: Classifier, optimiser: Optimiser, number: int) -> dict[str, float]:
    """The move of each group in one step; Adam's first step is its learning rate."""
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    optimiser.take_step(number)
    for layer in network.layers:
        project_constants_(layer, optimiser.settings.least_tau)
    return {name: float((before[name] - value.detach()).abs().max()) for name, value in network.named_parameters()}


def test_each_group_takes_its_own_step() -> None:
    found = moved(*made(recurrent=True, lr=0.01, out_lr=0.03, delay_lr=0.5), 0)
    for layer in ("hidden.0", "hidden.1"):
        assert [found[f"{layer}.{name}"] for name in ("w", "w_rec")] == pytest.approx([0.01] * 2, rel=1e-6)
        assert [found[f"{layer}.{name}"] for name in ("d", "d_rec")] == pytest.approx([0.5] * 2, rel=1e-6)
    assert [found["out.w"], found["out.d"]] == pytest.approx([0.03, 0.5], rel=1e-6)
    assert moved(*made(lr=0.01), 0)["out.w"] == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize(("name", "frozen"), [("freeze_weights", "w"), ("freeze_delays", "d")])
def test_what_is_frozen_does_not_move(name: str, frozen: str) -> None:
    still = {key for key, far in moved(*made(**{name: True}), 0).items() if far == 0 and key[-1] in "wd"}
    assert still == {f"{layer}.{frozen}" for layer in ("hidden.0", "hidden.1", "out")}


def test_weights_are_eased_in_and_delays_are_not() -> None:
    """The rate starts at a thousandth; times 1.05, 1.05^2, ... it is whole in the 17th batch."""
    shares, share = [], 0.001
    for batch in range(40):
        share *= 1.05**batch
        shares.append(min(share, 1.0))
    assert [ease_in(0.001, batch) for batch in range(40)] == pytest.approx(shares, rel=1e-12)
    assert shares[15] < 1 and shares[17] == 1 and ease_in(1.0, 0) == 1.0
    found = moved(*made(lr=0.01, delay_lr=0.5, ease_in=0.001), 2)
    assert found["hidden.0.w"] == pytest.approx(0.01 * 0.001 * 1.05**3, rel=1e-6)
    assert found["out.d"] == pytest.approx(0.5, rel=1e-6)


def test_weights_decay_and_nothing_else_does() -> None:
    network, optimiser = made(lr=0.01, weight_decay=0.5, recurrent=True, learn_constants=True)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    network.zero_grad(set_to_none=False)
    optimiser.take_step(0)
    for name, value in network.named_parameters():
        expected = before[name] * (1 - 0.01 * 0.5) if name.endswith((".w", ".w_rec")) else before[name]
        assert torch.allclose(value, expected, rtol=1e-12, atol=0), name


@pytest.mark.parametrize(("warm_up", "shares"), [(0.0, (1.0, 1.0, 1.0, 1.0)), (2.0, (0.1, 0.5, 1.0, 1.0))])
def test_step_sizes_warm_up_beside_a_cosine(warm_up: float, shares: tuple[float, ...]) -> None:
    for number, share in zip((0, 4, 9, 12), shares, strict=True):
        settings = {"lr": 0.01, "delay_lr": 0.5, "warm_up": warm_up, "schedule": "cosine"}
        found = moved(*made(steps=5, epochs=3, **settings), number)
        share *= (1 + math.cos(math.pi * number / 15)) / 2
        assert found["hidden.0.w"] == pytest.approx(0.01 * share, rel=1e-6)
        assert found["out.d"] == pytest.approx(0.5 * share, rel=1e-6)


def test_the_gradient_of_each_group_has_its_norm_and_is_clipped_to_another() -> None:
    optimiser = made(clip=2.0)[1]
    before = optimiser.norms()
    assert before == pytest.approx({"w": 3 * math.sqrt(18), "w_out": 3 * 2.0, "d": 2 * math.sqrt(22)}, rel=1e-12)
    optimiser.take_step(0)
    assert min(before.values()) > 2.0
    assert optimiser.norms() == pytest.approx(dict.fromkeys(before, 2.0), rel=1e-5)
    loose = made(clip=1e3)[1]
    loose.take_step(0)
    assert loose.norms() == before


def test_learned_time_constants_take_steps_of_their_own_down_to_a_bound() -> None:
    network, optimiser = made(learn_constants=True, constants_lr=0.25, least_tau=4.9)
    found = moved(network, optimiser, 0)
    for constant, step in (("tau_mem", 0.25), ("tau_syn", 0.1)):  # `tau_syn` starts at 5 ms
        assert [far for name, far in found.items() if name.endswith(constant)] == pytest.approx([step] * 3, rel=1e-6)
    assert set(made()[1].norms()) == {"w", "w_out", "d"} and "tau" in optimiser.norms()
    still = moved(*made(), 0)
    assert all(far == 0 for name, far in still.items() if "tau" in name or name.endswith(("v_th", "v_reset")))
