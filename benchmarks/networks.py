"""The networks that are measured: layers of `fast` one after the other, and their connections."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from delayprop.fast import LI, LIF, Spikes

Stage = LIF | LI


@dataclass(frozen=True, eq=False)
class Link:
    """One connection: `w` and `d` `[pre, post]`; `own`: whether it leads back to its source."""

    w: Tensor
    d: Tensor
    own: bool


def links(stage: Stage) -> list[Link]:
    """The connections of a stage: from the stage before it, then from itself if recurrent."""
    return [Link(w, d, n > 0) for n, (w, d) in enumerate(zip(stage.weights, stage.delays, strict=True))]


class Model(nn.Module):
    """Two stages, one after the other.

    Attributes:
        stages: hidden neurons; then LI (largest voltage read) or LIF (first spikes read).
    """

    def __init__(self, hidden: Stage, last: Stage) -> None:
        super().__init__()
        self.stages: Any = nn.ModuleList([hidden, last])  # for a type checker a list of bare modules

    def links(self) -> list[Link]:
        """The connections of all stages, in order."""
        return [link for stage in self.stages for link in links(stage)]

    def forward(self, spikes: Spikes) -> tuple[list[Spikes], Tensor | None]:
        """The spikes of each stage that spikes; and the readout `[trials, post]` of an LI stage."""
        hidden, last = self.stages
        emitted = hidden(spikes)
        found = last(emitted)
        return ([emitted], found) if isinstance(found, Tensor) else ([emitted, found], None)
