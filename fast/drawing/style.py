"""The style that all pictures share: colours and axes; and how a picture is written.

Pictures are made without `pyplot`: they need no display, and leave a notebook's backend alone.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from delayprop.fast.data.new_files import new_file

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
    content = io.BytesIO()
    figure.savefig(content, format=Path(name).suffix[1:], dpi=150, bbox_inches="tight")
    return write(content.getvalue(), run, name)


def write(content: bytes, run: Path, name: str) -> str:
    """Writes the content of a picture, whole or not at all; returns its path.

    Raises:
        OSError: the folder cannot be written to.
    """
    path, half = run / name, run / f".{name}.half-written-by-delayprop"
    try:
        with new_file(half) as file:
            file.write(content)
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)
    return str(path)
