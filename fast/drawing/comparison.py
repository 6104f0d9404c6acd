"""Pictures of accuracies.

`delayprop compare --picture`: by setting, seed by seed, or with `--over` against one setting;
`delayprop evaluate --grid`: against the step of a time grid.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from delayprop.fast.drawing.style import COLOURS, FIFTH, literal, plain, save, subplots
from delayprop.spec.errors import SpecError

RECURRENT = ", recurrent"  # of a label: drawn dashed, in the colour of the label without it
LINES = [*zip((*COLOURS, FIFTH), "os^Dv", strict=True)]  # colour and mark of a curve
APART = 0.15  # rows, between the runs of a setting of few seeds


def check_picture(path: Path | None) -> None:
    """Refuses a picture that could not be written; None: none is asked for."""
    if path is None:
        return
    if path.suffix.lstrip(".") not in ("png", "svg", "pdf"):
        raise SpecError("--picture", "a file that ends in .png, .svg or .pdf", str(path), "name it so")
    if not path.parent.is_dir():
        raise SpecError("--picture", "a file in a folder that exists", str(path), "make the folder first")


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


def accuracies_over(
    setting: str, tasks: Mapping[str, Mapping[str, Mapping[float, Sequence[float]]]],
    added: Mapping[str, Mapping[float, tuple[float, float | None]]],
) -> Figure:
    """The accuracy of each curve against a setting: a point per seed, and a line through the means;
    recurrent networks have a panel of their own.

    Below, what learned delays add to delays as drawn, where there are both: a mean and its 95 %
    interval, which may leave the panel.

    Args:
        tasks: test accuracies of seeds, per cent, by task, curve, and value of the setting.
        added: points, and half the interval (None: too few pairs of a seed), by panel (the task, or
            `task, recurrent`) and value.
    """
    panels: dict[str, dict[str, Mapping[float, Sequence[float]]]] = {}
    for task, curves in tasks.items():
        for label, curve in curves.items():
            panel = task + RECURRENT if RECURRENT in label else task
            panels.setdefault(panel, {})[label.replace(RECURRENT, "")] = curve
    kinds = list(dict.fromkeys(label for curves in panels.values() for label in curves))
    heights, rows = ((3, 2), 2) if added else ((1,), 1)
    size = 0.6 + 2.7 * len(panels), 3.4 if rows == 1 else 5.0
    axis_name = "hidden neurons" if setting == "hidden" else setting
    figure, grid = subplots(*size, rows, len(panels), squeeze=False, height_ratios=heights, sharex="col")
    for axes, (panel, curves) in zip(grid[0], panels.items(), strict=True):
        for label, curve in curves.items():
            values, n = sorted(curve), kinds.index(label)
            points = [(x, y) for x in values for y in curve[x]]
            colour, mark = LINES[n % len(LINES)]
            axes.plot(*zip(*points, strict=True), mark, color=colour, markersize=2.5, alpha=0.5)
            means = [statistics.mean(curve[value]) for value in values]
            axes.plot(values, means, mark + "-", color=colour, markersize=4.5, label=literal(label))
        _log_steps(axes, sorted({value for curve in curves.values() for value in curve}))
        plain(axes, "" if rows == 2 else literal(axis_name), "test accuracy, %" * (axes is grid[0][0]), literal(panel))
    if added:
        _differences(grid[1], list(panels), axis_name, added)
    drawn = [line for axes in grid[0] for line in axes.get_lines() if line.get_linestyle() == "-"]
    lines = {str(line.get_label()): line for line in drawn}
    figure.legend(
        [*lines.values()], [*lines], loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=4, frameon=False, fontsize=8
    )
    figure.tight_layout()
    return figure


def _differences(
    row: Sequence[Axes], panels: Sequence[str], axis_name: str,
    added: Mapping[str, Mapping[float, tuple[float, float | None]]],
) -> None:
    """Draws `added` of `accuracies_over`, on axes of one range: it has all means, and a margin."""
    means = [mean for found in added.values() for mean, _ in found.values()]
    margin = 0.4 * max(1.0, max(means) - min(0.0, *means))
    for axes, panel in zip(row, panels, strict=True):
        for value, (mean, half) in sorted(added.get(panel, {}).items()):
            axes.errorbar(value, mean, half, fmt="o", color="0.15", markersize=4, capsize=3, linewidth=1.2)
        axes.axhline(0, color="0.5", linewidth=0.8)
        axes.set_ylim(min(0.0, *means) - margin, max(means) + margin)
        label = "learned - as drawn,\npoints" if axes is row[0] else ""
        plain(axes, literal(axis_name), label)


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
