"""`python -m tests.tools.make_docs_figure`: draws the figure of `docs/method.md`."""

from pathlib import Path

import matplotlib

from reports.figures import adjoint
from reports.page import Picture
from tests import ROOT
from tests.support.runs.traced import small_figure

PATH = ROOT / "docs" / "adjoint.svg"


def draw(path: Path) -> None:
    """Writes the figure; equal numbers give equal bytes with one version of Matplotlib."""
    with matplotlib.rc_context({"svg.hashsalt": "delayprop", "svg.fonttype": "path"}):
        picture = Picture("", adjoint).drawn({"adjoint": [small_figure()]})
        picture.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    draw(PATH)
    print(PATH.relative_to(ROOT))
