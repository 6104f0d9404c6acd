"""Modules are saved, loaded and copied as torch modules."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.networks.front_modules import MODULES, found_by, network, reader
from tests.support.networks.layers import first_layer


@pytest.mark.parametrize("name", MODULES)
def test_a_state_dict_keeps_every_number_bit_for_bit(name: str) -> None:
    """The file is read with `weights_only`, after a training step has made the numbers odd."""
    trained, restored = MODULES[name](torch.float32), MODULES[name](torch.float32)
    optimiser = torch.optim.Adam(trained.requires_grad_().parameters(), lr=0.01)
    found_by(trained).square().sum().backward()
    optimiser.step()
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    assert not torch.equal(found_by(restored), found_by(trained))
    restored.load_state_dict(torch.load(file, weights_only=True))
    assert {*restored.state_dict()} == {*trained.state_dict()}
    for key, tensor in trained.state_dict().items():
        assert torch.equal(restored.state_dict()[key], tensor), key
    assert torch.equal(found_by(restored), found_by(trained))


def test_a_state_dict_names_what_is_learned() -> None:
    constants = ["tau_mem", "tau_syn", "v_th", "v_reset"]
    assert list(first_layer().state_dict()) == ["w", "d", *constants]
    assert list(reader().state_dict()) == ["w", "d", *constants[:2]]
    synapses = [f"synapses.{n}.{name}" for n in (0, 1) for name in ("w", "d", "exists")]
    assert list(network().state_dict()) == synapses + [f"constants.{n}.{name}" for n in (1, 2) for name in constants]


BAD_STATES: dict[str, tuple[dict[str, Tensor], str]] = {
    "missing": ({"w": torch.ones(3, 2)}, "Missing key.*d"),
    "unexpected": ({**first_layer().state_dict(), "delay": torch.ones(3, 2)}, "Unexpected key.*delay"),
    "size": ({**first_layer().state_dict(), "d": torch.ones(2, 3)}, "size mismatch for d"),
    "size of a constant": ({**first_layer().state_dict(), "v_th": torch.ones(3)}, "size mismatch for v_th"),
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_a_state_that_does_not_fit_is_refused_by_torch(name: str) -> None:
    state, message = BAD_STATES[name]
    with pytest.raises(RuntimeError, match=message):
        first_layer().load_state_dict(state)


def saved_whole(module: Any) -> Any:
    """The module through a file, instead of its state."""
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)  # our own file


COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy, "pickle": lambda module: pickle.loads(pickle.dumps(module)), "saved whole": saved_whole,
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", MODULES)
def test_a_copy_does_the_same_and_is_independent(name: str, way: str) -> None:
    """The copy is made after a step, when the module holds a record and gradients."""
    module = MODULES[name](torch.float64).requires_grad_()
    before = found_by(module)
    before.square().sum().backward()
    copied = COPIES[way](module)
    assert torch.equal(found_by(copied), before)
    for (key, ours), (_, theirs) in zip(module.named_parameters(), copied.named_parameters(), strict=True):
        assert ours.data_ptr() != theirs.data_ptr() and ours.requires_grad == theirs.requires_grad, key
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.mul_(1.25)
    assert not torch.equal(found_by(copied), before)
    assert torch.equal(found_by(module), before)
