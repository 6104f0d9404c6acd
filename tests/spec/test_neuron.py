"""A neuron as data: its equations are read as matrices; equations that are none are refused, and so
are populations with constants that fit none."""

from fractions import Fraction

import pytest

from delayprop.spec import Connection, Population, SpecError
from delayprop.spec.neuron import ALIF, LI, LIF, NEURONS, TWO_SYNAPSES, Neuron, neuron_from_text

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
    long = Neuron({"V": "-0.12345678901234567890123 * V + I", "I": "-I"}).matrices(dict(v_th=1, v_reset=0), Fraction)
    assert long.A[0][0] == Fraction(-12345678901234567890123, 10**23)


def test_a_term_that_is_0_for_all_constants_is_no_term() -> None:
    """Neither one without a state in a rate, nor one of the state of arrivals in the level; floats
    leave no rest of it."""
    rates = {"V": "(-V + I) / tau_mem + 0 + 0 * v_rest + (V - V)", "I": "-(I - I + 1) * I / tau_syn + a * (b - b)"}
    level = "V - v_th + I - I + 0 * I + (a + b) * c * I - a * c * I - b * c * I"
    neuron, values = Neuron(rates, spike=level), dict(tau_mem=20.0, tau_syn=5.0, v_th=1.0, v_reset=0.0)
    assert neuron.level == ("V",)
    assert neuron.matrices({**values, "v_rest": -65.0, "a": 0.1, "b": 0.2, "c": 0.3}) == LIF.matrices(values)
    assert (0.1 + 0.2) * 0.3 - 0.1 * 0.3 - 0.2 * 0.3 != 0, "the control: floats would leave a rest"


def test_a_neuron_without_spikes_needs_no_reset() -> None:
    rates = '{"V": "(-V + I) / tau_mem", "I": "-I / tau_syn"}'
    assert neuron_from_text(f'{{"rates": {rates}, "spike": null}}') == LI
    with pytest.raises(SpecError, match="`reset` belongs to a neuron that spikes"):
        neuron_from_text(f'{{"rates": {rates}, "spike": null, "reset": {{"V": "v_reset"}}}}')


MICRO, MU = "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"


def test_two_spellings_of_one_name_are_one_name() -> None:
    """Keyboards have the micro sign, and Python reads it as the Greek letter."""
    rates = {"V": f"({MICRO} - V) / {MU}_m", MICRO: f"-{MU}"}
    neuron = Neuron(rates, arrivals=(MICRO,), spike=f"V - {MICRO}_th", reset={"V": "0"})
    assert (neuron.states, neuron.arrivals) == (("V", MU), (MU,))
    given = {f"{MICRO}_m": 20.0, f"{MU}_th": 1.0}
    population = Population("hid", "neuron", 1, neuron=neuron, constants=given)
    assert {name: values.tolist() for name, values in population.values.items()} == {
        f"{MU}_m": [20.0], f"{MU}_th": [1.0],
    }
    assert Connection("in", "hid", [[1.0]], 0.0, into=MICRO).into == MU
    twice = f"has {MU}_m twice, in two spellings of Unicode; give it once"
    for refused in (
        lambda: Population("hid", "neuron", 1, neuron=neuron, constants={**given, f"{MU}_m": 2.0}),
        lambda: Neuron({f"{MU}_m": "-V", f"{MICRO}_m": "-V"}),
    ):
        with pytest.raises(SpecError, match=twice):
            refused()


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


