"""Figures of the findings of single checks, each drawn from the record alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from delayprop.fast.drawing.markup import Picture
from delayprop.fast.drawing.style import COLOURS, plain
from reports.pictures import NARROW, drawing

U64, U32 = 2.0**-53, 2.0**-24
SMALLEST = 1e-19  # the place of a 0 on a logarithmic axis
Entries = Sequence[dict[str, Any]]


def _positive(values: Iterable[float]) -> list[float]:
    """Values for a logarithmic axis."""
    return [max(value, SMALLEST) for value in values]


def taylor(entries: Entries) -> Picture:
    """Both remainders against the step, per kind of parameter: right and sign-flipped gradient."""

    def draw(narrow: bool) -> Figure:
        kinds = list(dict.fromkeys(entry["kind"] for entry in entries))
        columns = 2 if narrow else 4
        figure = Figure(figsize=(NARROW if narrow else 9.0, 2.4 * -(-len(kinds) // columns)))
        axes = figure.subplots(-(-len(kinds) // columns), columns, squeeze=False, sharex=True).ravel()
        for panel, kind in zip(axes, kinds, strict=False):
            for entry in (one for one in entries if one["kind"] == kind):
                right = entry["gradient"] == "right"
                label = f"with the {entry['gradient']} gradient"
                panel.loglog(entry["steps"], entry["R1"], "o-", color=COLOURS[not right], ms=3, label=label)
                if right:
                    panel.loglog(entry["steps"], entry["R0"], "s:", color="0.5", ms=3, label="without a gradient")
                    _slopes(panel, entry)
            plain(panel, "step", "remainder", kind)
        axes[0].legend(frameon=False, fontsize=8)
        for panel in axes[len(kinds):]:
            panel.set_visible(False)
        return figure

    return drawing("Taylor remainders", draw, (
        "The change of the loss after a step, without and with the gradient times the step subtracted. With the "
        "right gradient the remainder falls with the square of the step (slope 2), with a wrong one, or none, in "
        "proportion to the step (slope 1)."
    ))


def _slopes(panel: Axes, entry: dict[str, Any]) -> None:
    steps = np.array(entry["steps"])
    for values, slope in ((entry["R0"], 1), (entry["R1"], 2)):
        panel.loglog(steps, values[0] * (steps / steps[0]) ** slope, color="0.8", lw=3, zorder=0)


def identities(entries: Entries) -> Picture:
    """Histograms of the residuals of A, B, C: right gradients in both precisions, faulty ones."""

    def draw(narrow: bool) -> Figure:
        figure = Figure(figsize=(NARROW, 6.6) if narrow else (9.0, 2.8))
        panels = figure.subplots(*((3, 1) if narrow else (1, 3)), sharex=True, sharey=True)
        groups = (
            ("float64", COLOURS[0], lambda e: e["u"] == U64 and not e["fault"]),
            ("float32", COLOURS[2], lambda e: e["u"] == U32 and not e["fault"]),
            ("with a planted fault", COLOURS[1], lambda e: bool(e["fault"])),
        )
        for panel, name in zip(panels, "ABC", strict=True):
            for label, colour, belongs in groups:
                residuals = [e["residual"] for e in entries if e["identity"] == name and belongs(e)]
                _histogram(panel, residuals, np.linspace(np.log10(SMALLEST), 1, 41), label, colour)
            _decades(panel, (-18, -12, -6))
            plain(panel, "residual", "networks" if narrow or name == "A" else "", name)
        panels[0].legend(frameon=False, fontsize=8)
        return figure

    return drawing("Residuals of the identities", draw, (
        "Residuals of the three identities (A: unit of voltage, B: unit of time, C: origin of time). Those of right "
        "gradients are rounding errors. Those of faulty gradients are many orders of magnitude larger, unless a "
        "network gives that kind of gradient no weight. A residual of 0 stands at the left."
    ))


def _histogram(axes: Axes, values: Sequence[float], bins: np.ndarray, label: str, colour: str) -> None:
    """A histogram over powers of ten."""
    if values:
        axes.hist(np.log10(_positive(values)), bins=bins.tolist(), color=colour, alpha=0.75, label=label)


def _decades(axes: Axes, exponents: Sequence[int]) -> None:
    axes.set_xticks([*exponents, 0], [*(f"$10^{{{exponent}}}$" for exponent in exponents), "1"])


def errors(float64: Entries, float32: Entries, three_ways: Entries) -> Picture:
    """Errors of both precisions against the truth; errors of `fast` and plain code in float32."""

    def draw(narrow: bool) -> Figure:
        figure = Figure(figsize=(NARROW, 5.8) if narrow else (9.0, 2.9))
        by_precision, ranked = figure.subplots(*((2, 1) if narrow else (1, 2)))
        of_32 = [error for entry in float32 for error in entry["errors"]]
        bins = np.linspace(-18, 0, 55)
        _histogram(by_precision, [entry["error"] for entry in float64], bins, "float64, reference", COLOURS[0])
        _histogram(by_precision, of_32, bins, "float32, fast", COLOURS[2])
        _decades(by_precision, (-15, -10, -5))
        by_precision.legend(frameon=False, fontsize=8)
        plain(by_precision, "error of the worst block", "networks")
        for entry in three_ways:
            for name, colour in (("plain", "0.5"), ("fast", COLOURS[2])):
                own = _positive(np.sort(entry[name]))
                ranked.semilogy(np.linspace(0, 100, len(own)), own, color=colour, label=name)
            ranked.semilogy(
                np.linspace(0, 100, len(entry["plain"])), 2 * np.sort(entry["plain"]) + 1e-6, "--", color="0.5", lw=0.8,
                label="limit",
            )
        ranked.legend(frameon=False, fontsize=8)
        plain(ranked, "networks below, %", "error, float32")
        return figure

    return drawing("Errors", draw, (
        "First: relative error of the worst block of each network's gradient. Second: the kernels in float32, compared "
        "with plain code: the reference in numbers of 24 bits. The median of their errors, and all but one in a "
        "hundred, must lie below the limit."
    ))


def grazing(entries: Entries) -> Picture:
    """Errors against the height of the peak above the threshold, also of differences."""

    def draw(narrow: bool) -> Figure:
        figure = Figure(figsize=(NARROW, 3.8) if narrow else (8.6, 3.6))
        axes = figure.subplots()
        ordered = sorted(entries, key=lambda e: e["height"])
        for name, colour, mark in (("fast", COLOURS[2], "s"), ("reference", COLOURS[0], "o")):  # the last has all keys
            own = [e for e in ordered if e["implementation"] == name]
            heights = [e["height"] for e in own]
            axes.loglog(heights, _positive(e["error"] for e in own), mark + "-", color=colour, ms=4, label=name)
        axes.loglog(heights, [100 * U64 / e["kappa"] for e in own], "--", color="0.5", lw=1, label=r"100 $u/\kappa$")
        by_differences = [e["differences"] for e in own]
        axes.loglog(heights, by_differences, "x-", color=COLOURS[1], ms=4, label="differences, step 1e-6")
        axes.legend(frameon=False, fontsize=8)
        plain(axes, "peak of the voltage above the threshold", "relative error of dL/dw")
        return figure

    return drawing("Grazing", draw, (
        "A voltage that barely reaches its threshold: the error of the gradient grows as the conditioning predicts, "
        "and no further. Central differences lose all digits as soon as one of their steps removes the spike."
    ))


def delay_path(entry: dict[str, Any]) -> Picture:
    """The path of the delays of the sequence task to the optimum; the loss and the certificate."""

    def draw(narrow: bool) -> Figure:
        figure = Figure(figsize=(NARROW, 6.2) if narrow else (9.0, 3.2))
        path, certificate = figure.subplots(*((2, 1) if narrow else (1, 2)))
        lines = entry["lines"]
        steps = range(1, len(lines) + 1)
        for j, colour in ((0, COLOURS[0]), (1, COLOURS[1])):
            apart = [line["d"][j][j] - line["d"][1 - j][j] for line in lines]
            path.plot(steps, apart, color=colour, label=f"output {j}")
        path.axhline(entry["optimum"], color="0.5", ls="--", lw=1, label="closed form")
        path.legend(frameon=False, fontsize=8)
        plain(path, "step", "difference of delays, ms")
        certificate.semilogy(steps, _positive(line["loss"] for line in lines), color="0.4", label="loss")
        for name, colour in zip("ABC", COLOURS, strict=False):
            certificate.semilogy(steps, _positive(line[name] for line in lines), ".", ms=2, color=colour, label=name)
        certificate.legend(frameon=False, fontsize=8, ncols=4)
        plain(certificate, "step", "loss; residuals of the identities")
        return figure

    return drawing("Learning of delays, certified step by step", draw, (
        "First: the difference of the two delays onto each output during learning of the sequence task, and the "
        "optimum by a formula. Second: the loss of each step, and below it the certificate of that step in float32."
    ))


def memory(entry: dict[str, Any]) -> Picture:
    """The memory that a step keeps against the number of spikes."""

    def draw(narrow: bool) -> Figure:
        figure = Figure(figsize=(NARROW, 2.8) if narrow else (8.6, 2.8))
        axes = figure.subplots()
        axes.loglog(entry["spikes"], [number / 1e6 for number in entry["bytes"]], "o-", color=COLOURS[0], ms=4)
        plain(axes, "spikes in and out", "kept for the backward pass, MB")
        return figure

    return drawing("Memory", draw, (
        "The memory that a training step keeps is proportional to the spikes, and independent of the trial's length."
    ))
