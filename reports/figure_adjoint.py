"""A small network forwards and backwards, over one time axis."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from delayprop.fast.drawing.style import COLOURS, plain, subplots
from reports.record import Found

NAMES = {"hidden": 1, "out": 2}


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
    rows = {("in", i): i for i in range(inputs)} | {(name, 0): inputs - 1 + n for name, n in NAMES.items()}
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
    axes.set_yticks(list(rows.values()), [f"input {i}" for _, i in list(rows)[:inputs]] + list(NAMES))
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
