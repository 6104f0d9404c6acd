"""Pictures of the synapses of a layer, for loops of one's own: `delayprop.draw.delays(layer)`.

matplotlib is imported when one is drawn: importing it takes long.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.spec.checks import of_type, refuse

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["delays", "weights"]


def weights(layer: SynapticLayer, ax: "Axes | None" = None) -> "Axes":
    """Draw how many synapses of a layer have each weight, those of its own neurons apart.

    Args:
        layer: a `LIF`, `LI` or `Spiking` layer.
        ax: the axes to draw on, which are returned; None: new ones, of `pyplot`.

    Raises:
        SpecError: `layer` is none, or has numbers that are not finite.
    """
    return _drawn(layer, lambda layer: layer.all_w, "weight", ax)


def delays(layer: SynapticLayer, ax: "Axes | None" = None) -> "Axes":
    """Draw how many synapses of a layer have each delay, ms; as `weights`. A delay that synapses
    share counts once for each."""
    return _drawn(layer, lambda layer: layer.delays_of_synapses, "delay, ms", ax)


def _drawn(
    layer: SynapticLayer, matrices_of: Callable[[SynapticLayer], Sequence[Tensor]], x: str, ax: "Axes | None"
) -> "Axes":
    """A histogram of each matrix, of existing synapses alone."""
    of_type(layer, "layer", SynapticLayer, "a layer", "give one layer, such as `net[0]` of a `Sequential`")
    from delayprop.fast.drawing.style import COLOURS, legend_above, plain
    from delayprop.fast.drawing.synapses import BINS, bars

    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots(layout="constrained")[1]
    given = []
    for values, mask in zip(matrices_of(layer), layer.masks, strict=True):
        numbers = values.detach().cpu().double().numpy()
        exists = np.ones(numbers.shape, bool) if mask is None else mask.cpu().numpy()
        wrong = exists & ~np.isfinite(numbers)
        refuse(wrong, numbers, x.partition(",")[0], "finite", "look for the step that made it")
        given.append(numbers[exists])
    edges = np.histogram_bin_edges(np.concatenate(given), BINS).tolist()
    for own, name, colour in zip(given, ("from sources", "from its own neurons"), COLOURS[1::-1], strict=False):
        bars(ax, own, edges, colour, name)
    plain(ax, x, "synapses")
    if layer.recurrent:
        legend_above(ax, 2)
    return ax
