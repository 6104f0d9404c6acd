"""An equation of a neuron: parsed, never evaluated as Python, and read as linear in the states.

Its value is found for constants of any kind that can be added and multiplied: floats, numbers of 30
digits, symbols.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import isfinite
from typing import Any

from delayprop.spec.errors import SpecError, Verbatim

LONGEST = 200  # characters
ARITHMETIC = "numbers, names, + - * / and brackets"


class NotLinear(Exception):
    """A product of states, or a state in a denominator."""


@dataclass(frozen=True)
class Linear:
    """A sum over states of coefficient times state, and the rest; None: no rest, by its form."""

    by_state: Mapping[str, Any]
    rest: Any = None

    def row(self, states: tuple[str, ...], zero: Any) -> list[Any]:
        return [self.by_state.get(state, zero) for state in states]

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
        return scaled.each(lambda value: value * factor)

    def __truediv__(self, other: "Linear") -> "Linear":
        if other.by_state:
            raise NotLinear("divides by a state")
        if getattr(other.rest, "is_zero", None):  # SymPy would divide, and go on with infinity
            raise ZeroDivisionError
        return self.each(lambda value: value / other.rest)


_OPERATORS: dict[type, Callable[..., Linear]] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b, ast.USub: lambda a: -a, ast.UAdd: lambda a: a,
}


@dataclass(frozen=True)
class Equation:
    """The text of an equation, and its place in the neuron."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.expr:
        """The parsed text, of numbers, names and arithmetic alone."""
        expected = f"an equation of {ARITHMETIC}"
        if len(self.text) > LONGEST:
            got = Verbatim(f"{len(self.text)} characters")
            raise SpecError(self.name, f"an equation of at most {LONGEST} characters", got, "write it shorter")
        try:
            tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError):
            raise SpecError(self.name, expected, self.text, "see specification, section 10") from None
        for node in ast.walk(tree):
            if isinstance(node, ast.expr) and not _known(node):
                part = ast.get_source_segment(self.text, node) or self.text
                raise SpecError(self.name, expected, part, "write it out with these")
        return tree

    def read(self, values: Mapping[str, Any], number: Callable[[Fraction], Any]) -> Linear:
        """The value, linear in the states."""

        def value(node: ast.expr) -> Linear:
            if isinstance(node, ast.Constant):
                return Linear({}, number(Fraction(str(node.value))))
            if isinstance(node, ast.Name):
                found = values[node.id]
                return found if isinstance(found, Linear) else Linear({}, found)
            if isinstance(node, ast.UnaryOp):
                return _OPERATORS[type(node.op)](value(node.operand))
            assert isinstance(node, ast.BinOp)
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))

        try:
            return value(self.tree)
        except NotLinear as fault:
            got = f"must be linear in the states, and {fault}: {self.text}"
            raise SpecError(self.name, "", got, "nonlinear neurons have no exact flow") from None
        except ZeroDivisionError:
            raise SpecError(self.name, "", f"divides by 0: {self.text}", "choose other constants") from None


def _known(node: ast.expr) -> bool:
    """Whether a node is a name, a finite number, or an operation on others."""
    if isinstance(node, ast.BinOp | ast.UnaryOp):
        return type(node.op) in _OPERATORS
    return isinstance(node, ast.Name) or (
        isinstance(node, ast.Constant) and type(node.value) in (int, float) and isfinite(float(str(node.value)))
    )
