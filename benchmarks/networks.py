"""The networks that are measured: torch modules made of public parts of `fast`.

A network is a list of stages. A stage is a layer of `fast`, or a recurrent population (a
`delayprop.Network` of one population). `links` and `constants` read its connections and constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from delayprop.fast import LI, LIF, Network, Spikes
from delayprop.fast.nn.autograd import Record
from delayprop.spec import Connection, Population
from delayprop.spec import Network as NetworkSpec

TAU_MEM, TAU_SYN = 20.0, 5.0  # ms, of every neuron


@dataclass(frozen=True, eq=False)
class Link:
    """One connection: `w` and `d` `[pre, post]`; `own`: whether it leads back to its source."""

    w: Tensor
    d: Tensor
    own: bool


class Recurrent(nn.Module):
    """Recurrently connected LIF neurons, as a `delayprop.Network`: spikes in, spikes out.

    Args:
        pre, post: numbers of source neurons and of neurons.
        w_mean, w_std: weights from the sources are drawn from N(w_mean, w_std).
        w_own: weights within the population are drawn from N(0, w_own).
        d_max: all delays are drawn from U(0, d_max), ms.
    """

    def __init__(
        self, pre: int, post: int, w_mean: float, w_std: float, w_own: float, d_max: float, random: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()

        def matrix(rows: int, mean: float, sd: float) -> tuple[np.ndarray, np.ndarray]:
            w = torch.empty(rows, post, dtype=dtype).normal_(mean, sd, generator=random)
            d = torch.empty(rows, post, dtype=dtype).uniform_(0.0, d_max, generator=random)
            return w.double().numpy(), d.double().numpy()

        populations = (Population("in", "input", pre), Population("own", "lif", post, TAU_MEM, TAU_SYN, 1.0, 0.0))
        before = Connection("in", "own", *matrix(pre, w_mean, w_std))
        own = Connection("own", "own", *matrix(post, 0.0, w_own))
        self.network = Network(NetworkSpec(populations, (before, own)), dtype)
        self.record: Record | None = None

    def forward(self, spikes: Spikes) -> Spikes:
        """The spikes of the population."""
        activity = self.network({"in": spikes})
        self.record = activity.records["own"]
        return activity.spikes["own"]


Stage = LIF | LI | Recurrent


def links(stage: Stage) -> list[Link]:
    """The connections of a stage: from the stage before it, then from itself if recurrent."""
    if isinstance(stage, Recurrent):
        return [Link(s.w, s.d, own) for s, own in zip(stage.network.synapses, (False, True), strict=True)]
    return [Link(stage.w, stage.d, False)]


def constants(stage: Stage) -> dict[str, Tensor | None]:
    """`tau_mem`, `tau_syn`, `v_th`, `v_reset` of a stage's neurons, `[post]`; None without one."""
    holder = stage.network.constants[1] if isinstance(stage, Recurrent) else stage
    return {name: getattr(holder, name) for name in ("tau_mem", "tau_syn", "v_th", "v_reset")}


class Model(nn.Module):
    """Stages one after the other.

    Attributes:
        stages: in order; the last is LI (largest voltage read) or LIF (first spikes read).
    """

    def __init__(self, stages: list[Stage]) -> None:
        super().__init__()
        self.stages: Any = nn.ModuleList(stages)  # for a type checker a list of bare modules

    def links(self) -> list[Link]:
        """The connections of all stages, in order."""
        return [link for stage in self.stages for link in links(stage)]

    def forward(self, spikes: Spikes) -> tuple[list[Spikes], Tensor | None]:
        """The spikes of each stage that spikes; and the readout `[trials, post]` of an LI stage."""
        trains: list[Spikes] = []
        for stage in self.stages:
            passed = stage(trains[-1] if trains else spikes)
            if isinstance(passed, Tensor):
                return trains, passed
            trains.append(passed)
        return trains, None
