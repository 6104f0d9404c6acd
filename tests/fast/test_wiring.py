"""Synapses that do not exist, and delays that neurons share: as in a network that says the same."""

from typing import Any

import pytest
import torch
from torch import Tensor

from delayprop import ALIF, LI, LIF, Network, SpecError, Spikes, load_into, membrane_traces, network_of
from delayprop.fast.nn.certificate import residuals, watched
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.fast.nn.wiring import DELAYS

RANDOM = torch.Generator().manual_seed(3)
MASK, MASK_REC, MASK_OUT = (torch.rand(shape, generator=RANDOM) < 0.6 for shape in ((3, 40), (40, 40), (40, 2)))
SPIKES = Spikes.from_trains([[[1.0, 4.0], [2.0, 2.5, 30.0], [3.0]], [[], [0.0, 7.0], [1.0, 1.0]]], 40.0)


def layers(delays: str, kind: Any = LIF, masked: bool = True, **more: Any) -> list[Any]:
    """A recurrent layer, and one that is read."""
    masks = (MASK, MASK_REC, MASK_OUT) if masked else (None, None, None)
    random, wiring = torch.Generator().manual_seed(4), {"delays": delays, "dtype": torch.float64, **more}
    hidden = kind(3, 40, recurrent=True, mask=masks[0], mask_rec=masks[1], **wiring)
    out = LI(40, 2, readout="mean_voltage", mask=masks[2], **wiring)
    hidden.initialise_(3.0, 1.0, 9.0, random).initialise_recurrent_(0.1, 0.2, 5.0, random)
    return [hidden, out.initialise_(0.5, 1.0, 9.0, random)]


def gradients(made: list[Any], y: Tensor) -> dict[str, Tensor]:
    found = {}
    torch.linalg.norm(y - 0.1).backward()
    for n, layer in enumerate(made):
        for name, parameter in layer.named_parameters():
            if parameter.requires_grad:
                found[f"{n}.{name}"] = parameter.grad
    return found


@pytest.mark.parametrize("kind", [LIF, ALIF])
@pytest.mark.parametrize("delays", DELAYS)
def test_a_layer_is_the_network_that_says_the_same(delays: str, kind: Any) -> None:
    """Gradients of shared delays are sums of those of the synapses."""
    made = layers(delays, kind)
    graph = Network(network_of(made), dtype=torch.float64)
    y = made[1](made[0](SPIKES))
    other = graph(SPIKES, read=("out", "mean_voltage")).y
    assert other is not None
    torch.testing.assert_close(y, other, rtol=0, atol=0)
    found = gradients(made, y)
    torch.linalg.norm(other - 0.1).backward()
    pairs = zip(("0.{}", "0.{}_rec", "1.{}"), graph.synapses, strict=False)
    for name, synapses in pairs:
        assert synapses.w.grad is not None and synapses.d.grad is not None
        torch.testing.assert_close(found[name.format("w")], synapses.w.grad, rtol=1e-12, atol=1e-14)
        of_d = found[name.format("d")]
        assert of_d.abs().max() > 0
        torch.testing.assert_close(of_d, synapses.d.grad.sum_to_size(of_d.shape), rtol=1e-12, atol=1e-14)


def test_what_no_synapse_has_is_not_read() -> None:
    made, other = layers("synaptic"), layers("synaptic")
    for layer, masks in zip(other, ((MASK, MASK_REC), (MASK_OUT,)), strict=True):
        for w, d, mask in zip(layer.all_w, layer.all_d, masks, strict=True):
            assert not w[~mask].any()
            w.data[~mask], d.data[~mask] = 1e3, 1e6
    y, here = (each[1](each[0](SPIKES)) for each in (made, other))
    assert torch.equal(y, here)
    for layer, same in zip(made, other, strict=True):
        given = (SPIKES if layer is made[0] else made[0](SPIKES))[0]
        assert torch.equal(*(membrane_traces(each, given, [12.0, 30.0]) for each in (layer, same)))
    for name, gradient in gradients(other, here).items():
        mask = {"0.w": MASK, "0.d": MASK, "0.w_rec": MASK_REC, "0.d_rec": MASK_REC}.get(name, MASK_OUT)
        assert not gradient[~mask].any() and gradient[mask].any()


