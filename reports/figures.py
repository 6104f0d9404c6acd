"""Figures of what single checks found, each drawn from the record alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fast.drawing.markup import Picture
from fast.drawing.style import COLOURS, plain

U64, U32 = 2.0**-53, 2.0**-24
SMALLEST = 1e-19  # where a logarithmic axis shows a 0
Entries = Sequence[dict[str, Any]]


def taylor(entries: Entries) -> Picture:
    """Both remainders against the step, for each kind of parameter: the right gradient and one of flipped sign."""
    kinds = list(dict.fromkeys(entry["kind"] for entry in entries))
    columns = 4
    figure = Figure(figsize=(9.0, 2.4 * -(-len(kinds) // columns)))
    axes = figure.subplots(-(-len(kinds) // columns), columns, squeeze=False, sharex=True).ravel()
    for panel, kind in zip(axes, kinds, strict=False):
        for entry in (one for one in entries if one["kind"] == kind):
            colour = COLOURS[0] if entry["gradient"] == "right" else COLOURS[1]
            label = f"with the {entry['gradient']} gradient"
            panel.loglog(entry["steps"], entry["R1"], "o-", color=colour, ms=3, label=label)
            if entry["gradient"] == "right":
                panel.loglog(entry["steps"], entry["R0"], "s:", color="0.5", ms=3, label="without a gradient")
                _slopes(panel, entry)
        plain(panel, "step", "remainder", kind)
    axes[0].legend(frameon=False, fontsize=7)
    for panel in axes[len(kinds):]:
        panel.set_visible(False)
    figure.tight_layout()
    sentence = (
        "What is left of the loss after a step, less nothing, less the gradient times the step. With the right "
        "gradient it falls with the square of the step (slope 2), with a wrong one, or none, as the step itself "
        "(slope 1)."
    )
    return Picture("Taylor remainders", figure, sentence)


def _slopes(panel: Axes, entry: dict[str, Any]) -> None:
    """Lines of slope 1 and 2."""
    steps = np.array(entry["steps"])
    for values, slope in ((entry["R0"], 1), (entry["R1"], 2)):
        panel.loglog(steps, values[0] * (steps / steps[0]) ** slope, color="0.8", lw=3, zorder=0)


def identities(entries: Entries) -> Picture:
    """Histograms of the residuals of A, B, C: right gradients in both precisions, and faulty ones."""
    figure = Figure(figsize=(9.0, 2.8))
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    groups = (
        ("float64", COLOURS[0], lambda e: e["u"] == U64 and not e["fault"]),
        ("float32", COLOURS[2], lambda e: e["u"] == U32 and not e["fault"]),
        ("with a planted fault", COLOURS[1], lambda e: bool(e["fault"])),
    )
    bins = np.linspace(np.log10(SMALLEST), 1, 41)
    for panel, name in zip(panels, "ABC", strict=True):
        for label, colour, belongs in groups:
            found = [max(e["residual"], SMALLEST) for e in entries if e["identity"] == name and belongs(e)]
            if found:
                panel.hist(np.log10(found), bins=bins, color=colour, alpha=0.75, label=label)
        panel.set_xticks([-18, -12, -6, 0], [r"$10^{-18}$", r"$10^{-12}$", r"$10^{-6}$", "1"])
        plain(panel, "residual", "networks" if name == "A" else "", name)
    panels[0].legend(frameon=False, fontsize=7)
    figure.tight_layout()
    sentence = (
        "How far gradients are from obeying the three identities (A: unit of voltage, B: unit of time, C: origin of "
        "time): right ones to rounding, faulty ones many orders of magnitude above, unless a network gives that kind "
        "of gradient no weight. A residual of 0 stands at the left."
    )
    return Picture("Residuals of the identities", figure, sentence)


def errors(float64: Entries, float32: Entries, three_ways: Entries) -> Picture:
    """Errors of both precisions against the truth, and of `fast` against plain code in float32."""
    figure = Figure(figsize=(9.0, 2.9))
    by_precision, ranked = figure.subplots(1, 2)
    bins = np.linspace(-18, 0, 55)
    of_64 = [max(entry["error"], SMALLEST) for entry in float64]
    of_32 = [max(error, SMALLEST) for entry in float32 for error in entry["errors"]]
    for label, found, colour in (("float64, reference", of_64, COLOURS[0]), ("float32, fast", of_32, COLOURS[2])):
        by_precision.hist(np.log10(found), bins=bins, color=colour, alpha=0.75, label=label)
    by_precision.set_xticks([-15, -10, -5, 0], [r"$10^{-15}$", r"$10^{-10}$", r"$10^{-5}$", "1"])
    by_precision.legend(frameon=False, fontsize=7)
    plain(by_precision, "error of the worst block", "networks")
    for entry in three_ways:
        for name, colour in (("plain", "0.5"), ("fast", COLOURS[2])):
            own = np.maximum(np.sort(entry[name]), SMALLEST)
            ranked.semilogy(np.linspace(0, 100, len(own)), own, color=colour, label=name)
        ranked.semilogy(
            np.linspace(0, 100, len(entry["plain"])), 2 * np.sort(entry["plain"]) + 1e-6, "--", color="0.5", lw=0.8,
            label="limit",
        )
    ranked.legend(frameon=False, fontsize=7)
    plain(ranked, "networks below, %", "error, float32")
    figure.tight_layout()
    sentence = (
        "Left: relative error of the worst block of each network's gradient. Right: in float32 the kernels are held "
        "against plain code, the reference run in numbers of 24 bits; the median of their errors, and all but one in a "
        "hundred, must lie below the limit."
    )
    return Picture("Errors", figure, sentence)


def grazing(entries: Entries) -> Picture:
    """Errors against how far the peak is above the threshold, and what differences make of it."""
    figure = Figure(figsize=(8.6, 3.6))
    axes = figure.subplots()
    ordered = sorted(entries, key=lambda e: e["height"])
    for name, colour, mark in (("fast", COLOURS[2], "s"), ("reference", COLOURS[0], "o")):  # the last has the others
        own = [e for e in ordered if e["implementation"] == name]
        heights = [e["height"] for e in own]
        axes.loglog(heights, [max(e["error"], SMALLEST) for e in own], mark + "-", color=colour, ms=4, label=name)
    axes.loglog(heights, [100 * U64 / e["kappa"] for e in own], "--", color="0.5", lw=1, label=r"100 $u/\kappa$")
    axes.loglog(heights, [e["differences"] for e in own], "x-", color=COLOURS[1], ms=4, label="differences, step 1e-6")
    axes.legend(frameon=False, fontsize=8)
    plain(axes, "peak of the voltage above the threshold", "relative error of dL/dw")
    figure.tight_layout()
    sentence = (
        "A spike that hardly happens: the error of the gradient grows as the conditioning says, and no further. "
        "Central differences lose everything as soon as their step leads to where the spike does not happen."
    )
    return Picture("Grazing", figure, sentence)


def delay_path(entry: dict[str, Any]) -> Picture:
    """The delays of the sequence task on their way to the optimum, and the certificate beside the loss."""
    figure = Figure(figsize=(9.0, 3.2))
    path, certificate = figure.subplots(1, 2)
    lines = entry["lines"]
    steps = range(1, len(lines) + 1)
    for j, colour in ((0, COLOURS[0]), (1, COLOURS[1])):
        path.plot(steps, [line["d"][j][j] - line["d"][1 - j][j] for line in lines], color=colour, label=f"output {j}")
    path.axhline(entry["optimum"], color="0.5", ls="--", lw=1, label="closed form")
    path.legend(frameon=False, fontsize=8)
    plain(path, "step", "difference of delays, ms")
    certificate.semilogy(steps, [max(line["loss"], SMALLEST) for line in lines], color="0.4", label="loss")
    for name, colour in zip("ABC", COLOURS, strict=False):
        certificate.semilogy(steps, [max(line[name], SMALLEST) for line in lines], ".", ms=2, color=colour, label=name)
    certificate.legend(frameon=False, fontsize=7, ncols=4)
    plain(certificate, "step", "loss; residuals of the identities")
    figure.tight_layout()
    sentence = (
        "Left: the difference of the two delays onto each output while the sequence task is learned, and the optimum "
        "that a formula gives. Right: the loss of each step, and beneath it the live certificate in float32."
    )
    return Picture("Learning of delays, certified step by step", figure, sentence)


def memory(entry: dict[str, Any]) -> Picture:
    """What a step keeps against the number of spikes."""
    figure = Figure(figsize=(8.6, 2.8))
    axes = figure.subplots()
    axes.loglog(entry["spikes"], [number / 1e6 for number in entry["bytes"]], "o-", color=COLOURS[0], ms=4)
    plain(axes, "spikes in and out", "kept for the way back, MB")
    figure.tight_layout()
    sentence = "What a training step keeps grows in proportion to the spikes, and not with the length of a trial."
    return Picture("Memory", figure, sentence)
