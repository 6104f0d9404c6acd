"""Layers and networks behave as torch modules: cast, shown, saved, copied, and trained in part."""

import copy
import io
import math
import pickle
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from delayprop.fast import (
    ALIF,
    LI,
    LIF,
    CrossEntropyLoss,
    FirstSpikeTime,
    Network,
    Spikes,
    SpikeTimeMSELoss,
    Spiking,
    project_,
    spike_time_mse,
)
from delayprop.fast.nn.interchange import network_of
from delayprop.fast.nn.loading import load_into
from delayprop.spec import Connection, Neuron, Population, SpecError, UnsupportedError
from delayprop.spec import Network as NetworkSpec
from tests.support.networks.layers import (
    MODULES,
    TAKEN,
    TARGETS,
    first_layer,
    found_by,
    given_spikes,
    named_layer,
    names_of,
    reader,
    second_layer,
    wired,
)
from tests.support.tolerances import SAME_SUM

every_module = pytest.mark.parametrize("name", names_of(MODULES))
CASTS: dict[str, tuple[Callable[[nn.Module], nn.Module], torch.dtype]] = {
    "float": (lambda module: module.float(), torch.float32),
    "to float64": (lambda module: module.to(torch.float64), torch.float64),
    "to the CPU in float32": (lambda module: module.to("cpu", torch.float32), torch.float32),
}


@pytest.mark.parametrize("cast", CASTS)
@every_module
def test_a_module_can_be_cast(name: str, cast: str) -> None:
    """Gradients have the dtype of their parameter; times are float64 in both precisions."""
    change, dtype = CASTS[cast]
    module = change(MODULES[name](torch.float64))
    emitted = found_by(module)
    emitted.square().sum().backward()
    assert emitted.dtype == (dtype if emitted.ndim == 2 else torch.float64)
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
    assert learned and all(p.grad is not None and p.grad.dtype == p.dtype == dtype for p in learned)
    plain = found_by(MODULES[name](torch.float64))
    assert torch.equal(emitted, plain) == (dtype == torch.float64)
    assert torch.allclose(emitted.double(), plain, rtol=1e-5)


def test_autocast_leaves_a_layer_alone() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = nn.Sequential(first_layer(), reader())(given_spikes())
    assert torch.equal(found, found_by(reader())) and found.dtype == torch.float64


