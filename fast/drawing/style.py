"""The style that all pictures share: colours, axes, and the backend that needs no display."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fast.data.new_files import new_file

COLOURS = ("#0b6fa4", "#d1495b", "#3a7d44", "#8a5a9e")


def plain(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Labels the axes, and removes the lines at the top and on the right."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, run: Path, name: str) -> str:
    """Writes a picture into the folder of a run; returns its path.

    Raises:
        OSError: the folder cannot be written to.
    """
    path = run / name
    with new_file(path) as file:
        figure.savefig(file, format="png", dpi=150, bbox_inches="tight")
    return str(path)
