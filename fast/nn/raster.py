"""A raster of spikes, drawn with matplotlib, which is imported when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from spec import UnsupportedError
from spec.errors import Verbatim

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_raster(times: Tensor, neurons: Tensor, size: int, duration: float, ax: Axes | None) -> Axes:
    """One mark per spike of `size` neurons in a trial of `duration` ms; see `Spikes.plot`."""
    try:
        from matplotlib import pyplot
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        remedy = "install it with `pip install matplotlib`"
        raise UnsupportedError("matplotlib", "installed", Verbatim(error), remedy) from None
    ax = pyplot.subplots(layout="constrained")[1] if ax is None else ax
    points = max(1.0, min(6.0, 300 / max(size, 1)))  # a mark is at most about one row high
    ax.plot(times, neurons, linestyle="none", marker="|", markersize=points, color="black")
    ax.set(xlim=(0, duration), ylim=(-0.5, max(size, 1) - 0.5), xlabel="time, ms", ylabel="neuron")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return ax
