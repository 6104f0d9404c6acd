"""The page of a classification run: one HTML file with everything that was recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib

from delayprop.fast.drawing import confusion, curves, synapses
from delayprop.fast.drawing.arrivals_moved import arrivals_moved
from delayprop.fast.drawing.markup import (
    captioned,
    contents,
    document,
    folded,
    lead,
    named_values,
    note,
    percent,
    section,
    table,
    text,
    together,
)
from delayprop.fast.drawing.run_record import Run
from delayprop.fast.drawing.style import write
from delayprop.fast.drawing.trials import trial_picture

TASKS = {
    "yin-yang": "Yin-Yang", "braille": "Braille letters", "shd": "Spoken digits (SHD)", "ssc": "Spoken commands (SSC)",
    "spikes": "Spikes of your own",
}
# A section has two columns where they fit, of about equal height.
STYLE = """
@media screen { body { max-width: 92rem; } }
nav { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; margin: 0.8rem 0; }
a { color: inherit; }
section { columns: 30rem 2; column-gap: 2rem; }
section > * { break-inside: avoid; }
section > figure { margin-top: 0; }
section > h2, section > details { column-span: all; }
"""


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
        parts = [section(title, content(run)) for title, content in SECTIONS.items()]
    found, epoch = run.result, run.tested["epoch"]
    low, high = found["interval"]
    reached = f"Test accuracy {percent(found['test_accuracy'])} (95 % interval: {percent(low)} to {percent(high)})"
    how = f"Validation chose epoch {epoch}" if run.by_validation else f"The options chose the last epoch, {epoch}"
    chosen = f"{how}; its network was evaluated on the test split once, at the end."
    return document(title(run), [lead(reached), text(chosen), contents(tuple(SECTIONS)), *parts], STYLE)


def title(run: Run) -> str:
    """The task, the network and the kind of its delays, in words."""
    found, options = run.result, run.options
    hidden = " and ".join(found["network"].split("-")[1:-1])
    recurrent = "recurrent" if options.get("recurrent") else "hidden"
    delays = "delays as drawn" if options.get("freeze_delays") else "learned delays"
    if options.get("freeze_delays") and options.get("delay") == 0:
        delays = "no delays"
    return f"{TASKS[found['task']]}: {hidden} {recurrent} neurons, {delays}, seed {options['seed']}"


def _learning(run: Run) -> list[str]:
    return list(map(captioned, (curves.accuracy_and_loss(run), curves.activity(run), curves.learning(run))))


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
    summary = f"All {len(settings)} settings"
    if "changed" in run.options:
        preset = f"the preset {settings.get('preset', '')}".rstrip()
        summary += f"; the first {len(first)} differ from {preset}" if first else f"; none differs from {preset}"
    return [table((), rows), folded(summary, named_values(in_order), is_open=False)]


def _plain(value: object) -> str:
    """A value of the command line as text."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return " ".join(map(_plain, value)) or "-"
    return str(value)


def _answers(run: Run) -> list[str]:
    classes = table(confusion.CLASS_COLUMNS, confusion.by_class(run), numbers=(1, 2, 3, 4))
    legend = "Each class of the test split; the last column is its most frequent wrong answer (number of trials)."
    return [captioned(confusion.confusion(run)), together(classes, note(legend))]


def _delays(run: Run) -> list[str]:
    parts = []
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
        parts.append(together(table(synapses.MOVED_COLUMNS, rows, numbers=(2, 3, 4)), note(legend)))
    return parts


def _trials(run: Run) -> list[str]:
    return [captioned(trial_picture(run.page, trial)) for trial in run.page.trials]


def _certificate(run: Run) -> list[str]:
    picture = curves.certificate(run)
    none = "No residual is recorded: no step was certified, or none had a gradient to certify."
    return [text(none) if picture is None else captioned(picture)]


SECTIONS: dict[str, Callable[[Run], list[str]]] = {
    "Learning": _learning, "Answers": _answers, "Delays": _delays, "Trials": _trials, "Certificate": _certificate,
    "The run": _facts,
}
