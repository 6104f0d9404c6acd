"""What a time grid costs, from the record of the study (`results/grid.json`)."""

from __future__ import annotations

from typing import Any

from benchmarks.grid import figures
from fast.drawing.markup import Picture, heading, percent, shown, table, text

ERRORS = (
    "Error of gradients on a time grid against the exact one, medians and quartiles of networks. The published way is "
    "a step of 1 ms; as the step shrinks the error goes to 0 with its first power, but for networks that read a "
    "maximum made by an inhibitory arrival: for these the published equations lack a term."
)
COSINES = (
    "The cosine between the two. What averages a voltage keeps its direction; where a maximum is read, the gradient by "
    "delays often does not."
)
TRAINING = "Training with the gradient of a grid, and with the exact one: the same start, steps and optimiser."
SENTENCES = {"errors": ERRORS, "cosines": COSINES, "training": TRAINING}


def grid(record: dict[str, Any]) -> list[str]:
    """The chapter of the page."""
    said = (
        "Published implementations of event-based gradients run on a time grid, with steps of 1 ms and delays in whole "
        "steps. Measured against the exact gradient, by a grid of our own that is exact within a step: "
        "benchmarks/grid/FINDINGS.md has the whole study."
    )
    pictures = [Picture(name, figures.PICTURES[name](record), sentence) for name, sentence in SENTENCES.items()]
    return [heading("What a time grid costs"), text(said), *map(shown, pictures), _lost(record)]


def _lost(record: dict[str, Any]) -> str:
    """Yin-Yang: what each gradient reaches in continuous time, mean and standard deviation over seeds."""
    rows = [
        [_way(way), f"{percent(way['on_exact']['mean'])} ± {percent(way['on_exact']['sd'])}", str(way["seeds"])]
        for way in record["yin-yang"]["summary"]
    ]
    return table(("Yin-Yang, gradient of", "accuracy in continuous time", "seeds"), rows, numbers=(1, 2))


def _way(way: dict[str, Any]) -> str:
    if way["dt"] is None:
        return "events"
    return f"steps of {way['dt']:g} ms" + (", with the term for pinned maxima" if way["pinned"] else "")
