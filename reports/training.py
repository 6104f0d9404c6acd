"""Pictures of a training run on a data set."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from reports.records import COLOURS, history, plain, result, save


def draw(run: Path) -> list[str]:
    """Draw `training.png` into the folder of the run; its path."""
    lines, end = history(run), result(run)
    figure = Figure(figsize=(10, 6.5))
    (accuracy, loss), (activity, delays) = figure.subplots(2, 2)
    epochs = [line["epoch"] for line in lines]
    for name, colour in (("train", COLOURS[0]), ("valid", COLOURS[1])):
        accuracy.plot(epochs, [100 * line[f"{name}_accuracy"] for line in lines], color=colour, label=name)
        loss.plot(epochs, [line[f"{name}_loss"] for line in lines], color=colour, label=name)
    accuracy.axhline(100 * end["count_baseline"], color="0.4", lw=1, ls="--")
    accuracy.annotate("spike counts alone", (epochs[-1], 100 * end["count_baseline"]), (0, 4),
                      textcoords="offset points", ha="right", fontsize=8, color="0.4")  # fmt: skip
    accuracy.plot(end["best_epoch"], 100 * end["test_accuracy"], "k*", ms=10, label=f"test {end['test_accuracy']:.1%}")
    spikes = [line["spikes_per_neuron"] for line in lines]
    activity.plot(epochs, spikes, color=COLOURS[2], label="spikes a hidden neuron and trial")
    activity.plot(epochs, [100 * line["silent"] for line in lines], color=COLOURS[3], label="silent neurons, %")
    delays.hist([end["delays_before"], end["delays_after"]], bins=40, label=["before", "after"], color=COLOURS[:2])
    for axes in (accuracy, loss, activity, delays):
        axes.legend(frameon=False, fontsize=8)
    plain(accuracy, "epoch", "accuracy, %", f"{end['task']}, {end['network']}")
    plain(loss, "epoch", "loss")
    plain(activity, "epoch", "")
    plain(delays, "delay, ms", "synapses", "input delays")
    figure.tight_layout()
    return [save(figure, run, "training.png")]
