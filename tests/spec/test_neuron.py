"""A neuron as data: its equations are read as matrices; equations that are none are refused, and so
are populations with constants that fit none."""

from fractions import Fraction

import pytest

from delayprop.spec import Population, SpecError
from delayprop.spec.neuron import ALIF, LIF, NEURONS, TWO_SYNAPSES, Neuron

RATES = {"V": "(-V + I) / tau_mem", "I": "-I / tau_syn"}


def test_matrices_of_numbers() -> None:
    one = ALIF.matrices(dict(tau_mem=20.0, tau_syn=5.0, tau_a=100.0, v_th=1.5, beta=0.25, v_reset=-0.5))
    assert one.A == [[-0.05, 0.05, 0.0], [0.0, -0.2, 0.0], [0.0, 0.0, -0.01]]
    assert (one.c, one.v_th) == ([1.0, 0.0, -0.25], 1.5)
    assert (one.R, one.r) == ([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [-0.5, 0.0, 1.0])


def test_neurons_are_equal_by_their_texts_in_order() -> None:
    """The order of the states is that of the matrices."""
    same, turned = Neuron(RATES), Neuron(dict(reversed(RATES.items())))
    assert same == LIF and len({same, LIF, turned}) == 2
    assert turned != LIF and LIF != "lif"


def test_numbers_in_the_text_are_exact() -> None:
    one = Neuron({"V": "0.1 * (I - 3 * V)", "I": "-(I) / 7 - I * .5"}, spike="2 * V / 3 - 1e-3",
                 reset={"V": "V / 9 + 0.3"})
    m = one.matrices({}, lambda value: value)
    assert m.A == [[Fraction(-3, 10), Fraction(1, 10)], [0, Fraction(-1, 7) - Fraction(1, 2)]]
    assert (m.c, m.v_th) == ([Fraction(2, 3), 0], Fraction(1, 1000))
    assert (m.R, m.r) == ([[Fraction(1, 9), 0], [0, 1]], [Fraction(3, 10), 0])


def test_constants_are_the_names_that_are_no_states() -> None:
    assert LIF.constants == ("tau_mem", "tau_syn", "v_th", "v_reset")
    assert TWO_SYNAPSES.constants == ("tau_mem", "tau_exc", "tau_inh", "v_th", "v_reset")
    assert all(set(one.constants).isdisjoint(one.states) for one in NEURONS.values())


def test_a_neuron_without_spikes_has_no_level() -> None:
    m = NEURONS["li"].matrices({"tau_mem": 20.0, "tau_syn": 5.0})
    assert (m.c, m.v_th, m.R, m.r) == ([0.0, 0.0], 0.0, [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])


def test_a_constant_of_0_in_a_denominator_is_named() -> None:
    with pytest.raises(SpecError, match=r'`rates\["V"\]` divides by 0: \(-V \+ I\) / tau_mem; choose other constants'):
        LIF.matrices(dict(tau_mem=0.0, tau_syn=5.0, v_th=1.0, v_reset=0.0))


ARITHMETIC = "must be an equation of numbers, names, + - * / and brackets, got "


@pytest.mark.parametrize(("given", "said"), [
    (dict(rates={**RATES, "V": "V * I"}), '`rates["V"]` must be linear in the states, and multiplies states: V * I;'),
    (dict(rates={**RATES, "V": "1 / V"}), '`rates["V"]` must be linear in the states, and divides by a state: 1 / V;'),
    (dict(reset={"V": "V * V"}), '`reset["V"]` must be linear in the states, and multiplies states: V * V;'),
    (dict(rates={**RATES, "V": "I - V + 1"}), '`rates["V"]` moves a neuron at rest, without an arrival;'),
    (dict(rates={**RATES, "V": "v_rest - V"}), '`rates["V"]` moves a neuron at rest, without an arrival;'),
    (dict(arrivals=("I", "I")), "`arrivals` must be states, each once, got ['I', 'I']; name each one once"),
    (dict(spike="V - I - v_th"), "`spike` names I, at which spikes arrive: spikes would follow weights, not times;"),
    (dict(spike="v_th"), "`spike` names no state, so it never rises; give None if it never spikes"),
    (dict(spike=None), "`reset` belongs to a neuron that spikes; give `spike` too, or an empty `reset`"),
    (dict(arrivals=("J",)), "`arrivals` must be states, of V, I, got 'J'; give this state a rate, too"),
    (dict(arrivals=[["I"]]), "`arrivals` must be states, of V, I, got ['I']; give this state a rate, too"),
    (dict(arrivals=()), "`arrivals` must be at least one state, got none; name the state that spikes raise"),
    (dict(arrivals="I"), "`arrivals` must be a list of states, got 'I'; give a list"),
    (dict(reset={"a": "0"}), "`reset` must be states, of V, I, got 'a'; give this state a rate, too"),
    (dict(rates={}), "`rates` must be 1 to 4 equations, got 0 equations;"),
    (dict(rates={name: f"-{name}" for name in "VIabc"}), "`rates` must be 1 to 4 equations, got 5 equations;"),
    (dict(rates=["-V"]), "`rates` must be an object of equations, got list; name a state per equation"),
    (dict(rates={"lambda": "-1"}), "`rates` must be equations of states with names like V, got 'lambda';"),
    (dict(rates={**RATES, "V": 3}), '`rates["V"]` must be an equation in quotes, got 3; write it as text'),
    (dict(rates={**RATES, "V": "exp(V)"}), f'`rates["V"]` {ARITHMETIC}\'exp(V)\'; write it out with these'),
    (dict(rates={**RATES, "V": "-V**2"}), f'`rates["V"]` {ARITHMETIC}\'V**2\'; write it out with these'),
    (dict(rates={**RATES, "V": "V.real"}), f'`rates["V"]` {ARITHMETIC}\'V.real\'; write it out with these'),
    (dict(rates={**RATES, "V": "True * V"}), f'`rates["V"]` {ARITHMETIC}\'True\'; write it out with these'),
    (dict(rates={**RATES, "V": "1e999 * V"}), f'`rates["V"]` {ARITHMETIC}\'1e999\'; write it out with these'),
    (dict(rates={**RATES, "V": "__import__('os')"}), f'`rates["V"]` {ARITHMETIC}"__import__(\'os\')"; write it out'),
    (dict(rates={**RATES, "V": "-V +"}), f'`rates["V"]` {ARITHMETIC}\'-V +\'; see specification, section 10'),
    (dict(rates={**RATES, "V": "\0"}), f'`rates["V"]` {ARITHMETIC}'),
    (dict(rates={**RATES, "V": "-" * 999 + "V"}),
     '`rates["V"]` must be an equation of at most 200 characters, got 1000'),
], ids=range(28))
def test_equations_are_refused_with_the_reason(given: dict, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        Neuron(**{"rates": RATES, **given})
    assert str(caught.value).startswith(said)


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
