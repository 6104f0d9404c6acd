"""`python -m tests.tools.make_docs_figure`: draws the figure of `docs/method.md`."""

from pathlib import Path
from typing import Any

import matplotlib

from delayprop.spec import Case
from reports.figure_adjoint import adjoint
from reports.pictures import Picture
from tests import ROOT
from tests.support.runs.traced import small, traced

PATH = ROOT / "docs" / "adjoint.svg"


def entry(case: Case) -> dict[str, Any]:
    """Curves and events of the case, in the layout of the figure."""
    inputs, targets = [list(train) for train in case.inputs["in"]], [list(t) for t in case.loss.targets]  # type: ignore[union-attr]
    return {"duration": case.duration, "inputs": inputs, "targets": targets[0], "neurons": traced(case)}


def draw(path: Path) -> None:
    """Writes the figure; equal numbers give equal bytes with one version of Matplotlib."""
    with matplotlib.rc_context({"svg.hashsalt": "delayprop", "svg.fonttype": "path"}):
        picture = Picture("", adjoint).drawn({"adjoint": [entry(small())]})
        picture.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    draw(PATH)
    print(PATH.relative_to(ROOT))
