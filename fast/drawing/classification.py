"""The pictures of a run of a task that classifies."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from delayprop.fast.drawing.curves import draw_accuracy, draw_loss, whole_epochs
from delayprop.fast.drawing.page import save_page
from delayprop.fast.drawing.run_record import Run, read
from delayprop.fast.drawing.style import COLOURS, plain, save
from delayprop.fast.drawing.synapses import histogram


def draw(folder: Path) -> list[str]:
    """Draws `training.png` and `run.html` into the folder of the run; returns their paths.

    Raises:
        RecordError: a record is missing or of another shape.
        OSError: the folder cannot be written to.
    """
    run = read(folder)
    return [save(overview(run), folder, "training.png"), save_page(run, folder)]


def overview(run: Run) -> Figure:
    """Accuracy, loss, activity, and the delays of the first layer."""
    figure = Figure(figsize=(10, 6.5))
    (accuracy, loss), (spikes, delays) = figure.subplots(2, 2)
    silent = spikes.twinx()
    draw_accuracy(accuracy, run)
    draw_loss(loss, run)
    histogram(delays, run.page.layers[0])
    for axes, values, colour in (
        (spikes, run.values("spikes_per_neuron"), COLOURS[2]), (silent, run.percent("silent"), COLOURS[3])
    ):
        axes.plot(run.epochs, values, ".-", color=colour)
        axes.yaxis.label.set_color(colour)
        axes.tick_params(axis="y", colors=colour)
    for axes in (accuracy, loss):
        axes.legend(frameon=False, fontsize=8)
    for axes in (accuracy, loss, spikes):
        whole_epochs(axes)
    title = f"{run.result['task']}, {run.result['network']}: {run.result['test_accuracy']:.1%} on the test split"
    plain(accuracy, "epoch", "accuracy, %", title)
    plain(loss, "epoch", "loss")
    plain(spikes, "epoch", "spikes per hidden neuron and trial")
    plain(silent, "", "silent hidden neurons, %")
    plain(delays, "delay, ms", f"synapses, {run.page.layers[0].name}")
    silent.spines["right"].set_visible(True)
    silent.set_ylim(-3, 103)
    spikes.set_ylim(0, 1.1 * max(run.values("spikes_per_neuron")) or 1)
    figure.tight_layout()
    return figure
