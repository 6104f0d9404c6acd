"""Pictures of a training run on a data set."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fast.drawing.page import save_page
from fast.drawing.records import COLOURS, plain, save
from fast.drawing.run_record import Run, read
from fast.drawing.synapses import histogram, named


def draw(folder: Path) -> list[str]:
    """Draw `training.png` and `run.html` into the folder of the run; their paths.

    Raises:
        RecordError: a record that is missing or of another shape.
        OSError: the folder cannot be written to.
    """
    run = read(folder)
    return [save(_training(run), folder, "training.png"), save_page(run, folder)]


def _training(run: Run) -> Figure:
    lines, end, layer = run.lines, run.end, run.page.layers[0]
    figure = Figure(figsize=(10, 6.5))
    (accuracy, loss), (activity, delays) = figure.subplots(2, 2)
    epochs = run.epochs
    for name, colour in (("train", COLOURS[0]), ("valid", COLOURS[1])):
        accuracy.plot(epochs, [100 * line[f"{name}_accuracy"] for line in lines], color=colour, label=name)
        loss.plot(epochs, [line[f"{name}_loss"] for line in lines], color=colour, label=name)
    accuracy.axhline(100 * end["count_baseline"], color="0.4", lw=1, ls="--")
    accuracy.annotate("spike counts alone", (epochs[-1], 100 * end["count_baseline"]), (0, 4),
                      textcoords="offset points", ha="right", fontsize=8, color="0.4")
    accuracy.plot(end["best_epoch"], 100 * end["test_accuracy"], "k*", ms=10, label=f"test {end['test_accuracy']:.1%}")
    silent = activity.twinx()  # a share, on a scale of its own
    _curve(activity, epochs, [line["spikes_per_neuron"] for line in lines], COLOURS[2])
    _curve(silent, epochs, [100 * line["silent"] for line in lines], COLOURS[3])
    histogram(delays, layer)
    for axes in (accuracy, loss):
        axes.legend(frameon=False, fontsize=8)
    for axes in (accuracy, loss, activity):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    plain(accuracy, "epoch", "accuracy, %", f"{end['task']}, {end['network']}")
    plain(loss, "epoch", "loss")
    plain(activity, "epoch", "spikes a hidden neuron and trial")
    plain(silent, "", "silent hidden neurons, %")
    silent.spines["right"].set_visible(True)
    silent.set_ylim(-3, 103)
    activity.set_ylim(0, 1.1 * max(line["spikes_per_neuron"] for line in lines) or 1)
    plain(delays, "delay, ms", f"synapses, {named(layer)}")
    figure.tight_layout()
    return figure


def _curve(axes: Axes, epochs: list, values: list, colour: str) -> None:
    """A curve, and its axis in its colour."""
    axes.plot(epochs, values, color=colour)
    axes.yaxis.label.set_color(colour)
    axes.tick_params(axis="y", colors=colour)
