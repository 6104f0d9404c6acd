"""Each parameter that learns is in one group or named in an error; all are put back into bounds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

from delayprop.fast import LI, LIF, Network, param_groups, project_
from delayprop.fast.nn.interchange import network_of
from delayprop.spec import Connection, Population, SpecError
from delayprop.spec import Network as NetworkSpec
from tests.support.networks.layers import given_spikes


class Scaled(LIF):
    """A layer with a parameter of its own, and delays under another name."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.gain, self.lags = nn.Parameter(torch.ones(1)), nn.ParameterList([torch.ones(2)])


class Softplus(nn.Module):
    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        return nn.functional.softplus(raw)


def names_by_group(net: nn.Module, **given: Any) -> dict[str, set[str]]:
    of = {id(p): name for name, p in net.named_parameters()}
    return {group["name"]: {of[id(p)] for p in group["params"]} for group in param_groups(net, 0.01, 0.5, **given)}


def test_a_parameter_of_no_known_kind_is_named() -> None:
    """Never dropped, and never given the step of weights: of a subclass, a bare module, a list."""
    net = nn.Sequential(Scaled(), nn.Linear(2, 2))
    with pytest.raises(SpecError, match=r"nothing for 0\.gain, 0\.lags\.0; say it, as `kinds=\{'0\.gain': 'wei"):
        param_groups(net, 0.01, 0.5)
    found = names_by_group(net, kinds={"0.gain": "weights", "0.lags": "delays"})
    assert found == {"weights": {"0.w", "0.gain", "1.weight", "1.bias"}, "delays": {"0.d", "0.lags.0"}}
    bare = nn.Module()
    bare.delay = nn.Parameter(torch.ones(1))
    for other in (bare, nn.ParameterDict({"delay": torch.ones(1)})):
        with pytest.raises(SpecError, match="nothing for delay"):
            param_groups(other, 0.01, 0.5)
        assert names_by_group(other, kinds={"": "delays"}) == {"delays": {"delay"}}
    with pytest.raises(SpecError, match=r"`kinds` must be of parameters or modules of the network, got '0\.lag'"):
        param_groups(net, 0.01, 0.5, kinds={"0.lag": "delays", "0": "weights"})
    with pytest.raises(SpecError, match="must be one of weights, delays, constants, thresholds, got 'delay'"):
        param_groups(net, 0.01, 0.5, kinds={"0": "delay"})


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
    net[1].w = net[0].d_orig
    with pytest.raises(SpecError, match=r"`kinds` must be given for parameters of .*, got nothing for 0\.d_orig"):
        param_groups(net, 0.01, 0.5)


@pytest.mark.parametrize(("name", "step"), [("tau_mem", "constants_lr"), ("v_reset", "threshold_lr")])
def test_a_constant_that_learns_needs_a_step(name: str, step: str) -> None:
    net = nn.ModuleList([LIF(3, 2), LI(2, 2, readout="max_voltage")])
    getattr(net[0], name).requires_grad_()
    with pytest.raises(SpecError, match=rf"`{step}` must be the step size of 0\.{name}, which requires a gradient"):
        param_groups(net, 0.01, 0.5)
    assert f"0.{name}" in set().union(*names_by_group(net, **{step: 0.1}).values())


def test_constants_that_learn_are_projected() -> None:
    """Onto values that a layer accepts; a reset that does not learn bounds its threshold."""
    layer, graph = LIF(3, 2, v_reset=[0.0, 0.5], dtype=torch.float64), Network(network_of([LIF(3, 2)]), torch.float64)
    net = nn.ModuleList([layer, graph, LI(2, 2, readout="max_voltage")])
    param_groups(net, 0.01, 0.5, constants_lr=0.1, threshold_lr=0.1)
    constants = graph.constants[1]
    assert layer.v_th is not None and layer.v_reset is not None
    assert constants.v_th is not None and constants.v_reset is not None and constants.tau_syn is not None
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


def test_delays_within_a_loop_of_populations_keep_it_solvable() -> None:
    neurons = {"tau_mem": 20.0, "tau_syn": 5.0, "v_th": 1.0, "v_reset": 0.0}
    lifs = (Population(name, "lif", 1, **neurons) for name in "ab")
    connections = tuple(Connection(*ends, [[1.0]], [[1.0]]) for ends in [("in", "a"), ("a", "b"), ("b", "a")])
    net = Network(NetworkSpec((Population("in", "input", 1), *lifs), connections))
    with torch.no_grad():
        for synapses in net.synapses:
            synapses.d.fill_(-1.0)
    assert project_(net) == 3
    assert [float(synapses.d.detach()) for synapses in net.synapses] == pytest.approx([0.0, 0.1, 0.1])


def test_pruned_and_parametrized_delays_are_projected() -> None:
    layer = LIF(3, 2, max_delay=3.0)
    prune.identity(layer, "d")
    with torch.no_grad():
        layer.get_parameter("d_orig").fill_(4.0)
    assert project_(layer) == 6
    layer(given_spikes())
    raw = LIF(3, 2, max_delay=0.5)
    parametrize.register_parametrization(raw, "d", Softplus())
    with pytest.raises(SpecError, match="got 6 entries outside, made by a parametrization; bound it there, or give"):
        project_(raw)
    Softplus.right_inverse = lambda self, value: value.expm1().log()  # type: ignore[attr-defined]
    assert project_(raw) == 6 and raw.d.flatten().tolist() == pytest.approx([0.5] * 6)
