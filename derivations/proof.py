"""A proof: expressions derived from the dynamics that simplify to exactly 0.

A theorem holds a derivation; running it gives a table of residuals. A residual is the
difference of a derived expression (a solved equation, a differentiated flow, a limit) and the claim
of `linear_neuron.py` or `formulas.py` that should equal it. An entry wrapped in `Nonzero` is a
control: a wrong formula, whose residual must *not* vanish. It catches a method that is too weak.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import sympy as sp


@dataclass(frozen=True)
class Nonzero:
    """An expression that must be different from 0 wherever its symbols are as declared."""

    expression: sp.Expr


Residuals = Mapping[str, sp.Expr | Nonzero]


@dataclass(frozen=True)
class Theorem:
    """A statement and the derivation that proves it."""

    tag: str
    statement: str
    derivation: Callable[[], Residuals]

    def residuals(self) -> Residuals:
        """What the derivation leaves, which decides the statement."""
        found = self.derivation()
        if not found:
            raise ValueError(f"the derivation of {self.tag} must leave at least one residual, got none")
        return found

    def failures(self) -> dict[str, sp.Expr]:
        """The residuals that refute the statement, simplified; empty if it is proved."""
        return failures(self.residuals())


def failures(residuals: Residuals) -> dict[str, sp.Expr]:
    """The residuals that are not as they should be, simplified."""
    failed = {}
    for label, residual in residuals.items():
        if isinstance(residual, Nonzero):
            left = sp.simplify(residual.expression)
            holds = left.is_nonzero is True
        else:
            left = simplest(residual)
            holds = left == 0
        if not holds:
            failed[label] = left
    return failed


def theorem(tag: str, statement: str) -> Callable[[Callable[[], Residuals]], Theorem]:
    """Turn the decorated derivation into a `Theorem`."""
    return lambda derivation: Theorem(tag, statement, derivation)


def simplest(expression: sp.Expr) -> sp.Expr:
    """`expression` simplified; exactly 0 where SymPy can see that it vanishes.

    Nearly every residual here is a rational function of times, parameters and exponentials. Such a
    function vanishes if its numerator vanishes in front of every product of exponentials. This test
    is far quicker than simplification.
    """
    numerator = expression = sp.sympify(expression)
    if any(power.exp.is_negative and power.has(sp.exp) for power in numerator.atoms(sp.Pow)):
        numerator = sp.fraction(sp.together(numerator))[0]
    by_exponential: defaultdict[sp.Expr, sp.Expr] = defaultdict(lambda: sp.S.Zero)
    for coefficient, exponent in exponential_terms(numerator):
        by_exponential[exponent] += coefficient
    if all(sp.expand(sp.fraction(sp.together(sum_))[0]) == 0 for sum_ in by_exponential.values()):
        return sp.S.Zero
    return expression if refuted(expression) else sp.simplify(expression)


def refuted(expression: sp.Expr) -> bool:
    """Whether `expression` is far from 0 at one point, so that it cannot vanish."""
    symbols = sorted(expression.free_symbols, key=str)
    point = {symbol: sp.Rational(sp.prime(k + 4), sp.prime(k + 3) + 4) for k, symbol in enumerate(symbols)}
    size = sp.Abs(expression.subs(point).evalf(30)).evalf(30)
    return bool(size.is_Float and size > 1e-9)


def exponential_terms(expression: sp.Expr) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """Pairs (coefficient, exponent); `expression` is the sum of coefficient * exp(exponent).

    Expansion would mix denominators with the exponentials, so they are held back meanwhile.
    """
    held = {p: sp.Dummy() for p in expression.atoms(sp.Pow) if p.exp.is_negative}
    released = {stand_in: power for power, stand_in in held.items()}
    for term in sp.Add.make_args(sp.expand(expression.xreplace(held), power_exp=True)):
        factors = sp.Mul.make_args(term)
        exponent = sp.Add(*(factor.args[0] for factor in factors if isinstance(factor, sp.exp)))
        coefficient = sp.Mul(*(factor for factor in factors if not isinstance(factor, sp.exp)))
        yield coefficient.xreplace(released), sp.expand(exponent.xreplace(released))
