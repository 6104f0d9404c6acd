"""The delays of a sequence run with more than two inputs, and its learning curve."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from delayprop.fast.drawing.style import COLOURS, plain


def delays_of_ring(log: list[dict], found: dict) -> Figure:
    """Maps of the delays and of the arrivals of each output's own pattern; loss and accuracy."""
    figure = Figure(figsize=(9, 9.5), layout="constrained")
    parts = figure.add_gridspec(2, 1, height_ratios=(5, 2))
    maps, curves = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
    grid = maps.subplots(2, 2, sharex=True, sharey=True)
    before, after = np.array(found["d_start"]), np.array(found["d"])
    _row(maps, grid[0], [before, after], ["delays before", "delays after"], "viridis", "d, ms")
    arrivals = [_own_arrivals(d, found["gap"]) for d in (before, after)]
    titles = [f"arrivals of the output's own pattern, {when}" for when in ("before", "after")]
    _row(maps, grid[1], arrivals, titles, "coolwarm", "ms after the output's median")
    for row in grid:
        row[0].set_ylabel("input")
    for axes in grid[1]:
        axes.set_xlabel("output")
    loss, accuracy = curves.subplots(2, 1, sharex=True)
    steps = [line["presentation"] for line in log]
    loss.plot(steps, [line["loss"] for line in log], color="0.2", lw=1)
    accuracy.plot(steps, [100 * line["accuracy"] for line in log], color=COLOURS[0], lw=1)
    accuracy.set_ylim(-5, 105)
    plain(loss, "", "loss", "Learning; membranes start slow, so early losses belong to slower membranes")
    plain(accuracy, "presentations of each pattern", "accuracy, %", _reached(found))
    return figure


def _own_arrivals(d: np.ndarray, gap: float) -> np.ndarray:
    """`[input][output]`: arrivals of each output's own pattern, ms after their median."""
    inputs = len(d)
    positions = (np.arange(inputs)[:, None] - np.arange(inputs)) % inputs
    arrivals: np.ndarray = positions * gap + d
    return arrivals - np.median(arrivals, axis=0)


def _row(
    figure: SubFigure, row: list[Axes], maps: list[np.ndarray], titles: list[str], colours: str, scale: str
) -> None:
    """Draws two maps with one colour scale, symmetric around 0 if a value is negative."""
    high = max(float(np.abs(values).max()) for values in maps)
    low = 0.0 if min(float(values.min()) for values in maps) >= 0 else -high
    for axes, values, title in zip(row, maps, titles):
        image = axes.imshow(values, cmap=colours, vmin=low, vmax=high)
        axes.set_title(title, loc="left", fontsize=10)
        ticks = range(0, len(values), 1 if len(values) <= 8 else 3)
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
    figure.colorbar(image, ax=list(row), label=scale)


def _reached(found: dict) -> str:
    if found["presentations"] is None:
        return "100 % was not reached"
    kept = "but not at the end" if found["kept_from"] is None else f"kept from {found['kept_from']} on"
    return f"100 % within {found['presentations']} presentations of each pattern, {kept}"
