"""Draws the figure of `docs/method.md` from the reference's own numbers: `python -m
tests.support.runs.docs_figures`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

from reports.figure_adjoint import adjoint
from spec import Case
from tests import ROOT
from tests.support.runs.traced import small, traced

PATH = ROOT / "docs" / "adjoint.svg"


def entry(case: Case) -> dict[str, Any]:
    """The case's curves and events, as the figure takes them."""
    inputs, targets = [list(train) for train in case.inputs["in"]], [list(t) for t in case.loss.targets]  # type: ignore[union-attr]
    return {"duration": case.duration, "inputs": inputs, "targets": targets[0], "neurons": traced(case)}


def draw(path: Path) -> None:
    """Write the figure; the same numbers give the same bytes with the same Matplotlib."""
    with matplotlib.rc_context({"svg.hashsalt": "delayprop", "svg.fonttype": "path"}):
        picture = adjoint(entry(small()))
        picture.figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def main() -> int:
    """The command line; the exit code."""
    draw(PATH)
    print(PATH.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
