"""Pictures of accuracies.

`delayprop compare --picture`: by setting, seed by seed, or with `--over` against one setting;
`delayprop evaluate --grid`: against the step of a time grid.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from delayprop.fast.drawing.style import COLOURS, literal, plain, save, subplots

RECURRENT = ", recurrent"  # of a label: drawn dashed, in the colour of the label without it
APART = 0.15  # rows, between the runs of a setting of few seeds


def comparison(
    task: str, labels: Sequence[str], accuracies: Sequence[Sequence[float]],
    of_means: Sequence[tuple[float, float] | None], of_trials: Sequence[Sequence[tuple[float, float] | None]],
) -> Figure:
    """A row per setting: a point per seed, the mean, and its 95 % interval.

    A setting of too few seeds for this interval (None in `of_means`) has a thin bar per seed: the
    95 % interval of one run, from the number of its test trials (`of_trials`; None: not recorded).
    """
    figure, axes = subplots(7, 1.2 + 0.5 * len(labels))
    for row, (values, of_mean, of_runs) in enumerate(zip(accuracies, of_means, of_trials, strict=True)):
        mean, colour = statistics.mean(values), COLOURS[row % len(COLOURS)]
        if of_mean is None:
            heights = [row + APART * (n - (len(values) - 1) / 2) for n in range(len(values))]
            for ends, height in zip(of_runs, heights, strict=True):
                if ends is not None:
                    axes.plot(ends, [height, height], color=colour, linewidth=1, alpha=0.6)
        else:
            heights = [row] * len(values)
            axes.plot(of_mean, [row, row], color=colour, linewidth=6, alpha=0.3, solid_capstyle="butt")
        axes.plot(values, heights, "o", color=colour, markersize=4, alpha=0.8)
        axes.plot([mean], [row], "|", color=colour, markersize=18, markeredgewidth=2)
    axes.set_yticks(range(len(labels)), [*map(literal, labels)])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    explained = "points are seeds, lines their mean, bars its 95 % interval"
    if None in of_means:
        explained += "\nthin bars: 95 % interval of one run, from the number of its test trials"
    plain(axes, "test accuracy, %", "", f"{literal(task)}: {explained}")
    return figure


def accuracies_over(setting: str, panels: Mapping[str, Mapping[str, Mapping[float, Sequence[float]]]]) -> Figure:
    """A panel per task: the mean accuracy of each curve against a setting, in a band from the
    lowest to the highest seed; `panels`: test accuracies of seeds, per cent, by task, curve, and
    value of the setting."""
    figure, (row,) = subplots(0.6 + 3.6 * len(panels), 3.4, 1, len(panels), squeeze=False)
    labels = list(dict.fromkeys(label for curves in panels.values() for label in curves))
    kinds = list(dict.fromkeys(label.replace(RECURRENT, "") for label in labels))
    for axes, (task, curves) in zip(row, panels.items(), strict=True):
        for label, curve in curves.items():
            values = sorted(curve)
            means, tests = [statistics.mean(curve[value]) for value in values], [curve[value] for value in values]
            colour = COLOURS[kinds.index(label.replace(RECURRENT, "")) % len(COLOURS)]
            line, mark = ("--", "s") if RECURRENT in label else ("-", "o")
            axes.fill_between(values, [*map(min, tests)], [*map(max, tests)], color=colour, alpha=0.2, linewidth=0)
            axes.plot(values, means, line + mark, color=colour, markersize=4, label=literal(label))
        _log_steps(axes, sorted({value for curve in curves.values() for value in curve}))
        plain(axes, literal(setting), "test accuracy, %" if axes is figure.axes[0] else "", literal(task))
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(
        [*lines.values()], [*lines], loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, frameon=False,
        fontsize=8,
    )
    figure.tight_layout()
    return figure


def draw_grids(
    run: Path, split: str, exact: float, interval: tuple[float, float], steps: Sequence[float],
    accuracies: Mapping[str, Sequence[float]],
) -> str:
    """Draws `grid-SPLIT.png` into the folder of the run, as `style.save`; returns its path. `exact,
    interval`: without a grid; `accuracies`: by what is rounded, one per step."""
    figure, axes = subplots(6, 4)
    axes.axhspan(100 * interval[0], 100 * interval[1], color="0.82", label="exact, 95 %")
    axes.axhline(100 * exact, color="0.5", linewidth=1)
    for (label, found), colour, mark in zip(accuracies.items(), COLOURS, "os^", strict=False):
        axes.plot(steps, [100 * one for one in found], mark + "-", color=colour, label=label)
    _log_steps(axes, steps)
    axes.legend(frameon=False, fontsize=8)
    plain(axes, "step of the grid, ms", "accuracy, %", f"{split} split")
    return save(figure, run, f"grid-{split}.png")


def _log_steps(axes: Axes, ticks: Sequence[float]) -> None:
    """A logarithmic x axis with these ticks alone."""
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
