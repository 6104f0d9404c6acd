"""`python -m benchmarks.grid.figures FILE FOLDER`: the pictures of a record of `benchmarks.grid`.

They are drawn from the record alone; nothing is computed again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.command import guarded
from benchmarks.grid.axes import dots, fraction, published, steps, triangle, with_quartiles
from benchmarks.grid.networks import KINDS, LOSSES, WHERE
from delayprop.fast.drawing.style import COLOURS, plain
from delayprop.spec import SpecError
from delayprop.spec.command import OneLineParser, run_and_exit
from delayprop.spec.errors import Verbatim

PROG = "python -m benchmarks.grid.figures"
OF_LOSS = dict(zip(LOSSES, (COLOURS[0], "0.6", COLOURS[2], COLOURS[1], COLOURS[3]), strict=True))
OF_WAY = {None: "0.2", 1.0: COLOURS[1], 0.125: COLOURS[0]}
NAMED = {"w": "weights", "d": "delays"}


def errors(record: dict) -> Figure:
    """Median relative error against the step, by kind of network and parameter."""
    figure, panels = _by_kind_and_parameter(record, "error")
    for axes, which, kind in panels:
        axes.set_yscale("log")
        steps(axes, record["dts"])
        triangle(axes)
        plain(axes, "step dt, ms", "relative error", f"gradient by {NAMED[which]}, {kind}")
    panels[0][0].legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def cosines(record: dict) -> Figure:
    """Median cosine against the step, by kind of network and parameter."""
    figure, panels = _by_kind_and_parameter(record, "cosine")
    for axes, which, kind in panels:
        axes.set_ylim(-0.1, 1.03)
        steps(axes, record["dts"])
        plain(axes, "step dt, ms", "cosine with the exact gradient", f"by {NAMED[which]}, {kind}")
    panels[0][0].legend(frameon=False, fontsize=8, loc="lower left")
    return figure


def spikes_kept(record: dict) -> Figure:
    """Share of networks with all spike counts right; and the effect of delays on the grid."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    kept, placed = figure.subplots(1, 2)
    for kind, colour in zip(KINDS, COLOURS, strict=False):
        for group in _off(record, kind):
            if group["loss"] in ("mean_voltage", "spike_time_mse"):
                read = "spikes read" if group["loss"] == "spike_time_mse" else "voltages read"
                style = "--" if group["loss"] == "spike_time_mse" else "-"
                shares = [100 * share for share in group["kept"]]
                kept.plot(record["dts"], shares, "o", ls=style, ms=3, color=colour, label=f"{kind}, {read}")
    kept.set_ylim(-3, 103)
    steps(kept, record["dts"])
    plain(kept, "step dt, ms", "networks, %", "all spike counts right")
    kept.legend(frameon=False, fontsize=8, loc="lower left")
    published(kept, 0.75)
    words = ("inputs and delays anywhere", "delays on the grid of 1 ms", "delays and inputs on it")
    for where, label, colour in zip(WHERE, words, COLOURS, strict=False):
        for group in record["gradients"]["summary"]["groups"]:
            if (group["kind"], group["loss"], group["where"]) == ("recurrent", "spike_time_mse", where):
                middle = [quartiles[1] for quartiles in group["error_d"]]
                placed.plot(record["dts"], middle, "o-", ms=3, color=colour, label=label)
    placed.set_yscale("log")
    steps(placed, record["dts"])
    plain(placed, "step dt, ms", "median relative error", "by delays, recurrent, spike_time_mse")
    placed.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def grazing(record: dict) -> Figure:
    """Each network's error against the conditioning of its worst spike, at three steps."""
    summary, dts = record["gradients"]["summary"]["kappa"], record["dts"]
    shown = sorted({entry["dt"] for entry in summary}, reverse=True)
    figure = Figure(figsize=(9.5, 3.8), layout="constrained")
    every = [n for g in record["gradients"]["networks"] if g["where"] == "off" for n in g["networks"]]
    networks = [n for n in every if n["kappa_min"] is not None and not n["pinned"]]
    kappa = np.array([n["kappa_min"] for n in networks])
    for axes, dt in zip(figure.subplots(1, len(shown), sharey=True), shown, strict=True):
        values = np.array([n["error_w"][dts.index(dt)] for n in networks])
        axes.plot(kappa, values, ".", ms=2.5, color="0.7")
        (entry,) = [one for one in summary if (one["dt"], one["which"]) == (dt, "w")]
        edges = [max(kappa.min(), entry["edges"][0]), *entry["edges"][1:], kappa.max()]
        for low, high, middle in zip(edges, edges[1:], entry["medians"], strict=False):
            if middle is not None:
                axes.plot([max(low, kappa.min()), high], [middle, middle], color=COLOURS[1], lw=2)
        axes.set_xscale("log")
        axes.set_yscale("log")
        title = f"dt = {fraction(dt)} ms, rank correlation {entry['rank_correlation']:.2f}"
        plain(axes, "kappa of the worst spike", "", title)
    figure.axes[0].set_ylabel("relative error, by weights")
    figure.legend(handles=[Line2D([], [], color=COLOURS[1], lw=2, label="median between edges"),
                           Line2D([], [], color="0.7", marker=".", ls="", label="a network")],
                  frameon=False, fontsize=8, loc="outside lower right", ncols=2)
    return figure


