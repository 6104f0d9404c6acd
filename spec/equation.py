"""An equation of a neuron: parsed, never evaluated as Python, and read as linear in the states.

Its value is found for constants of any kind that can be added and multiplied: floats, numbers of 30
digits, symbols. A term that is 0 for all constants is left out, whatever their kind. Such terms are
found by their exact value at constants of 64 pseudo-random bits, which the names fix (Schwartz,
Zippel): another term, of degree 100 at most in 200 characters, is 0 there with a probability below
1e-16.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf
from random import Random
from typing import Any

from delayprop.spec import names
from delayprop.spec.errors import SpecError, Verbatim

LONGEST = 200  # characters
EXPECTED = "an equation of numbers, names, + - * / and brackets"

_NUMBER = r"((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_LETTER = r"[0-9A-Za-z_.\x80-\U0010ffff]"
_PIECE = re.compile(rf" *(?P<piece>(?P<number>{_NUMBER})(?!{_LETTER})|(?P<word>{_LETTER}+)|\*\*|//|[^ ])")


class NotLinear(Exception):
    """A product of states, or a state in a denominator."""


@dataclass(frozen=True)
class Linear:
    """A sum over states of coefficient times state, and the rest; None: it is 0."""

    by_state: Mapping[str, Any]
    rest: Any = None

    def row(self, states: tuple[str, ...], zero: Any) -> list[Any]:
        return [self.by_state.get(state, zero) for state in states]

    def only(self, terms: frozenset[str | None]) -> "Linear":
        """The terms of these states; None stands for the rest."""
        kept = {state: coefficient for state, coefficient in self.by_state.items() if state in terms}
        return Linear(kept, self.rest if None in terms else None)

    def each(self, change: Callable[[Any], Any]) -> "Linear":
        changed = {state: change(coefficient) for state, coefficient in self.by_state.items()}
        return Linear(changed, None if self.rest is None else change(self.rest))

    def __neg__(self) -> "Linear":
        return self.each(lambda value: -value)

    def __add__(self, other: "Linear") -> "Linear":
        total = dict(self.by_state)
        for state, coefficient in other.by_state.items():
            total[state] = total[state] + coefficient if state in total else coefficient
        rests = [rest for rest in (self.rest, other.rest) if rest is not None]
        return Linear(total, sum(rests[1:], rests[0]) if rests else None)

    def __sub__(self, other: "Linear") -> "Linear":
        return self + -other

    def __mul__(self, other: "Linear") -> "Linear":
        if self.by_state and other.by_state:
            raise NotLinear("multiplies states")
        scaled, factor = (self, other.rest) if self.by_state else (other, self.rest)
        return Linear({}) if factor is None else scaled.each(lambda value: value * factor)

    def __truediv__(self, other: "Linear") -> "Linear":
        if other.by_state:
            raise NotLinear("divides by a state")
        if other.rest is None:
            raise ZeroDivisionError
        return self.each(lambda value: value / other.rest)


_OPERATORS: dict[type, Callable[..., Linear]] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b, ast.USub: lambda a: -a, ast.UAdd: lambda a: a,
}


@dataclass(frozen=True)
class Equation:
    """The text of an equation, its place in the neuron, and the neuron's states."""

    name: str
    text: str
    states: tuple[str, ...]

    @cached_property
    def tree(self) -> ast.expr:
        """The parsed text, of numbers, names and arithmetic alone."""
        return ast.parse(self._source, mode="eval").body

    @cached_property
    def terms(self) -> frozenset[str | None]:
        """The states whose coefficients are not 0 for all constants; None: so is the rest."""
        return self._terms[self.tree]

    def read(self, values: Mapping[str, Any], number: Callable[[Fraction], Any]) -> Linear:
        """The value, linear in the states; `values`: of the constants by name."""
        try:
            return self._value(self.tree, values, number, lambda node, found: found.only(self._terms[node]))
        except ZeroDivisionError:
            raise SpecError(self.name, "", f"divides by 0: {self.text}", "choose other constants") from None

    @cached_property
    def _terms(self) -> dict[ast.expr, frozenset[str | None]]:
        """The terms of each part of the tree."""
        kept: dict[ast.expr, frozenset[str | None]] = {}

        def without_zeros(node: ast.expr, found: Linear) -> Linear:
            each = [*found.by_state.items(), (None, found.rest)]
            kept[node] = frozenset(term for term, value in each if value)
            return found.only(kept[node])

        read = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)}
        values = {name: Fraction(Random(name).getrandbits(64)) for name in sorted(read)}
        try:
            self._value(self.tree, values, Fraction, without_zeros)
        except NotLinear as fault:
            got = f"must be linear in the states, and {fault}: {self.text}"
            raise SpecError(self.name, "", got, "nonlinear neurons have no exact flow") from None
        except ZeroDivisionError:
            raise SpecError(self.name, "", f"divides by 0: {self.text}", "write it without") from None
        return kept

    def _value(
        self, node: ast.expr, values: Mapping[str, Any], number: Callable[[Fraction], Any],
        kept: Callable[[ast.expr, Linear], Linear],
    ) -> Linear:
        """The value of a part of the tree; `kept`: what to keep of each part."""
        if isinstance(node, ast.Constant):
            found = Linear({}, number(_exact(ast.get_source_segment(self._source, node) or "")))
        elif isinstance(node, ast.Name):
            is_state = node.id in self.states
            found = Linear({node.id: number(Fraction(1))}) if is_state else Linear({}, values[node.id])
        elif isinstance(node, ast.UnaryOp):
            found = _OPERATORS[type(node.op)](self._value(node.operand, values, number, kept))
        else:
            assert isinstance(node, ast.BinOp)
            sides = (self._value(side, values, number, kept) for side in (node.left, node.right))
            found = _OPERATORS[type(node.op)](*sides)
        return kept(node, found)

    @cached_property
    def _source(self) -> str:
        """The pieces of the text with a space between them, in an order that is an equation."""
        if len(self.text) > LONGEST:
            got = Verbatim(f"{len(self.text)} characters")
            raise SpecError(self.name, f"an equation of at most {LONGEST} characters", got, "write it shorter")
        pieces = list(self._pieces())
        if fault := _misplaced(pieces):
            raise SpecError(self.name, EXPECTED, self.text, fault)
        return " ".join(pieces)

    def _pieces(self) -> Iterator[str]:
        """Numbers, names, and characters of arithmetic; all else is refused."""
        for found in _PIECE.finditer(self.text.strip(" ")):
            piece, word, fault = found["piece"], found["word"], None
            if found["number"]:
                held = float(piece) < inf and (float(piece) != 0) == _differs_from_0(piece)
                fault = None if held else "float64 cannot hold it"
            elif word:
                is_number = word[0] in ".0123456789"
                fault = "numbers are decimal, such as 2, 0.5 and 1e-3" if is_number else names.fault(word)
            elif piece not in ("+", "-", "*", "/", "(", ")"):
                fault = "write it out with these"
            if fault:
                raise SpecError(self.name, EXPECTED, piece, fault)
            yield piece


def _misplaced(pieces: list[str]) -> str | None:
    """Why the order of the pieces is no equation; None: it is one."""
    complete, brackets = False, 0  # whether an operand is complete; brackets that are open
    for piece in pieces:
        if complete and piece not in ("+", "-", "*", "/", ")"):
            functions = ", and there are no functions" if piece == "(" else ""
            return f"an operation is missing before `{piece}`{functions}"
        if not complete and piece in ("*", "/", ")"):
            return f"a number or name is missing before `{piece}`"
        brackets += (piece == "(") - (piece == ")")
        if brackets < 0:
            return "a bracket is closed that is not open"
        complete = piece not in ("+", "-", "*", "/", "(")
    if not complete:
        return "a number or name is missing at its end"
    return "a bracket is not closed" if brackets else None


def _differs_from_0(number: str) -> bool:
    """Read off the digits: a fraction of a large exponent would take hours."""
    return any(digit in "123456789" for digit in number.lower().partition("e")[0])


def _exact(number: str) -> Fraction:
    """A number that float64 can hold, with all its digits; the exponent of 0 may be any."""
    return Fraction(number) if _differs_from_0(number) else Fraction(0)
