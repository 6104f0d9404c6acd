"""Layers whose sources raise several states, and whose arrivals reach them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import delayprop.reference as reference
from delayprop.fast import LIF, AdLIF, Spikes, Spiking
from delayprop.fast import Network as Graph
from delayprop.fast.nn.interchange import network_of
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.fast.run import run_case
from delayprop.fast.solving.matrices import read
from delayprop.spec import Case, Connection, Network, Neuron, Population, SpikeTimeMSE, SpikeTrains
from tests.support.implementations import agreement
from tests.support.networks.layers import CURRENTS
from tests.support.networks.neurons import ALL, network, with_short_loops
from tests.support.networks.nir_networks import bits

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
                                                      constants={**CURRENTS, "v_th": 1.0, "v_reset": 0.0})),
            (Connection("in", "out", [[w]], 1.0), Connection("in", "out", [[-w * 4.0 / 9.0]], 1.0, into="G")),
        ),
        40.0, {"in": SpikeTrains((np.array([1.0]),))}, SpikeTimeMSE("out", SpikeTrains((np.array([5.0]),))),
    )
    for run in (reference.run, run_case):
        with pytest.raises(ArithmeticError, match="spikes too fast, or without end"):
            run(given)
