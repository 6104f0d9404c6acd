"""Figures over all checks: their headroom, and which check finds which fault."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fast.drawing.markup import Picture
from fast.drawing.style import COLOURS, plain
from reports.record import NOT_RUN

MOST = 1e8  # a larger headroom is drawn as this


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
    return Picture("Headroom", figure, (
        "The distance of the worst value of each check from its limit; a bar left of the line exceeds it. Checks that "
        "allow no difference, and found none, have no bar."
    ))


def faults(entries: Sequence[dict[str, Any]]) -> Picture:
    """Every planted fault against every check."""
    names = list(entries[0]["found"])
    rows = [entry for package in ("reference", "fast") for entry in entries if entry["package"] == package]
    figure = Figure(figsize=(8.6, 1.2 + 0.24 * len(rows)))
    axes = figure.subplots()
    for y, entry in enumerate(rows):
        for x, name in enumerate(names):
            value = entry["found"][name]
            axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, color=COLOURS[2] if value > 1 else "0.9"))
            digits = "" if value <= 1 else "all" if math.isinf(value) else f"{math.log10(value):.0f}"
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
    return Picture("Which check finds which fault", figure, (
        "Faults planted in copies of the two implementations, and the checks that find them (green). The number: the "
        "finding over its limit, in powers of ten. Grey: the check cannot find the fault by its nature; a symmetry of "
        "voltages does not depend on times, for example."
    ))


def sources(entries: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A row per planted fault with its place in a published system."""
    return [[name, where] for name, where in dict((e["fault"], e["source"]) for e in entries).items() if where]
