"""The picture of `delayprop evaluate --grid`: accuracy against the step of the grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from fast.drawing.style import COLOURS, plain, save
from fast.training.evaluation import Evaluation
from fast.training.gridded import OnGrid


def draw_grids(run: Path, split: str, exact: Evaluation, grids: Sequence[OnGrid]) -> str:
    """Draws `grid-SPLIT.png` into the folder of the run; returns its path.

    Raises:
        OSError: the folder cannot be written to.
    """
    figure = Figure(figsize=(6, 4))
    axes, steps = figure.subplots(), [grid.step for grid in grids]
    low, high = exact.interval
    axes.axhspan(100 * low, 100 * high, color="0.92", label="exact, 95 %")
    axes.axhline(100 * exact.accuracy, color="0.5", linewidth=1)
    for found, label, colour, mark in (
        ([grid.delays for grid in grids], "delays rounded", COLOURS[0], "o"),
        ([grid.delays_and_times for grid in grids], "spike times as well", COLOURS[1], "s"),
    ):
        axes.plot(steps, [100 * one.accuracy for one in found], mark + "-", color=colour, label=label)
    axes.set_xscale("log")
    axes.set_xticks(steps, [f"{step:g}" for step in steps])
    axes.set_xticks([], minor=True)
    axes.legend(frameon=False, fontsize=8)
    plain(axes, "step of the grid, ms", "accuracy, %", f"{split} split, {exact.trials} trials")
    return save(figure, run, f"grid-{split}.png")
