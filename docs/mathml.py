"""Formulas for the pages: `$...$` and `$$...$$` as MathML, which browsers show by themselves.

A part of TeX, read from left to right: letters, numbers, signs, `_`, `^`, braces, and the commands of the tables below.
Anything else is refused, so that no page shows half a formula.
"""

from __future__ import annotations

import re
from html import escape

IDENTIFIERS = {
    "tau": "τ", "lambda": "λ", "kappa": "κ", "partial": "∂", "infty": "∞", "ell": "ℓ",
}
OPERATORS = {
    "le": "≤", "ge": "≥", "to": "→", "int": "∫", "sum": "∑", "cdot": "·", "approx": "≈", "Leftarrow": "⇐", "max": "max",
}
SPACES = {",": "0.17em", ";": "0.28em", "quad": "1em", "qquad": "2em"}
UPRIGHT = {"mathrm", "text"}
TOKEN = re.compile(r"\\[A-Za-z]+|\\[,;]|[0-9]+(?:\.[0-9]+)?|\s+|[^\\\s]")


class Formula:
    """One formula, read token by token.

    Raises:
        ValueError: a command that is not known, a brace without its other, or an index without what it belongs to.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = TOKEN.findall(text)
        if "".join(self.tokens) != text:
            raise ValueError(f"formula must be made of known signs, got {text!r}; see docs/mathml.py")
        self.at = 0

    def refused(self, got: str) -> ValueError:
        return ValueError(f"formula must be TeX that docs/mathml.py knows, got {got} in {self.text!r}")

    def next(self) -> str:
        """The next token that is no space; "" at the end."""
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.next()
        self.at += 1
        return token

    def row(self, end: str) -> str:
        """Everything up to `end`, which is taken too."""
        parts = []
        while (token := self.next()) != end:
            if token in ("", "}"):
                raise self.refused(f"{token or 'the end'!r} where {end or 'the end'!r} belongs")
            parts.append(self.scripted())
        self.at += 1
        return f"<mrow>{''.join(parts)}</mrow>"

    def scripted(self) -> str:
        """An atom with its indices."""
        body = self.atom()
        scripts: dict[str, str] = {}
        while (sign := self.next()) in ("_", "^"):
            if sign in scripts:
                raise self.refused(f"two of {sign!r}")
            self.at += 1
            scripts[sign] = self.atom()
        match scripts:
            case {"_": below, "^": above}:
                return f"<msubsup>{body}{below}{above}</msubsup>"
            case {"_": below}:
                return f"<msub>{body}{below}</msub>"
            case {"^": above}:
                return f"<msup>{body}{above}</msup>"
        return body

    def atom(self) -> str:
        token = self.take()
        if token == "{":
            return self.row("}")
        if token.startswith("\\"):
            return self.command(token[1:])
        if token in ("", "}", "_", "^"):
            raise self.refused(repr(token or "the end"))
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        if token.isalpha():
            return f"<mi>{token}</mi>"
        if token in "()":
            return f'<mo stretchy="false">{token}</mo>'
        return f"<mo>{'−' if token == '-' else escape(token)}</mo>"

    def command(self, name: str) -> str:
        if name == "frac":
            return f"<mfrac>{self.atom()}{self.atom()}</mfrac>"
        if name == "dot":
            return self.dotted()
        if name in UPRIGHT:
            return f"<mtext>{self.words()}</mtext>"
        if name == "mathrel":
            return f"<mo>{self.words()}</mo>"
        if name in IDENTIFIERS:
            return f"<mi>{IDENTIFIERS[name]}</mi>"
        if name in OPERATORS:
            return f"<mo>{OPERATORS[name]}</mo>"
        if name in SPACES:
            return f'<mspace width="{SPACES[name]}"></mspace>'
        raise self.refused(f"\\{name}")

    def dotted(self) -> str:
        """A letter below a full stop: as an accent, many fonts put the dot into the letter, or leave it out."""
        letter = self.take()
        if not letter.isalpha():
            raise self.refused(f"a dot over {letter!r}")
        return f'<mover accent="false"><mi>{letter}</mi><mo class="dot">.</mo></mover>'

    def words(self) -> str:
        """The words between the braces that follow."""
        if self.take() != "{" or "}" not in self.tokens[self.at :]:
            raise self.refused("a command for words without braces")
        end = self.tokens.index("}", self.at)
        words, self.at = "".join(self.tokens[self.at : end]), end + 1
        return escape(words)


def of(text: str, block: bool) -> str:
    """A formula as an element of HTML; a wide one scrolls within itself."""
    formula = Formula(text.strip())
    body = formula.row("")
    if block:
        return f'<div class="formula"><math display="block">{body}</math></div>'
    return f'<span class="formula"><math>{body}</math></span>'
