"""The picture of `delayprop evaluate --grid`: accuracy against the step of the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from delayprop.fast.drawing.style import COLOURS, plain, save


def draw_grids(
    run: Path, split: str, exact: float, interval: tuple[float, float], steps: Sequence[float],
    accuracies: Mapping[str, Sequence[float]],
) -> str:
    """Draws `grid-SPLIT.png` into the folder of the run; returns its path.

    Args:
        exact, interval: accuracy without a grid, and its 95 % interval.
        steps: of the grids, ms.
        accuracies: by what is rounded, one per step.

    Raises:
        OSError: the folder cannot be written to.
    """
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    axes.axhspan(100 * interval[0], 100 * interval[1], color="0.82", label="exact, 95 %")
    axes.axhline(100 * exact, color="0.5", linewidth=1)
    for (label, found), colour, mark in zip(accuracies.items(), COLOURS, "os^", strict=False):
        axes.plot(steps, [100 * one for one in found], mark + "-", color=colour, label=label)
    axes.set_xscale("log")
    axes.set_xticks(steps, [f"{step:g}" for step in steps])
    axes.set_xticks([], minor=True)
    axes.legend(frameon=False, fontsize=8)
    plain(axes, "step of the grid, ms", "accuracy, %", f"{split} split")
    return save(figure, run, f"grid-{split}.png")
