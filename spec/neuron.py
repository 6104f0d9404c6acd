"""A neuron as data: linear between events, linear jumps at them (specification, section 10).

Five texts describe a neuron; every name in them that is no state is a constant of the neuron.
`Neuron.matrices` reads them, for constants that are numbers, symbols or anything else that can be
added and multiplied. A text is parsed, never evaluated as Python.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import MappingProxyType
from typing import Any

from delayprop.spec import documents, names
from delayprop.spec.checks import described, of_type, one_of, sequence
from delayprop.spec.equation import Equation, Linear
from delayprop.spec.errors import SpecError, Verbatim, placed

MOST_STATES = 4
_KEYS = (("rates",), ("arrivals", "spike", "reset"))  # of a file: required, optional
_USUAL_RESET = MappingProxyType({"V": "v_reset"})


@dataclass(frozen=True)
class Matrices:
    """`x' = A x` between events; an own spike, where `c.x = v_th` from below, gives `R x + r`.

    Rows and columns are in the order of the states.
    """

    A: list[list[Any]]
    c: list[Any]
    v_th: Any
    R: list[list[Any]]
    r: list[Any]


@dataclass(frozen=True, eq=False)
class Neuron:
    """Equations of a neuron; times are in ms.

    Attributes:
        rates: the derivative of each state between events, linear in the states and 0 at rest.
        arrivals: states that an arrival may raise by its weight; a connection names one of them.
        spike: the neuron spikes where this rises through 0; None: it never spikes.
        reset: the new values of states at an own spike, linear in the states; other states stay.
            Unless given: `V` becomes `v_reset`, and nothing changes in a neuron that never spikes.
    Raises:
        SpecError: a text that is no such equation; the sentence names it and the reason.
    """

    rates: Mapping[str, str]
    arrivals: tuple[str, ...] = ("I",)
    spike: str | None = "V - v_th"
    reset: Mapping[str, str] = field(default_factory=lambda: _USUAL_RESET)

    def __post_init__(self) -> None:
        if self.spike is None and self.reset is _USUAL_RESET:
            object.__setattr__(self, "reset", {})
        for name in ("rates", "reset"):
            of_type(getattr(self, name), name, Mapping, "an object of equations", "name a state per equation")
            object.__setattr__(self, name, names.by_name(getattr(self, name), name))
        if not 1 <= len(self.rates) <= MOST_STATES:
            got = Verbatim(f"{len(self.rates)} equations")
            raise SpecError("rates", f"1 to {MOST_STATES} equations", got, "leave out states that nothing reads")
        for state in self.rates:
            fault = names.fault(state) if isinstance(state, str) else "choose another name"
            if fault:
                raise SpecError("rates", "equations of states with names like V", state, fault)
        arrivals = sequence(self.arrivals, "arrivals", None, "states")
        object.__setattr__(self, "arrivals", tuple(map(names.same, arrivals)))
        if not self.arrivals:
            raise SpecError("arrivals", "at least one state", Verbatim("none"), "name the state that spikes raise")
        if len(set(map(str, self.arrivals))) < len(self.arrivals):
            raise SpecError("arrivals", "states, each once", list(self.arrivals), "name each one once")
        for name, named in (("arrivals", self.arrivals), ("reset", self.reset)):
            for state in named:
                if not isinstance(state, str) or state not in self.rates:
                    remedy = f"give this state a rate, too, or other `{name}`"
                    raise SpecError(name, f"states, of {', '.join(self.rates)}", state, remedy)
        if self.spike is None and self.reset:
            raise SpecError("reset", "", "belongs to a neuron that spikes", "give `spike` too, or an empty `reset`")
        self._check_linear()

    def __eq__(self, other: object) -> bool:
        """Whether all texts are equal, in the same order: it is that of the states."""
        return isinstance(other, Neuron) and self._texts == other._texts

    def __hash__(self) -> int:
        return hash(self._texts)

    @property
    def _texts(self) -> tuple[object, ...]:
        return tuple(self.rates.items()), self.arrivals, self.spike, tuple(self.reset.items())

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(self.rates)

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """Names of the constants, in the order in which the equations name them."""
        nodes = [node for equation in self._equations for node in ast.walk(equation.tree)]
        read = [node.id for node in nodes if isinstance(node, ast.Name)]
        return tuple(dict.fromkeys(name for name in read if name not in self.rates))

    @cached_property
    def level(self) -> tuple[str, ...]:
        """The states that `spike` reads."""
        read = next((equation.terms for equation in self._equations if equation.name == "spike"), frozenset())
        return tuple(state for state in self.states if state in read)

    def matrices(self, constants: Mapping[str, Any], number: Callable[[Fraction], Any] = float) -> Matrices:
        """The matrices, for values of the constants.

        Args:
            number: makes a value of a number in the text.
        Raises:
            SpecError: an equation divides by a number that is 0.
        """
        zero, one = number(Fraction(0)), number(Fraction(1))
        found = {equation.name: equation.read(constants, number) for equation in self._equations}
        resets = {s: found.get(f'reset["{s}"]', Linear({s: one})) for s in self.rates}
        level = found.get("spike", Linear({}))
        return Matrices(
            [found[f'rates["{state}"]'].row(self.states, zero) for state in self.states],
            level.row(self.states, zero), zero if level.rest is None else -level.rest,
            [resets[state].row(self.states, zero) for state in self.states],
            [zero if resets[state].rest is None else resets[state].rest for state in self.states],
        )

    @cached_property
    def _equations(self) -> "tuple[Equation, ...]":
        texts: dict[str, object] = {f'rates["{state}"]': rate for state, rate in self.rates.items()}
        texts |= {"spike": self.spike} if self.spike is not None else {}
        texts |= {f'reset["{state}"]': value for state, value in self.reset.items()}
        for name, value in texts.items():
            if not isinstance(value, str) or not value:
                raise SpecError(name, "an equation in quotes", described(value), "write it as text")
        return tuple(Equation(name, str(value), self.states) for name, value in texts.items())

    def _check_linear(self) -> None:
        """Refuse equations that are not linear, or that leave the states at rest."""
        for equation in self._equations:
            terms = equation.terms
            if equation.name.startswith("rates") and None in terms:
                got = "has a term without a state, which moves a neuron at rest where it is not 0"
                raise SpecError(equation.name, "", got, "shift the state by its value at rest")
            if equation.name == "spike" and (at := set(self.arrivals) & terms):
                got = f"reads {', '.join(sorted(at))}, where spikes arrive: they would follow weights, not times"
                raise SpecError("spike", "", got, "let arrivals raise another state, which drives this one")
            if equation.name == "spike" and not terms - {None}:
                raise SpecError("spike", "", "reads no state, so it never rises", "give None if it never spikes")


def has_loop(A: list[list[Any]]) -> bool:
    """Whether a state drives itself by way of others, so that no order makes `A` triangular."""
    drivers = {i: [k for k, rate in enumerate(row) if k != i and rate != 0] for i, row in enumerate(A)}
    try:
        TopologicalSorter(drivers).prepare()
    except CycleError:
        return True
    return False


def load_neuron(path: str | Path) -> Neuron:
    """Read a neuron from a JSON file, an object with the attributes of `Neuron`.

    Raises:
        SpecError: the file is missing, no such object, or its equations are refused.
    """
    return neuron_from_text(documents.read(path, "neuron"))


def neuron_from_text(text: str) -> Neuron:
    """Read a neuron from the text of such a file."""
    return Neuron(**documents.json_object(documents.parsed(text, "neuron"), "", *_KEYS, "neuron"))


def neuron_of(value: object) -> Neuron:
    """A neuron, given as one, by a name of `NEURONS`, or by its attributes in a dictionary."""
    if isinstance(value, Neuron):
        return value
    if isinstance(value, str):
        return NEURONS[one_of(value, "neuron", tuple(NEURONS))]
    given = documents.json_object(value, "neuron", *_KEYS)
    with placed("neuron"):
        return Neuron(**given)


LIF = Neuron({"V": "(-V + I) / tau_mem", "I": "-I / tau_syn"})
"""The neuron of the paper."""
LI = Neuron({"V": "(-V + I) / tau_mem", "I": "-I / tau_syn"}, spike=None, reset={})
"""The same without spikes: an output."""
RISE = Neuron({"V": "(-V + I) / tau_mem", "I": "(-I + J) / tau_syn", "J": "-J / tau_rise"}, arrivals=("J",))
"""A synapse whose current rises with `tau_rise` before it decays."""
ALIF = Neuron(
    {"V": "(-V + I) / tau_mem", "I": "-I / tau_syn", "a": "-a / tau_a"},
    spike="V - beta * a - v_th", reset={"V": "v_reset", "a": "a + 1"},
)
"""A threshold that each own spike raises by `beta`."""
ADLIF = Neuron(
    {"V": "(-V + I - a) / tau_mem", "I": "-I / tau_syn", "a": "-a / tau_a"}, reset={"V": "v_reset", "a": "a + b"}
)
"""An adaptation current that each own spike raises by `b`."""
COUPLED = Neuron(
    {"V": "(-V + I - a) / tau_mem", "I": "-I / tau_syn", "a": "(-a + g * V) / tau_a"},
    reset={"V": "v_reset", "a": "a + b"},
)
"""An adaptation current that the voltage drives too; it may oscillate."""
TWO_SYNAPSES = Neuron(
    {"V": "(-V + E + G) / tau_mem", "E": "-E / tau_exc", "G": "-G / tau_inh"}, arrivals=("E", "G")
)
"""Currents of excitation and inhibition with time constants of their own."""
NEURONS = {
    "lif": LIF, "li": LI, "rise": RISE, "alif": ALIF, "adlif": ADLIF, "coupled": COUPLED, "two-synapses": TWO_SYNAPSES,
}
"""The neurons with a name."""
