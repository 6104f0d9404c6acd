"""The style that all pictures share: colours, axes, panels in one column; how one is written.

Pictures are made without `pyplot`: they need no display, and leave a notebook's backend alone.
Panels have equal widths and fixed margins, so that axes align over the whole page; finding margins
from the labels would take longer than drawing.
"""

import io
import textwrap
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from delayprop.fast.data.new_files import write_whole
from delayprop.spec.errors import printable

COLOURS = ("#0b6fa4", "#d1495b", "#3a7d44", "#8a5a9e")
FIFTH = "#b8860b"
# On the page of a run a colour has one meaning; curves of one axes differ in line and mark instead.
TRAIN, VALID = COLOURS[:2]
BEFORE, AFTER = "0.5", COLOURS[2]  # training
EXCITES, INHIBITS = COLOURS[3], FIFTH  # by the sign of a weight
INK = "0.15"

# Inches, of panels.
WIDTH = 5.2  # of a figure, inches: its text can be read on a phone
LEFT, RIGHT, TOP, BOTTOM = 0.88, 0.12, 0.28, 0.45  # two lines of text on the left
GAP, GAP_WITH_LEGEND = 0.2, 0.32  # above a panel
LABEL = 0.57  # from the axes to the label of the y axis
LONGEST = 100  # characters of a line of a user's text


def subplots(width: float, height: float, *shape: int, **how: Any) -> tuple[Figure, Any]:
    """A figure of this size, inches, and its axes, as `Figure.subplots` makes them."""
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(*shape, **how)


def plain(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Labels the axes, and removes the lines at the top and on the right."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def literal(text: str) -> str:
    """A text of a user's, such as a setting or the task of a run, that Matplotlib draws as it is:
    not as a formula, each unprintable character as its escape, a long text in several lines."""
    return textwrap.fill(printable(text), LONGEST).replace("$", r"\$")


def shortened(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def panels(
    heights: Mapping[str, float], x: str, right: float = RIGHT, legends: Collection[str] = (), bottom: float = BOTTOM
) -> tuple[Figure, list[Axes]]:
    """A figure with panels from the top, which share an x axis with the label `x`. `heights`: in
    inches, by the label of the y axis; `legends`: panels, except the first, that need space for a
    legend above them; `bottom`: the margin below, inches."""
    gaps = [TOP, *(GAP_WITH_LEGEND if name in legends else GAP for name in [*heights][1:])]
    width, height = WIDTH - LEFT - right, sum(heights.values()) + sum(gaps) + bottom
    figure, found, top = Figure(figsize=(WIDTH, height)), list[Axes](), height
    for (name, own), gap in zip(heights.items(), gaps):
        top -= gap + own
        place = (LEFT / WIDTH, top / height, width / WIDTH, own / height)
        axes, lowest = figure.add_axes(place, sharex=found[0] if found else None), len(found) == len(heights) - 1
        axes.tick_params(labelsize=8, labelbottom=lowest)
        axes.yaxis.set_label_coords(-LABEL / width, 0.5)
        axes.xaxis.set_label_coords(0.5, (0.15 - bottom) / own)
        plain(axes, x if lowest else "", name)
        found.append(axes)
    return figure, found


def colour_bar(figure: Figure, axes: Axes, image: ScalarMappable, name: str) -> None:
    """Adds a colour bar in the right margin of a single panel."""
    place = axes.get_position()
    bar = figure.add_axes((place.x1 + 0.15 / WIDTH, place.y0, 0.15 / WIDTH, place.height))
    figure.colorbar(image, bar)
    bar.set_title(name, fontsize=8)
    bar.tick_params(labelsize=8)


def empty(axes: Axes, reason: str) -> None:
    """Writes into a panel why it is empty."""
    axes.set_yticks([])
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color="0.4")


def legend_above(axes: Axes, columns: int = 4) -> None:
    """Adds a legend above the axes, where no curve crosses it: a row of at most six short names."""
    dense = {"handlelength": 1.2, "columnspacing": 1.0, "handletextpad": 0.5} if columns > 4 else {}
    axes.legend(
        frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.1, **dense
    )


def save(figure: Figure, run: Path, name: str) -> str:
    """Writes a picture into the folder of a run, as `write`; returns its path."""
    content = io.BytesIO()
    figure.savefig(content, format=Path(name).suffix[1:], dpi=150, bbox_inches="tight")
    return write(content.getvalue(), run, name)


def write(content: bytes, run: Path, name: str) -> str:
    """Writes the content of a picture, whole or not at all; returns its path."""
    write_whole(run / name, content)
    return str(run / name)
