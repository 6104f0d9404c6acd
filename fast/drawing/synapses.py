"""Delays before and after training, and which of them moved."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fast.drawing.arrays import Layer, Page
from fast.drawing.markup import Picture
from fast.drawing.panels import colours, legend, panels
from fast.drawing.records import COLOURS, plain

BINS = 40
DENSE = 1000  # synapses: from here on they are drawn as an image
MOVED_COLUMNS = ("from", "to", "before", "after", "weight")
TOP = 10


def named(layer: Layer) -> str:
    """From where to where."""
    return f"{layer.pre} to {layer.post}"


def histogram(axes: Axes, layer: Layer) -> None:
    """The delays of a layer before and after; where all began at one value, a line says so, which no bar hides."""
    before, after = layer.d_before.ravel(), layer.d_after.ravel()
    both = np.concatenate([before, after]).astype(float)
    edges = np.histogram_bin_edges(both, BINS).tolist()
    if _same(before):
        axes.axvline(float(before[0]), color=COLOURS[0], lw=2, label=f"before: all {before[0]:.4g} ms")
    else:
        axes.hist(before, edges, color=COLOURS[0], histtype="step", lw=1.5, label="before", zorder=3)
    axes.hist(after, edges, color=COLOURS[1], alpha=0.6, label="after", zorder=2)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    legend(axes, 2)


def distribution(layer: Layer) -> Picture | None:
    """How the delays of a layer are spread; None if all are one value, before and after."""
    if _same(layer.d_before) and not _moved(layer).any():
        return None
    figure, (axes,) = panels([2])
    histogram(axes, layer)
    plain(axes, "delay, ms", "synapses")
    return Picture(
        f"delays, {named(layer)}", figure,
        f"Delays from {named(layer)}: how many of the {layer.d_after.size} synapses have which delay, before (blue "
        "outline or line) and after training (red).",
    )


def movement(layer: Layer) -> Picture | None:
    """Which delays of a layer moved; None if none did. Where all began at one value, over their weights."""
    if not _moved(layer).any():
        return None
    figure, (axes,) = panels([3.5], right=0.8)
    size, one_start = np.abs(layer.w_after).ravel(), _same(layer.d_before)
    order = np.argsort(size, kind="stable")  # the strongest are drawn last, on top
    x, y = (layer.w_after if one_start else layer.d_before).ravel()[order], layer.d_after.ravel()[order]
    dense = len(x) >= DENSE
    area = min(14.0, max(2.0, 12 * DENSE / len(x)))
    points = axes.scatter(
        x, y, area, size[order], cmap="viridis_r", vmin=0, linewidths=0, rasterized=dense, zorder=2
    )
    colours(figure, axes, points, "|weight|")
    if one_start:
        start = float(layer.d_before.flat[0])
        axes.axhline(start, color="0.5", lw=1, zorder=1)
        plain(axes, "weight after", "delay after, ms")
        told = f"all delays began at {start:.4g} ms (line), so that its height above it is how far one has moved"
    else:
        ends = [min(float(x.min()), float(y.min())), max(float(x.max()), float(y.max()))]
        axes.plot(ends, ends, color="0.5", lw=1, zorder=1)
        plain(axes, "delay before, ms", "delay after, ms")
        told = "those on the line stayed, those above it grew, those below it shrank"
    return Picture(
        f"moved delays, {named(layer)}", figure,
        f"A point for each synapse from {named(layer)}, the darker the stronger its weight after training: {told}.",
    )


def moved_most(page: Page) -> list[list[str]]:
    """Rows of a table: the delays of all layers that moved most, at most `TOP`."""
    found = []
    for layer in page.layers:
        moved = _moved(layer)
        for flat in np.argsort(-moved, axis=None, kind="stable")[:TOP].tolist():
            i, j = divmod(flat, moved.shape[1])
            cells = [f"{layer.d_before[i, j]:.2f}", f"{layer.d_after[i, j]:.2f}", f"{layer.w_after[i, j]:.3g}"]
            found.append((float(moved[i, j]), [f"{layer.pre} [{i}]", f"{layer.post} [{j}]", *cells]))
    found.sort(key=lambda entry: -entry[0])
    return [row for moved, row in found[:TOP] if moved > 0]


def _moved(layer: Layer) -> np.ndarray:
    """How far, ms."""
    return np.abs(layer.d_after.astype(float) - layer.d_before)


def _same(delays: np.ndarray) -> bool:
    return bool((delays == delays.flat[0]).all())
