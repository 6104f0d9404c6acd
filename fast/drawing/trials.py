"""The activity of the trained network in single test trials."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from delayprop.fast.drawing.run_record import Page, Trial
from delayprop.fast.drawing.style import EXCITES, INHIBITS, INK, empty, legend_above, literal, panels, shortened

DENSE = 400  # spikes or arrivals: as many or more are rasterised
RASTER, VOLTAGES, ARRIVALS = 1.2, 1.6, 1.0  # heights, inches
POINTS = 72  # per inch
FEW = 5  # rows: up to this number each has a tick
VOLTAGE = "voltage of\noutput"
LETTERS = 10  # of the name of a class
OTHERS = 40  # outputs: of more, those that reach highest are drawn


def trial_picture(page: Page, trial: Trial, class_names: Sequence[str]) -> Figure:
    """One trial on one time axis."""
    names_of = [literal(shortened(name, LETTERS)) for name in class_names]
    names = ["input\nneuron", *(f"{layer.post}\nneuron" for layer in page.layers[:-1])]
    onto = f"weight onto\noutput {names_of[trial.label]}"
    heights = dict.fromkeys(names, RASTER) | {VOLTAGE: VOLTAGES, onto: ARRIVALS}
    figure, found = panels(heights, "time, ms", legends=[VOLTAGE])
    for axes, (times, units), layer in zip(found, trial.spikes, page.layers):
        _raster(axes, times, units, len(layer.w_after))
    _voltages(found[-2], page, trial, names_of)
    _arrivals(found[-1], page, trial)
    found[0].set_xlim(0, page.duration)
    return figure


def _raster(axes: Axes, times: np.ndarray, units: np.ndarray, size: int) -> None:
    """Draws one mark per spike, as high as its row allows."""
    height = min(8.0, max(1.5, 0.8 * RASTER * POINTS / size))
    axes.plot(times, units, "|", color=INK, ms=height, mew=0.8, rasterized=len(times) >= DENSE)
    axes.set_ylim(-0.5 - 0.02 * size, size - 0.5 + 0.02 * size)
    axes.set_yticks(range(size) if size <= FEW else (0, size // 2, size - 1))
    if not len(times):
        empty(axes, "no spikes")


def _voltages(axes: Axes, page: Page, trial: Trial, names_of: Sequence[str]) -> None:
    """Draws the output of the class thick, that of a wrong answer dashed, and others grey."""
    others = [V for j, V in enumerate(trial.V) if j not in (trial.label, trial.answer)]
    name = "others" if len(others) <= OTHERS else f"highest {OTHERS} of {len(others)} others"
    for n, V in enumerate(sorted(others, key=np.max, reverse=True)[:OTHERS] if len(others) > OTHERS else others):
        axes.plot(page.t, V, color="0.7", lw=0.8, label=name if n == 0 else None)
    if trial.answer is not None and not trial.is_right:
        axes.plot(page.t, trial.V[trial.answer], color=INK, ls="--", label=f"{names_of[trial.answer]}, answer")
    axes.plot(page.t, trial.V[trial.label], color=INK, lw=2, label=f"{names_of[trial.label]}, class")
    legend_above(axes, 3)


def _arrivals(axes: Axes, page: Page, trial: Trial) -> None:
    times, weights = trial.arrivals
    within = times <= page.duration
    axes.axhline(0, color="0.5", lw=0.8)
    if within.any():
        dense = int(within.sum()) >= DENSE
        for sign, colour in ((weights > 0, EXCITES), (weights < 0, INHIBITS)):
            shown, width = within & sign, 0.5 if dense else 1
            axes.vlines(times[shown], 0, weights[shown], color=colour, lw=width, rasterized=dense)
    else:
        empty(axes, "no arrivals")
