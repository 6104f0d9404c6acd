"""The confusion matrix of the test split, as a picture and as a table by class."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from delayprop.fast.drawing.pages import percent
from delayprop.fast.drawing.run_record import Run
from delayprop.fast.drawing.style import colour_bar, panels, plain

TICKS = 60  # classes: up to this number every fifth has a tick
NUMBERED = 10  # classes: with more, a number does not fit into its cell
NONE = "none"


def confusion(run: Run) -> Figure:
    """The confusion matrix; its last column, no answer, is left out if it is empty."""
    figure, (axes,) = panels({"class": 3.7}, "answer", right=0.8)
    _, image = draw_counts(np.array(run.result["answers"]), axes)
    colour_bar(figure, axes, image, "% of class")
    return figure


def draw_counts(table: np.ndarray, axes: Axes | None) -> tuple[Axes, AxesImage]:
    """Draws trials by class and answer, `[classes, classes + 1]`, on axes; None: new ones."""
    if axes is None:
        from matplotlib import pyplot

        axes = pyplot.subplots(layout="constrained")[1]
    counts, trials, unanswered = _counts(table)
    share = np.divide(counts, trials, out=np.zeros(counts.shape), where=trials > 0)
    image = axes.imshow(100 * share, cmap="Blues", aspect="auto", vmin=0, vmax=100)
    if len(counts) <= NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    step = 1 if len(counts) <= 2 * NUMBERED else 5 * -(-len(counts) // TICKS)
    ticks = list(range(0, len(counts), step))
    axes.set_yticks(ticks)
    if unanswered:
        ticks = [tick for tick in ticks if tick + step / 2 < len(counts)]
        axes.set_xticks([*ticks, len(counts)], [*map(str, ticks), NONE])
    else:
        axes.set_xticks(ticks)
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
        error = f"{NONE if worst == len(counts) else worst} ({wrong[worst]})" if wrong[worst] else "-"
        rows.append([str(label), str(total), str(correct), percent(correct / total) if total else "-", error])
    return rows


def _counts(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Trials by class and answer, trials by class, and whether the column `NONE` is kept."""
    trials, unanswered = counts.sum(1, keepdims=True), bool(counts[:, -1].any())
    return counts if unanswered else counts[:, :-1], trials, unanswered
