"""Networks that classify spike trains: hidden layers one after the other, and voltages that are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from fast.layers import LI, LIF
from fast.spikes import Spikes


@dataclass(frozen=True)
class Build:
    """How a reader is built: constants (ms), and what its parameters are drawn from.

    Weights are drawn from N(mean, sd), delays onto hidden layers from U(0, delay); delays onto the outputs start at 0.
    """

    tau_mem: float
    tau_syn: float
    max_delay: float
    delay: float
    hidden_weights: tuple[float, float]
    output_weights: tuple[float, float]


class Reader(nn.Module):
    """Channels in, hidden LIF layers of these sizes, an LI output a class; the largest voltage of each is read."""

    def __init__(
        self, channels: int, hidden: Sequence[int], classes: int, build: Build, dtype: torch.dtype, seed: int
    ) -> None:
        super().__init__()
        random, sizes = torch.Generator().manual_seed(seed), [channels, *hidden]
        constants = {"tau_mem": build.tau_mem, "tau_syn": build.tau_syn, "max_delay": build.max_delay, "dtype": dtype}
        hidden_layers = [
            LIF(pre, post, **constants).initialise_(*build.hidden_weights, build.delay, random)  # type: ignore[arg-type]
            for pre, post in pairwise(sizes)
        ]
        self.hidden = nn.ModuleList(hidden_layers)
        self.layers: list[LIF | LI] = [*hidden_layers]
        self.out = LI(sizes[-1], classes, readout="max_voltage", **constants)  # type: ignore[arg-type]
        self.layers.append(self.out.initialise_(*build.output_weights, 0.0, random))
        self.name = "-".join(str(size) for size in [*sizes, classes])

    def forward(self, spikes: Spikes) -> tuple[Tensor, list[Spikes]]:
        """The readout `[trials, classes]`, and the spikes of every hidden layer."""
        inner = []
        for layer in self.hidden:
            spikes = layer(spikes)
            inner.append(spikes)
        return self.out(spikes), inner
