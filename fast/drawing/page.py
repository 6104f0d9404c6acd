"""The page of a classification run: one HTML file with everything that was recorded."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from fast.drawing import confusion, curves, synapses
from fast.drawing.arrivals_moved import arrivals_moved
from fast.drawing.markup import captioned, document, folded, heading, lead, named_values, note, percent, table, text
from fast.drawing.run_record import Run
from fast.drawing.style import write
from fast.drawing.trials import trial_picture


def save_page(run: Run, folder: Path) -> str:
    """Writes `run.html` into the folder of the run; returns its path.

    Raises:
        OSError: the folder cannot be written to.
    """
    return write(html(run).encode(), folder, "run.html")


def html(run: Run) -> str:
    """The page; equal records give equal bytes."""
    # With a fixed salt, Matplotlib gives the parts of a picture fixed names.
    with matplotlib.rc_context({"svg.hashsalt": "delayprop", "svg.fonttype": "path", "font.size": 9.0}):
        sections = (_head, _epochs, _answers, _delays, _trials, _certificate, _facts)
        parts = [part for section in sections for part in section(run)]
    return document(f"{run.result['task']}, {run.result['network']}, seed {run.options['seed']}", parts)


def _head(run: Run) -> list[str]:
    """The result, and the curves."""
    found, epoch = run.result, run.tested["epoch"]
    low, high = found["interval"]
    reached = f"Test accuracy {percent(found['test_accuracy'])} (95 % interval: {percent(low)} to {percent(high)})"
    how = f"Validation chose epoch {epoch}" if run.by_validation else f"The options chose the last epoch, {epoch}"
    chosen = f"{how}; its network was evaluated on the test split once, at the end."
    return [lead(reached), captioned(curves.accuracy_and_loss(run)), text(chosen)]


def _facts(run: Run) -> list[str]:
    """Numbers of the run, and its settings; those that differ from the preset come first."""
    found, epoch = run.result, run.tested["epoch"]
    rows = [
        ["test trials", str(sum(map(sum, found["answers"])))],
        ["spike counts alone", percent(found["count_baseline"])],
        ["task", found["task"]],
        ["network", f"{found['network']} (inputs, hidden neurons, classes)"],
        ["seed", str(run.options["seed"])],
        ["best epoch" if run.by_validation else "last epoch", f"{epoch} of {len(run.log)}"],
        ["validation accuracy in it", percent(run.tested["valid_accuracy"])],
        ["time of all epochs", f"{sum(run.values('seconds')):.0f} s"],
    ]
    settings = {name: _plain(value) for name, value in run.options.items() if name != "changed"}
    first = [name for name in run.options.get("changed", "").split() if name in settings]
    in_order = [(name, settings[name]) for name in [*first, *(name for name in settings if name not in first)]]
    title = f"All {len(settings)} settings"
    if "changed" in run.options:
        preset = f"the preset {settings.get('preset', '')}".rstrip()
        title += f"; the first {len(first)} differ from {preset}" if first else f"; none differs from {preset}"
    return [heading("The run"), table((), rows), folded(title, named_values(in_order), is_open=False)]


def _plain(value: object) -> str:
    """A value of the command line as text."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return " ".join(map(_plain, value)) or "-"
    return str(value)


def _epochs(run: Run) -> list[str]:
    pictures = (curves.activity(run), curves.learning(run))
    return [heading("Activity and learning"), *map(captioned, pictures)]


def _answers(run: Run) -> list[str]:
    classes = table(confusion.CLASS_COLUMNS, confusion.by_class(run), numbers=(1, 2, 3, 4))
    legend = "Each class of the test split; the last column is its most frequent wrong answer (number of trials)."
    return [heading("Answers"), captioned(confusion.confusion(run)), classes, note(legend)]


def _delays(run: Run) -> list[str]:
    parts = [heading("Delays")]
    for layer in [*run.page.layers, *run.page.recurrent]:
        spread, moved = synapses.distribution(layer), synapses.movement(layer)
        parts += [captioned(picture) for picture in (spread, moved) if picture is not None]
        if moved is None:
            value = "" if spread is not None else f": all are {layer.d_after.flat[0]:.4g} ms"
            parts.append(text(f"No delay from {layer.name} moved{value}."))
    arrivals = arrivals_moved(run.page)
    parts += [] if arrivals is None else [captioned(arrivals)]
    rows = synapses.moved_most(run.page)
    if rows:
        legend = "The delays (ms) of all layers that moved most, with the weights after training; neurons count from 0."
        parts += [table(synapses.MOVED_COLUMNS, rows, numbers=(2, 3, 4)), note(legend)]
    return parts


def _trials(run: Run) -> list[str]:
    return [heading("Trials"), *(captioned(trial_picture(run.page, trial)) for trial in run.page.trials)]


def _certificate(run: Run) -> list[str]:
    picture = curves.certificate(run)
    none = "No residual is recorded: no step was certified, or none had a gradient to certify."
    return [heading("Certificate"), text(none) if picture is None else captioned(picture)]
