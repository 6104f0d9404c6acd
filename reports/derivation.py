"""The derivation as a part of the page: what is assumed, what is claimed, what is proved, where the paper's text slips.

All of it comes from the modules that prove it; which of the proofs hold was found by the tests.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from html import escape

from derivations import formulas
from derivations.chapters import CHAPTERS
from derivations.errata import ERRATA
from derivations.formulas import PAPER
from derivations.proof import Theorem
from fast.drawing.markup import folded, heading, note, table, text
from reports.formulas import claim


def chapter(proofs: Mapping[str, int]) -> list[str]:
    """The chapter of the page.

    Args:
        proofs: how many residuals of each theorem, by its tag, were found to be exactly 0.
    """
    parts = [
        heading("Derivation"),
        text(
            "Between events the membrane and the current decay; an arrival adds its weight to the current; a neuron "
            "spikes where its voltage reaches the threshold, and is reset. From these sentences alone SymPy derives "
            "every formula that the code uses, and subtracts the claim: a proof holds if exactly 0 is left."
        ),
        text("The claims. Equations are numbered as in the paper (Nature Communications 2025, s41467-025-65394-8)."),
        folded(f"All {len(_claims())} formulas", "".join(_claims())),
    ]
    for module in CHAPTERS:
        theorems = [value for value in vars(module).values() if isinstance(value, Theorem)]
        title, *body = inspect.cleandoc(module.__doc__ or "").split("\n\n")
        rows = [[one.tag, one.statement, _verdict(proofs.get(one.tag))] for one in theorems]
        paragraphs = "".join(text(" ".join(part.split())) for part in body)
        parts.append(folded(title.replace("\n", " "), paragraphs + table(("proof", "statement", ""), rows)))
    parts += [
        heading("Where the paper's text slips"),
        table(("where", "what", "shown by"), [[e.where, e.what, e.shown] for e in ERRATA]),
        note("None of these reaches the paper's results: its jump and its gradients are proved here."),
    ]
    return parts


def _claims() -> list[str]:
    found = []
    for name, function in vars(formulas).items():
        if not inspect.isfunction(function):
            continue
        said = " ".join((function.__doc__ or "").split())
        where = f" Paper: {PAPER[name]}." if name in PAPER else ""
        found.append(f'<div class="formula">{claim(name, function)}<p class="note">{escape(said + where)}</p></div>')
    return found


def _verdict(residuals: int | None) -> str:
    return "not run" if residuals is None else f"proved ({residuals})"


