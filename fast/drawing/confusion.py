"""Which class was taken for which on the test split."""

from __future__ import annotations

import numpy as np

from fast.drawing.markup import Picture, percent
from fast.drawing.panels import colours, panels
from fast.drawing.records import plain
from fast.drawing.run_record import Run

NUMBERED = 10  # classes: with more, a number no longer fits into its cell
NONE = "none"
CLASS_COLUMNS = ("class", "trials", "right", "accuracy", "taken for")


def confusion(run: Run) -> Picture:
    """The matrix of answers; a column for no answer only where there was such a trial."""
    counts, trials, unanswered = _counts(run)
    share = np.divide(counts, trials, out=np.zeros(counts.shape), where=trials > 0)
    figure, (axes,) = panels([3.7], right=0.8)
    image = axes.imshow(100 * share, cmap="Blues", aspect="auto", vmin=0, vmax=100)
    if len(counts) <= NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    step = 1 if len(counts) <= 2 * NUMBERED else 5
    ticks = list(range(0, len(counts), step))
    axes.set_yticks(ticks)
    if unanswered:
        ticks = [tick for tick in ticks if tick + step / 2 < len(counts)]
        axes.set_xticks([*ticks, len(counts)], [*map(str, ticks), NONE])
    else:
        axes.set_xticks(ticks)
    plain(axes, "answer", "class")
    colours(figure, axes, image, "% of class")
    found = "the last column: no answer, no single readout is largest" if unanswered else "every trial has an answer"
    return Picture(
        "confusion matrix", figure,
        "The test split: each row holds the trials of one class, by what the network answered, darker the more of "
        f"them, so that right answers lie on the diagonal ({found}).",
    )


def by_class(run: Run) -> list[list[str]]:
    """Rows of a table: how each class fared."""
    counts, trials, _ = _counts(run)
    rows = []
    for label, (row, of) in enumerate(zip(counts, trials[:, 0].tolist())):
        right, wrong = int(row[label]), row.copy()
        wrong[label] = 0
        worst = int(wrong.argmax())
        taken = f"{NONE if worst == len(counts) else worst} ({wrong[worst]})" if wrong[worst] else "-"
        rows.append([str(label), str(of), str(right), percent(right / of) if of else "-", taken])
    return rows


def _counts(run: Run) -> tuple[np.ndarray, np.ndarray, bool]:
    """Trials by class and answer, those of each class, and whether there is a column for no answer."""
    counts = np.array(run.end["answers"])
    trials, unanswered = counts.sum(1, keepdims=True), bool(counts[:, -1].any())
    return counts if unanswered else counts[:, :-1], trials, unanswered
