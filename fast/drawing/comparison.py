"""The picture of `delayprop compare --picture`: test accuracies by setting, seed by seed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from fast.drawing.style import COLOURS, plain


def draw_comparison(
    path: Path, task: str, labels: Sequence[str], accuracies: Sequence[Sequence[float]],
    intervals: Sequence[tuple[float, float] | None],
) -> None:
    """Draws a row per setting: a point per seed, the mean, and its 95 % interval.

    Args:
        labels: one per setting.
        accuracies: per cent, of each setting's seeds; `intervals`: of their means.

    Raises:
        OSError: the file cannot be written.
    """
    figure = Figure(figsize=(7, 1.2 + 0.5 * len(labels)))
    axes = figure.subplots()
    for row, (values, interval) in enumerate(zip(accuracies, intervals, strict=True)):
        mean, colour = statistics.mean(values), COLOURS[row % len(COLOURS)]
        if interval is not None:
            axes.plot(interval, [row, row], color=colour, linewidth=6, alpha=0.3, solid_capstyle="butt")
        axes.plot(values, [row] * len(values), "o", color=colour, markersize=4, alpha=0.8)
        axes.plot([mean], [row], "|", color=colour, markersize=18, markeredgewidth=2)
    axes.set_yticks(range(len(labels)), [label or "all runs" for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    title = f"{task}: points are seeds, lines their mean, bars its 95 % interval"
    plain(axes, "test accuracy, %", "", title)
    figure.savefig(path, dpi=150, bbox_inches="tight")
