"""What stands for all checks at once: their headroom, and which fault is seen by which check."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fast.drawing.markup import Picture
from fast.drawing.style import COLOURS, plain
from reports.record import NOT_RUN

MOST = 1e8  # a headroom beyond that is drawn as that


def headroom(checks: Sequence[dict[str, Any]]) -> Picture:
    """Limit over worst measured value, of every check that measures one."""
    known = [check for check in checks if check["headroom"] and check["status"] != NOT_RUN]
    figure = Figure(figsize=(8.0, 0.6 + 0.22 * len(known)))
    axes = figure.subplots()
    values = [min(check["headroom"], MOST) for check in known]
    axes.barh(range(len(known)), values, color=[COLOURS[int(value < 1)] for value in values], height=0.7)
    axes.set_yticks(range(len(known)), [f"{check['number']} {check['title']}" for check in known], fontsize=8)
    axes.set_xscale("log")
    axes.axvline(1, color="0.3", lw=1)
    axes.invert_yaxis()
    plain(axes, "limit / worst measured value", "")
    figure.tight_layout()
    sentence = (
        "How far the worst value of each check is from its limit; left of the line it would be beyond. Checks that "
        "allow no difference at all, and measured none, have no bar."
    )
    return Picture("Headroom", figure, sentence)


def faults(entries: Sequence[dict[str, Any]]) -> Picture:
    """Every planted fault against every check."""
    names = list(entries[0]["found"])
    rows = [entry for package in ("reference", "fast") for entry in entries if entry["package"] == package]
    figure = Figure(figsize=(8.6, 1.2 + 0.24 * len(rows)))
    axes = figure.subplots()
    for y, entry in enumerate(rows):
        for x, name in enumerate(names):
            value = entry["found"][name]
            seen = value > 1
            axes.add_patch(_cell(x, y, COLOURS[2] if seen else "0.9"))
            digits = "" if not seen else "all" if math.isinf(value) else f"{math.log10(value):.0f}"
            axes.text(x, y, digits, ha="center", va="center", fontsize=7, color="w")
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="left", fontsize=8)
    axes.set_yticks(range(len(rows)), [f"{entry['package']}: {entry['fault']}" for entry in rows], fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    figure.tight_layout()
    sentence = (
        "Faults planted in copies of the two implementations, and which check sees them (green). The number is how "
        "many powers of ten the check finds beyond what it allows. Grey: what a check cannot see by its nature, as a "
        "symmetry of voltages knows nothing of times."
    )
    return Picture("Which check sees which fault", figure, sentence)


def _cell(x: int, y: int, colour: str) -> Rectangle:
    return Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, color=colour)


def sources(entries: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Where planted faults have been in published systems: a row each."""
    return [[name, where] for name, where in dict((e["fault"], e["source"]) for e in entries).items() if where]