@pytest.mark.parametrize("delays", DELAYS)
def test_load_into_and_back(delays: str) -> None:
    made, empty = layers(delays), layers(delays)
    for parameter in (p for layer in empty for p in layer.parameters()):
        parameter.data.add_(1.0)
    load_into(empty, network_of(made))
    for one, other in zip(made, empty, strict=True):
        for (w, d, mask), (w_too, d_too, _) in zip(synapses(one), synapses(other), strict=True):
            assert torch.equal(w * mask, w_too * mask) and torch.equal(d.expand_as(w) * mask, d_too.expand_as(w) * mask)


def synapses(layer: SynapticLayer) -> list[tuple[Any, ...]]:
    return list(zip(layer.all_w, layer.all_d, layer.masks, strict=True))


def test_load_into_refuses_other_synapses_and_unequal_delays() -> None:
    synaptic = network_of(layers("synaptic", masked=False))
    with pytest.raises(SpecError, match=r"`connections\[0\].w.* must be null, got a synapse; give layers\[0\]"):
        load_into(layers("synaptic"), synaptic)
    words = r"`connections\[0\].d.* must be [0-9.]+, since delays of layers\[0\] are axonal, got .*synaptic delays"
    with pytest.raises(SpecError, match=words):
        load_into(layers("axonal", masked=False), synaptic)


@pytest.mark.parametrize("delays", DELAYS)
def test_identities_hold_and_see_a_wrong_gradient(delays: str) -> None:
    made = layers(delays)
    with watched(made, SPIKES):
        y = made[1](made[0](SPIKES))
        y.retain_grad()
        torch.linalg.norm(y - 0.1).backward()
        found = residuals(made, SPIKES, y, y.grad)
        assert all(value is not None and value < 1e-11 for value in (found.A, found.B, found.C))
        made[0].d.grad.mul_(1.01)
        wrong = residuals(made, SPIKES, y, y.grad)
        assert wrong.B is not None and wrong.B > 1e-6


def test_state_and_projection_of_a_masked_layer() -> None:
    made = layers("axonal", max_delay=9.0)[0]
    other = layers("axonal", max_delay=9.0)[0]
    other.mask.fill_(True)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.mask, MASK) and "delays=axonal, mask of" in repr(made)
    assert "mask" not in LIF(3, 2).state_dict()
    made.d.data.fill_(11.0)
    assert made.project_() == made.d.numel() == 3 and made.d.max() == 9.0


@pytest.mark.parametrize(("given", "words"), [
    ({"delays": "row"}, "`delays` must be one of synaptic, axonal, dendritic, got 'row'"),
    ({"mask": torch.ones(3, 2)}, r"`mask` must be bool, \[3, 2\], got float32, \[3, 2\]; give True where"),
    ({"mask": [[True, False]]}, r"`mask` must be bool, \[3, 2\], got bool, \[1, 2\]"),
    ({"mask": "all"}, r"`mask` must be bool, \[3, 2\], got 'all'"),
    ({"mask_rec": [[True] * 2] * 2}, "`mask_rec` must be left out, got a mask; make the layer with `recurrent=True`"),
])
def test_refusals(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        LIF(3, 2, **given)


def test_a_layer_without_synapses_stays_silent() -> None:
    layer = LIF(2, 1, mask=[[False], [False]]).initialise_(100.0, 0.0)
    spikes = Spikes.from_trains([[[1.0], [2.0]]], 20.0)
    words = "of 1 spikes, .*; no synapse reaches it from the neurons that spike; change its `mask`"
    with pytest.warns(UserWarning, match=words):
        assert not layer(spikes).counts().any()
    for scale in (layer.initialise_for_, layer.scale_for_):
        with pytest.raises(SpecError, match="`mask` must be True for some synapse, got False for all"):
            scale(spikes, rate=1.0)
