"""A first network: weights at which neurons spike, a word if none does, groups, bounds."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from delayprop.fast import LI, LIF, Network, Spikes, cross_entropy, param_groups, project_
from delayprop.fast.nn.calibration import scale_for
from delayprop.fast.nn.interchange import network_of
from delayprop.fast.nn.layers import SilentLayerWarning
from delayprop.spec import SpecError
from tests.support.networks.layers import first_layer, given_spikes


def poisson(size: int, rate: float, trials: int = 3, duration: float = 200.0, burst: bool = False) -> Spikes:
    """`rate`: spikes per source and trial; in a burst they all come within 20 ms."""
    random = np.random.default_rng(size)
    end = 20.0 if burst else duration
    trains = [[np.sort(random.uniform(0, end, random.poisson(rate))) for _ in range(size)] for _ in range(trials)]
    return Spikes.from_trains(trains, duration)


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.full)])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize(("pre", "post", "given", "rate"), [
    (1, 5, 20.0, 2.0), (10, 40, 5.0, 1.0), (100, 40, 10.0, 5.0), (300, 128, 4.0, 10.0), (300, 3, 0.1, 4.0),
])
def test_neurons_spike_about_as_often_as_asked(
    pre: int, post: int, given: float, rate: float, recurrent: bool, dtype: torch.dtype
) -> None:
    """On stationary input and on a burst."""
    for burst in (False, True):
        spikes = poisson(pre, given, burst=burst)
        layer = LIF(pre, post, recurrent=recurrent, max_delay=20.0, dtype=dtype)
        if recurrent:
            layer.initialise_recurrent_(0.0, 0.2, 5.0, torch.Generator().manual_seed(1))
        assert layer.initialise_for_(spikes, rate, 10.0, torch.Generator().manual_seed(0)) is layer
        counted = float(layer(spikes).counts().double().mean())
        assert counted == pytest.approx(rate, rel=0.1, abs=1.5 / post)
        assert 0 < float(layer.d.detach().max()) <= 10.0 and float(layer.w.detach().std()) > 0


def test_a_network_that_was_dead_learns() -> None:
    spikes = poisson(50, 5.0)
    with pytest.warns(SilentLayerWarning, match="all 20 neurons of a LIF layer are silent, so no gradient passes"):
        LIF(50, 20)(spikes)
    hidden, out = LIF(50, 20), LI(20, 3, readout="max_voltage")
    hidden.initialise_for_(spikes, rate=5.0)
    cross_entropy(out(hidden(spikes)), torch.tensor([0, 1, 2])).backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in (hidden.w, hidden.d))


def test_one_generator_gives_one_layer() -> None:
    spikes = poisson(20, 5.0)
    made = [LIF(20, 10).initialise_for_(spikes, 3.0, 5.0, torch.Generator().manual_seed(n)) for n in (0, 0, 1)]
    assert torch.equal(made[0].w, made[1].w) and torch.equal(made[0].d, made[1].d)
    assert not torch.equal(made[0].w, made[2].w)


REFUSED = [
    (lambda: LIF(3, 2).initialise_for_(given_spikes(), 0.0), "`rate` must be a finite number above 0"),
    (lambda: LIF(3, 2).initialise_for_(given_spikes()[2], 1.0), "`spikes` has no spikes; give typical input"),
    (lambda: LIF(3, 2, max_delay=4.0).initialise_for_(given_spikes(), 1.0, 5.0), "`d_max` must be at most max_delay"),
    (lambda: LIF(3, 2).initialise_for_(given_spikes(), 17.0), "`rate` must be at most one spike per ms, 16, got 17.0"),
    (
        lambda: LIF(1, 2).initialise_for_(Spikes.from_trains([[[0.2]]], 1.5), 5.0),
        r"`rate` must be at most one spike per ms, 1.5, got 5.0; are the times in seconds\? `Spikes` takes ms",
    ),
]


@pytest.mark.parametrize(("made", "words"), REFUSED, ids=["rate", "silent", "d_max", "too fast", "seconds"])
def test_what_has_no_such_weights_is_refused(made: Callable[[], LIF], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        made()


def test_the_search_ends_near_a_rate_that_jumps() -> None:
    """From 0 to 8 spikes at a scale of 3: the nearer of the two is taken."""
    assert scale_for(7.0, lambda scale: 8.0 if scale >= 3 else 0.0, 1.0) >= 3
    assert scale_for(1.0, lambda scale: 8.0 if scale >= 3 else 0.0, 1.0) < 3
    with pytest.raises(SpecError, match=r"`rate` is 9 spikes per neuron and trial, and no weights reach more than 8"):
        scale_for(9.0, lambda scale: 8.0, 1.0)


def silent() -> LIF:
    return LIF(3, 2, dtype=torch.float64)


def test_a_silent_layer_warns_once_and_only_where_a_gradient_is_wanted() -> None:
    layer = silent()
    with pytest.warns(SilentLayerWarning, match=r"draw its weights with `layer.initialise_for_\(spikes, rate=5\)`"):
        layer(given_spikes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(given_spikes())
        silent()(given_spikes()[2])  # it receives nothing
        silent().requires_grad_(False)(given_spikes())
        first_layer()(given_spikes())
        with torch.no_grad():
            silent()(given_spikes())


@pytest.mark.parametrize(("late", "cause"), [(12, "carry all spikes beyond `duration`, 16 ms; give longer trials"), (
    11, r"passes through it; draw its weights with `layer.initialise_for_",
)])
def test_a_layer_that_no_spike_reaches_in_time_names_its_delays(late: int, cause: str) -> None:
    """Of 12 arrivals, all or all but one come after the trial."""
    layer = silent().initialise_(0.1, 0.0)
    spikes = Spikes.from_trains([[[1.0], [2.0], [3.0]], [[4.0], [], [9.0, 9.5]]], 16.0)
    with torch.no_grad():
        layer.d.fill_(20.0)
        layer.d[1, 1] = 20.0 if late == 12 else 13.0
    with pytest.warns(SilentLayerWarning, match=cause):
        layer(spikes)


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn"])
def test_time_constants_in_seconds_are_warned_of(name: str) -> None:
    with pytest.warns(UserWarning, match=rf"`{name}` is 0\.02 ms, which looks like seconds"):
        LI(2, 2, readout="max_voltage", **{name: 0.02})  # type: ignore[arg-type]


def network() -> nn.Module:
    """Layers, a recurrent one among them, a graph, and a module that is none of ours."""
    graph = Network(network_of([LIF(3, 2), LI(2, 2, readout="max_voltage")]))
    return nn.ModuleList([LIF(3, 4, recurrent=True), LI(4, 2, readout="max_voltage"), graph, nn.Linear(2, 2)])


def test_every_parameter_is_in_its_group() -> None:
    net = network()
    groups = {group["name"]: group for group in param_groups(net, lr=0.01, delay_lr=0.5)}
    assert set(groups) == {"weights", "delays"}
    of = {id(p): name for name, p in net.named_parameters()}
    delays = {of[id(p)] for p in groups["delays"]["params"]}
    assert delays == {"0.d", "0.d_rec", "1.d", "2.synapses.0.d", "2.synapses.1.d"}
    weights = {of[id(p)] for p in groups["weights"]["params"]}
    assert weights == {"0.w", "0.w_rec", "1.w", "2.synapses.0.w", "2.synapses.1.w", "3.weight", "3.bias"}
    assert (groups["weights"]["lr"], groups["delays"]["lr"], groups["delays"]["weight_decay"]) == (0.01, 0.5, 0.0)


def test_weights_alone_decay() -> None:
    """Of an optimiser that has a decay by default; a time constant would shrink, step by step."""
    net = network()
    adam = torch.optim.AdamW(param_groups(net, 0.01, 0.5, constants_lr=0.1), weight_decay=0.1)
    for parameter in net.parameters():
        parameter.data += 1.0  # a weight of 0 has nothing to lose
        parameter.grad = torch.zeros_like(parameter)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    adam.step()
    moved = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"0.w", "0.w_rec", "1.w", "2.synapses.0.w", "2.synapses.1.w", "3.weight", "3.bias"}


def test_constants_learn_if_they_have_a_step() -> None:
    net = network()
    assert not any(p.requires_grad for name, p in net.named_parameters() if name.endswith("tau_mem"))
    groups = {group["name"]: group for group in param_groups(net, 0.01, 0.5, constants_lr=0.1)}
    assert all(parameter.requires_grad for parameter in groups["constants"]["params"])
    assert {name.split(".")[-1] for name, p in net.named_parameters() if p.requires_grad} == {
        "w", "w_rec", "d", "d_rec", "weight", "bias", "tau_mem", "tau_syn"
    }, "a step in ms moves no threshold"
    every = {group["name"]: group for group in param_groups(net, 0.01, 0.5, constants_lr=0.1, threshold_lr=0.02)}
    assert [(every[kind]["lr"], every[kind]["weight_decay"]) for kind in ("constants", "thresholds")] == [
        (0.1, 0.0), (0.02, 0.0)
    ]
    found = [id(parameter) for group in every.values() for parameter in group["params"]]
    assert sorted(found) == sorted(map(id, net.parameters())) and groups["constants"]["lr"] == 0.1


@pytest.mark.parametrize("changed", [
    {"lr": 0.0}, {"delay_lr": -1.0}, {"constants_lr": float("nan")}, {"threshold_lr": 0.0},
], ids=str)
def test_step_sizes_are_positive(changed: dict) -> None:
    with pytest.raises(SpecError, match=f"`{next(iter(changed))}` must be a finite number above 0"):
        param_groups(network(), **{"lr": 0.1, "delay_lr": 0.1, **changed})


def test_wrong_use_of_param_groups_says_what_to_do() -> None:
    net = network()
    with pytest.raises(SpecError, match="`net` must be a torch module, got generator; give the network itself"):
        param_groups(net.parameters(), 0.1, 0.1)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"to keep delays as they are: `layer\.d\.requires_grad_\(False\)`"):
        param_groups(net, 0.1, 0.0)


def test_all_delays_of_a_network_are_projected() -> None:
    layer, graph = LIF(1, 2, max_delay=3.0), Network(network_of([LIF(3, 2)]))
    net = nn.ModuleList([layer, graph])
    with torch.no_grad():
        layer.d.copy_(torch.tensor([[-1.0, 4.0]]))
        graph.synapses[0].d[0, 0] = -2.0
    assert project_(net) == 3 and project_(net) == 0
    assert layer.d.tolist() == [[0.0, 3.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_delay_above_its_bound_is_refused(dtype: torch.dtype) -> None:
    """The bound itself passes in either precision, although float32 rounds 0.1 up."""
    layer = LIF(3, 2, max_delay=0.1, dtype=dtype)
    with torch.no_grad():
        layer.d.fill_(0.2)
    with pytest.raises(SpecError, match=r"`d` must be at most max_delay, 0.1 \(ms\), got 0.2.*; call `layer.project_"):
        layer(given_spikes())
    layer.project_()
    with torch.no_grad():
        layer(given_spikes())
