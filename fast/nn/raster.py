"""A raster of spikes, drawn with matplotlib, which is imported when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from delayprop.fast.nn.trials import Trials
from delayprop.spec import UnsupportedError
from delayprop.spec.checks import is_list, whole_number
from delayprop.spec.errors import Verbatim

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_raster(spikes: Trials, trial: int | Sequence[int], ax: Axes | None) -> Axes:
    """One mark per spike, and a row per trial and neuron; see `Spikes.plot`."""
    several = list(trial) if is_list(trial) or isinstance(trial, range) else [trial]  # type: ignore[arg-type]
    trials = [whole_number(one, "trial", 0, spikes.trials - 1, "count from 0") for one in several]
    drawn, height = spikes[trials], max(spikes.size, 1)
    try:
        from matplotlib import pyplot
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        remedy = "install it with `pip install matplotlib`"
        raise UnsupportedError("matplotlib", "installed", Verbatim(error), remedy) from None
    ax = pyplot.subplots(layout="constrained")[1] if ax is None else ax
    rows = torch.arange(len(trials) * spikes.size).repeat_interleave(drawn.offsets.diff().cpu())
    points = max(1.0, min(6.0, 300 / (height * len(trials))))  # a mark is at most about one row high
    ax.plot(drawn.times.detach().cpu(), rows, linestyle="none", marker="|", markersize=points, color="black")
    ax.set(xlim=(0, spikes.duration), ylim=(-0.5, height * len(trials) - 0.5), xlabel="time, ms", ylabel="neuron")
    if len(trials) == 1:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        return ax
    for n in range(1, len(trials)):
        ax.axhline(n * height - 0.5, color="0.8", linewidth=0.8)
    ax.set_yticks([(n + 0.5) * height - 0.5 for n in range(len(trials))], [str(trial) for trial in trials])
    ax.set_ylabel("trial, a row per neuron")
    return ax
