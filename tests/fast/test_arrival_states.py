"""Layers whose sources raise several states: as their network, loaded from it, and refusals."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import delayprop.reference as reference
from delayprop.fast import LI, LIF, AdLIF, Spikes, Spiking, cross_entropy
from delayprop.fast import Network as Graph
from delayprop.fast.nn.autograd import propagate_neurons
from delayprop.fast.nn.interchange import network_of
from delayprop.fast.nn.loading import load_into
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.fast.nn.traces import membrane_traces
from delayprop.fast.nn.wiring import Into
from delayprop.fast.run import run_case
from delayprop.fast.solving.matrices import read
from delayprop.spec import Case, Connection, Network, Neuron, Population, SpikeTimeMSE, SpikeTrains
from tests.support.implementations import agreement
from tests.support.networks.neurons import ALL, network, with_short_loops
from tests.support.networks.nir_networks import bits
from tests.support.refusals import Refusals, assert_refused

CONSTANTS = {"tau_mem": 15.0, "tau_exc": 4.0, "tau_inh": 9.0}
HIDDEN, OWN = ["E", "G", "E"], ["G", "E", "E", "G"]
SPIKES = Spikes.from_trains([[[1.0, 4.0], [2.0, 3.5, 9.0], [6.0]], [[2.5], [], [3.0, 8.0]]], 40.0)
LABELS = torch.tensor([1, 0])


def made(seed: int, into: Into = HIDDEN, into_rec: Into = OWN) -> list[SynapticLayer]:
    """A recurrent layer of two synapses, and an output."""
    torch.manual_seed(seed)
    hidden = Spiking(
        3, 4, neuron="two-synapses", recurrent=True, into=into, into_rec=into_rec, dtype=torch.float64,
        **CONSTANTS,  # type: ignore[arg-type]
    )
    hidden.initialise_(2.0, 1.0, 5.0).initialise_recurrent_(0.0, 0.3, 5.0)
    out = LI(4, 2, readout="mean_voltage", dtype=torch.float64).initialise_(0.5, 0.5, 3.0)
    return [hidden, out]


SHORT: dict[str, tuple[Callable[..., SynapticLayer], dict[str, Any], dict[str, Any]]] = {
    "rise": (LIF, {"tau_rise": 2.0}, {"neuron": "rise", "tau_rise": 2.0}),
    "two currents": (LIF, {"tau_syn": {"exc": 3.0, "inh": 8.0}, "into": np.array(["exc", "inh", "exc"])},
                     {"neuron": "two-synapses", "tau_exc": 3.0, "tau_inh": 8.0, "into": HIDDEN}),
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


def trained(layers: list[SynapticLayer]) -> tuple[torch.Tensor, ...]:
    """Spike times, readout, and the gradients of weights and delays, those of the output last."""
    hidden = layers[0](SPIKES)
    y = layers[1](hidden)
    cross_entropy(y, LABELS).backward()
    return hidden.times.detach(), y.detach(), *(p.grad for layer in layers for p in (*layer.all_w, *layer.all_d))


@pytest.mark.full
def test_layers_are_the_network_of_their_states() -> None:
    """Bit for bit, with one connection per state that a source raises."""
    layers = made(1)
    times, y, *gradients = trained(layers)
    network = network_of(layers)
    raised = [(one.source, one.into, one.exists.any(axis=1).tolist()) for one in network.connections]
    assert raised == [
        ("in", None, [True, False, True]), ("in", "G", [False, True, False]),
        ("hidden1", None, [False, True, True, False]), ("hidden1", "G", [True, False, False, True]),
        ("hidden1", None, [True] * 4),
    ]
    graph = Graph(network, dtype=torch.float64)
    found = graph(SPIKES, read=("out", "mean_voltage"))
    cross_entropy(found.y, LABELS).backward()
    assert len(times) > 10 and torch.equal(found.spikes["hidden1"].times, times) and torch.equal(found.y, y)
    for name, at in (("w", 0), ("d", 2)):
        of = [getattr(one, name).grad for one in graph.synapses]
        for given, parts in zip(gradients[at : at + 2], (of[:2], of[2:4]), strict=True):
            assert bool(given.any()) and torch.equal(sum(parts), given)
    assert bits(network_of(graph)) == bits(network)


@pytest.mark.full
@pytest.mark.parametrize("into", [HIDDEN, "G", None])
def test_layers_load_such_a_network_bit_for_bit(into: list[str] | str | None) -> None:
    ours, theirs = made(1, into), made(2, into)
    network = network_of(ours)
    load_into(theirs, Network(network.populations, network.connections[::-1]))
    assert bits(network_of(theirs)) == bits(network)
    assert all(torch.equal(a, b) for a, b in zip(trained(ours), trained(theirs), strict=True))
    assert [layer.into is None for layer in theirs] == [into is None, True]


@pytest.mark.full
def test_states_are_saved_with_the_parameters() -> None:
    ours, theirs = made(1), made(2, ["E"] * 3, "E")
    for one, other in zip(ours, theirs, strict=True):
        other.load_state_dict(one.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(trained(ours), trained(theirs), strict=True))
    assert "into" not in LIF(1, 1).state_dict()


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
        graph = Graph(case.network, torch.float64)
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
        Network(
            (Population("in", "input", 1), Population("out", "neuron", 1, neuron="two-synapses",
                                                      constants={**CONSTANTS, "v_th": 1.0, "v_reset": 0.0})),
            (Connection("in", "out", [[w]], 1.0), Connection("in", "out", [[-w * 4.0 / 9.0]], 1.0, into="G")),
        ),
        40.0, {"in": SpikeTrains((np.array([1.0]),))}, SpikeTimeMSE("out", SpikeTrains((np.array([5.0]),))),
    )
    for run in (reference.run, run_case):
        with pytest.raises(ArithmeticError, match="spikes too fast, or without end"):
            run(given)


def all_into_the_first(network: Network) -> Network:
    """The network with a first connection in which each source has synapses."""
    first, *others = network.connections
    return Network(network.populations, (replace(first, exists=np.ones_like(first.exists)), *others))


def propagated(into: object) -> object:
    layer = made(1)[0]
    w, d, _ = layer.synapses
    return propagate_neurons(SPIKES, w, d, layer.equations, layer.constants, into=into, recurrent=True)  # type: ignore[arg-type]


TWO = {"exc": 3.0, "inh": 8.0}
REFUSED: Refusals = [
    (lambda: LIF(3, 2, tau_syn={"exc": 3.0}), "`tau_syn` must be one time constant .*, got a dict of exc; give both"),
    (lambda: LIF(3, 2, tau_syn={"exc": 3.0, "inh": -1.0}), "`tau_syn.inh` must be a finite number above 0"),
    (lambda: LIF(3, 2, tau_syn={"exc": [3.0], "inh": 1.0}), "`tau_syn.exc` must be a list of 2"),
    (lambda: LIF(3, 2, tau_rise=0.0), "`tau_rise` must be a finite number above 0"),
    (lambda: LIF(3, 2, tau_rise=1.0, tau_mem=-1.0), "`tau_mem` must be a finite number above 0"),
    (lambda: LIF(3, 2, tau_rise=1.0, v_reset=2.0), r"`v_reset\[0\]` must be below the threshold 1.0, got 2.0"),
    (lambda: LIF(3, 0, tau_rise=1.0), "`post` must be a whole number from 1"),
    (lambda: LIF(3, 2, tau_syn=TWO, tau_rise=1.0), "`tau_rise` must be left out where `tau_syn` is a dict, got 1.0"),
    (lambda: LIF(3, 2, tau_syn=TWO, into=["exc", "E", "inh"]), r"`into\[1\]` must be one of exc, inh, got 'E'"),
    (lambda: LIF(3, 2, tau_syn=TWO, into=["exc"]), "`into` must be a list of 3, one for each source neuron"),
    (lambda: LIF(3, 2, into="exc"), "`into` must be left out, got 'exc'; .* makes two currents"),
    (lambda: membrane_traces(LIF(3, 2, tau_rise=2.0), SPIKES, [1.0]), "`layer` has other equations than LIF and LI"),
    (lambda: made(1, ["E", "G"]), "`into` must be a list of 3, one for each source neuron"),
    (lambda: made(1, "I"), "`into` must be one of E, G, got 'I'"),
    (lambda: made(1, HIDDEN, ["E", "G", "E", "J"]), r"`into_rec\[3\]` must be one of E, G, got 'J'"),
    (lambda: Spiking(3, 4, neuron="two-synapses", into_rec="G", **CONSTANTS),  # type: ignore[arg-type]
     "`into_rec` must be left out, got states; make the layer with `recurrent=True`"),
    (lambda: Spiking(3, 4, neuron="lif", into="V"), "`into` must be one of I, got 'V'"),
    (lambda: propagated([0] * 7), "`into` must be a tensor of whole numbers, got"),
    (lambda: propagated(torch.zeros(7)), r"`into` must be int64, \[7\], got float32, \[7\]; give a number per row"),
    (lambda: propagated(torch.zeros(3, dtype=torch.int64)), r"`into` must be int64, \[7\], got int64, \[3\]"),
    (lambda: propagated(torch.full((7,), 2)), "`into` must be from 0 to 1, got 2; count the states of `arrivals`"),
    (lambda: propagated(torch.full((7,), -1)), "`into` must be from 0 to 1, got -1"),
    (lambda: load_into(made(1, "E"), network_of(made(2))),
     r"`connections\[1\].into` must be E from source 1, as layers\[0\], got 'G'; build the layer for this network"),
    (lambda: load_into(made(1), all_into_the_first(network_of(made(2)))),
     r"`connections\[0\].into` must be G from source 1, as layers\[0\], got 'E'"),
    (lambda: load_into([Spiking(1, 4, neuron="rise", tau_rise=2.0), made(1)[1]], network_of(made(2, HIDDEN, None))),
     "`population hidden1` must be with no connection onto itself"),
    (lambda: load_into([Spiking(1, 4, neuron="two-synapses", recurrent=True, **CONSTANTS),  # type: ignore[arg-type]
                        made(1)[1]], network_of(made(2))),
     r"`connections\[0\]` must be 1 -> 4 neuron neurons, as layers\[0\], got 3 ->"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_states_that_do_not_fit_are_refused(call: Callable[[], object], words: str) -> None:
    assert_refused(call, words)
