"""Pictures of a run's log by epoch: accuracy and loss, activity, gradients, and the certificate."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from delayprop.fast.drawing.run_record import GROUPS, Run, any_known
from delayprop.fast.drawing.style import INK, TRAIN, VALID, empty, legend_above, panels

FARTHEST = 100  # decades: the limit of a log axis
FLAT = 1e-3  # relative range below which losses count as equal
EDGE = 0.05  # decades between a curve and the edge of its axes
GROUP_NAMES = dict(zip(GROUPS, ("weights, hidden", "weights, output", "delays", "time constants")))
SPLIT_COLOURS = {"train": TRAIN, "valid": VALID}
LINES = ("o-", "s--", "^:", "v-.", "x-")  # of curves on a log axis, in order


def accuracy_and_loss(run: Run) -> Figure:
    """Accuracy and loss of the training and validation splits, and the test accuracy."""
    figure, (accuracy, loss) = _over_epochs(run, {"accuracy, %": 1.6, "loss": 1})
    draw_accuracy(accuracy, run)
    draw_loss(loss, run)
    legend_above(accuracy)
    return figure


def draw_accuracy(axes: Axes, run: Run) -> None:
    """Draws the accuracy of each split, the test accuracy with its interval, and the baseline."""
    found, epoch = run.result, run.tested["epoch"]
    for name, colour in SPLIT_COLOURS.items():
        axes.plot(run.epochs, run.percent(f"{name}_accuracy"), ".-", color=colour, label=name)
    axes.axhline(100 * found["count_baseline"], color="0.4", lw=1, ls="--", label="spike counts")
    axes.plot([epoch, epoch], [100 * bound for bound in found["interval"]], color="black", lw=1.5)
    axes.plot(epoch, 100 * found["test_accuracy"], "k*", ms=9, label="test")


def draw_loss(axes: Axes, run: Run) -> None:
    losses = {name: run.values(f"{name}_loss") for name in SPLIT_COLOURS}
    for name, values in losses.items():
        axes.plot(run.epochs, values, ".-", color=SPLIT_COLOURS[name], label=name)
    low, high = (extreme(map(extreme, losses.values())) for extreme in (min, max))
    if high - low < FLAT * high:  # nearly equal: an axis of their last digits would mislead
        axes.set_ylim(0, 1.1 * high)


def activity(run: Run) -> Figure:
    """Spikes per hidden neuron, and the percentage of silent hidden neurons."""
    figure, (spikes, silent) = _over_epochs(run, {"spikes per\nhidden neuron": 1, "silent hidden\nneurons, %": 1})
    draw_activity(spikes, silent, run)
    return figure


def draw_activity(spikes: Axes, silent: Axes, run: Run, colours: tuple[str, str] = (INK, INK)) -> None:
    _from_zero(spikes, run, "spikes_per_neuron", colours[0])
    silent.plot(run.epochs, run.percent("silent"), ".-", color=colours[1])
    silent.set_ylim(-3, 103)


def learning(run: Run) -> Figure:
    """Norms of the gradient, the smallest conditioning, and delays at their bounds."""
    heights = {"norm of the\ngradient": 1.6, "smallest\nkappa": 1.0, "values\nclamped": 1.0}
    figure, (gradient, kappa, clamped) = _over_epochs(run, heights)
    norms = {name: [line["gradient"].get(group) for line in run.log] for group, name in GROUP_NAMES.items()}
    _log(gradient, run.epochs, {name: values for name, values in norms.items() if any_known(values)})
    _log(kappa, run.epochs, {"": run.values("kappa_min")})
    _from_zero(clamped, run, "clamped", INK)
    clamped.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    return figure


def certificate(run: Run) -> Figure:
    """The residuals of the identities, and the error of one trial."""
    figure, (axes,) = _over_epochs(run, {"relative\nresidual": 1.8})
    _log(axes, run.epochs, run.residuals, run.roundoff)
    axes.axhline(run.roundoff, color="black", lw=1, label="unit roundoff")
    legend_above(axes, columns=6)
    return figure


def whole_epochs(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _over_epochs(run: Run, heights: dict[str, float]) -> tuple[Figure, list[Axes]]:
    """A figure of `panels` by epoch, with a line at the epoch that was tested."""
    figure, found = panels(heights, "epoch")
    for axes in found:
        axes.axvline(run.tested["epoch"], color="0.5", lw=1, ls=":", zorder=0)
        whole_epochs(axes)
    return figure, found


def _from_zero(axes: Axes, run: Run, name: str, colour: str) -> None:
    axes.plot(run.epochs, run.values(name), ".-", color=colour)
    axes.set_ylim(0, 1.1 * max(run.values(name)) or 1)


def _log(axes: Axes, epochs: list[int], curves: dict[str, list], included: float | None = None) -> None:
    """Draws curves on a log axis of whole decades, with the value `included` if there is one; None
    is a gap, and 0 a triangle at the bottom."""
    for (name, values), line in zip(curves.items(), LINES):
        axes.plot(epochs, [value or math.nan for value in values], line, color=INK, lw=1, ms=4, label=name)
        zeros = [epoch for epoch, value in zip(epochs, values) if value == 0]
        bottom = axes.get_xaxis_transform()  # y in fractions of the axis
        axes.plot(zeros, [0.06] * len(zeros), line[0], color=INK, ms=4, transform=bottom)
    shown = [value for values in [*curves.values(), [included]] for value in values if value]
    if not shown:
        empty(axes, "all 0" if any(map(any_known, curves.values())) else "none")
        return
    low, high = math.floor(math.log10(min(shown)) - EDGE), math.ceil(math.log10(max(shown)) + EDGE)
    limits = max(low, -FARTHEST), min(max(high, 1 - FARTHEST), FARTHEST)
    axes.set_ylim(*(10.0**limit for limit in limits))  # before `set_yscale`, which would autoscale
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    if len(curves) > 1 and included is None:
        legend_above(axes)
