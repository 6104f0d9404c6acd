"""Each parameter that learns is in one group or named in an error; all are put back into bounds."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

from delayprop.fast import LI, LIF, Network, Spiking, param_groups, project_
from delayprop.fast.nn.interchange import network_of
from delayprop.spec import Connection, Population
from delayprop.spec import Network as NetworkSpec
from tests.support.networks.layers import TAKEN, filled, given_spikes, named_layer
from tests.support.refusals import Refusals, assert_refused

WEIGHTS = {"0.w", "0.w_rec", "1.w", "2.synapses.0.w", "2.synapses.1.w", "3.weight", "3.bias"}
DELAYS = {"0.d", "0.d_rec", "1.d", "2.synapses.0.d", "2.synapses.1.d"}


def network() -> nn.Module:
    """Layers, a recurrent one among them, a graph, and a module that is none of ours."""
    graph = Network(network_of([LIF(3, 2), LI(2, 2, readout="max_voltage")]))
    return nn.ModuleList([LIF(3, 4, recurrent=True), LI(4, 2, readout="max_voltage"), graph, nn.Linear(2, 2)])


class Scaled(LIF):
    """A layer with a parameter of its own, and delays under another name."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.gain, self.lags = nn.Parameter(torch.ones(1)), nn.ParameterList([torch.ones(2)])


class Attributed(Spiking):
    """A layer with an attribute that is called as a time constant."""

    tau_a = 3.0


class Softplus(nn.Module):
    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        return nn.functional.softplus(raw)


def names_by_group(net: nn.Module, **given: Any) -> dict[str, set[str]]:
    of = {id(p): name for name, p in net.named_parameters()}
    return {group["name"]: {of[id(p)] for p in group["params"]} for group in param_groups(net, 0.01, 0.5, **given)}


def test_every_parameter_is_in_its_group() -> None:
    """A constant learns if it has a step, and is in a group; a step in ms moves no threshold."""
    net = network()
    assert names_by_group(net) == {"weights": WEIGHTS, "delays": DELAYS}
    found = names_by_group(net, constants_lr=0.1)
    learning = {name for name, p in net.named_parameters() if p.requires_grad}
    assert learning == set().union(*found.values()) and len(learning) == len(WEIGHTS | DELAYS) + 2 * 4
    assert {name.split(".")[-1] for name in found["constants"]} == {"tau_mem", "tau_syn"}
    groups = {group["name"]: group for group in param_groups(net, 0.01, 0.5, constants_lr=0.1, threshold_lr=0.02)}
    assert sorted(id(p) for group in groups.values() for p in group["params"]) == sorted(map(id, net.parameters()))
    assert {name: (group["lr"], group.get("weight_decay")) for name, group in groups.items()} == {
        "weights": (0.01, None), "delays": (0.5, 0.0), "constants": (0.1, 0.0), "thresholds": (0.02, 0.0)
    }


def own() -> nn.Module:
    """Parameters of no known kind: never dropped, and never given the step of weights."""
    return nn.Sequential(Scaled(), nn.Linear(2, 2))


def bare() -> nn.Module:
    made = nn.Module()
    made.delay = nn.Parameter(torch.ones(1))
    return made


def shared() -> nn.Module:
    net = nn.Sequential(LIF(3, 2), LIF(2, 2))
    prune.random_unstructured(net[0], "d", 0.5)
    net[1].w = net[0].d_orig
    return net


def learning(name: str) -> nn.Module:
    net = nn.ModuleList([LIF(3, 2), LI(2, 2, readout="max_voltage")])
    getattr(net[0], name).requires_grad_()
    return net


