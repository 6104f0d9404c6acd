"""The raster of a trial, drawn with matplotlib, which is imported when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fast.nn.spikes import Spikes
from spec import UnsupportedError
from spec.checks import whole_number
from spec.errors import Verbatim

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_raster(spikes: Spikes, trial: int, ax: Axes | None) -> Axes:
    """See `Spikes.plot`."""
    whole_number(trial, "trial", 0, spikes.trials - 1, "count from 0")
    try:
        from matplotlib import pyplot
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        remedy = "install it with `pip install matplotlib`"
        raise UnsupportedError("matplotlib", "installed", Verbatim(error), remedy) from None
    ax = pyplot.subplots(layout="constrained")[1] if ax is None else ax
    begin, end = spikes.offsets[trial * spikes.size].item(), spikes.offsets[(trial + 1) * spikes.size].item()
    neurons = torch.arange(spikes.size).repeat_interleave(spikes.counts()[trial].cpu())
    points = max(1.0, min(6.0, 300 / max(spikes.size, 1)))  # a mark is at most about one row high
    times = spikes.times[begin:end].detach().cpu()
    ax.plot(times, neurons, linestyle="none", marker="|", markersize=points, color="black")
    ax.set(xlim=(0, spikes.duration), ylim=(-0.5, max(spikes.size, 1) - 0.5), xlabel="time, ms", ylabel="neuron")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return ax
