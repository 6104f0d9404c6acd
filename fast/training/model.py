"""Networks that classify spike trains: hidden layers one after the other, and voltages that are read."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from fast.nn.layers import LI, LIF
from fast.nn.losses import cross_entropy
from fast.nn.spikes import Spikes
from fast.training.settings import Settings


class Reader(nn.Module):
    """Channels in, hidden LIF layers, an LI output a class; built and drawn as `Settings` says."""

    def __init__(self, channels: int, classes: int, settings: Settings, dtype: torch.dtype, seed: int) -> None:
        super().__init__()
        random, sizes = torch.Generator().manual_seed(seed), [channels, *settings.hidden]
        constants = {
            "tau_mem": settings.tau_mem, "tau_syn": settings.tau_syn, "max_delay": settings.max_delay, "dtype": dtype,
        }
        self.gain = settings.gain
        self.inner: list[LIF] = []
        for n, (pre, post) in enumerate(pairwise(sizes)):
            drawn = (settings.inner_mean, settings.inner_sd) if n else (settings.w_mean, settings.w_sd)
            layer = LIF(pre, post, **constants).initialise_(*drawn, settings.delay, random)  # type: ignore[arg-type]
            self.inner.append(layer)
        self.hidden = nn.ModuleList(self.inner)
        self.out = LI(sizes[-1], classes, readout=settings.readout, **constants)  # type: ignore[arg-type]
        self.out.initialise_(0.0, settings.out_sd, 0.0, random)
        self.layers: list[LIF | LI] = [*self.inner, self.out]
        self.name = "-".join(str(size) for size in [*sizes, classes])

    def forward(self, spikes: Spikes) -> tuple[Tensor, list[Spikes]]:
        """The readout, `[trials, classes]`, and the spikes of every hidden layer."""
        inner = []
        for layer in self.inner:
            spikes = layer(spikes)
            inner.append(spikes)
        return self.out(spikes), inner

    def loss(self, y: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of readouts, the mean over trials."""
        return cross_entropy(self.gain * y, labels)