def training(record: dict) -> Figure:
    """Both tasks: one point per seed, means as bars."""
    figure = Figure(figsize=(10.5, 4), layout="constrained")
    accuracy, boundary, points = figure.subplots(1, 3, width_ratios=(3, 3, 4))
    runs = record["interval"]["runs"]
    aparts = sorted({run["apart"] for run in runs}, reverse=True)
    for shift, n in ((-0.15, 0), (0.15, 1)):
        dt = runs[0]["ways"][n]["dt"]
        own = [[run["ways"][n] for run in runs if run["apart"] == apart] for apart in aparts]
        seen = [[100 * way["on_exact"] for way in ways] for ways in own]
        dots(accuracy, [x + shift for x in range(len(aparts))], seen, OF_WAY[dt], _way(dt))
        off = [[abs(way["boundary_off"]) for way in ways] for ways in own]
        dots(boundary, [x + shift for x in range(len(aparts))], off, OF_WAY[dt], _way(dt), mean=False)
    boundary.plot(range(len(aparts)), [apart / 2 for apart in aparts], color="0.6", ls="--", lw=1, label="needed")
    boundary.set_yscale("symlog", linthresh=1e-3)
    boundary.set_ylim(bottom=-2e-4)
    for axes in (accuracy, boundary):
        axes.set_xticks(range(len(aparts)), [f"{apart:g}" for apart in aparts])
    figure.legend(*boundary.get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower left", ncols=3)
    plain(accuracy, "distance of the two intervals, ms", "test accuracy, %", "intervals, in continuous time")
    plain(boundary, "distance of the two intervals, ms", "ms", "learned boundary, off the best one")
    ways = record["yin-yang"]["runs"][0]["ways"]
    for name, shift, face in (("on_exact", -0.16, None), ("on_grid", 0.16, "white")):
        for x, way in enumerate(ways):
            if way["dt"] is None and name == "on_grid":
                continue
            values = [100 * run["ways"][x][name] for run in record["yin-yang"]["runs"]]
            dots(points, [x + shift], [values], OF_WAY[way["dt"]], "", face=face)
    terms = ["\n+ term" if way["pinned"] else "" for way in ways[1:]]
    names = [f"{fraction(way['dt'])} ms{term}" for way, term in zip(ways[1:], terms, strict=True)]
    points.set_xticks(range(len(ways)), ["exact", *names], fontsize=8)
    plain(points, "gradient", "test accuracy, %", "Yin-Yang (open: on its own grid)")
    return figure


PICTURES: dict[str, Callable[[dict], Figure]] = {
    "errors": errors, "cosines": cosines, "spikes_kept": spikes_kept, "grazing": grazing, "training": training
}


def draw(record: dict, folder: Path, suffix: str = "png") -> list[str]:
    """Draw every picture into a folder; the paths of the files.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in PICTURES.items():
        paths.append(str(folder / f"{name}.{suffix}"))
        picture(record).savefig(paths[-1], dpi=150)
    return paths


def _off(record: dict, kind: str) -> list[dict]:
    return [g for g in record["gradients"]["summary"]["groups"] if (g["kind"], g["where"]) == (kind, "off")]


def _by_kind_and_parameter(record: dict, quantity: str) -> tuple[Figure, list[tuple[Axes, str, str]]]:
    """A figure with medians and quartiles of a quantity; each panel with parameter and kind."""
    figure = Figure(figsize=(9, 7), layout="constrained")
    count = record["gradients"]["summary"]["groups"][0]["count"]
    figure.suptitle(f"medians of {count} networks each, quartiles shaded", fontsize=9, x=0.01, ha="left", color="0.35")
    places = [(which, kind) for which in ("w", "d") for kind in KINDS]
    grid = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    for axes, (which, kind) in zip(grid, places, strict=True):
        for group in _off(record, kind):
            colour, rows = OF_LOSS[group["loss"]], group[f"{quantity}_{which}"]
            with_quartiles(axes, record["dts"], rows, colour, group["loss"])
    published(grid[0], 0.03)
    return figure, [(axes, which, kind) for axes, (which, kind) in zip(grid, places, strict=True)]


def _way(dt: float | None) -> str:
    return "exact gradient" if dt is None else f"gradient on a grid of {fraction(dt)} ms"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; the exit code (0, 2: no record, or nowhere to write)."""
    return guarded(PROG, lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = OneLineParser(PROG, "Draw a record of `python -m benchmarks.grid`.")
    parser.add_argument("record", metavar="FILE", help="the record")
    parser.add_argument("folder", metavar="FOLDER", help="folder for the pictures")
    parser.add_argument("--format", choices=("png", "svg"), default="png", help="of the pictures (default: png)")
    options = parser.parse_args(argv)
    try:
        record = json.loads(Path(options.record).read_text(encoding="utf-8"))
        print("\n".join(draw(record, Path(options.folder), options.format)))
    except OSError as error:
        got = Verbatim(f"{error.strerror or error}: {error.filename}")
        raise SpecError("FILE", "a record, and FOLDER a folder that can be written to", got, "name others") from None
    except (ValueError, KeyError, TypeError) as error:
        got = Verbatim(f"{type(error).__name__}: {error}")
        raise SpecError("FILE", "a record with all parts", got, "run `python -m benchmarks.grid`") from None
    return 0


if __name__ == "__main__":
    run_and_exit(main)
