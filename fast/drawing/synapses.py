"""Delays before and after training, and which of them moved."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from delayprop.fast.drawing.arrays import Layer, Page
from delayprop.fast.drawing.markup import Picture
from delayprop.fast.drawing.panels import colour_bar, legend_above, panels
from delayprop.fast.drawing.style import COLOURS, plain

BINS = 40
DENSE = 1000  # synapses: as many or more are rasterised
MOVED_COLUMNS = ("from", "to", "before", "after", "weight")
TOP = 10


def histogram(axes: Axes, layer: Layer) -> None:
    """Draws the delays before and after; equal delays before become a line, which no bar hides."""
    before, after = layer.d_before.ravel(), layer.d_after.ravel()
    edges = np.histogram_bin_edges(np.concatenate([before, after]).astype(float), BINS).tolist()
    if _equal(before):
        axes.axvline(float(before[0]), color=COLOURS[0], lw=2, label=f"before: all {before[0]:.4g} ms")
    else:
        axes.hist(before, edges, color=COLOURS[0], histtype="step", lw=1.5, label="before", zorder=3)
    axes.hist(after, edges, color=COLOURS[1], alpha=0.6, label="after", zorder=2)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    legend_above(axes, 2)


def distribution(layer: Layer) -> Picture | None:
    """A histogram of the delays of a layer; None if all are equal before and after."""
    if _equal(layer.d_before) and not change(layer).any():
        return None
    figure, (axes,) = panels([2])
    histogram(axes, layer)
    plain(axes, "delay, ms", "synapses")
    return Picture(
        f"delays, {layer.name}", figure,
        f"Histogram of the delays of the {layer.d_after.size} synapses from {layer.name}, before (blue outline or "
        "line) and after training (red).",
    )


def movement(layer: Layer) -> Picture | None:
    """Delays after training over delays before it, coloured by weight; or over weights, where all
    were equal before. None if none moved."""
    if not change(layer).any():
        return None
    size, one_start = np.abs(layer.w_after).ravel(), _equal(layer.d_before)
    figure, (axes,) = panels([3.5]) if one_start else panels([3.5], right=0.8)
    order = np.argsort(size, kind="stable")  # the strongest are drawn last, on top
    x, y = (layer.w_after if one_start else layer.d_before).ravel()[order], layer.d_after.ravel()[order]
    area = min(14.0, max(2.0, 12 * DENSE / len(x)))
    dense = len(x) >= DENSE
    if one_start:
        axes.scatter(x, y, area, COLOURS[0], linewidths=0, rasterized=dense, zorder=2)
        start = float(layer.d_before.flat[0])
        axes.axhline(start, color="0.5", lw=1, zorder=1)
        plain(axes, "weight after", "delay after, ms")
        line = f"all delays were {start:.4g} ms before (line), so the distance from it is the change"
    else:
        points = axes.scatter(
            x, y, area, size[order], cmap="viridis_r", vmin=0, linewidths=0, rasterized=dense, zorder=2
        )
        colour_bar(figure, axes, points, "|weight|")
        ends = [min(float(x.min()), float(y.min())), max(float(x.max()), float(y.max()))]
        axes.plot(ends, ends, color="0.5", lw=1, zorder=1)
        plain(axes, "delay before, ms", "delay after, ms")
        line = (
            "darker for a larger absolute weight after training; delays on the line did not change, above it they "
            "grew, below it they shrank"
        )
    return Picture(f"moved delays, {layer.name}", figure, f"One point per synapse from {layer.name}: {line}.")


def moved_most(page: Page) -> list[list[str]]:
    """The rows of a table with the columns `MOVED_COLUMNS`: at most `TOP` delays of all layers."""
    found = []
    for layer in [*page.layers, *page.recurrent]:
        moved = change(layer)
        for flat in np.argsort(-moved, axis=None, kind="stable")[:TOP].tolist():
            i, j = divmod(flat, moved.shape[1])
            cells = [f"{layer.d_before[i, j]:.2f}", f"{layer.d_after[i, j]:.2f}", f"{layer.w_after[i, j]:.3g}"]
            found.append((float(moved[i, j]), [f"{layer.pre} [{i}]", f"{layer.post} [{j}]", *cells]))
    found.sort(key=lambda entry: -entry[0])
    return [row for moved, row in found[:TOP] if moved > 0]


def change(layer: Layer) -> np.ndarray:
    """The absolute change of each delay, ms."""
    return np.abs(layer.d_after.astype(float) - layer.d_before)


def _equal(delays: np.ndarray) -> bool:
    return bool((delays == delays.flat[0]).all())
