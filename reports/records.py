"""Reading the folder of a run, and the look that all pictures share."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#0b6fa4", "#d1495b", "#3a7d44", "#8a5a9e")


def history(run: Path) -> list[dict]:
    """The lines of `history.jsonl`."""
    return [json.loads(line) for line in (run / "history.jsonl").read_text(encoding="utf-8").splitlines()]


def result(run: Path) -> dict:
    """What `result.json` holds."""
    return json.loads((run / "result.json").read_text(encoding="utf-8"))


def plain(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Label the axes and take away what carries no information."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, run: Path, name: str) -> str:
    """Write the picture into the folder of its run; the path as text."""
    path = run / name
    figure.savefig(path, dpi=150, bbox_inches="tight")
    return str(path)
