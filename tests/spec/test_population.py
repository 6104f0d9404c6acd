"""Populations of neurons given by equations: what is refused, and with which words."""

import pytest

from delayprop.spec import Population, SpecError

LIF_VALUES = dict(tau_mem=20.0, tau_syn=5.0, v_th=1.0, v_reset=0.0)
COUPLED_VALUES = {**LIF_VALUES, "g": 0.5, "tau_a": 30.0, "b": 0.1}


@pytest.mark.parametrize(("neuron", "constants", "said"), [
    ("lif", {**LIF_VALUES, "beta": 1.0}, "`constants.beta` is no constant of these equations; the names are tau_mem,"),
    ("lif", dict(tau_mem=20.0), "`constants.tau_syn` must be given, got nothing; the names are tau_mem,"),
    ("lif", [20.0], "`constants` must be an object of numbers by name, got list; the names are tau_mem,"),
    ("lif", {**LIF_VALUES, "tau_mem": "20"}, "`constants.tau_mem` must be a finite number, got '20';"),
    ("lif", {**LIF_VALUES, "tau_mem": [20.0, 0.0]}, "of neuron 1 give an equation that divides by 0: (-V + I) /"),
    ("lif", {**LIF_VALUES, "tau_mem": [20.0, 1e-320]}, "of neuron 1 give a rate or a jump that float64 cannot"),
    ("lif", {**LIF_VALUES, "tau_syn": [5.0, -5.0]}, "of neuron 1 make it unstable: its state grows without"),
    ("coupled", {**COUPLED_VALUES, "g": -1.5}, "of neuron 0 make it unstable: its state grows without input;"),
    ("lif", {**LIF_VALUES, "v_th": 0.0}, "of neuron 0 put it at its threshold at rest; raise the threshold"),
    ("izhikevich", LIF_VALUES, "`neuron` must be one of lif, li, rise, alif, adlif, coupled, two-synapses, got"),
    ({"rates": {"V": "V * V"}, "arrivals": ["V"]}, {}, '`neuron.rates["V"]` must be linear in the states'),
    ({"rates": {"V": "-V"}, "delay": 1}, {}, "`neuron.delay` is no key here; the keys are rates, arrivals,"),
    ({"rates": {"V": "k * I", "I": "-k * I"}, "reset": {}}, {"k": 0.0, "v_th": 1.0},
     "of neuron 0 give it a level that never moves;"),
    ({"rates": {"V": "k * a - V", "a": "-k * V - a", "I": "k * b - I", "b": "-k * I - b"}}, {"k": 3.0, "v_th": 1.0,
      "v_reset": 0.0}, "of neuron 0 make it oscillate in two ways; at most one is exact here;"),
    ("lif", {**LIF_VALUES, "tau_syn": 1e-12}, "of neuron 0 give a rate outside 1e-09 to 1e+09 per ms; choose"),
    ("coupled", {**COUPLED_VALUES, "tau_syn": 1e-6}, "of neuron 0 give rates that differ by more than 1"),
], ids=range(16))
def test_populations_are_refused_with_the_reason(neuron: object, constants: object, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        Population("hid", "neuron", 2, neuron=neuron, constants=constants)
    assert said in str(caught.value)
