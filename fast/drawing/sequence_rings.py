"""The picture of what delays of more than two inputs have become: all of them, before and after, and the way there."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from fast.drawing.records import COLOURS, plain


def delays_of_ring(lines: list[dict], end: dict) -> Figure:
    """Delays as a map, when the spikes of an output's own pattern arrive with them, loss and accuracy."""
    figure = Figure(figsize=(9, 9.5), layout="constrained")
    parts = figure.add_gridspec(2, 1, height_ratios=(5, 2))
    maps, curves = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
    grid = maps.subplots(2, 2, sharex=True, sharey=True)
    before, after = np.array(end["d_start"]), np.array(end["d"])
    _row(maps, grid[0], [before, after], ["delays before", "delays after"], "viridis", "d, ms")
    arrivals = [_own_arrivals(d, end["gap"]) for d in (before, after)]
    titles = [f"own pattern's arrivals {when}" for when in ("before", "after")]
    _row(maps, grid[1], arrivals, titles, "coolwarm", "ms after the output's median")
    for row in grid:
        row[0].set_ylabel("input")
    for axes in grid[1]:
        axes.set_xlabel("output")
    loss, accuracy = curves.subplots(2, 1, sharex=True)
    steps = [line["presentation"] for line in lines]
    loss.plot(steps, [line["loss"] for line in lines], color="0.2", lw=1)
    accuracy.plot(steps, [100 * line["accuracy"] for line in lines], color=COLOURS[0], lw=1)
    accuracy.set_ylim(-5, 105)
    plain(loss, "", "loss", "The way there; membranes start slow, so the loss of early steps is another")
    plain(accuracy, "presentations of each pattern", "accuracy, %", _reached(end))
    return figure


def _own_arrivals(d: np.ndarray, gap: float) -> np.ndarray:
    """`[input][output]`: when the spike of an input arrives, in the pattern that the output should answer."""
    inputs = len(d)
    places = (np.arange(inputs)[:, None] - np.arange(inputs)) % inputs
    arrivals: np.ndarray = places * gap + d
    return arrivals - np.median(arrivals, axis=0)


def _row(
    figure: SubFigure, row: list[Axes], shown: list[np.ndarray], titles: list[str], colours: str, scale: str
) -> None:
    """Two maps with one scale of colours; times around 0 have 0 in its middle."""
    high = max(float(np.abs(values).max()) for values in shown)
    low = 0.0 if min(float(values.min()) for values in shown) >= 0 else -high
    for axes, values, title in zip(row, shown, titles):
        image = axes.imshow(values, cmap=colours, vmin=low, vmax=high)
        axes.set_title(title, loc="left", fontsize=10)
        ticks = range(0, len(values), 1 if len(values) <= 8 else 3)
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
    figure.colorbar(image, ax=list(row), label=scale)


def _reached(end: dict) -> str:
    if end["presentations"] is None:
        return "100 % was not reached"
    if end["kept_from"] is None:
        return f"100 % within {end['presentations']} presentations of each pattern, but not at the end"
    return f"100 % within {end['presentations']} presentations of each pattern, kept from {end['kept_from']} on"