@pytest.mark.parametrize(("given", "said"), [
    (dict(rates={**RATES, "V": "V * I"}), '`rates["V"]` must be linear in the states, and multiplies states: V * I;'),
    (dict(rates={**RATES, "V": "1 / V"}), '`rates["V"]` must be linear in the states, and divides by a state: 1 / V;'),
    (dict(reset={"V": "V * V"}), '`reset["V"]` must be linear in the states, and multiplies states: V * V;'),
    (dict(rates={**RATES, "V": "I - V + 1"}), '`rates["V"]` has a term without a state, which moves a neuron at rest'),
    (dict(rates={**RATES, "V": "v_rest - V"}), '`rates["V"]` has a term without a state, which moves a neuron at rest'),
    (dict(arrivals=("I", "I")), "`arrivals` must be states, each once, got ['I', 'I']; name each one once"),
    (dict(spike="V - I - v_th"), "`spike` reads I, where spikes arrive: they would follow weights, not times;"),
    (dict(spike="v_th"), "`spike` reads no state, so it never rises; give None if it never spikes"),
    (dict(spike=None, reset={"V": "0"}), "`reset` belongs to a neuron that spikes; give `spike` too, or an empty"),
    (dict(arrivals=("J",)), "`arrivals` must be states, of V, I, got 'J'; give this state a rate, too"),
    (dict(arrivals=[["I"]]), "`arrivals` must be states, of V, I, got ['I']; give this state a rate, too"),
    (dict(arrivals=()), "`arrivals` must be at least one state, got none; name the state that spikes raise"),
    (dict(arrivals="I"), "`arrivals` must be a list of states, got 'I'; give a list"),
    (dict(reset={"a": "0"}), "`reset` must be states, of V, I, got 'a'; give this state a rate, too"),
    (dict(rates={}), "`rates` must be 1 to 4 equations, got 0 equations;"),
    (dict(rates={name: f"-{name}" for name in "VIabc"}), "`rates` must be 1 to 4 equations, got 5 equations;"),
    (dict(rates=["-V"]), "`rates` must be an object of equations, got list; name a state per equation"),
    (dict(rates={"lambda": "-1"}),
     "`rates` must be equations of states with names like V, got 'lambda'; it is a keyword of Python: choose another"),
    (dict(rates={"τ₁": "-1"}),
     "`rates` must be equations of states with names like V, got 'τ₁'; `₁` is no letter or digit of a name"),
    (dict(rates={"": "-1"}), "`rates` must be equations of states with names like V, got ''; a name begins with"),
    (dict(rates={3: "-1"}), "`rates` must be equations of states with names like V, got 3; choose another name"),
    (dict(rates={**RATES, "V": 3}), '`rates["V"]` must be an equation in quotes, got 3; write it as text'),
    (dict(rates={**RATES, "V": "1 / 0 * V"}), '`rates["V"]` divides by 0: 1 / 0 * V; write it without'),
    (dict(rates={**RATES, "V": "-" * 999 + "V"}),
     '`rates["V"]` must be an equation of at most 200 characters, got 1000'),
], ids=range(24))
def test_equations_are_refused_with_the_reason(given: dict, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        Neuron(**{"rates": RATES, **given})
    assert str(caught.value).startswith(said)


OTHERS, DECIMAL = "write it out with these", "numbers are decimal, such as 2, 0.5 and 1e-3"
KEYWORD, HOLD = "it is a keyword of Python: choose another name", "float64 cannot hold it"
MISSING = "a number or name is missing"
GRAMMAR: dict[str, tuple[str, str]] = {  # texts, the part that a message shows, and its fault
    "-V / tau_mem # + I": ("'#'", OTHERS), "-V \\\n+ I": (r"'\\'", OTHERS), "-V\n": (r"'\n'", OTHERS),
    "\t-V": (r"'\t'", OTHERS), "-V; I": ("';'", OTHERS), "(V, I)": ("','", OTHERS), "[V]": ("'['", OTHERS),
    "'V'": ('"\'"', OTHERS), "f'{V}'": ('"\'"', OTHERS), "(x := V)": ("':'", OTHERS), "~V": ("'~'", OTHERS),
    "-V**2": ("'**'", OTHERS), "V // 2": ("'//'", OTHERS), "V ^ 2": ("'^'", OTHERS), "V % 2": ("'%'", OTHERS),
    "\0": (r"'\x00'", OTHERS), "0x10 * V": ("'0x10'", DECIMAL), "0b1 * V": ("'0b1'", DECIMAL),
    "1_0 * V": ("'1_0'", DECIMAL), "1j * V": ("'1j'", DECIMAL), "007 * V": ("'007'", DECIMAL),
    "2V": ("'2V'", DECIMAL), "1.2.3 * V": ("'1.2.3'", DECIMAL), "1e999 * V": ("'1e999'", HOLD),
    "1e-999999999 * V": ("'1e-999999999'", HOLD), "lambda * V": ("'lambda'", KEYWORD), "V is V": ("'is'", KEYWORD),
    "True * V": ("'True'", KEYWORD), "\N{LATIN SMALL LIGATURE FI}nally * V": ("'\ufb01nally'", KEYWORD),
    "τ₁ * V": ("'τ₁'", "`₁` is no letter or digit of a name"), "٣ * V": ("'٣'", "a name begins with a letter"),
    "V.real": ("'V.real'", "`.` is no letter or digit of a name"),
    "\N{MINUS SIGN}V": ("'\N{MINUS SIGN}V'", "`\N{MINUS SIGN}` is no letter or digit of a name"),
    "exp(V)": ("'exp(V)'", "an operation is missing before `(`, and there are no functions"),
    "2 V": ("'2 V'", "an operation is missing before `V`"), " ": ("' '", f"{MISSING} at its end"),
    "-V +": ("'-V +'", f"{MISSING} at its end"), "V * / 2": ("'V * / 2'", f"{MISSING} before `/`"),
    "()": ("'()'", f"{MISSING} before `)`"), "(V": ("'(V'", "a bracket is not closed"),
    "V) + (V": ("'V) + (V'", "a bracket is closed that is not open"),
}


@pytest.mark.parametrize("text", GRAMMAR, ids=range(len(GRAMMAR)))
def test_a_text_beyond_the_grammar_is_refused_with_its_fault(text: str) -> None:
    part, fault = GRAMMAR[text]
    with pytest.raises(SpecError) as caught:
        Neuron({**RATES, "V": text})
    said = f'`rates["V"]` must be an equation of numbers, names, + - * / and brackets, got {part}; {fault}'
    assert str(caught.value) == said


@pytest.mark.parametrize(("text", "value"), [
    (" -V ", -1), ("+V", 1), ("--V", 1), ("2 - -3*V - 2", 3), ("1.*V", 1), (".5e+1*V", 5), ("0e999999999 + V", 1),
    ("(" * 99 + "V" + ")" * 99, 1), ("-" * 199 + "V", -1), ("2/4/5*V", Fraction(1, 10)), ("(3-1*2)*V-(V-V)*7", 1),
], ids=range(11))
def test_control_texts_within_the_grammar_are_read(text: str, value: Fraction) -> None:
    neuron = Neuron({"V": text, "I": "-I"})
    assert neuron.matrices(dict(v_th=1, v_reset=0), Fraction).A == [[value, 0], [0, -1]]


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
