"""The pictures of a record of `benchmarks.grid`, drawn from the record alone.

The report shows them.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.grid.networks import KINDS, LOSSES
from delayprop.fast.drawing.style import COLOURS, plain

OF_LOSS = dict(zip(LOSSES, (COLOURS[0], "0.6", COLOURS[2], COLOURS[1], COLOURS[3]), strict=True))
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


def _fraction(dt: float) -> str:
    """A step as a fraction: 1/8, not 0.125."""
    return f"{dt:g}" if dt >= 1 else f"1/{1 / dt:g}"