REFUSED: Refusals = [
    (lambda: names_by_group(own()), r"nothing for 0\.gain, 0\.lags\.0; say it, as `kinds=\{'0\.gain': 'wei"),
    (lambda: names_by_group(bare()), "nothing for delay"),
    (lambda: names_by_group(nn.ParameterDict({"delay": torch.ones(1)})), "nothing for delay"),
    (lambda: names_by_group(own(), kinds={"0.lag": "delays", "0": "weights"}),
     r"`kinds` must be of parameters or modules of the network, got '0\.lag'"),
    (lambda: names_by_group(own(), kinds={"0": "delay"}),
     "must be one of weights, delays, constants, thresholds, got 'delay'"),
    (lambda: names_by_group(shared()), r"`kinds` must be given for parameters of .*, got nothing for 0\.d_orig"),
    (lambda: names_by_group(learning("tau_mem")),
     r"`constants_lr` must be the step size of 0\.tau_mem, which requires a gradient"),
    (lambda: names_by_group(learning("v_reset")),
     r"`threshold_lr` must be the step size of 0\.v_reset, which requires a gradient"),
    (lambda: param_groups(network(), 0.0, 0.1), "`lr` must be a finite number above 0"),
    (lambda: param_groups(network(), 0.1, -1.0), "`delay_lr` must be a finite number above 0"),
    (lambda: param_groups(network(), 0.1, 0.1, float("nan")), "`constants_lr` must be a finite number above 0"),
    (lambda: param_groups(network(), 0.1, 0.1, threshold_lr=0.0), "`threshold_lr` must be a finite number above 0"),
    (lambda: param_groups(network().parameters(), 0.1, 0.1),  # type: ignore[arg-type]
     "`net` must be a torch module, got generator; give the network itself"),
    (lambda: param_groups(network(), 0.1, 0.0), r"to keep delays as they are: `layer\.d\.requires_grad_\(False\)`"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_a_parameter_or_a_step_that_is_missing_is_named(call: Callable[[], object], words: str) -> None:
    assert_refused(call, words)


def test_a_kind_can_be_said() -> None:
    found = names_by_group(own(), kinds={"0.gain": "weights", "0.lags": "delays"})
    assert found == {"weights": {"0.w", "0.gain", "1.weight", "1.bias"}, "delays": {"0.d", "0.lags.0"}}
    assert names_by_group(bare(), kinds={"": "delays"}) == {"delays": {"delay"}}
    for name, step in (("tau_mem", "constants_lr"), ("v_reset", "threshold_lr")):
        assert f"0.{name}" in set().union(*names_by_group(learning(name), **{step: 0.1}).values())


def test_pruned_parametrized_and_shared_parameters_have_their_group() -> None:
    net = nn.Sequential(LIF(3, 2), LIF(2, 2), nn.Linear(2, 2))
    prune.random_unstructured(net[0], "w", 0.5)
    prune.random_unstructured(net[0], "d", 0.5)
    parametrize.register_parametrization(net[1], "d", Softplus())
    nn.utils.parametrizations.weight_norm(net[2])
    net[1].w = net[0].w_orig  # one parameter in two places
    linear = {"2.bias", "2.parametrizations.weight.original0", "2.parametrizations.weight.original1"}
    delays = {"0.d_orig", "1.parametrizations.d.original"}
    assert names_by_group(net) == {"weights": {"0.w_orig", *linear}, "delays": delays}


@pytest.mark.parametrize(("bound", "left", "outside"),
                         [(None, [0.0, 0.0, 3.0, 99.0], 1), (3.0, [0.0, 0.0, 3.0, 3.0], 2)])
def test_delays_are_projected_into_their_bounds(bound: float | None, left: list, outside: int) -> None:
    layer, graph = LIF(1, 4, max_delay=bound), Network(network_of([LIF(3, 2)]))
    filled(layer, [[1.0] * 4], [[-0.5, 0.0, 3.0, 99.0]])
    with torch.no_grad():
        graph.synapses[0].d[0, 0] = -2.0
    net = nn.ModuleList([layer, graph])
    shared = LIF(3, 2, delays="axonal", max_delay=9.0)
    torch.nn.init.constant_(shared.d, 11.0)
    assert shared.project_() == 3 and shared.d.max() == 9.0
    assert project_(net) == outside + 1 and project_(net) == layer.project_() == 0 and layer.d.tolist() == [left]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_delay_above_its_bound_is_refused(dtype: torch.dtype) -> None:
    """The bound itself passes in either precision, although float32 rounds 1.1 up, and in a copy
    in float64."""
    layer, other = LIF(3, 2, max_delay=1.1, dtype=dtype), LIF(3, 2, max_delay=1.1, dtype=dtype)
    torch.nn.init.constant_(layer.d, 1.2)
    other.load_state_dict(layer.state_dict())
    words = (
        r"`d` must be at most max_delay, 1.1 \(ms\), got 1.2.*; call `layer.project_\(\)` after each optimiser step; "
        "for loaded delays, raise `layer.max_delay`$"
    )
    for one in (layer, other):
        assert_refused(lambda one=one: one(given_spikes()), words)  # type: ignore[misc]
    layer.project_()
    other.max_delay = 1.3
    other(given_spikes())
    assert other.d.tolist() != layer.d.tolist()
    with torch.no_grad():
        layer(given_spikes())
    layer.double()(given_spikes())
    layer.d.data.add_(1e-5)
    assert_refused(lambda: layer(given_spikes()), "`d` must be at most max_delay")


def test_constants_that_learn_are_projected() -> None:
    """Onto values that a layer accepts; a reset that does not learn bounds its threshold."""
    layer, graph = LIF(3, 2, v_reset=[0.0, 0.5], dtype=torch.float64), Network(network_of([LIF(3, 2)]), torch.float64)
    net = nn.ModuleList([layer, graph, LI(2, 2, readout="max_voltage")])
    param_groups(net, 0.01, 0.5, constants_lr=0.1, threshold_lr=0.1)
    constants = graph.constants[1]
    layer.v_reset.requires_grad_(False)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.requires_grad and parameter.ndim == 1:
                parameter.fill_(-1.0)
        constants.v_th.fill_(2.0)
        constants.v_reset.fill_(3.0)
    assert project_(net, least_tau=2.0) == 12 + 2 + 2 and project_(net, least_tau=2.0) == 0
    assert layer.v_th.tolist() == [1e-3, 0.5 / 0.99] and layer.v_reset.tolist() == [0.0, 0.5]
    assert layer.tau_mem.tolist() == constants.tau_syn.tolist() == [2.0, 2.0]
    assert constants.v_reset.tolist() == [0.99 * 2.0] * 2
    layer(given_spikes())
    untouched = LIF(3, 2, tau_mem=0.2, v_reset=0.999)
    assert project_(untouched, least_tau=2.0) == 0 and untouched.tau_mem.tolist() == pytest.approx([0.2] * 2)


def test_a_constant_that_learns_has_any_name() -> None:
    layer, graph = named_layer(), Network(network_of([named_layer()]), torch.float64)
    found = names_by_group(nn.ModuleList([layer, graph]), threshold_lr=0.1)
    assert found["weights"] == {"0.w", "1.synapses.0.w"} and found["delays"] == {"0.d", "1.synapses.0.d"}
    expected = {f"{place}.constants[{name}]" for place in ("0", "1.constants.1") for name in TAKEN}
    assert found["thresholds"] == expected and "constants" not in found
    own = Attributed(3, 2, neuron="alif", tau_a=40.0, beta=0.1)
    assert own.tau_a == 3.0 and project_(own, 50.0) == 0
    assert "constants[tau_a]" in names_by_group(own, constants_lr=0.1)["constants"]
    assert project_(own, 50.0) == 3 * 2 and own.constants["tau_a"].tolist() == [50.0, 50.0]
    prune.identity(own, "constants[tau_a]")
    assert "constants[tau_a]_orig" in names_by_group(own, constants_lr=0.1)["constants"]
    assert project_(own, 60.0) == 3 * 2 and own.get_parameter("constants[tau_a]_orig").tolist() == [60.0, 60.0]


def test_delays_within_a_loop_of_populations_keep_it_solvable() -> None:
    neurons = {"tau_mem": 20.0, "tau_syn": 5.0, "v_th": 1.0, "v_reset": 0.0}
    lifs = (Population(name, "lif", 1, **neurons) for name in "ab")
    connections = tuple(Connection(*ends, [[1.0]], [[1.0]]) for ends in [("in", "a"), ("a", "b"), ("b", "a")])
    net = Network(NetworkSpec((Population("in", "input", 1), *lifs), connections))
    for synapses in net.synapses:
        torch.nn.init.constant_(synapses.d, -1.0)
    assert project_(net) == 3
    assert [float(synapses.d.detach()) for synapses in net.synapses] == pytest.approx([0.0, 0.1, 0.1])


def test_pruned_and_parametrized_delays_are_projected() -> None:
    layer = LIF(3, 2, max_delay=3.0)
    prune.identity(layer, "d")
    torch.nn.init.constant_(layer.get_parameter("d_orig"), 4.0)
    assert project_(layer) == 6
    layer(given_spikes())
    raw = LIF(3, 2)
    raw.max_delay = 0.5
    parametrize.register_parametrization(raw, "d", Softplus())
    words = "got 6 entries outside, made by a parametrization; bound it there, or give"
    assert_refused(lambda: project_(raw), words)
    Softplus.right_inverse = lambda self, value: value.expm1().log()  # type: ignore[attr-defined]
    assert project_(raw) == 6 and raw.d.flatten().tolist() == pytest.approx([0.5] * 6)
