"""Synapses that do not exist, and delays that neurons share: as in a network that says the same."""

from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from delayprop import ALIF, LI, LIF, Network, SpecError, Spikes, Spiking, load_into, membrane_traces, network_of
from delayprop.fast.cpu import solver
from delayprop.fast.layout.arrays import Arriving
from delayprop.fast.nn.certificate import residuals, watched
from delayprop.fast.nn.wiring import DELAYS
from tests.support.networks.nir_networks import bits
from tests.support.tolerances import U64, identity

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
    torch.linalg.norm(y - 0.1).backward()
    return {name: p.grad for name, p in nn.Sequential(*made).named_parameters() if p.requires_grad}


@pytest.mark.parametrize("masked", [True, False], ids=["masked", "every synapse"])
@pytest.mark.parametrize("delays", DELAYS)
@pytest.mark.parametrize("kind", [LIF, pytest.param(ALIF, marks=pytest.mark.full)], scope="module")
def test_a_layer_is_the_network_that_says_the_same(delays: str, kind: Any, masked: bool) -> None:
    """Gradients of shared delays are sums of those of the synapses."""
    made = layers(delays, kind, masked)
    graph = Network(network_of(made), dtype=torch.float64)
    hidden, activity = made[0](SPIKES), graph(SPIKES, read=("out", "mean_voltage"))
    y = made[1](hidden)
    assert torch.equal(y, activity.y)
    assert len(hidden.times) > 10 and torch.equal(hidden.times, activity.spikes["hidden1"].times)
    found = gradients(made, y)
    torch.linalg.norm(activity.y - 0.1).backward()
    for name, synapses in zip(("0.{}", "0.{}_rec", "1.{}"), graph.synapses, strict=True):
        of_w, of_d = found[name.format("w")], found[name.format("d")]
        assert of_w.any() and of_d.any() and torch.equal(of_w, synapses.w.grad)
        rtol, atol = (0.0, 0.0) if delays == "synaptic" else (1e-12, 1e-14)
        torch.testing.assert_close(of_d, synapses.d.grad.sum_to_size(of_d.shape), rtol=rtol, atol=atol)


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


@pytest.mark.parametrize(("recurrent", "most_kept", "heard"), [
    (False, 0.34, {10}), (False, 0.33, {30}), (True, 0.67, {20}), (True, 0.66, {30}),
])
def test_spikes_that_reach_no_neuron_of_a_piece_are_left_out(
    recurrent: bool, most_kept: float, heard: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pack of 32 neurons hears two of six sources, the last two reach none. All results are
    those of a layer with weights 0 there. A loop is one piece."""
    monkeypatch.setattr(solver, "MOST_KEPT", most_kept)
    mask, random = torch.zeros(6, 64, dtype=torch.bool), torch.Generator().manual_seed(6)
    mask[:2, :32], mask[2:4, 32:] = True, True
    trains = [[sorted((30.0 * torch.rand(5, generator=random)).tolist()) for _ in range(6)] for _ in range(3)]
    results, counts = [], []
    for masked in (mask, None):
        spikes = Spikes.from_trains(trains, 40.0)
        layer = LIF(6, 64, recurrent=recurrent, mask=masked, dtype=torch.float64)
        layer.initialise_(2.0, 1.0, 9.0, torch.Generator().manual_seed(7))
        if recurrent:
            layer.initialise_recurrent_(0.1, 0.2, 5.0, torch.Generator().manual_seed(8))
        layer.w.data[~mask] = 0.0
        learned = {**dict(layer.named_parameters()), "times": spikes.times}
        for tensor in learned.values():
            tensor.requires_grad_()
        name = "recurrent_sweep" if recurrent else "forward_sweep"
        with mock.patch.object(solver, name, wraps=getattr(solver, name)) as sweep:
            emitted = layer(spikes)
        counts.append({int(np.diff(each.offsets).max()) for call in sweep.call_args_list for each in call.args
                       if isinstance(each, Arriving)})
        emitted.times.square().sum().backward()
        gradients = {name: mask * p.grad if p.shape == mask.shape else p.grad for name, p in learned.items()}
        results.append({"emitted": emitted.times.detach(), **gradients})
    assert counts == [heard, {30}]
    assert len(results[0]["emitted"]) > 100
    for name, found in results[0].items():
        torch.testing.assert_close(found, results[1][name], rtol=1e-12, atol=1e-12)
        assert found.any(), name


@pytest.mark.parametrize("delays", DELAYS)
def test_load_into_and_back(delays: str) -> None:
    made, empty = layers(delays), layers(delays)
    for parameter in (p for layer in empty for p in layer.parameters()):
        parameter.data.add_(1.0)
    load_into(empty, network_of(made))
    assert bits(network_of(empty)) == bits(network_of(made))


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
        assert all(value is not None and value < identity(U64) for value in (found.A, found.B, found.C))
        made[0].d.grad.mul_(1.01)
        wrong = residuals(made, SPIKES, y, y.grad)
        assert wrong.B > 1e-6


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


@pytest.mark.parametrize(("given", "states"), [
    ({}, None), ({"into": ["E", "G", "E"]}, [0, 1, 0]), ({"into": "E"}, [0, 0, 0]), ({"recurrent": True}, None),
    ({"recurrent": True, "into": "G"}, [1, 1, 1, 0, 0]),
    ({"recurrent": True, "into": ["G", "E", "E"], "into_rec": ["E", "G"]}, [1, 0, 0, 0, 1]),
])
def test_the_state_that_each_source_raises(given: dict[str, Any], states: list[int] | None) -> None:
    layer = Spiking(3, 2, neuron="two-synapses", tau_exc=3.0, tau_inh=8.0, **given)
    assert (None if layer.states_raised is None else layer.states_raised.tolist()) == states
    assert ("into: E from 3" in repr(layer)) == (states == [0, 0, 0])


@pytest.mark.parametrize("masks", [{}, {"mask": MASK[:, :2]}, {"mask_rec": MASK_REC[:2, :2]}])
def test_weights_are_0_where_no_synapse_is(masks: dict[str, Any]) -> None:
    layer = LIF(3, 2, recurrent=True, **masks)
    for w in layer.all_w:
        w.data.fill_(1.0)
    every = {"mask": torch.ones(3, 2, dtype=torch.bool), "mask_rec": torch.ones(2, 2, dtype=torch.bool)}
    assert all(map(torch.equal, layer.existing_w, (mask.float() for mask in (every | masks).values())))


def test_a_layer_without_synapses_stays_silent() -> None:
    layer = LIF(2, 1, mask=[[False], [False]]).initialise_(100.0, 0.0)
    spikes = Spikes.from_trains([[[1.0], [2.0]]], 20.0)
    words = "of 1 spikes, .*; no synapse reaches it from the neurons that spike; change its `mask`"
    with pytest.warns(UserWarning, match=words):
        assert not layer(spikes).counts().any()
    for scale in (layer.initialise_for_, layer.scale_for_):
        with pytest.raises(SpecError, match="`mask` must be True for some synapse, got False for all"):
            scale(spikes, rate=1.0)
