"""The derivation: the claims, and the chapters of the modules that prove them."""

import inspect
from collections.abc import Callable, Iterator, Mapping

import sympy as sp

from delayprop.derivations import formulas, symbols
from delayprop.derivations.chapters import CHAPTERS
from delayprop.derivations.proof import Theorem


def chapters(proofs: Mapping[str, int]) -> Iterator[tuple[str, list[str], list[tuple[str, str, str]]]]:
    """Title, paragraphs, and theorems with their verdicts.

    Args:
        proofs: the number of residuals that are exactly 0, by the tag of the theorem.
    """
    for module in CHAPTERS:
        title, *paragraphs = inspect.cleandoc(module.__doc__ or "").split("\n\n")
        theorems = [value for value in vars(module).values() if isinstance(value, Theorem)]
        verdicts = (f"proved ({proofs[one.tag]})" if one.tag in proofs else "not run" for one in theorems)
        rows = [(one.tag, one.statement, verdict) for one, verdict in zip(theorems, verdicts, strict=True)]
        yield title, paragraphs, rows


def claims() -> Iterator[tuple[str, str]]:
    """The claims of `derivations.formulas`, in the names of the project, each with its words."""
    for name, function in vars(formulas).items():
        if inspect.isfunction(function):
            place = f" Paper: {formulas.PAPER[name]}." if name in formulas.PAPER else ""
            yield f"{name} = {_expression(function)}", (function.__doc__ or "") + place


def _expression(function: Callable[..., sp.Expr]) -> sp.Expr:
    """A claim at its own symbols."""
    given: list[sp.Expr] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            given += sp.symbols("p q", positive=True)
        elif parameter.default is parameter.empty:
            given.append(getattr(symbols, parameter.name, sp.Symbol(parameter.name, real=True)))
    return function(*given)
