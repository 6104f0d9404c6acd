"""Layers and networks behave as torch modules: hooks, casts, `repr`, sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from delayprop.fast import LI, LIF, CrossEntropyLoss, FirstSpikeTime, Network, SpikeTimeMSELoss, first_spike_time
from delayprop.spec import Connection, Population
from delayprop.spec import Network as NetworkSpec
from tests.support.networks.front_modules import MODULES, found_by, network, reader
from tests.support.networks.layers import first_layer, given_spikes, second_layer


def test_a_network_is_its_layers() -> None:
    emitted = second_layer()(first_layer()(given_spikes()))
    assert torch.equal(found_by(network()), emitted.times)
    assert len(emitted.times) > 0


def test_hooks_run() -> None:
    layer, readout = first_layer(), reader()
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


CASTS: dict[str, tuple[Callable[[nn.Module], nn.Module], torch.dtype]] = {
    "float": (lambda module: module.float(), torch.float32),
    "double": (lambda module: module.double(), torch.float64),
    "to float32": (lambda module: module.to(torch.float32), torch.float32),
    "to float64": (lambda module: module.to(torch.float64), torch.float64),
    "to the CPU": (lambda module: module.to("cpu"), torch.float64),
    "to the CPU in float32": (lambda module: module.to("cpu", torch.float32), torch.float32),
}


@pytest.mark.parametrize("cast", CASTS)
@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_cast(name: str, cast: str) -> None:
    """Gradients have the dtype of their parameter; times are float64 in both precisions."""
    change, dtype = CASTS[cast]
    module = change(MODULES[name](torch.float64))
    emitted = found_by(module)
    emitted.square().sum().backward()
    assert emitted.dtype == (dtype if name == "LI" else torch.float64)
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


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # the input is no tensor; newer torch warns of that
def test_a_full_backward_hook_sees_what_comes_back_to_a_readout() -> None:
    out = reader()
    seen: list[Any] = []  # torch types these hooks differently from one release to the next

    def triple(module: Any, gradients: Any) -> Any:
        return (3.0 * gradients[0],)

    out.register_full_backward_hook(lambda module, into, gradients: seen.append(gradients))
    out.register_full_backward_pre_hook(triple)
    y = out(first_layer()(given_spikes()))
    y.sum().backward()
    assert [[g.tolist() for g in gradients] for gradients in seen] == [[[[3.0, 3.0]] * 3]]
    other = reader()
    found_by(other).sum().backward()
    assert out.d.grad is not None and other.d.grad is not None
    assert torch.allclose(out.d.grad, 3.0 * other.d.grad, rtol=1e-14) and out.d.grad.any()


def test_a_backward_hook_of_the_module_is_skipped_with_a_warning_and_a_hook_of_the_times_runs() -> None:
    layer = first_layer()
    seen: list[object] = []
    layer.register_full_backward_hook(lambda *_: seen.append("module"))
    with pytest.warns(UserWarning, match="For backward hooks to be called, module output should be a Tensor"):
        spikes = layer(given_spikes())
    spikes.times.register_hook(lambda gradient: seen.append(gradient.tolist()))
    spikes.times.sum().backward()
    assert seen == [[1.0] * len(spikes.times)]


def test_without_gradients_nothing_is_tracked() -> None:
    layer = first_layer()
    with torch.no_grad():
        assert not layer(given_spikes()).times.requires_grad
    assert layer(given_spikes()).times.requires_grad


def test_the_repr_of_a_layer_shows_sizes_and_constants() -> None:
    constants = "tau_mem=20, tau_syn=5, v_th=1, v_reset=0"
    assert repr(LIF(700, 256, max_delay=62.0)) == f"LIF(700 -> 256, {constants}, max_delay=62)"
    mixed = LIF(3, 2, tau_mem=[9.5, 20.0], v_reset=-0.5)
    constants = "tau_mem=per neuron, tau_syn=5, v_th=1, v_reset=-0.5"
    assert repr(mixed) == f"LIF(3 -> 2, {constants}, max_delay=None)"
    text = "LI(2 -> 1, tau_mem=20, tau_syn=5, max_delay=None, readout=max_voltage)"
    assert repr(LI(2, 1, readout="max_voltage")) == text
    assert repr(LI(2, 1, readout="max_voltage").requires_grad_().double()) == text
    assert repr(LIF(3, 2).to("meta")).startswith("LIF(3 -> 2, tau_mem=per neuron")
    trained = first_layer()
    trained(given_spikes())
    assert repr(trained.record) == "Record(trials 3, neurons 2, spikes 10, kappa_min 0.073, ties 0)"
    assert repr(FirstSpikeTime(2.5)) == "FirstSpikeTime(time_scale=2.5)"
    assert repr(CrossEntropyLoss()) == "CrossEntropyLoss()" and repr(SpikeTimeMSELoss()) == "SpikeTimeMSELoss()"


def test_the_repr_of_a_network_lists_populations_and_connections() -> None:
    populations = (
        Population("in", "input", 3), Population("hidden", "lif", 2, 9.5, [4.5, 5.0], 1.0, -0.3),
        Population("out", "li", 1, 10.0, 5.0),
    )
    connections = (
        Connection("in", "hidden", [[1.0, 2.0], [None, 1.0], [1.0, 1.0]], [[0.0, 0.0], [None, 0.0], [0.0, 0.0]]),
        Connection("hidden", "out", [[1.0], [1.0]], [[0.0], [2.0]]),
    )
    described = NetworkSpec(populations, connections)
    assert repr(described).splitlines() == [
        "Network(",
        "  Population(in: 3 input)",
        "  Population(hidden: 2 lif)",
        "  Population(out: 1 li)",
        "  Connection(in -> hidden: 5 of 6 synapses)",
        "  Connection(hidden -> out: 2 of 2 synapses)",
        ")",
    ]
    assert repr(Network(described)).splitlines() == [
        "Network(",
        "  in: 3 input",
        "  hidden: 2 lif, tau_mem=9.5, tau_syn=per neuron, v_th=1, v_reset=-0.3",
        "  out: 1 li, tau_mem=10, tau_syn=5",
        "  in -> hidden: 5 of 6 synapses",
        "  hidden -> out: 2 of 2 synapses",
        ")",
    ]


def test_layers_stand_in_a_sequence_with_modules_of_torch() -> None:
    stack = nn.Sequential(first_layer(), second_layer(), FirstSpikeTime(2.0), nn.Linear(2, 4, dtype=torch.float64))
    alone = first_spike_time(second_layer()(first_layer()(given_spikes())), 2.0)
    assert torch.equal(stack[:3](given_spikes()), alone)
    stack(given_spikes()).square().sum().backward()
    assert all(bool(p.grad.any()) for p in stack.parameters() if p.requires_grad and p.grad is not None)
    assert [name for name, _ in stack.named_parameters()][:2] == ["0.w", "0.d"]


def test_functional_call_uses_the_parameters_given() -> None:
    layer = first_layer()
    heavier = {name: p.detach().clone() for name, p in layer.named_parameters()} | {"w": 1.2 * layer.w.detach()}
    emitted = torch.func.functional_call(layer, heavier, (given_spikes(),))
    assert len(emitted.times) > len(layer(given_spikes()).times)
