"""Pictures of the synapses of a layer, for loops of one's own: `delayprop.draw.delays(layer)`.

matplotlib is imported when one is drawn: importing it takes long.
"""

from collections.abc import Sequence
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
    _check(layer)
    return _drawn(layer, layer.all_w, "weight", ax)


def delays(layer: SynapticLayer, ax: "Axes | None" = None) -> "Axes":
    """Draw how many synapses of a layer have each delay, ms; as `weights`. A delay that synapses
    share counts once for each."""
    _check(layer)
    return _drawn(layer, layer.delays_of_synapses, "delay, ms", ax)


def _check(layer: object) -> None:
    of_type(layer, "layer", SynapticLayer, "a layer", "give one layer, such as `net[0]` of a `Sequential`")


def _drawn(layer: SynapticLayer, matrices: Sequence[Tensor], x: str, ax: "Axes | None") -> "Axes":
    """A histogram of each matrix, of existing synapses alone."""
    from delayprop.fast.drawing.style import COLOURS, legend_above, plain
    from delayprop.fast.drawing.synapses import BINS, bars

    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots(layout="constrained")[1]
    given = []
    for values, mask in zip(matrices, layer.masks, strict=True):
        numbers = values.detach().cpu().double().numpy()
        refuse(~np.isfinite(numbers), numbers, x.partition(",")[0], "finite", "look for the step that made it")
        given.append(numbers.ravel() if mask is None else numbers[mask.cpu().numpy()])
    edges = np.histogram_bin_edges(np.concatenate(given), BINS).tolist()
    for own, name, colour in zip(given, ("from sources", "from its own neurons"), COLOURS[1::-1], strict=False):
        bars(ax, own, edges, colour, name)
    plain(ax, x, "synapses")
    if layer.recurrent:
        legend_above(ax, 2)
    return ax
