"""Parts of panels over step sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes


def fraction(dt: float) -> str:
    """A step as a fraction: 1/8, not 0.125."""
    return f"{dt:g}" if dt >= 1 else f"1/{1 / dt:g}"


def with_quartiles(axes: Axes, dts: Sequence[float], rows: list, colour: str, label: str) -> None:
    """A curve of medians, and a band from the lower to the upper quartile."""
    low, middle, high = np.array(rows).T
    axes.plot(dts, middle, "o-", ms=3, lw=1.3, color=colour, label=label)
    axes.fill_between(dts, low, high, color=colour, alpha=0.12, lw=0)


def steps(axes: Axes, dts: Sequence[float]) -> None:
    """A logarithmic axis of step sizes, with a line at the published 1 ms."""
    axes.set_xscale("log", base=2)
    axes.axvline(1.0, color="0.75", lw=1, zorder=0)
    axes.set_xticks(dts[::2], [fraction(dt) for dt in dts[::2]])
    axes.minorticks_off()


def published(axes: Axes, height: float) -> None:
    """Label the line at 1 ms, at this share of the panel's height."""
    axes.annotate("published codes", (1.0, height), (-3, 0), xycoords=axes.get_xaxis_transform(),
                  textcoords="offset points", rotation=90, ha="right", fontsize=7, color="0.5")


def triangle(axes: Axes) -> None:
    """The slope of an error in proportion to the step."""
    x, y = np.array([2**-6, 2**-3]), np.array([2.5e-4, 2e-3])
    axes.plot([*x, x[1], x[0]], [*y, y[0], y[0]], color="0.4", lw=1)
    axes.annotate("1", (x[1], float(np.sqrt(y[0] * y[1]))), (4, 0), textcoords="offset points", fontsize=8, color="0.4")


def dots(
    axes: Axes, where: Sequence[float], values: list, colour: str, label: str, face: str | None = None,
    mean: bool = True,
) -> None:
    """One dot per run beside each place, and their mean as a bar."""
    for n, (x, own) in enumerate(zip(where, values, strict=True)):
        spread = x + np.linspace(-0.1, 0.1, len(own))
        axes.plot(spread, own, "o", ms=4, color=colour, mfc=face or colour, alpha=0.8, label=label if n == 0 else "")
        if mean:
            axes.plot([x - 0.14, x + 0.14], [np.mean(own)] * 2, color=colour, lw=2)
