"""What a run's log says, epoch by epoch: accuracy, loss, activity, gradients, and the certificate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from fast.drawing.markup import Picture
from fast.drawing.panels import legend, panels, say
from fast.drawing.records import COLOURS, plain
from fast.drawing.run_record import GROUPS, Run

FARTHEST = 100  # decades: where an axis ends, whatever lies beyond
FLAT = 1e-3  # of a value
EDGE = 0.05  # decades: no curve lies on the edge of its axes
IDENTITIES = "ABC"


def accuracy_and_loss(run: Run) -> Picture:
    """Of both splits, and of the test split where validation chose."""
    figure, (accuracy, loss) = _over_epochs(run, (1.6, 1))
    end, chosen = run.end, run.end["best_epoch"]
    for name, colour in (("train", COLOURS[0]), ("valid", COLOURS[1])):
        shares = [100 * share for share in run.values(f"{name}_accuracy")]
        accuracy.plot(run.epochs, shares, ".-", color=colour, label=name)
        loss.plot(run.epochs, run.values(f"{name}_loss"), ".-", color=colour)
    accuracy.axhline(100 * end["count_baseline"], color="0.4", lw=1, ls="--", label="counts alone")
    accuracy.plot([chosen, chosen], [100 * bound for bound in end["interval"]], color="black", lw=1.5)
    accuracy.plot(chosen, 100 * end["test_accuracy"], "k*", ms=9, label="test")
    losses = [*run.values("train_loss"), *run.values("valid_loss")]
    if max(losses) - min(losses) < FLAT * max(losses):  # as good as equal: no axis of their last digits
        loss.set_ylim(0, 1.1 * max(losses))
    legend(accuracy)
    plain(accuracy, "", "accuracy, %")
    plain(loss, "epoch", "loss")
    how = "which validation chose" if run.by_validation else "the last"
    return Picture(
        "accuracy and loss", figure,
        "Accuracy and loss of each epoch on the training split (while it was learned from) and on the validation "
        f"split (after it): the dotted line marks epoch {chosen}, {how}, the star the accuracy of its "
        "network on the test split with the 95 % interval, and the dashed line what counts of spikes alone give.",
    )


def activity(run: Run) -> Picture:
    """How much the hidden neurons spike."""
    figure, (spikes, silent) = _over_epochs(run, (1, 1))
    spikes.plot(run.epochs, run.values("spikes_per_neuron"), ".-", color=COLOURS[2])
    spikes.set_ylim(0, 1.1 * max(run.values("spikes_per_neuron")) or 1)
    silent.plot(run.epochs, [100 * share for share in run.values("silent")], ".-", color=COLOURS[3])
    silent.set_ylim(-3, 103)
    plain(spikes, "", "spikes")
    plain(silent, "epoch", "silent, %")
    steps = sum(run.values("silent_steps"))
    return Picture(
        "activity", figure,
        "Spikes a hidden neuron and training trial (top), and the share of hidden neurons that did not spike in a "
        "whole epoch (bottom), which learn nothing from the gradient; steps in which a hidden layer was silent "
        f"altogether: {steps}.",
    )


def learning(run: Run) -> Picture:
    """What the steps met."""
    figure, (gradient, kappa, clamped) = _over_epochs(run, (1.6, 1, 1))
    norms = {group: [line["gradient"].get(group) for line in run.lines] for group in GROUPS}
    names = {"w": "weights, hidden", "w_out": "weights, output", "d": "delays"}
    _log(gradient, run.epochs, {names[group]: values for group, values in norms.items() if any_of(values)})
    _log(kappa, run.epochs, {"": run.values("kappa_min")})
    clamped.plot(run.epochs, run.values("clamped"), ".-", color=COLOURS[0])
    clamped.set_ylim(0, 1.1 * max(run.values("clamped")) or 1)
    clamped.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    plain(gradient, "", "gradient")
    plain(kappa, "", "kappa")
    plain(clamped, "epoch", "put back")
    return Picture(
        "gradients", figure,
        "From top to bottom: the Euclidean norm of the gradient of each group of parameters, the mean over steps (a "
        "triangle at the bottom: exactly 0; no curve: not learned); the smallest conditioning kappa of any spike (the "
        "smaller, the closer a spike came to grazing its threshold, and the larger the rounding of its gradient); and "
        "how often a delay was put back into its bounds.",
    )


def certificate(run: Run) -> Picture | None:
    """The residuals of the identities; None if no step was certified."""
    found = {name: run.values(name) for name in IDENTITIES}
    if not any(any_of(values) for values in found.values()):
        return None
    figure, (axes,) = _over_epochs(run, (1.8,))
    u, dtype = float(np.finfo(run.options["dtype"]).eps) / 2, run.options["dtype"]
    _log(axes, run.epochs, {name: values for name, values in found.items() if any_of(values)}, also=u)
    axes.axhline(u, color="black", lw=1, label="unit roundoff")
    legend(axes)
    plain(axes, "epoch", "residual")
    return Picture(
        "certificate", figure,
        "How far the gradient was from obeying the identities of an exact gradient, A (scale of weights), B (unit of "
        "time) and C (shift of time), relative to the sizes of their terms, at the worst certified step of an epoch (a "
        "triangle at the bottom: exactly 0; a gap, or no curve: it did not apply): rounding alone leaves about the "
        f"black line, the unit roundoff {u:.1e} of {dtype}, and more where a spike grazed its threshold.",
    )


def any_of(values: Sequence[float | None]) -> bool:
    """Whether one is known."""
    return any(value is not None for value in values)


def _over_epochs(run: Run, heights: tuple[float, ...]) -> tuple[Figure, list[Axes]]:
    """A figure of panels of these heights (inches), one above the other, with the chosen epoch marked in each."""
    figure, found = panels(heights)
    for axes in found:
        axes.axvline(run.end["best_epoch"], color="0.5", lw=1, ls=":", zorder=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure, found


def _log(axes: Axes, epochs: list[int], curves: dict[str, list], also: float | None = None) -> None:
    """Curves on a log axis of whole decades; None is a gap, and 0 a triangle at the bottom.

    Args:
        also: a value that the axis must show too.
    """
    for (name, values), colour in zip(curves.items(), COLOURS):
        axes.plot(epochs, [value or math.nan for value in values], ".-", color=colour, label=name)
        zeros = [epoch for epoch, value in zip(epochs, values) if value == 0]
        bottom = axes.get_xaxis_transform()  # y in parts of the axis
        axes.plot(zeros, [0.06] * len(zeros), "v", color=colour, ms=4, transform=bottom)
    shown = [value for values in [*curves.values(), [also]] for value in values if value]
    if not shown:
        say(axes, "all 0" if any(map(any_of, curves.values())) else "none")
        return
    low, high = math.floor(math.log10(min(shown)) - EDGE), math.ceil(math.log10(max(shown)) + EDGE)
    ends = max(low, -FARTHEST), min(max(high, 1 - FARTHEST), FARTHEST)
    axes.set_ylim(*(10.0**end for end in ends))  # first, lest a log axis looks for its ends itself
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    if len(curves) > 1 and also is None:
        legend(axes)
