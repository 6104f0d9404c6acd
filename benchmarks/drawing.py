"""The picture of a sweep: time, time per arrival, and memory, on logarithmic axes."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from delayprop.fast.drawing.style import plain

COLOURS = {"forward": "#0b6fa4", "backward": "#d1495b", "memory": "#3a7d44"}


def draw(found: list[dict], axis: str, linear: bool, path: Path) -> str:
    """Draw the measurements of a sweep; the path as text.

    Args:
        found: at least one measurement, from small to large `x`.
        axis: name and unit of `x`.
        linear: whether to draw growth in proportion to `x`.

    Raises:
        OSError: the picture cannot be written.
    """
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    seconds, each, memory = figure.subplots(1, 3)
    x = [point["x"] for point in found]
    for name in ("forward", "backward"):
        style = {"color": COLOURS[name], "label": name, "ms": 4}
        seconds.plot(x, [point[f"seconds_{name}"] for point in found], "o-", **style)
        each.plot(x, [point["nanoseconds_per_arrival"][name] for point in found], "o-", **style)
    if linear:
        last = found[-1]["seconds_forward"]
        seconds.plot([x[0], x[-1]], [last * x[0] / x[-1], last], color="0.6", lw=1, ls="--", label="in proportion")
    peaks = [(point["x"], point["peak_added_mb"]) for point in found if point["peak_added_mb"]]
    if peaks:
        memory.plot(*zip(*peaks), "o-", color=COLOURS["memory"], label="peak of a step", ms=4)
    for axes, title in ((seconds, "time of a step, s"), (each, "time per arrival, ns"), (memory, "memory added, MB")):
        _finish(axes, axis, title, x)
    machine = f"{found[0]['device_name']}, {found[0]['cores']} cores, {found[0]['dtype']}"
    machine += "" if axis == "threads" else f", {found[0]['threads']} threads"
    figure.suptitle(machine, fontsize=9, x=0.01, ha="left", color="0.35")
    figure.savefig(path, dpi=150)
    return str(path)


def _finish(axes: Axes, x: str, title: str, values: list) -> None:
    """Logarithmic axes with readable ticks: at the points themselves if these are round numbers."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    if all(float(f"{value:.4g}") == value for value in values):
        axes.xaxis.set_major_locator(FixedLocator(values))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = axes.get_ylim()
    if high / low < 30:
        low, high = low / 1.5, high * 1.5
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    plain(axes, x, "", title)
    axes.grid(True, which="major", color="0.92")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8)
