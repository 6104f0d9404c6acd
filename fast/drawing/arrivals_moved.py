"""The arrivals of one trial at one neuron, with the delays before and after training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from delayprop.fast.drawing.arrays import Page
from delayprop.fast.drawing.markup import Picture
from delayprop.fast.drawing.panels import empty, legend_above, panels
from delayprop.fast.drawing.style import COLOURS, plain
from delayprop.fast.drawing.synapses import change
from delayprop.fast.drawing.trials import DENSE

RASTER, SUMS = 1.6, 1.3  # heights, inches
BINS = 60


def arrivals_moved(page: Page) -> Picture | None:
    """The arrivals at the hidden neuron whose input delays, times weights, moved most, in the first
    trial; None if no such delay moved, or no trial was recorded."""
    layer = page.layers[0]
    moved = change(layer)
    neuron = int((np.abs(layer.w_after) * moved).sum(axis=0).argmax())
    if not page.trials or not moved[:, neuron].any():
        return None
    trial = page.trials[0]
    times, units = trial.spikes[0]
    weights = layer.w_after[units, neuron]
    figure, (before, after, sums) = panels([RASTER, RASTER, SUMS], legends=[2])
    edges = np.linspace(0.0, page.duration, BINS + 1)
    for axes, delays, name, colour in (
        (before, layer.d_before, "before", "0.55"), (after, layer.d_after, "after", COLOURS[0])
    ):
        arrived = times + delays[units, neuron]
        _raster(axes, arrived, units, weights, len(layer.w_after), page.duration)
        plain(axes, "", f"input, {name}")
        total, _ = np.histogram(arrived, edges, weights=weights)
        sums.stairs(total, edges, color=colour, lw=1.5, label=name)
    sums.axhline(0, color="0.5", lw=0.8)
    legend_above(sums, 2)
    plain(sums, "ms", "sum of weights")
    before.set_xlim(0, page.duration)
    return Picture(
        f"arrivals at {layer.post} [{neuron}], before and after", figure,
        f"A test trial of class {trial.label}: each mark is the arrival of an input spike at {layer.post} [{neuron}], "
        "the neuron whose delays, times weights, moved most, with the delays before and after training (blue: "
        "excitation, red: inhibition, by the weight after training), and below the weights that arrive in each of "
        f"{BINS} intervals.",
    )


def _raster(
    axes: Axes, times: np.ndarray, units: np.ndarray, weights: np.ndarray, size: int, duration: float
) -> None:
    """Draws one mark per arrival within the trial."""
    within = times <= duration
    if not within.any():
        empty(axes, "no arrivals")
        return
    dense = int(within.sum()) >= DENSE
    for sign, colour in ((weights > 0, COLOURS[0]), (weights < 0, COLOURS[1])):
        shown = within & sign
        axes.plot(times[shown], units[shown], "|", color=colour, ms=3 if dense else 7, mew=0.8, rasterized=dense)
    axes.set_ylim(-0.5 - 0.02 * size, size - 0.5 + 0.02 * size)
