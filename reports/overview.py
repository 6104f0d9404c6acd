"""Figures over all checks: their distances from the limits, and which check finds which fault."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from delayprop.fast.drawing.style import COLOURS, plain
from reports.distances import axis, distance, marks
from reports.pictures import Found

SIZE = 30  # of a mark, in square points
MARKS = {
    "passed": ("o", "#2f7d3f", "passed"), "zero": ("<", "#2f7d3f", "exactly 0, or beyond this end"),
    "fault": ("D", "#7a3fa0", "control: the planted fault nearest to the limit"), "failed": ("X", "#b3261e", "failed"),
    "missing": ("h", "0.6", "did not run in full"),
}
"""Symbol, colour and meaning, by the names of `distances.marks`."""


def distances_of(checks: Sequence[dict[str, Any]]) -> Figure:
    """The first figure, for paper: worst value over limit of every check that measures one."""
    along = [one for one in map(distance, checks) if one.share is not None]
    scale = axis(along)
    figure = Figure(figsize=(8.0, 1.0 + 0.24 * len(along)))
    axes = figure.subplots()
    seen = set()
    for y, one in enumerate(along):
        for kind, share in marks(one, scale):
            symbol, colour, meaning = MARKS[kind]
            face = "none" if kind == "fault" else colour
            x = scale.low + scale.place(share) * (scale.high - scale.low)
            label = None if kind in seen else meaning
            axes.scatter(x, y, SIZE, face, marker=symbol, edgecolors=colour, label=label, zorder=3)
            seen.add(kind)
    names = [f"{one.check['number']} {one.check['title']}{': FAILED' if one.failed else ''}" for one in along]
    axes.set_yticks(range(len(along)), names, fontsize=8)
    for tick, one in zip(axes.get_yticklabels(), along, strict=True):
        tick.set_color(MARKS["failed"][1] if one.failed else "k")
    axes.set_xticks(scale.ticks, [f"$10^{{{power}}}$" if power else "limit" for power in scale.ticks])
    axes.set_xlim(scale.low - 0.5, scale.high + 0.5)
    axes.axvline(0, color="0.3", lw=1.2)
    axes.grid(axis="y", color="0.9", lw=0.6)
    axes.invert_yaxis()
    plain(axes, "worst value / limit", "")
    figure.legend(frameon=False, fontsize=8, loc="lower left", ncols=3)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    return figure


def faults(found: Found, narrow: bool) -> Figure:
    """Faults planted in copies of the two implementations, and the checks that find them (green).
    The number: the finding over its limit, in powers of ten. Grey: the check cannot find the fault
    by its nature; a symmetry of voltages does not depend on times, for example."""
    entries = found["faults"]
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
    return figure
