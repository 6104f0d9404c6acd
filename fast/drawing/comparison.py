"""The picture of `delayprop compare --picture`: test accuracies by setting, seed by seed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from matplotlib.figure import Figure

from delayprop.fast.drawing.style import COLOURS, plain

APART = 0.15  # rows, between the runs of a setting of few seeds


def comparison(
    task: str, labels: Sequence[str], accuracies: Sequence[Sequence[float]],
    of_means: Sequence[tuple[float, float] | None], of_trials: Sequence[Sequence[tuple[float, float]]],
) -> Figure:
    """A row per setting: a point per seed, the mean, and its 95 % interval.

    A setting of too few seeds for this interval has a thin bar per seed: the 95 % interval of one
    run, from the number of its test trials.

    Args:
        labels: one per setting.
        accuracies: per cent, of each setting's seeds.
        of_means, of_trials: the intervals of each setting's mean (None: too few seeds), and of each
            of its runs.
    """
    figure = Figure(figsize=(7, 1.2 + 0.5 * len(labels)))
    axes = figure.subplots()
    for row, (values, of_mean, of_runs) in enumerate(zip(accuracies, of_means, of_trials, strict=True)):
        mean, colour = statistics.mean(values), COLOURS[row % len(COLOURS)]
        if of_mean is None:
            heights = [row + APART * (n - (len(values) - 1) / 2) for n in range(len(values))]
            for ends, height in zip(of_runs, heights, strict=True):
                axes.plot(ends, [height, height], color=colour, linewidth=1, alpha=0.6)
        else:
            heights = [row] * len(values)
            axes.plot(of_mean, [row, row], color=colour, linewidth=6, alpha=0.3, solid_capstyle="butt")
        axes.plot(values, heights, "o", color=colour, markersize=4, alpha=0.8)
        axes.plot([mean], [row], "|", color=colour, markersize=18, markeredgewidth=2)
    axes.set_yticks(range(len(labels)), [label or "all runs" for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    explained = "points are seeds, lines their mean, bars its 95 % interval"
    if None in of_means:
        explained += "\nthin bars: 95 % interval of one run, from the number of its test trials"
    plain(axes, "test accuracy, %", "", f"{task}: {explained}")
    return figure
