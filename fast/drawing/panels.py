"""Panels one above the other, all as wide, with margins in inches: axes lie one below the other on the whole page.

Fixed margins, since finding them from the labels would take longer than drawing does.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

WIDTH = 5.2  # of a picture, inches: its letters can then be read on a phone
LEFT, RIGHT, TOP, BOTTOM = 0.7, 0.12, 0.28, 0.45
GAP, ABOVE = 0.2, 0.32  # between panels; the larger where a legend stands above the lower one
LABEL = 0.57  # from the axes to what their height means


def panels(heights: Sequence[float], right: float = RIGHT, legends: Sequence[int] = ()) -> tuple[Figure, list[Axes]]:
    """A figure with panels that share their horizontal axis.

    Args:
        heights: of each, from the top, inches.
        right: the margin there.
        legends: panels with a legend above them, beside the first.
    """
    gaps = [TOP, *(ABOVE if n in legends else GAP for n in range(1, len(heights)))]
    width, height = WIDTH - LEFT - right, sum(heights) + sum(gaps) + BOTTOM
    figure, found, top = Figure(figsize=(WIDTH, height)), list[Axes](), height
    for own, gap in zip(heights, gaps):
        top -= gap + own
        place = (LEFT / WIDTH, top / height, width / WIDTH, own / height)
        axes = figure.add_axes(place, sharex=found[0] if found else None)
        axes.tick_params(labelsize=8, labelbottom=len(found) == len(heights) - 1)
        axes.yaxis.set_label_coords(-LABEL / width, 0.5)
        axes.xaxis.set_label_coords(0.5, -0.3 / own)
        found.append(axes)
    return figure, found


def colours(figure: Figure, of: Axes, shown: ScalarMappable, name: str) -> None:
    """The scale of colours, in the right margin of the only panel."""
    place = of.get_position()
    axes = figure.add_axes((place.x1 + 0.15 / WIDTH, place.y0, 0.15 / WIDTH, place.height))
    figure.colorbar(shown, axes)
    axes.set_title(name, fontsize=8)
    axes.tick_params(labelsize=8)


def say(axes: Axes, words: str) -> None:
    """Why a panel is empty."""
    axes.set_yticks([])
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color="0.4")


def legend(axes: Axes, columns: int = 4) -> None:
    """Above the axes: inside, curves would cross it."""
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.1)
