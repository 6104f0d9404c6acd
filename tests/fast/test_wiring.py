"""Stacks of layers: as the network that they describe, loaded from it, their synapses, and the
states that sources raise."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import delayprop.reference as reference
from delayprop import (
    LI,
    LIF,
    AdLIF,
    Network,
    NetworkSpec,
    SpecError,
    Spikes,
    Spiking,
    load_into,
    membrane_traces,
    network_of,
)
from delayprop.fast.cpu import solver
from delayprop.fast.layout.arrays import Arriving
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.fast.run import run_case
from delayprop.fast.solving.matrices import read
from delayprop.spec import Case, Connection, Neuron, Population, SpikeTimeMSE, SpikeTrains
from tests.support.implementations import agreement
from tests.support.networks.layers import (
    CURRENTS,
    LONG,
    MASK,
    MASK_OUT,
    MASK_REC,
    STACKS,
    names_of,
    two_currents,
    wired,
)
from tests.support.networks.neurons import ALL, network, with_short_loops
from tests.support.networks.nir_networks import bits

every_stack = pytest.mark.parametrize("name", names_of(STACKS))


def trained(layers: list[Any]) -> tuple[list[Tensor], Tensor, dict[str, Tensor]]:
    """Spike times of hidden layers, readout, and the gradients."""
    stack, hidden = nn.Sequential(*layers), [LONG]
    stack.zero_grad()
    for layer in layers[:-1]:
        hidden.append(layer(hidden[-1]))
    y = layers[-1](hidden[-1])
    torch.linalg.norm(y - 0.1).backward()
    gradients = {name: p.grad for name, p in stack.named_parameters() if p.grad is not None}
    return [spikes.times.detach() for spikes in hidden[1:]], y.detach(), gradients


@every_stack
def test_layers_are_the_network_that_they_describe(name: str) -> None:
    """Bit for bit. Gradients of shared delays are sums over synapses, those of a layer whose
    sources raise several states over the connections of the network."""
    made = STACKS[name]()
    times, y, found = trained(made)
    network = network_of(made)
    graph = Network(network, dtype=made[0].w.dtype)
    activity = graph(LONG, read=("out", made[-1].readout))
    torch.linalg.norm(activity.y - 0.1).backward()
    assert torch.equal(activity.y, y)
    places = [population.name for population in network.populations]
    for place, emitted in zip(places[1:-1], times, strict=True):
        assert len(emitted) > 10 and torch.equal(activity.spikes[place].times, emitted)
    for n, layer in enumerate(made):
        for source, ending in zip(places[n : n + 2], ("", "_rec")[: len(layer.all_w)], strict=False):
            ends = source, places[n + 1]
            of = [each for each, one in zip(graph.synapses, network.connections) if (one.source, one.target) == ends]
            of_w, of_d = found[f"{n}.w{ending}"], found[f"{n}.d{ending}"]
            assert of_w.any() and of_d.any() and torch.equal(of_w, torch.stack([each.w.grad for each in of]).sum(0))
            rtol, atol = (0.0, 0.0) if layer.delays == "synaptic" else (1e-12, 1e-14)
            expected = torch.stack([each.d.grad for each in of]).sum(0).sum_to_size(of_d.shape)
            torch.testing.assert_close(of_d, expected, rtol=rtol, atol=atol)
    assert bits(network_of(graph)) == bits(network)


@every_stack
def test_layers_load_a_network_bit_for_bit(name: str) -> None:
    """In whichever order it is listed; a layer without states that sources raise stays so."""
    ours, theirs = STACKS[name](), STACKS[name]()
    for parameter in nn.Sequential(*theirs).parameters():
        parameter.data.add_(1.0)
    network = network_of(ours)
    assert bits(network_of(theirs)) != bits(network)
    load_into(theirs, NetworkSpec(network.populations[::-1], network.connections[::-1]))
    assert bits(network_of(theirs)) == bits(network)
    for one, other in zip(ours, theirs, strict=True):
        assert one.w.dtype == other.w.dtype and (one.into is None) == (other.into is None)
    assert torch.equal(nn.Sequential(*theirs)(LONG), nn.Sequential(*ours)(LONG))


def test_a_connection_for_each_state_that_a_source_raises() -> None:
    raised = [(one.source, one.into, one.exists.any(axis=1).tolist()) for one in network_of(two_currents()).connections]
    assert raised == [
        ("in", None, [True, False, True]), ("in", "G", [False, True, False]),
        ("hidden1", None, [False, True, True, False]), ("hidden1", "G", [True, False, False, True]),
        ("hidden1", None, [True] * 4),
    ]


def test_what_no_synapse_has_is_not_read() -> None:
    made, other = wired("synaptic"), wired("synaptic")
    for layer, masks in zip(other, ((MASK, MASK_REC), (MASK_OUT,)), strict=True):
        for w, d, mask in zip(layer.all_w, layer.all_d, masks, strict=True):
            assert not w[~mask].any()
            w.data[~mask], d.data[~mask] = 1e3, 1e6
    (times, y, _), (same_times, same_y, gradients) = trained(made), trained(other)
    assert torch.equal(y, same_y) and all(map(torch.equal, times, same_times))
    for layer, same in zip(made, other, strict=True):
        given = (LONG if layer is made[0] else made[0](LONG))[0]
        assert torch.equal(*(membrane_traces(each, given, [12.0, 30.0]) for each in (layer, same)))
    for name, gradient in gradients.items():
        mask = {"0.w": MASK, "0.d": MASK, "0.w_rec": MASK_REC, "0.d_rec": MASK_REC}.get(name, MASK_OUT)
        assert not gradient[~mask].any() and gradient[mask].any()


def test_an_absent_synapse_does_not_lengthen_the_ring() -> None:
    for mask, bins in (([[True], [False], [True]], 1), (None, 8)):
        layer = LI(3, 1, readout="mean_voltage", mask=mask, dtype=torch.float64)
        layer.d.data.copy_(torch.tensor([[1.0], [8.0], [1e30]]))
        layer(LONG[0].until(9.0))
        assert int(layer.record.integrated.longest_delay) == bins


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
        slopes = {name: mask * p.grad if p.shape == mask.shape else p.grad for name, p in learned.items()}
        results.append({"emitted": emitted.times.detach(), **slopes})
    assert counts == [heard, {30}]
    assert len(results[0]["emitted"]) > 100
    for name, found in results[0].items():
        torch.testing.assert_close(found, results[1][name], rtol=1e-12, atol=1e-12)
        assert found.any(), name


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


SHORT: dict[str, tuple[Callable[..., SynapticLayer], dict[str, Any], dict[str, Any]]] = {
    "rise": (LIF, {"tau_rise": 2.0}, {"neuron": "rise", "tau_rise": 2.0}),
    "two currents": (LIF, {"tau_syn": {"exc": 3.0, "inh": 8.0}, "into": np.array(["exc", "inh", "exc"])},
                     {"neuron": "two-synapses", "tau_exc": 3.0, "tau_inh": 8.0, "into": ["E", "G", "E"]}),
    "own currents": (LIF, {"tau_syn": {"exc": 3.0, "inh": 8.0}, "recurrent": True, "into_rec": "inh"},
                     {"neuron": "two-synapses", "tau_exc": 3.0, "tau_inh": 8.0, "recurrent": True, "into_rec": "G"}),
    "coupled": (AdLIF, {"tau_a": 30.0, "g": 0.0}, {"neuron": "coupled", "tau_a": 30.0, "b": 0.3, "g": 0.0}),
}


DRIVEN = Neuron({"V": "(-V + E + G) / tau_mem", "E": "-E / 5", "G": "(-G + g * V) / 9"}, arrivals=("E", "G"))
FORMS = {
    "lif": (0, False), "adlif": (0, False), "rise": (0, True), "coupled": (0, True), "mixed": (0, True),
    "two-synapses": (1, False), "adapting": (1, False), "three": (2, False), "driven": (0, True),
}
"""Currents beside the first, and whether arrivals reach further states."""


@pytest.mark.parametrize("name", FORMS)
def test_currents_drive_the_voltage_alone(name: str) -> None:
    neuron = {**ALL, "driven": DRIVEN}[name]
    found = read(neuron, np.full((len(neuron.constants), 2), 0.7))
    assert (found.currents, found.reached) == FORMS[name]


@pytest.mark.parametrize("name", SHORT)
def test_a_short_form_is_the_layer_of_its_equations(name: str) -> None:
    kind, short, long = SHORT[name]
    torch.manual_seed(1)
    ours = kind(3, 2, tau_mem=11.0, v_th=0.5, **short)
    torch.manual_seed(1)
    assert bits(network_of([ours])) == bits(network_of([Spiking(3, 2, tau_mem=11.0, v_th=0.5, **long)]))


@pytest.mark.full
@pytest.mark.parametrize("name", ["rise", "two-synapses", "mixed"])
def test_own_spikes_arrive_in_the_bin_in_which_they_are_emitted(name: str) -> None:
    found = agreement(with_short_loops(network(name, 1, "first_spike_time", recurrent=True)))
    assert found.zero < found.blocks


@pytest.mark.full
@pytest.mark.parametrize("name", ["two-synapses", "mixed"])
def test_constants_that_learn_change_no_other_gradient(name: str) -> None:
    """Arrivals beside own events are looked up in another way where no constant learns."""
    case, found = network(name, 1, "first_spike_time"), []
    for learn in (False, True):
        graph = Network(case.network, torch.float64)
        for constants in graph.constants:
            constants.requires_grad_(learn)
        spikes = Spikes.from_trains([list(case.inputs["in"])], case.duration)
        spikes.times.requires_grad_()
        out = graph(spikes).spikes["out"]
        out.times.sum().backward()
        found.append([spikes.times.grad, *(p.grad for one in graph.synapses for p in (one.w, one.d))])
    assert len(out.times) > 1
    for without, with_ in zip(*found, strict=True):
        torch.testing.assert_close(without, with_, rtol=1e-11, atol=1e-12)


@pytest.mark.full
def test_opposite_currents_hide_no_run_without_end() -> None:
    """In all time they raise the voltage by nothing; the fast one alone causes endless spikes."""
    w = 1e12
    given = Case(
        NetworkSpec(
            (Population("in", "input", 1), Population("out", "neuron", 1, neuron="two-synapses",
                                                      constants={**CURRENTS, "v_th": 1.0, "v_reset": 0.0})),
            (Connection("in", "out", [[w]], 1.0), Connection("in", "out", [[-w * 4.0 / 9.0]], 1.0, into="G")),
        ),
        40.0, {"in": SpikeTrains((np.array([1.0]),))}, SpikeTimeMSE("out", SpikeTrains((np.array([5.0]),))),
    )
    for run in (reference.run, run_case):
        with pytest.raises(ArithmeticError, match="spikes too fast, or without end"):
            run(given)
