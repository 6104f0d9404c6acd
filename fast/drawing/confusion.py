"""The confusion matrix of the test split, as a picture and as a table by class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from delayprop.fast.drawing.pages import percent
from delayprop.fast.drawing.run_record import Run
from delayprop.fast.drawing.style import BOTTOM, colour_bar, literal, panels, plain, shortened

TICKS = 60  # classes: up to this number every fifth has a tick
NUMBERED = 10  # classes: with more, a number does not fit into its cell
NONE = "none"
NAMED, LETTERS = 40, 8  # classes: up to this number each name has a tick; letters of a name there


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
    shown = [literal(shortened(name, LETTERS)) for name in names or map(str, range(len(counts)))]
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
