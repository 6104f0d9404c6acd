"""The cost of a time grid, from the record of the study (`results/grid.json`)."""

from __future__ import annotations

from typing import Any

from benchmarks.grid import figures
from delayprop.fast.drawing.markup import Picture, heading, percent, table, text
from reports.pictures import shown

SENTENCES = {
    "errors":
        "Error of gradients on a time grid against the exact gradient: medians and quartiles over networks. Published "
        "implementations use a step of 1 ms. As the step shrinks the error vanishes with its first power, except for "
        "networks that read a maximum at an inhibitory arrival: there the published equations lack a term.",
    "cosines":
        "The cosine between the two. Where the loss averages a voltage, the gradient keeps its direction; where it "
        "reads a maximum, the delay gradient often does not.",
    "training":
        "Training with the gradient of a grid, and with the exact one: equal start, steps and optimiser.",
}


def grid(record: dict[str, Any]) -> list[str]:
    """The chapter of the page."""
    introduction = (
        "Published implementations of event-based gradients use a time grid, with steps of 1 ms and delays in whole "
        "steps. A grid that is exact within a step is compared here with the exact gradient. "
        "benchmarks/grid/FINDINGS.md has the whole study."
    )
    pictures = [shown(Picture(name, figures.PICTURES[name](record), words)) for name, words in SENTENCES.items()]
    return [heading("The cost of a time grid"), text(introduction), *pictures, _yin_yang(record)]


def _yin_yang(record: dict[str, Any]) -> str:
    """The accuracy of each gradient in continuous time, mean and standard deviation over seeds."""
    rows = [
        [_way(way), f"{percent(way['on_exact']['mean'])} ± {percent(way['on_exact']['sd'])}", str(way["seeds"])]
        for way in record["yin-yang"]["summary"]
    ]
    return table(("Yin-Yang, gradient of", "accuracy in continuous time", "seeds"), rows, numbers=(1, 2))


def _way(way: dict[str, Any]) -> str:
    if way["dt"] is None:
        return "events"
    return f"steps of {way['dt']:g} ms" + (", with the term for pinned maxima" if way["pinned"] else "")
