"""A network as hardware with a clock would run it: delays, and spike times, on a grid.

Such hardware keeps a delay as a whole number of steps, and sees spikes at its ticks. `Gridded`
rounds both to the nearest tick, which may move an arrival forward; everything else stays exact. So
the difference in accuracy is what the grid costs. Spikes within a recurrent layer arrive with
rounded delays of at least one step, at exact times.

A chip also has room for a number of steps alone (62 on Loihi 2): `most_steps` cuts longer delays.
"""

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.synaptic_layer import used
from delayprop.fast.training.evaluation import Evaluation
from delayprop.fast.training.intervals import mcnemar
from delayprop.fast.training.model import Classifier

WIDTH = 26  # of a column of the table, characters
HEADS = {"delays": "delays rounded", "delays_and_times": "spike times as well", "cut_delays": "delays up to {} steps"}
"""What is on the grid, and its column; `cut_delays`: all, with delays of `most_steps` at most."""


@dataclass(frozen=True)
class OnGrid:
    """A network on a grid."""

    step: float  # ms
    found: dict[str, Evaluation]  # by what is on the grid
    share: float = 0.0  # of the delays of existing synapses, cut


class Gridded(nn.Module):
    """A copy of a network with delays, and with `times` also arriving spikes, on a grid of `step`
    ms; `most_steps`: the longest delay that is kept, None: any."""

    def __init__(self, network: Classifier, step: float, times: bool, most_steps: int | None = None) -> None:
        super().__init__()
        self.network, self.step, self.times, self.loss = copy.deepcopy(network), step, times, network.loss
        self.most = math.inf if most_steps is None else most_steps * step  # ms
        self.delays = self.cut = 0
        with torch.no_grad():
            for layer in self.network.layers:
                layer.max_delay = None  # a rounded delay may lie above
                layer.d.copy_(self._held(layer.d, layer.mask))
                if layer.d_rec is not None:
                    layer.d_rec.copy_(self._held(layer.d_rec, layer.mask_rec).clamp_(min=step))

    def forward(self, spikes: Spikes) -> tuple[Tensor, list[Spikes]]:
        """As `Classifier.forward`."""
        found: tuple[Tensor, list[Spikes]] = self.network(spikes, seen=self._seen)
        return found

    def _seen(self, spikes: Spikes) -> Spikes:
        return replace(spikes, times=self._rounded(spikes.times)) if self.times else spikes

    def _held(self, delays: Tensor, mask: Tensor | None) -> Tensor:
        """Delays as the chip holds them; counts those of existing synapses, all and cut."""
        rounded = self._rounded(delays)
        long = rounded > self.most + self.step / 2  # a number of steps is rounded in float32
        self.delays += int(used(delays, mask).sum())
        self.cut += int((long & used(delays, mask)).sum())
        return rounded.clamp_(max=self.most)

    def _rounded(self, times: Tensor) -> Tensor:
        return (times.double() / self.step).round_().mul_(self.step).to(times.dtype)


def on_grids(
    steps: Sequence[float], network: Classifier, evaluated: Callable[[Gridded], Evaluation],
    most_steps: int | None = None,
) -> list[OnGrid]:
    """The network on each grid; `evaluated`: evaluates a network on a split."""
    found = []
    for step in steps:
        rounded = zip(HEADS, (evaluated(Gridded(network, step, times)) for times in (False, True)), strict=False)
        grid = OnGrid(step, dict(rounded))
        if most_steps is not None:
            short = Gridded(network, step, True, most_steps)
            cut = evaluated(short) if short.cut else grid.found["delays_and_times"]  # an equal network
            grid = OnGrid(step, {**grid.found, "cut_delays": cut}, short.cut / short.delays)
        found.append(grid)
    return found


def columns(grid: OnGrid, most_steps: int | None) -> dict[str, Evaluation]:
    """The evaluations on a grid by the heads of their columns."""
    return {HEADS[name].format(most_steps): evaluation for name, evaluation in grid.found.items()}


def lines(exact: Evaluation, grids: Sequence[OnGrid], most_steps: int | None = None) -> list[str]:
    """A table of accuracies, and of their differences to the exact network: in points, and the `p`
    of McNemar's exact test. A line for each grid on which delays are cut says how many."""

    def row(first: str, cells: Iterable[str]) -> str:
        return f"{first:>10}" + "".join(f"  {cell:>{WIDTH}}" for cell in cells)

    rows = [row(f"{grid.step:g}", (_against(exact, found) for found in grid.found.values())) for grid in grids]
    cut = [
        f"{grid.share:.1%} of the delays exceed {most_steps} steps of {grid.step:g} ms and are cut"
        for grid in grids if grid.share
    ]
    heads = row("grid, ms", columns(grids[0], most_steps))
    return [heads, f"{'exact':>10}  {f'{exact.accuracy:.1%}':>11}", *rows, *cut]


def _against(exact: Evaluation, other: Evaluation) -> str:
    before, after = ({trial for trial, _ in found.wrong} for found in (exact, other))
    p = mcnemar(len(after - before), len(before - after))
    return f"{other.accuracy:.1%} ({100 * (other.accuracy - exact.accuracy):+.1f}, p {p:.2g})"
