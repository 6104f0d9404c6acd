"""The derivation: chapters of the modules that prove, formulas as MathML, which browsers show."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from html import escape

import sympy as sp
from sympy.printing.mathml import mathml

from delayprop.derivations import formulas, symbols
from delayprop.derivations.chapters import CHAPTERS
from delayprop.derivations.proof import Theorem

GREEK = {"lambda": "&lambda;", "tau": "&tau;", "kappa": "&kappa;"}
SIGNS = {"minus": "\N{MINUS SIGN}", "plus": "+"}


def chapters(proofs: Mapping[str, int]) -> Iterator[tuple[str, list[str], list[tuple[str, str, str]]]]:
    """Title, paragraphs, and theorems with their verdicts; `proofs`: the number of residuals that
    are exactly 0, by the tag of the theorem."""
    for module in CHAPTERS:
        title, *paragraphs = inspect.cleandoc(module.__doc__ or "").split("\n\n")
        theorems = [value for value in vars(module).values() if isinstance(value, Theorem)]
        verdicts = (f"proved ({proofs[one.tag]})" if one.tag in proofs else "not run" for one in theorems)
        rows = [(one.tag, one.statement, verdict) for one, verdict in zip(theorems, verdicts, strict=True)]
        yield title, paragraphs, rows


def claims() -> list[tuple[str, str]]:
    """The claims of `derivations.formulas`, each with its words and its place in the paper."""
    places = {name: f" Paper: {place}." for name, place in formulas.PAPER.items()}
    return [
        (claim(name, function), (function.__doc__ or "") + places.get(name, ""))
        for name, function in vars(formulas).items() if getattr(function, "__module__", None) == formulas.__name__
    ]


def claim(name: str, function: Callable[..., sp.Expr]) -> str:
    """`name = expression`: a claim of `derivations.formulas` at its own symbols."""
    given: list[sp.Expr] = []
    for parameter in inspect.signature(function).parameters.values():
        given.append(getattr(symbols, parameter.name, sp.Symbol(parameter.name, real=True)))
    return f'<math display="block"><mrow>{of_name(name)}<mo>=</mo>{of(function(*given))}</mrow></math>'


def of(expression: sp.Expr) -> str:
    """The content of a `math` element."""
    free = sorted(expression.free_symbols, key=str)
    stand_ins = {symbol: sp.Symbol("ZZ" + chr(ord("a") + n), real=True) for n, symbol in enumerate(free)}
    shown = expression.xreplace(stand_ins).replace(sp.exp, sp.Function("exp"))  # SymPy prints exp(-x) as 1 over a power
    text = mathml(shown, printer="presentation")
    for symbol, stand_in in stand_ins.items():
        text = text.replace(f"<mi>{stand_in}</mi>", of_name(str(symbol)))
    assert "ZZ" not in text, text
    return text


def of_name(name: str) -> str:
    """A name of the project in print: `lambda_V_plus`, `Vdot_minus`, `dL_dt_post`, `tau_mem`."""
    if name.endswith("_flow"):
        return f"{of_name(name.removesuffix('_flow'))}<mo>(</mo><mi>h</mi><mo>)</mo>"
    event = re.fullmatch(r"(.+)_(at|over)_(\w+)", name)
    if event:
        return f"{of_name(event[1])}<mspace width='0.3em'/><mtext>({event[2]} {_words(event[3])})</mtext>"
    derivative = re.fullmatch(r"d(\w+?)_d(\w+)", name)
    if derivative:
        above, below = (of_name(part) for part in derivative.groups())
        return f"<mfrac><mrow><mo>∂</mo>{above}</mrow><mrow><mo>∂</mo>{below}</mrow></mfrac>"
    if name not in vars(symbols) and name.count("_") and name.split("_")[0] not in (*GREEK, *"VIlyvtT"):
        return f"<mtext>{_words(name)}</mtext>"
    head, *rest = name.split("_")
    sign = SIGNS[rest.pop()] if rest and rest[-1] in SIGNS else ""
    base = head.removesuffix("dot")
    body = f"<mi>{GREEK.get(base, escape(base))}</mi>"
    if base != head:
        body = f"<mover>{body}<mo>˙</mo></mover>"
    below = "<mtext>" + escape(" ".join(rest)) + "</mtext>" if rest else ""
    above = f"<mo>{sign}</mo>" if sign else ""
    tag = "m" + "sub" * bool(below) + "sup" * bool(above)
    return f"<{tag}>{body}{below}{above}</{tag}>" if below or above else body


def _words(text: str) -> str:
    return escape(text.replace("_", " "))
