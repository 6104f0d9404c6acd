"""What the trained network answers: the confusion matrix of the test split, and single trials."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from delayprop.fast.drawing.pages import percent
from delayprop.fast.drawing.run_record import Page, Run, Trial
from delayprop.fast.drawing.style import (
    BOTTOM,
    EXCITES,
    INHIBITS,
    INK,
    colour_bar,
    empty,
    legend_above,
    literal,
    panels,
    plain,
    shortened,
)

TICKS = 60  # classes: up to this number every fifth has a tick
NUMBERED = 10  # classes: with more, a number does not fit into its cell
NONE = "none"
NAMED, BRIEF = 40, 8  # classes: up to this number each name has a tick; letters of a name there
DENSE = 400  # spikes or arrivals: as many or more are rasterised
RASTER, VOLTAGES, ARRIVALS = 1.2, 1.6, 1.0  # heights, inches
POINTS = 72  # per inch
FEW = 5  # rows: up to this number each has a tick
VOLTAGE = "voltage of\noutput"
LETTERS = 10  # of the name of a class
OTHERS = 40  # outputs: of more, those that reach highest are drawn


def confusion(run: Run) -> Figure:
    """The confusion matrix; its last column, no answer, is left out if it is empty."""
    names = run.result.get("class_names")
    figure, (axes,) = panels({"class": 3.7}, "answer", right=0.8, bottom=0.85 if names else BOTTOM)
    _, image = draw_counts(np.array(run.result["answers"]), axes, names)
    colour_bar(figure, axes, image, "% of class")
    return figure


def draw_counts(
    table: np.ndarray, axes: Axes | None, names: Sequence[str] | None = None
) -> tuple[Axes, AxesImage]:
    """Draws trials by class and answer, `[classes, classes + 1]`, on axes; None: new ones. `names`:
    of the classes; None: numbers."""
    if axes is None:
        from matplotlib import pyplot

        axes = pyplot.subplots(layout="constrained")[1]
    counts, trials, unanswered = _counts(table)
    share = np.divide(counts, trials, out=np.zeros(counts.shape), where=trials > 0)
    image = axes.imshow(100 * share, cmap="Greys", aspect="auto", vmin=0, vmax=100)
    if len(counts) <= NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    every = len(counts) <= (2 * NUMBERED if names is None else NAMED)
    step = 1 if every else 5 * -(-len(counts) // TICKS)
    ticks, size = list(range(0, len(counts), step)), 8 if names is None else 7
    shown = [literal(shortened(name, BRIEF)) for name in names or map(str, range(len(counts)))]
    axes.set_yticks(ticks, [shown[tick] for tick in ticks], fontsize=size)
    if unanswered:
        ticks = [*(tick for tick in ticks if tick + step / 2 < len(counts)), len(counts)]
    axes.set_xticks(ticks, [[*shown, NONE][tick] for tick in ticks], rotation=90 if names else 0, fontsize=size)
    plain(axes, "answer", "class")
    return axes, image


def by_class(run: Run) -> list[list[str]]:
    """Per class: its trials, right answers, accuracy, and most frequent error."""
    counts, trials, _ = _counts(np.array(run.result["answers"]))
    rows = []
    for label, (row, total) in enumerate(zip(counts, trials[:, 0].tolist())):
        correct, wrong = int(row[label]), row.copy()
        wrong[label] = 0
        worst = int(wrong.argmax())
        error = f"{[*run.class_names, NONE][worst]} ({wrong[worst]})" if wrong[worst] else "-"
        accuracy = percent(correct / total) if total else "-"
        rows.append([run.class_names[label], str(total), str(correct), accuracy, error])
    return rows


def _counts(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Trials by class and answer, trials by class, and whether the column `NONE` is kept."""
    trials, unanswered = counts.sum(1, keepdims=True), bool(counts[:, -1].any())
    return counts if unanswered else counts[:, :-1], trials, unanswered


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
