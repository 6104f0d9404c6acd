"""Figures of the findings of single checks, each drawn from the record alone.

The docstring of a figure is its caption.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from delayprop.fast.drawing.style import COLOURS, plain, subplots
from reports.record import Found

U64, U32 = 2.0**-53, 2.0**-24
SMALLEST = 1e-19  # the place of a 0 on a logarithmic axis
NEURONS = ("hidden", "out")  # of the small network


def adjoint(found: Found) -> Figure:
    """Forwards in time: a spike leaves its neuron, arrives after its delay, and adds its weight to
    the current. Where the voltage reaches the threshold it is reset. Backwards in time: the adjoint
    variables decay, and jump at each spike of their own neuron (dotted). Their values at each
    arrival (dashed) give the gradients of weight and delay."""
    entry = found["adjoint"][0]
    figure, axes = subplots(8.6, 8.4, 5, 1, sharex=True, height_ratios=(1.1, 1.5, 1.0, 1.5, 1.2))
    raster, voltage, current, by_voltage, by_current = axes
    _raster(raster, entry)
    for neuron, colour in zip(entry["neurons"], COLOURS, strict=False):
        t, V, I = zip(*neuron["forwards"], strict=True)
        voltage.plot(t, V, color=colour, label=neuron["population"])
        current.plot(t, I, color=colour)
        t, lambda_V, lambda_I = zip(*neuron["backwards"], strict=True)
        by_voltage.plot(t, lambda_V, color=colour)
        by_current.plot(t, lambda_I, color=colour)
        for event in neuron["events"]:
            if event["kind"] == "crossing":
                by_voltage.axvline(event["t"], color=colour, lw=0.6, ls=":")
            else:
                by_current.axvline(event["t"], color=colour, lw=0.6, ls="--")
    voltage.axhline(entry["neurons"][0]["v_th"], color="0.5", lw=0.8)
    _formulas(by_voltage, by_current, entry)
    for axes, label in ((raster, ""), (voltage, "$V$"), (current, "$I$"), (by_voltage, r"$\lambda_V$")):
        plain(axes, "", label)
    plain(by_current, "time, ms", r"$\lambda_I$")
    voltage.legend(frameon=False, fontsize=8, loc="upper left")
    raster.set_xlim(0, entry["duration"])
    return figure


def _raster(axes: Axes, entry: dict[str, Any]) -> None:
    """Spikes as strokes, targets as circles, and an arrow from each spike to its arrival."""
    inputs = len(entry["inputs"])
    rows = {("in", i): i for i in range(inputs)} | {(name, 0): n for n, name in enumerate(NEURONS, start=inputs)}
    for i, train in enumerate(entry["inputs"]):
        axes.plot(train, [rows["in", i]] * len(train), "|", color="0.2", ms=12, mew=1.5)
    for neuron, colour in zip(entry["neurons"], COLOURS, strict=False):
        row = rows[neuron["population"], 0]
        axes.plot(neuron["spikes"], [row] * len(neuron["spikes"]), "|", color=colour, ms=12, mew=1.5)
        for event in neuron["events"]:
            if event["kind"] == "arrival":
                start = rows[event["source"], event["index"]]
                axes.annotate(
                    "", (event["t"], row - 0.12), (event["t_pre"], start + 0.12),
                    arrowprops={"arrowstyle": "->", "color": colour, "lw": 0.9},
                )
    for target in entry["targets"]:
        axes.plot(target, rows["out", 0], "o", mfc="none", mec="0.4", ms=7)
    axes.set_yticks(list(rows.values()), [f"input {i}" for _, i in list(rows)[:inputs]] + list(NEURONS))
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _formulas(by_voltage: Axes, by_current: Axes, entry: dict[str, Any]) -> None:
    """The jump at one spike and the gradients at one arrival, as formulas with their values."""
    out = entry["neurons"][-1]
    spike = next(event for event in out["events"] if event["kind"] == "crossing")
    arrival = next(event for event in out["events"] if event["kind"] == "arrival")
    jump = (
        r"$\lambda_V^- = \frac{\dot V^+}{\dot V^-}\,\lambda_V^+ + \frac{\partial L/\partial t}{\tau_m \dot V^-}$"
        f"\n{spike['lambda_V_plus']:.3g} to {spike['lambda_V_minus']:.3g}"
    )
    gradients = (
        r"$\partial L/\partial w \ {+}{=}\ -\tau_s \lambda_I$, $\partial L/\partial d \ {+}{=}\ w (\lambda_V - "
        r"\lambda_I)$" + f"\n{arrival['dL_dw']:.3g}, {arrival['dL_dd']:.3g} per ms"
    )
    lambda_I = min(out["backwards"], key=lambda point: abs(point[0] - arrival["t"]))[2]
    for axes, formula, point in (
        (by_voltage, jump, (spike["t"], spike["lambda_V_minus"])), (by_current, gradients, (arrival["t"], lambda_I)),
    ):
        axes.annotate(
            formula, point, (0.03, 0.6), textcoords="axes fraction", fontsize=9,
            arrowprops={"arrowstyle": "->", "color": "0.4"}, bbox={"fc": "w", "ec": "none", "alpha": 0.85, "pad": 1},
        )


def taylor(found: Found) -> Figure:
    """The change of the loss after a step, without and with the gradient times the step subtracted.
    With the right gradient the remainder falls with the square of the step (slope 2), with a wrong
    one, or none, in proportion to the step (slope 1)."""
    kinds = list(dict.fromkeys(entry["kind"] for entry in found["taylor"]))
    rows = -(-len(kinds) // 4)
    figure, axes = subplots(9.0, 2.4 * rows, rows, 4, squeeze=False, sharex=True)
    for panel, kind in zip(axes.flat, kinds, strict=False):
        for entry in (one for one in found["taylor"] if one["kind"] == kind):
            right = entry["gradient"] == "right"
            label = f"with the {entry['gradient']} gradient"
            panel.loglog(entry["steps"], entry["R1"], "o-", color=COLOURS[not right], ms=3, label=label)
            if right:
                panel.loglog(entry["steps"], entry["R0"], "s:", color="0.5", ms=3, label="without a gradient")
                steps = np.array(entry["steps"])
                for values, slope in ((entry["R0"], 1), (entry["R1"], 2)):
                    panel.loglog(steps, values[0] * (steps / steps[0]) ** slope, color="0.8", lw=3, zorder=0)
        plain(panel, "step", "remainder", kind)
    _legend(axes[0, 0])
    for panel in axes.flat[len(kinds):]:
        panel.set_visible(False)
    return figure


def identities(found: Found) -> Figure:
    """Residuals of the three identities (A: unit of voltage, B: unit of time, C: origin of time).
    Those of right gradients are rounding errors. Those of faulty gradients are many orders of
    magnitude larger, unless a network gives that kind of gradient no weight. A residual of 0 stands
    at the left."""
    figure, panels = subplots(9.0, 2.8, 1, 3, sharex=True, sharey=True)
    groups = (
        ("float64", COLOURS[0], lambda e: e["u"] == U64 and not e["fault"]),
        ("float32", COLOURS[2], lambda e: e["u"] == U32 and not e["fault"]),
        ("with a planted fault", COLOURS[1], lambda e: bool(e["fault"])),
    )
    for panel, name in zip(panels, "ABC", strict=True):
        for label, colour, belongs in groups:
            residuals = [e["residual"] for e in found["identities"] if e["identity"] == name and belongs(e)]
            _histogram(panel, residuals, np.linspace(np.log10(SMALLEST), 1, 41), label, colour)
        _decades(panel, (-18, -12, -6))
        plain(panel, "residual", "networks" if name == "A" else "", name)
    _legend(panels[0])
    return figure


def errors(found: Found) -> Figure:
    """First: relative error of the worst block of each network's gradient. Second: the kernels in
    float32, compared with plain code: the reference in numbers of 24 bits. The median of their
    errors, and all but one in a hundred, must lie below the limit."""
    figure, (by_precision, ranked) = subplots(9.0, 2.9, 1, 2)
    bins = np.linspace(-18, 0, 55)
    of_64 = [entry["error"] for entry in found.get("float64", [])]
    _histogram(by_precision, of_64, bins, "float64, reference", COLOURS[0])
    of_32 = [error for entry in found["float32"] for error in entry["errors"]]
    _histogram(by_precision, of_32, bins, "float32, fast", COLOURS[2])
    _decades(by_precision, (-15, -10, -5))
    _legend(by_precision)
    plain(by_precision, "error of the worst block", "networks")
    for entry in found.get("three ways", []):
        below = np.linspace(0, 100, len(entry["plain"]))
        for name, colour in (("plain", "0.5"), ("fast", COLOURS[2])):
            ranked.semilogy(below, _positive(np.sort(entry[name])), color=colour, label=name)
        ranked.semilogy(below, 2 * np.sort(entry["plain"]) + 1e-6, "--", color="0.5", lw=0.8, label="limit")
    _legend(ranked)
    plain(ranked, "networks below, %", "error, float32")
    return figure


def grazing(found: Found) -> Figure:
    """A voltage that barely reaches its threshold: the error of the gradient grows as the
    conditioning predicts, and no further. Central differences lose all digits as soon as one of
    their steps removes the spike."""
    figure, axes = subplots(8.6, 3.6)
    ordered = sorted(found["grazing"], key=lambda e: e["height"])
    for name, colour, mark in (("fast", COLOURS[2], "s"), ("reference", COLOURS[0], "o")):  # the last has all keys
        own = [e for e in ordered if e["implementation"] == name]
        heights = [e["height"] for e in own]
        axes.loglog(heights, _positive(e["error"] for e in own), mark + "-", color=colour, ms=4, label=name)
    axes.loglog(heights, [100 * U64 / e["kappa"] for e in own], "--", color="0.5", lw=1, label=r"100 $u/\kappa$")
    axes.loglog(heights, [e["differences"] for e in own], "x-", color=COLOURS[1], ms=4, label="differences, step 1e-6")
    _legend(axes)
    plain(axes, "peak of the voltage above the threshold", "relative error of dL/dw")
    return figure


def faults(found: Found) -> Figure:
    """Faults planted in copies of the two implementations, and the checks that find them (green).
    The number: the finding over its limit, in powers of ten. Grey: the check cannot find the fault
    by its nature; a symmetry of voltages does not depend on times, for example. A dash: the check
    does not exist for this implementation."""
    entries = found["faults"]
    names = _columns(entry["found"] for entry in entries)
    rows = [entry for package in ("reference", "fast") for entry in entries if entry["package"] == package]
    figure, axes = subplots(8.6, 1.2 + 0.24 * len(rows))
    for y, entry in enumerate(rows):
        for x, name in enumerate(names):
            if name not in entry["found"]:
                axes.text(x, y, "\N{EN DASH}", ha="center", va="center", fontsize=8, color="0.4")
                continue
            value = entry["found"][name]
            axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, color=COLOURS[2] if value > 1 else "0.9"))
            digits = "" if value <= 1 else "all" if math.isinf(value) else f"{math.log10(value):.0f}"
            axes.text(x, y, digits, ha="center", va="center", fontsize=8, color="w")
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="left", fontsize=8)
    axes.set_yticks(range(len(rows)), [f"{entry['package']}: {entry['fault']}" for entry in rows], fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def _columns(lists: Iterable[Iterable[str]]) -> list[str]:
    """The names of all lists, once each: one that is new comes after its neighbour on the left."""
    names: list[str] = []
    for each in lists:
        place = 0
        for name in each:
            if name not in names:
                names.insert(place, name)
            place = names.index(name) + 1
    return names


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=8)


def _positive(values: Iterable[float]) -> list[float]:
    """Values for a logarithmic axis."""
    return [max(value, SMALLEST) for value in values]


def _histogram(axes: Axes, values: Sequence[float], bins: np.ndarray, label: str, colour: str) -> None:
    """A histogram over powers of ten."""
    if values:
        axes.hist(np.log10(_positive(values)), bins=bins.tolist(), color=colour, alpha=0.75, label=label)


def _decades(axes: Axes, exponents: Sequence[int]) -> None:
    axes.set_xticks([*exponents, 0], [*(f"$10^{{{exponent}}}$" for exponent in exponents), "1"])
