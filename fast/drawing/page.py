"""The page of a run: all that was recorded of it, in one file of HTML."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from fast.drawing import confusion, curves, synapses, trials
from fast.drawing.markup import document, folded, heading, lead, named_values, note, percent, shown, table, text
from fast.drawing.run_record import Run


def save_page(run: Run, folder: Path) -> str:
    """Write `run.html` into the folder of the run; its path as text.

    Raises:
        OSError: the folder cannot be written to.
    """
    path = folder / "run.html"
    path.write_text(html(run), encoding="utf-8", newline="\n")
    return str(path)


def html(run: Run) -> str:
    """The page. It follows from the records alone, byte by byte."""
    end = run.end
    # with a salt of its own, Matplotlib draws the same names for parts of a picture each time
    with matplotlib.rc_context({"svg.hashsalt": "delayprop", "svg.fonttype": "path", "font.size": 9.0}):
        parts = [*_head(run), *_epochs(run), *_answers(run), *_delays(run), *_trials(run), *_certificate(run)]
    return document(f"{end['task']}, {end['network']}, seed {run.options['seed']}", parts)


def _head(run: Run) -> list[str]:
    end, epoch = run.end, run.end["best_epoch"]
    low, high = end["interval"]
    rows = [
        ["test trials", str(sum(map(sum, end["answers"])))],
        ["counts of spikes alone", percent(end["count_baseline"])],
        ["task", end["task"]],
        ["network", f"{end['network']} (inputs, hidden neurons, classes)"],
        ["seed", str(run.options["seed"])],
        ["best epoch" if run.by_validation else "last epoch", f"{epoch} of {len(run.lines)}"],
        ["validation accuracy there", percent(run.chosen["valid_accuracy"])],
        ["time of all epochs", f"{sum(run.values('seconds')):.0f} s"],
    ]
    how = f"Validation chose epoch {epoch}" if run.by_validation else f"The last epoch, {epoch}, was to be taken"
    chosen = f"{how}; the test split was looked at once, at the end, with the network of that epoch."
    reached = f"Test accuracy {percent(end['test_accuracy'])} (95 % interval: {percent(low)} to {percent(high)})"
    settings = [(name, _plain(value)) for name, value in run.options.items()]
    folded_settings = folded(f"All {len(settings)} settings", named_values(settings))
    return [lead(reached), table((), rows), text(chosen), folded_settings]


def _plain(value: object) -> str:
    """A value of the command line, as one would write it."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return " ".join(map(_plain, value)) or "-"
    return str(value)


def _epochs(run: Run) -> list[str]:
    pictures = (curves.accuracy_and_loss(run), curves.activity(run), curves.learning(run))
    return [heading("Epochs"), *map(shown, pictures)]


def _answers(run: Run) -> list[str]:
    classes = table(confusion.CLASS_COLUMNS, confusion.by_class(run), numbers=(1, 2, 3, 4))
    told = "Each class of the test split; the last column is the wrong answer that was most frequent (and how often)."
    return [heading("Answers"), shown(confusion.confusion(run)), classes, note(told)]


def _delays(run: Run) -> list[str]:
    parts = [heading("Delays")]
    for layer in run.page.layers:
        spread, moved = synapses.distribution(layer), synapses.movement(layer)
        parts += [shown(picture) for picture in (spread, moved) if picture is not None]
        if moved is None:
            where = "" if spread is not None else f": all are {layer.d_after.flat[0]:.4g} ms"
            parts.append(text(f"No delay from {synapses.named(layer)} moved{where}."))
    rows = synapses.moved_most(run.page)
    if rows:
        told = "The delays (ms) that moved most, of all layers: neurons count from 0, weights are those after training."
        parts += [table(synapses.MOVED_COLUMNS, rows, numbers=(2, 3, 4)), note(told)]
    return parts


def _trials(run: Run) -> list[str]:
    return [heading("Trials"), *(shown(trials.trial(run.page, one)) for one in run.page.trials)]


def _certificate(run: Run) -> list[str]:
    picture = curves.certificate(run)
    none = "No residual is recorded: no step was certified, or none had a gradient to certify."
    return [heading("Certificate"), text(none) if picture is None else shown(picture)]
