"""The state of a layer at the end of a trial, with which another trial goes on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from delayprop.fast.solving.problem import Problem
from delayprop.fast.solving.recording import Start, UnderWay
from delayprop.fast.solving.solved import Solved
from delayprop.spec.checks import of_type
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim
from delayprop.spec.neuron import Neuron
from delayprop.spec.state import TOUCH


@dataclass(frozen=True, eq=False)
class LayerState:
    """The state of a layer at the end of a trial: all of the past that its later spikes depend on.

    Attributes:
        x: `[trials, post, states]`, float64: the states of each neuron, in the order of
            `neuron.states` (of LIF and LI: `V, I`). Differentiable.
        times: `[n]`, float64: spikes that are still to arrive at some neuron, ms from the end of
            the trial, so at most 0. Differentiable.
        trial, source: `[n]`, int64: the trial of each, and its row of the weights: source neurons,
            then the layer's own.
        ticks: `[n]`, int64: the times as whole numbers of `tick` (ms), a power of two, by which an
            arrival at the very cut is counted once.
        neuron: the equations of the neurons.
        rows: number of rows of the weights.

    Gradients pass from trial to trial; `detach` cuts them (truncated backpropagation). It may be
    used several times, and pickled (of files of torch by `torch.load(..., weights_only=False)`).
    """

    x: Tensor
    times: Tensor
    trial: Tensor
    source: Tensor
    ticks: Tensor
    tick: float
    neuron: Neuron
    rows: int

    def __len__(self) -> int:
        """The number of trials."""
        return len(self.x)

    def detach(self) -> Self:
        """This state without its graph: no gradient passes to earlier trials."""
        return replace(self, x=self.x.detach(), times=self.times.detach())

    def clone(self) -> Self:
        """A copy of all tensors; gradients pass."""
        return self._each(Tensor.clone)

    def to(self, device: torch.device | str) -> Self:
        """This state on another device; differentiable."""
        return self._each(lambda part: part.to(device))

    def __getitem__(self, trials: int | slice | Sequence[int] | Tensor) -> Self:
        """The state of trials, by number, slice, numbers or booleans; `SpecError`: of no trial."""
        chosen = torch.arange(len(self), device=self.x.device)[trials].reshape(-1)
        if not len(chosen):
            raise SpecError("trials", "at least one trial", Verbatim("none"), "name a trial")
        new, old = (chosen[:, None] == self.trial).nonzero(as_tuple=True)
        times, source, ticks = self.times[old], self.source[old], self.ticks[old]
        return replace(self, x=self.x[chosen], times=times, trial=new, source=source, ticks=ticks)

    def __repr__(self) -> str:
        trials, post, states = self.x.shape
        return f"LayerState({trials} x {post} neurons, {states} states each, {len(self.times)} spikes under way)"

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        parts: dict[str, Any] = {name: change(one) for name, one in vars(self).items() if isinstance(one, Tensor)}
        return replace(self, **parts)


def start_of(state: LayerState, problem: Problem) -> Start:
    """The state with which the trials of a layer begin, as kernels take it.

    Raises:
        SpecError: the state of a layer with other neurons, synapses, trials or device; a state that
            is not finite, or whose level is above the threshold.
    """
    of_type(state, "state", LayerState, "a `LayerState`", "`layer(spikes, return_state=True)` returns one")
    rows, post = problem.w.shape
    remedy = "give the state that this layer returned"
    pairs: tuple[tuple[str, object, object], ...] = (
        ("state.neuron", problem.neuron, state.neuron), ("state.rows", rows, state.rows),
        ("state.x.shape", [problem.trials, post, len(problem.neuron.states)], list(state.x.shape)),
        ("state.x.device", problem.w.device, state.x.device), ("state.x.dtype", torch.float64, state.x.dtype),
    )
    for name, expected, got in pairs:
        if got != expected:
            raise SpecError(name, f"{expected}, as of the layer and its spikes", Verbatim(got), remedy)
    _check_under_way(state, problem)
    x = state.x.detach()
    if not bool(torch.isfinite(x).all()):
        raise SpecError("state.x", "finite", Verbatim("NaN or infinite entries"), "look for the step that made them")
    start = x[..., list(problem.matrices.order)]
    level = (start * torch.from_numpy(problem.matrices.level.T)).sum(2)
    above = level > torch.from_numpy(problem.matrices.v_th) * (1 + TOUCH)
    if bool(above.any()):
        trial, j = above.nonzero()[0].tolist()
        got = Verbatim(f"{level[trial, j]:g} for neuron {j} of trial {trial}")
        remedy = "if constants have been changed, begin anew without a state"
        raise SpecError("state.x", f"of levels up to {problem.matrices.v_th[j]:g}, the threshold", got, remedy)
    return Start(start, UnderWay(state.ticks, state.trial, state.source, state.tick))


def _check_under_way(state: LayerState, problem: Problem) -> None:
    """Refuse spikes under way that no layer returns."""
    n, remedy = len(state.times), "give the state that this layer returned"
    whole = {"trial": (0, problem.trials - 1), "source": (0, len(problem.w) - 1), "ticks": (-(2**63), 0)}
    for name, (least, most) in whole.items():
        values = getattr(state, name)
        if values.shape != (n,) or values.dtype != torch.int64:
            got = Verbatim(f"{values.dtype} {list(values.shape)}")
            raise SpecError(f"state.{name}", f"int64, of shape [{n}], as `times`", got, remedy)
        for value in torch.stack(torch.aminmax(values)).tolist() if n else ():
            if not least <= value <= most:
                raise SpecError(f"state.{name}", f"from {least} to {most}", value, remedy)
    if not (0 < state.tick < math.inf and math.frexp(state.tick)[0] == 0.5):
        raise SpecError("state.tick", "a power of two", state.tick, remedy)
    if state.times.dtype != torch.float64 or not bool(torch.isfinite(state.times).all()):
        raise SpecError("state.times", "finite, float64", Verbatim(state.times.dtype), remedy)


def check_whole(problem: Problem, name: str) -> None:
    """Refuse a pass of a window, for a check whose sums are of whole trials."""
    if problem.of_recording:
        raise UnsupportedError(name, "", "has run on a window of a recording", "check a call without a state")


def state_of(solved: Solved, problem: Problem, x: Tensor, times: Tensor, rows: int) -> LayerState:
    """The state at the end of the trials of a solved problem.

    `x`: in the order of the kernels; `times`: of the spikes under way at the start, of the input
    spikes, and of those emitted; both joined to the graph.
    """
    assert solved.state is not None and solved.state.under_way.origin is not None
    under_way = solved.state.under_way
    in_graph = times[under_way.origin]
    exact = under_way.ticks * under_way.tick
    places = torch.argsort(torch.tensor(problem.matrices.order))
    return LayerState(
        x[..., places], exact + (in_graph - in_graph.detach()), under_way.trial, under_way.source, under_way.ticks,
        under_way.tick, problem.neuron, rows,
    )
