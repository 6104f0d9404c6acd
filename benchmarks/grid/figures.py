"""The pictures of a record of `benchmarks.grid`, drawn from the record alone.

The report shows them.
"""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.grid.networks import KINDS, LOSSES
from delayprop.fast.drawing.style import COLOURS, plain

OF_LOSS = dict(zip(LOSSES, (COLOURS[0], "0.6", COLOURS[2], COLOURS[1], COLOURS[3]), strict=True))
OF_WAY = {None: "0.2", 1.0: COLOURS[1], 0.125: COLOURS[0]}
NAMED = {"w": "weights", "d": "delays"}


def errors(record: dict) -> Figure:
    """Median relative error against the step, by kind of network and parameter."""
    figure, panels = _by_kind_and_parameter(record, "error")
    x, y = np.array([2**-6, 2**-3]), np.array([2.5e-4, 2e-3])
    for axes, which, kind in panels:
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.plot([*x, x[1], x[0]], [*y, y[0], y[0]], color="0.4", lw=1)  # the slope of order 1
        height = float(np.sqrt(y[0] * y[1]))
        axes.annotate("1", (x[1], height), (4, 0), textcoords="offset points", fontsize=8, color="0.4")
        plain(axes, "step dt, ms", "relative error", f"gradient by {NAMED[which]}, {kind}")
    panels[0][0].legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def cosines(record: dict) -> Figure:
    """Median cosine against the step, by kind of network and parameter."""
    figure, panels = _by_kind_and_parameter(record, "cosine")
    for axes, which, kind in panels:
        axes.set_ylim(-0.1, 1.03)
        plain(axes, "step dt, ms", "cosine with the exact gradient", f"by {NAMED[which]}, {kind}")
    panels[0][0].legend(frameon=False, fontsize=8, loc="lower left")
    return figure


def _by_kind_and_parameter(record: dict, quantity: str) -> tuple[Figure, list[tuple[Axes, str, str]]]:
    """A figure with medians and quartiles of a quantity; each panel with parameter and kind."""
    figure, dts, summary = Figure(figsize=(9, 7), layout="constrained"), record["dts"], record["gradients"]["summary"]
    title = f"medians of {summary['groups'][0]['count']} networks each, quartiles shaded"
    figure.suptitle(title, fontsize=9, x=0.01, ha="left", color="0.35")
    grid = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    panels = [(axes, which, kind) for axes, (which, kind) in zip(grid, ((w, k) for w in "wd" for k in KINDS))]
    for axes, which, kind in panels:
        for group in summary["groups"]:
            if (group["kind"], group["where"]) == (kind, "off"):
                low, middle, high = np.array(group[f"{quantity}_{which}"]).T
                colour = OF_LOSS[group["loss"]]
                axes.plot(dts, middle, "o-", ms=3, lw=1.3, color=colour, label=group["loss"])
                axes.fill_between(dts, low, high, color=colour, alpha=0.12, lw=0)
        axes.set_xscale("log", base=2)
        axes.axvline(1.0, color="0.75", lw=1, zorder=0)
        axes.set_xticks(dts[::2], [_fraction(dt) for dt in dts[::2]])
    grid[0].annotate("published codes", (1.0, 0.03), (-3, 0), xycoords=grid[0].get_xaxis_transform(),
                     textcoords="offset points", rotation=90, ha="right", fontsize=7, color="0.5")
    return figure, panels


def training(record: dict) -> Figure:
    """Both tasks: one point per seed, means as bars."""
    figure = Figure(figsize=(10.5, 4), layout="constrained")
    accuracy, boundary, points = figure.subplots(1, 3, width_ratios=(3, 3, 4))
    runs = record["interval"]["runs"]
    aparts = sorted({run["apart"] for run in runs}, reverse=True)
    for shift, n in ((-0.15, 0), (0.15, 1)):
        dt = runs[0]["ways"][n]["dt"]
        own = [[run["ways"][n] for run in runs if run["apart"] == apart] for apart in aparts]
        seen = [[100 * way["on_exact"] for way in ways] for ways in own]
        _dots(accuracy, [x + shift for x in range(len(aparts))], seen, OF_WAY[dt], _way(dt))
        off = [[abs(way["boundary_off"]) for way in ways] for ways in own]
        _dots(boundary, [x + shift for x in range(len(aparts))], off, OF_WAY[dt], _way(dt), mean=False)
    boundary.plot(range(len(aparts)), [apart / 2 for apart in aparts], color="0.6", ls="--", lw=1, label="needed")
    boundary.set_yscale("symlog", linthresh=1e-3)
    boundary.set_ylim(bottom=-2e-4)
    for axes in (accuracy, boundary):
        axes.set_xticks(range(len(aparts)), [f"{apart:g}" for apart in aparts])
    figure.legend(*boundary.get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower left", ncols=3)
    plain(accuracy, "distance of the two intervals, ms", "test accuracy, %", "intervals, in continuous time")
    plain(boundary, "distance of the two intervals, ms", "ms", "learned boundary, off the best one")
    ways = record["yin-yang"]["runs"][0]["ways"]
    for name, shift, face in (("on_exact", -0.16, None), ("on_grid", 0.16, "white")):
        for x, way in enumerate(ways):
            if way["dt"] is None and name == "on_grid":
                continue
            values = [100 * run["ways"][x][name] for run in record["yin-yang"]["runs"]]
            _dots(points, [x + shift], [values], OF_WAY[way["dt"]], "", face=face)
    terms = ["\n+ term" if way["pinned"] else "" for way in ways[1:]]
    names = [f"{_fraction(way['dt'])} ms{term}" for way, term in zip(ways[1:], terms, strict=True)]
    points.set_xticks(range(len(ways)), ["exact", *names], fontsize=8)
    plain(points, "gradient", "test accuracy, %", "Yin-Yang (open: on its own grid)")
    return figure


def _dots(
    axes: Axes, where: Sequence[float], values: list, colour: str, label: str, face: str | None = None,
    mean: bool = True,
) -> None:
    """One dot per run beside each place, and their mean as a bar."""
    for n, (x, own) in enumerate(zip(where, values, strict=True)):
        spread = x + np.linspace(-0.1, 0.1, len(own))
        axes.plot(spread, own, "o", ms=4, color=colour, mfc=face or colour, alpha=0.8, label=label if n == 0 else "")
        if mean:
            axes.plot([x - 0.14, x + 0.14], [np.mean(own)] * 2, color=colour, lw=2)


def _fraction(dt: float) -> str:
    """A step as a fraction: 1/8, not 0.125."""
    return f"{dt:g}" if dt >= 1 else f"1/{1 / dt:g}"


def _way(dt: float | None) -> str:
    return "exact gradient" if dt is None else f"gradient on a grid of {_fraction(dt)} ms"


PICTURES: dict[str, Callable[[dict], Figure]] = {"errors": errors, "cosines": cosines, "training": training}
