"""Delays before and after training, which of them moved, and what that does to arrivals."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from delayprop.fast.drawing.run_record import Layer, Page
from delayprop.fast.drawing.style import (
    AFTER,
    BEFORE,
    EXCITES,
    INHIBITS,
    colour_bar,
    empty,
    legend_above,
    panels,
    plain,
)

BINS = 40
DENSE, DENSE_ARRIVALS = 1000, 400  # as many synapses, or arrivals, or more are rasterised
INTERVALS = 60  # of arrivals
TOP = 10


def histogram(axes: Axes, layer: Layer) -> None:
    """Draws the delays before and after; equal delays before become a line, which no bar hides."""
    before, after = layer.d_before[layer.exists], layer.d_after[layer.exists]
    edges = np.histogram_bin_edges(np.concatenate([before, after]).astype(float), BINS).tolist()
    if layer.start is not None:
        axes.axvline(layer.start, color=BEFORE, lw=2, label=f"before: all {layer.start:.4g} ms")
    else:
        axes.hist(before, edges, color=BEFORE, histtype="step", lw=1.5, label="before", zorder=3)
    bars(axes, after, edges, AFTER, "after")
    legend_above(axes, 2)


def bars(axes: Axes, values: np.ndarray, edges: list[float], colour: str, name: str) -> None:
    """Draws how many synapses have values between the edges."""
    axes.hist(values, edges, color=colour, alpha=0.6, label=name, zorder=2)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))


def distribution(layer: Layer) -> Figure:
    figure, (axes,) = panels({"synapses": 2}, "delay, ms")
    histogram(axes, layer)
    return figure


def movement(layer: Layer) -> Figure:
    """`draw_movement` in a figure."""
    if layer.start is not None:
        figure, (axes,) = panels({"delay after, ms": 3.5}, "weight after")
    else:
        figure, (axes,) = panels({"delay after, ms": 3.5}, "delay before, ms", right=0.8)
    points = draw_movement(axes, layer)
    if layer.start is None:
        colour_bar(figure, axes, points, "|weight|")
    return figure


def learned_delays(page: Page) -> Figure:
    """A column per connection: how many synapses have each delay, and `draw_movement`."""
    layers = [layer for layer in (*page.layers, *page.recurrent) if layer.exists.any()]
    figure = Figure(figsize=(3.8 * len(layers), 5.6), layout="constrained")
    for layer, (above, below) in zip(layers, figure.subplots(2, len(layers), squeeze=False).T, strict=True):
        histogram(above, layer)
        plain(above, "delay, ms", "synapses")
        above.set_title(f"{layer.name}, {int(layer.exists.sum())} synapses", loc="left", fontsize=10, pad=20)
        points = draw_movement(below, layer)
        plain(below, "delay before, ms" if layer.start is None else "weight after", "delay after, ms")
        if layer.start is None:
            figure.colorbar(points, ax=below, label="|weight| after")
    return figure


def draw_movement(axes: Axes, layer: Layer) -> PathCollection:
    """Delays after over those before, coloured by weight; over weights, if all began equal."""
    weights, start = layer.w_after[layer.exists], layer.start
    size = np.abs(weights)
    order = np.argsort(size, kind="stable")  # the strongest are drawn last, on top
    y = layer.d_after[layer.exists][order]
    area, dense = min(14.0, max(2.0, 12 * DENSE / len(y))), len(y) >= DENSE
    if start is not None:
        axes.axhline(start, color=BEFORE, lw=1, zorder=1)
        return axes.scatter(weights[order], y, area, AFTER, linewidths=0, rasterized=dense, zorder=2)
    x = layer.d_before[layer.exists][order]
    points = axes.scatter(x, y, area, size[order], cmap="viridis_r", vmin=0, linewidths=0, rasterized=dense, zorder=2)
    ends = [min(float(x.min()), float(y.min())), max(float(x.max()), float(y.max()))]
    axes.plot(ends, ends, color="0.5", lw=1, zorder=1)
    return points


def moved_most(page: Page) -> list[list[str]]:
    """At most `TOP` delays of all layers: from, to, before, after, and the weight. Of a delay that
    synapses share, the first."""
    found = []
    for layer in [*page.layers, *page.recurrent]:
        moved = layer.moved
        both = np.stack([layer.d_before.ravel(), layer.d_after.ravel()])
        firsts = np.sort(np.unique(both, axis=1, return_index=True)[1])
        for flat in firsts[np.argsort(-moved.ravel()[firsts], kind="stable")[:TOP]].tolist():
            i, j = divmod(flat, moved.shape[1])
            cells = [f"{layer.d_before[i, j]:.2f}", f"{layer.d_after[i, j]:.2f}", f"{layer.w_after[i, j]:.3g}"]
            found.append((float(moved[i, j]), [f"{layer.pre} [{i}]", f"{layer.post} [{j}]", *cells]))
    found.sort(key=lambda entry: -entry[0])
    return [row for moved, row in found[:TOP] if moved > 0]


def moved_neuron(page: Page) -> int | None:
    """The first hidden neuron whose input delays, times weights, moved most; None if none moved."""
    layer = page.layers[0]
    neuron = int((np.abs(layer.w_after) * layer.moved).sum(axis=0).argmax())
    return neuron if layer.moved[:, neuron].any() else None


def arrivals(page: Page, neuron: int) -> Figure:
    """The arrivals at a hidden neuron in the first trial, with the delays before and after."""
    layer, trial = page.layers[0], page.trials[0]
    times, units = trial.spikes[0]
    weights = layer.w_after[units, neuron]
    heights = {"input neuron,\nbefore": 1.6, "input neuron,\nafter": 1.6, "sum of weights\narriving": 1.3}
    figure, (before, after, sums) = panels(heights, "time, ms", legends=["sum of weights\narriving"])
    edges = np.linspace(0.0, page.duration, INTERVALS + 1)
    for axes, delays, name, colour in (
        (before, layer.d_before, "before", BEFORE), (after, layer.d_after, "after", AFTER)
    ):
        arrived = times + delays[units, neuron]
        _raster(axes, arrived, units, weights, len(layer.w_after), page.duration)
        total, _ = np.histogram(arrived, edges, weights=weights)
        sums.stairs(total, edges, color=colour, lw=1.5, label=name)
    sums.axhline(0, color="0.5", lw=0.8)
    legend_above(sums, 2)
    before.set_xlim(0, page.duration)
    return figure


def _raster(axes: Axes, times: np.ndarray, units: np.ndarray, weights: np.ndarray, size: int, duration: float) -> None:
    """Draws one mark per arrival within the trial."""
    within = times <= duration
    if not within.any():
        empty(axes, "no arrivals")
        return
    dense = int(within.sum()) >= DENSE_ARRIVALS
    for sign, colour in ((weights > 0, EXCITES), (weights < 0, INHIBITS)):
        shown = within & sign
        axes.plot(times[shown], units[shown], "|", color=colour, ms=3 if dense else 7, mew=0.8, rasterized=dense)
    axes.set_ylim(-0.5 - 0.02 * size, size - 0.5 + 0.02 * size)
