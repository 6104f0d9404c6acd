"""The derivation as a chapter of the page: assumptions, claims, proofs, errata of the paper.

The text comes from the modules that prove; the tests found which proofs hold.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from html import escape

from delayprop.derivations import formulas
from delayprop.derivations.chapters import CHAPTERS
from delayprop.derivations.errata import ERRATA
from delayprop.derivations.formulas import PAPER
from delayprop.derivations.proof import Theorem
from delayprop.fast.drawing.markup import folded, heading, note, table, text
from reports.formulas import claim


def chapter(proofs: Mapping[str, int]) -> list[str]:
    """The chapter of the page.

    Args:
        proofs: the number of residuals that are exactly 0, by the tag of the theorem.
    """
    claims = _claims()
    parts = [
        heading("Derivation"),
        text(
            "Between events the membrane voltage and the current decay. An arrival adds its weight to the current. A "
            "neuron spikes when its voltage reaches the threshold, and is reset. From these rules alone SymPy derives "
            "every formula of the code, and subtracts the claim: a proof holds if the difference is exactly 0."
        ),
        text("The claims. Equation numbers are those of the paper (Nature Communications 2025, s41467-025-65394-8)."),
        folded(f"All {len(claims)} formulas", "".join(claims)),
    ]
    for module in CHAPTERS:
        theorems = [value for value in vars(module).values() if isinstance(value, Theorem)]
        title, *body = inspect.cleandoc(module.__doc__ or "").split("\n\n")
        verdicts = [f"proved ({proofs[one.tag]})" if one.tag in proofs else "not run" for one in theorems]
        rows = [[one.tag, one.statement, verdict] for one, verdict in zip(theorems, verdicts, strict=True)]
        paragraphs = "".join(text(" ".join(part.split())) for part in body)
        parts.append(folded(title.replace("\n", " "), paragraphs + table(("proof", "statement", ""), rows)))
    parts += [
        heading("Errata of the paper"),
        table(("place", "erratum", "shown by"), [[e.where, e.what, e.shown] for e in ERRATA]),
        note("No erratum affects the paper's results: its jump and its gradients are proved here."),
    ]
    return parts


def _claims() -> list[str]:
    found = []
    for name, function in vars(formulas).items():
        if not inspect.isfunction(function):
            continue
        words = " ".join((function.__doc__ or "").split()) + (f" Paper: {PAPER[name]}." if name in PAPER else "")
        found.append(f'<div class="formula">{claim(name, function)}<p class="note">{escape(words)}</p></div>')
    return found
