"""A network as hardware with a clock would run it: delays, and spike times, on a grid.

Such hardware keeps a delay as a whole number of steps, and sees spikes at its ticks. `Gridded`
rounds both to the nearest tick, which may move an arrival forward; everything else stays exact. So
the difference in accuracy is what the grid costs. Spikes within a recurrent layer arrive with
rounded delays of at least one step, at exact times.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.training.evaluation import Evaluation
from delayprop.fast.training.intervals import mcnemar
from delayprop.fast.training.model import Classifier

WIDTH = 26  # of a column of the table, characters


@dataclass(frozen=True)
class OnGrid:
    """The evaluations of a network on a grid of `step` ms."""

    step: float
    delays: Evaluation
    delays_and_times: Evaluation


class Gridded(nn.Module):
    """A copy of a network with delays, and if wanted spike times, on a grid.

    Args:
        network: stays as it is.
        step: of the grid, ms.
        times: whether the spikes that arrive at a layer are rounded too.
    """

    def __init__(self, network: Classifier, step: float, times: bool) -> None:
        super().__init__()
        self.network, self.step, self.times, self.loss = copy.deepcopy(network), step, times, network.loss
        with torch.no_grad():
            for layer in self.network.layers:
                layer.d.copy_(self._rounded(layer.d))
                if layer.d_rec is not None:
                    layer.d_rec.copy_(self._rounded(layer.d_rec).clamp_(min=step))

    def forward(self, spikes: Spikes) -> tuple[Tensor, list[Spikes]]:
        """As `Classifier.forward`."""
        hidden_spikes: list[Spikes] = []
        for layer in self.network.hidden_layers:
            spikes = layer(self._seen(spikes))
            hidden_spikes.append(spikes)
        return self.network.out(self._seen(spikes)), hidden_spikes

    def _seen(self, spikes: Spikes) -> Spikes:
        return replace(spikes, times=self._rounded(spikes.times)) if self.times else spikes

    def _rounded(self, times: Tensor) -> Tensor:
        return (times.double() / self.step).round_().mul_(self.step).to(times.dtype)


def on_grids(steps: Sequence[float], network: Classifier, evaluated: Callable[[Gridded], Evaluation]) -> list[OnGrid]:
    """The network on each grid; `evaluated`: evaluates a network on a split."""
    return [OnGrid(step, *(evaluated(Gridded(network, step, times)) for times in (False, True))) for step in steps]


def lines(exact: Evaluation, grids: Sequence[OnGrid]) -> list[str]:
    """A table of accuracies, and of their differences to the exact network: in points, and the `p`
    of McNemar's exact test."""
    head = f"{'grid, ms':>10}  {'delays rounded':>{WIDTH}}  {'spike times as well':>{WIDTH}}"
    rows = [
        f"{grid.step:>10g}  {_against(exact, grid.delays):>{WIDTH}}  {_against(exact, grid.delays_and_times):>{WIDTH}}"
        for grid in grids
    ]
    return [head, f"{'exact':>10}  {f'{exact.accuracy:.1%}':>11}", *rows]


def _against(exact: Evaluation, other: Evaluation) -> str:
    before, after = ({trial for trial, _ in found.wrong} for found in (exact, other))
    p = mcnemar(len(after - before), len(before - after))
    return f"{other.accuracy:.1%} ({100 * (other.accuracy - exact.accuracy):+.1f}, p {p:.2g})"