def test_initialise_draws_from_the_given_distributions() -> None:
    layers = [LIF(40, 50).initialise_(2.0, 0.5, 3.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(layers[0].w, layers[1].w) and torch.equal(layers[0].d, layers[1].d)
    assert not torch.equal(layers[0].w, layers[2].w)
    w, d = layers[0].w.detach(), layers[0].d.detach()
    assert abs(float(w.mean()) - 2.0) < 0.05 and abs(float(w.std()) - 0.5) < 0.05
    assert 0.0 <= float(d.min()) < 0.1 and 2.9 < float(d.max()) <= 3.0


def test_a_new_layer_has_weights_of_variance_1_over_its_sources_and_no_delays() -> None:
    torch.manual_seed(0)
    layer = LIF(400, 50)
    w = layer.w.detach()
    assert abs(float(w.mean())) < 5 * 0.05 / 20_000**0.5 and float(w.std()) == pytest.approx(0.05, rel=0.03)
    assert not layer.d.any() and LIF(1, 1).w.shape == (1, 1) and not layer.recurrent
    assert not LIF(2, 1, max_delay=3.0).initialise_(0.0, 0.0, 3.0).w.any(), "`max_delay` itself is allowed"


@pytest.mark.parametrize("made", [
    lambda: LIF(3, 2, dtype=torch.float64),
    pytest.param(lambda: ALIF(3, 2, tau_a=30.0, beta=0.2, dtype=torch.float64), marks=pytest.mark.full),
], ids=["lif", "alif"])
def test_a_layer_is_made_without_numbers_and_gets_them_later(made: Callable[[], LIF]) -> None:
    """torch's `meta` device makes large networks without memory."""
    with torch.device("meta"):
        layer = made()
    given = made().initialise_(w_mean=6.0, w_std=1.0, d_max=5.0)
    layer.to_empty(device="cpu").load_state_dict(given.state_dict())
    spikes = Spikes.from_trains([[[1.0], [4.0], []]], 50.0)
    assert len(given(spikes).times) and torch.equal(layer(spikes).times, given(spikes).times)


def test_a_layer_without_numbers_is_refused_at_its_first_call() -> None:
    falling = Neuron({"V": "(-V + I) / tau_mem", "I": "-I / tau_syn"}, spike="-V - v_th")
    words = "`neuron` has a level that does not rise with V"
    with pytest.raises(UnsupportedError, match=words):
        Spiking(2, 3, neuron=falling)
    with torch.device("meta"):
        layer = Spiking(2, 3, neuron=falling)
    layer.to_empty(device="cpu")
    for name, parameter in layer.named_parameters():
        parameter.data.fill_({"tau_mem": 20.0, "tau_syn": 5.0, "v_th": 1.0}.get(name, 0.0))
    with pytest.raises(UnsupportedError, match=words):
        layer(Spikes.from_trains([[[1.0], [2.0]]], 20.0))


@pytest.mark.parametrize(("made", "text"), [
    (lambda: LIF(700, 256, max_delay=62.0), "LIF(700 -> 256, tau_mem=20, tau_syn=5, v_th=1, v_reset=0, max_delay=62)"),
    (lambda: LIF(3, 2, tau_mem=[9.5, 20.0], v_reset=-0.5),
     "LIF(3 -> 2, tau_mem=per neuron, tau_syn=5, v_th=1, v_reset=-0.5, max_delay=None)"),
    (lambda: LI(2, 1, readout="max_voltage").requires_grad_().double(),
     "LI(2 -> 1, tau_mem=20, tau_syn=5, max_delay=None, readout=max_voltage)"),
    (lambda: wired("axonal", max_delay=9.0)[0],
     "LIF(3 -> 40, tau_mem=20, tau_syn=5, v_th=1, v_reset=0, max_delay=9, delays=axonal, mask of 79 synapses, "
     "mask_rec of 947 synapses, recurrent=True)"),
    (lambda: LIF(3, 2, recurrent=True).to("meta"),
     "LIF(3 -> 2, tau_mem=per neuron, tau_syn=per neuron, v_th=per neuron, v_reset=per neuron, max_delay=None, "
     "recurrent=True)"),
    (lambda: FirstSpikeTime(2.5), "FirstSpikeTime(time_scale=2.5)"),
    (CrossEntropyLoss, "CrossEntropyLoss()"), (SpikeTimeMSELoss, "SpikeTimeMSELoss()"),
])
def test_a_module_shows_sizes_and_constants(made: Callable[[], nn.Module], text: str) -> None:
    assert repr(made()) == text


def test_a_description_of_a_network_shows_its_parts() -> None:
    populations = (
        Population("in", "input", 3), Population("hidden", "lif", 2, 9.5, [4.5, 5.0], 1.0, -0.3),
        Population("out", "li", 1, 10.0, 5.0),
    )
    first = Connection("in", "hidden", [[1.0, 2.0], [None, 1.0], [1.0, 1.0]], [[0.0, 0.0], [None, 0.0], [0.0, 0.0]])
    described = NetworkSpec(populations, (first, Connection("hidden", "out", [[1.0], [1.0]], [[0.0], [2.0]])))
    assert repr(described) == """Network(
  Population(in: 3 input)
  Population(hidden: 2 lif)
  Population(out: 1 li)
  Connection(in -> hidden: 5 of 6 synapses)
  Connection(hidden -> out: 2 of 2 synapses)
)"""
    assert repr(Network(described)) == """Network(
  in: 3 input
  hidden: 2 lif, tau_mem=9.5, tau_syn=per neuron, v_th=1, v_reset=-0.3
  out: 1 li, tau_mem=10, tau_syn=5
  in -> hidden: 5 of 6 synapses
  hidden -> out: 2 of 2 synapses
)"""


@every_module
def test_a_state_dict_keeps_every_number_bit_for_bit(name: str) -> None:
    """The file is read with `weights_only`, after a training step has made the numbers odd. Masks,
    and the states that sources raise, are in it."""
    trained, restored = MODULES[name](torch.float32), MODULES[name](torch.float32)
    optimiser = torch.optim.Adam(trained.requires_grad_().parameters(), lr=0.01)
    found_by(trained).square().sum().backward()
    optimiser.step()
    project_(trained)
    for buffer in restored.buffers():
        buffer.zero_()
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
    assert {*LIF(3, 2, recurrent=True).state_dict()} == {"w", "d", "w_rec", "d_rec", *constants}
    synapses = [f"synapses.{n}.{name}" for n in (0, 1) for name in ("w", "d", "exists")]
    learned = list(MODULES["Network"](torch.float64).state_dict())
    assert learned == synapses + [f"constants.{n}.{name}" for n in (1, 2) for name in constants]
    assert {*named_layer().state_dict()} == {"w", "d", *(f"constants[{name}]" for name in TAKEN)}
    other = ALIF(3, 2, tau_a=30.0, beta=0.2)
    assert {"tau_a", "beta"} < {*other.state_dict()} and other.tau_a is other.constants["tau_a"]


def test_constants_may_have_names_of_attributes() -> None:
    """Spikes and all gradients are those of LIF, in a layer, a loaded one, and a `Network`."""
    plain, ours, loaded = first_layer(), named_layer(), named_layer()
    for constant in loaded.constants.values():
        constant.data.fill_(2.0)
    load_into([loaded], network_of([ours]))
    graph = Network(network_of([ours]), torch.float64).requires_grad_()
    for layer in (plain, ours, loaded):
        spike_time_mse(layer.requires_grad_()(given_spikes()), [TARGETS] * 3).backward()
    spike_time_mse(graph(given_spikes()).spikes["out"], [TARGETS] * 3).backward()
    assert {*ours.constants} == {*TAKEN} and ours.w.shape == (3, 2) and ours.pre == 3
    assert torch.equal(ours(given_spikes()).times, plain(given_spikes()).times)
    for name, of_lif in (("w", "tau_mem"), ("d", "tau_syn"), ("pre", "v_th"), ("into", "v_reset")):
        expected = (-1.0 if name == "into" else 1.0) * plain.constants[of_lif].grad
        assert expected.any()
        for of in (ours, loaded, graph.constants[1]):
            torch.testing.assert_close(of.constants[name].grad, expected, rtol=1e-12, atol=1e-14)
    for name in ("w", "d"):
        torch.testing.assert_close(getattr(ours, name).grad, getattr(plain, name).grad, rtol=1e-12, atol=1e-14)


def test_constants_are_given_once_and_not_replaced() -> None:
    layer = named_layer()
    with pytest.raises(TypeError, match="does not support item assignment"):
        layer.constants["w"] = nn.Parameter(torch.ones(2))  # type: ignore[index]
    with pytest.raises(SpecError, match=r"^`constants\.half` is an argument too; give it once"):
        Spiking(3, 2, neuron=layer.equations, constants=TAKEN, half=2.0)
    with pytest.raises(SpecError, match=r"^`constants` must be a dictionary of numbers by name, got "):
        Spiking(3, 2, neuron="lif", constants=3.0)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"^`constants\.d` must be finite, got 2 NaN or infinite entries"):
        layer.constants["d"].data.fill_(math.nan)
        layer(given_spikes())


@pytest.mark.parametrize("way", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
@every_module
def test_a_copy_does_the_same_and_is_independent(name: str, way: Callable[[Any], Any]) -> None:
    module = MODULES[name](torch.float64).requires_grad_()
    before = found_by(module)
    before.square().sum().backward()
    copied = way(module)
    assert torch.equal(found_by(copied), before)
    for (key, ours), (_, theirs) in zip(module.named_parameters(), copied.named_parameters(), strict=True):
        assert ours.data_ptr() != theirs.data_ptr() and ours.requires_grad == theirs.requires_grad, key
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.mul_(1.25)
    assert not torch.equal(found_by(copied), before)
    assert torch.equal(found_by(module), before)


PARAMETERS = ("w", "d", "tau_mem", "tau_syn", "v_th", "v_reset")


def gradients_of(free: tuple[str, ...]) -> dict[str, Tensor | None]:
    stack = nn.Sequential(first_layer(), second_layer())
    for name, parameter in stack.named_parameters():
        parameter.requires_grad_(name[2:] in free)
    spike_time_mse(stack(given_spikes()), [TARGETS] * 3).backward()
    return {name: parameter.grad for name, parameter in stack.named_parameters()}


def test_any_subset_can_be_frozen() -> None:
    everything = gradients_of(PARAMETERS)
    assert all(gradient is not None and gradient.any() for gradient in everything.values())
    for frozen in (subset for size in range(len(PARAMETERS)) for subset in combinations(PARAMETERS, size)):
        found = gradients_of(tuple(name for name in PARAMETERS if name not in frozen))
        for name, gradient in found.items():
            full = everything[name]
            assert (gradient is None) == (name[2:] in frozen), (frozen, name)
            if gradient is not None and full is not None:
                assert float((gradient - full).norm()) <= SAME_SUM * float(full.norm()), (frozen, name)
    assert not first_layer().requires_grad_(False)(given_spikes()).times.requires_grad
