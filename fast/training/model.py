"""Networks that classify spike trains: a chain of hidden LIF layers, and an LI output layer.

LIF: leaky integrate-and-fire neurons. LI: leaky integrators, which emit no spikes.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from fast.nn.layers import LI, LIF
from fast.nn.losses import cross_entropy
from fast.nn.spikes import Spikes
from fast.training.settings import Settings


class Classifier(nn.Module):
    """Input channels, hidden LIF layers, and one LI output per class.

    Args:
        settings: sizes of the hidden layers, constants, and distributions of the initial
            parameters.
        seed: of the initial parameters.

    Attributes:
        hidden_layers, out, layers: the hidden layers, the output layer, and all layers in order.
        gain: factor from a readout to its logit.
        name: the size of each layer, as in `700-256-20`.
    """

    def __init__(self, channels: int, classes: int, settings: Settings, dtype: torch.dtype, seed: int) -> None:
        super().__init__()
        random, sizes = torch.Generator().manual_seed(seed), [channels, *settings.hidden]
        constants = {
            "tau_mem": settings.tau_mem, "tau_syn": settings.tau_syn, "max_delay": settings.max_delay, "dtype": dtype,
        }
        self.gain = settings.gain
        self.hidden_layers: list[LIF] = []
        for n, (pre, post) in enumerate(pairwise(sizes)):
            drawn = (settings.inner_mean, settings.inner_sd) if n else (settings.w_mean, settings.w_sd)
            layer = LIF(pre, post, **constants).initialise_(*drawn, settings.delay, random)  # type: ignore[arg-type]
            self.hidden_layers.append(layer)
        self.hidden = nn.ModuleList(self.hidden_layers)
        self.out = LI(sizes[-1], classes, readout=settings.readout, **constants)  # type: ignore[arg-type]
        self.out.initialise_(0.0, settings.out_sd, 0.0, random)
        self.layers: list[LIF | LI] = [*self.hidden_layers, self.out]
        self.name = "-".join(str(size) for size in [*sizes, classes])

    def forward(self, spikes: Spikes) -> tuple[Tensor, list[Spikes]]:
        """The readout, `[trials, classes]`, and the spikes of every hidden layer."""
        hidden_spikes = []
        for layer in self.hidden_layers:
            spikes = layer(spikes)
            hidden_spikes.append(spikes)
        return self.out(spikes), hidden_spikes

    def loss(self, y: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the scaled readouts, mean over trials."""
        return cross_entropy(self.gain * y, labels)
