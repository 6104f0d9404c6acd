"""What the trained network did in single trials: spikes in, spikes within, voltages out."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from fast.drawing.arrays import Page, Trial
from fast.drawing.markup import Picture
from fast.drawing.panels import legend, panels, say
from fast.drawing.records import COLOURS, plain

DENSE = 400  # spikes or arrivals: from here on they are drawn as an image
RASTER, VOLTAGES, ARRIVALS = 1.2, 1.6, 1.0  # heights, inches
POINTS = 72  # an inch
FEW = 5  # rows: each has its number


def trial(page: Page, shown: Trial) -> Picture:
    """One trial, on one time axis."""
    names = ["input", *(layer.post for layer in page.layers[:-1])]
    figure, found = panels([*(RASTER for _ in names), VOLTAGES, ARRIVALS], legends=[len(names)])
    for axes, name, (times, units), layer in zip(found, names, shown.spikes, page.layers):
        _raster(axes, times, units, len(layer.w_after))
        plain(axes, "", name)
    _voltages(found[-2], page, shown)
    _arrivals(found[-1], page, shown)
    found[0].set_xlim(0, page.duration)
    answer = "nothing" if shown.answer is None else f"{shown.answer} ({'right' if _right(shown) else 'wrong'})"
    return Picture(
        f"a trial of class {shown.label}", figure,
        f"A test trial of class {shown.label}, answered with {answer}, from top to bottom: spikes of the input, spikes "
        "of the hidden neurons (a row each), voltages of the outputs (that of the right class blue), and what arrives "
        "at the right output, each stem at the time at which a spike is through its delay and as long as its weight.",
    )


def _right(shown: Trial) -> bool:
    return shown.answer == shown.label


def _raster(axes: Axes, times: np.ndarray, units: np.ndarray, size: int) -> None:
    """A mark for each spike, as high as its row allows."""
    height = min(8.0, max(1.5, 0.8 * RASTER * POINTS / size))
    axes.plot(times, units, "|", color="0.15", ms=height, mew=0.8, rasterized=len(times) >= DENSE)
    axes.set_ylim(-0.5 - 0.02 * size, size - 0.5 + 0.02 * size)
    axes.set_yticks(range(size) if size <= FEW else (0, size // 2, size - 1))
    if not len(times):
        say(axes, "no spikes")


def _voltages(axes: Axes, page: Page, shown: Trial) -> None:
    """The others grey; the right one blue, and the one that was answered instead of it red."""
    others = [V for j, V in enumerate(shown.V) if j not in (shown.label, shown.answer)]
    for n, V in enumerate(others):
        axes.plot(page.t, V, color="0.7", lw=0.8, label="others" if n == 0 else None)
    if shown.answer is not None and not _right(shown):
        axes.plot(page.t, shown.V[shown.answer], color=COLOURS[1], ls="--", label=f"{shown.answer}, answered")
    axes.plot(page.t, shown.V[shown.label], color=COLOURS[0], lw=2, label=f"{shown.label}, right class")
    legend(axes, 3)
    plain(axes, "", "V")


def _arrivals(axes: Axes, page: Page, shown: Trial) -> None:
    times, weights = shown.arrivals
    within = times <= page.duration
    axes.axhline(0, color="0.5", lw=0.8)
    if within.any():
        dense = int(within.sum()) >= DENSE
        axes.vlines(times[within], 0, weights[within], color=COLOURS[0], lw=0.5 if dense else 1, rasterized=dense)
    else:
        say(axes, "no arrivals")
    plain(axes, "ms", f"weight to {shown.label}")
