"""Formulas of the pages: `$...$` and `$$...$$` as MathML, which browsers render without a script.

The parser reads a subset of TeX: letters, numbers, signs, `_`, `^`, braces, and the commands below.
It refuses anything else, so that no page shows half a formula.
"""

from __future__ import annotations

import re
from html import escape
from typing import NoReturn

SIGNS = {
    **{rf"\{name}": f"<mi>{sign}</mi>" for name, sign in {
        "tau": "τ", "lambda": "λ", "kappa": "κ", "partial": "∂", "infty": "∞", "ell": "ℓ",
    }.items()},
    **{rf"\{name}": f"<mo>{sign}</mo>" for name, sign in {
        "le": "≤", "ge": "≥", "to": "→", "int": "∫", "sum": "∑", "cdot": "·", "approx": "≈",
        "Leftarrow": "⇐", "max": "max",
    }.items()},
    **{rf"\{name}": f'<mspace width="{width}"></mspace>' for name, width in {
        ",": "0.17em", ";": "0.28em", "quad": "1em", "qquad": "2em",
    }.items()},
    **{sign: f'<mo stretchy="false">{sign}</mo>' for sign in "()"},
    "-": "<mo>−</mo>",
}
WORDS = re.compile(r"\\(text|mathrm|mathrel)\{([^{}]*)\}")
TOKEN = re.compile(rf"{WORDS.pattern}|\\[A-Za-z]+|\\.|[0-9]+(?:\.[0-9]+)?|\S")


class Formula:
    """One formula, read token by token.

    Raises:
        ValueError: an unknown command, an unmatched brace, or an index without a base.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.rest = ["", *(token[0] for token in reversed(list(TOKEN.finditer(text))))]  # "": the end

    def refuse(self, token: str) -> NoReturn:
        raise ValueError(f"formula must be TeX that docs/mathml.py reads, got {token or 'its end'!r} in {self.text!r}")

    def row(self, end: str) -> str:
        """All atoms up to `end`, which is consumed."""
        parts = []
        while self.rest[-1] != end:
            parts.append(self.scripted())
        self.rest.pop()
        return f"<mrow>{''.join(parts)}</mrow>"

    def scripted(self) -> str:
        """An atom with its indices."""
        body, scripts = self.atom(), dict[str, str]()
        while (sign := self.rest[-1]) in ("_", "^"):
            if sign in scripts:
                self.refuse(sign)
            self.rest.pop()
            scripts[sign] = self.atom()
        tag = "m" + "sub" * ("_" in scripts) + "sup" * ("^" in scripts)
        return f"<{tag}>{body}{scripts.get('_', '')}{scripts.get('^', '')}</{tag}>" if scripts else body

    def atom(self) -> str:
        token = self.rest.pop()
        if token == "{":
            return self.row("}")
        if token in SIGNS:
            return SIGNS[token]
        if words := WORDS.fullmatch(token):
            tag = "mo" if words[1] == "mathrel" else "mtext"
            return f"<{tag}>{escape(words[2])}</{tag}>"
        if token == r"\frac":
            return f"<mfrac>{self.atom()}{self.atom()}</mfrac>"
        if token == r"\dot" and self.rest[-1].isalpha():  # many fonts misplace the combining dot, hence a full stop
            return f'<mover accent="false"><mi>{self.rest.pop()}</mi><mo class="dot">.</mo></mover>'
        if token in ("", "}", "_", "^") or token[0] == "\\":
            self.refuse(token)
        tag = "mn" if token[0].isdigit() else "mi" if token.isalpha() else "mo"
        return f"<{tag}>{escape(token)}</{tag}>"


def of(text: str, block: bool) -> str:
    """A formula as an HTML element; a wide block scrolls within itself."""
    body = Formula(text.strip()).row("")
    if block:
        return f'<div class="formula"><math display="block">{body}</math></div>'
    return f'<span class="formula"><math>{body}</math></span>'
