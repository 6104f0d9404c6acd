"""What the tasks share: when an answer is right, what silence is, and what the residuals are."""

from __future__ import annotations

import torch
from torch import Tensor

from fast.nn.spikes import Spikes

RESIDUALS = (
    "A (scale of weights), B (unit of time), C (shift of time): how far the gradient is from obeying each identity, "
    "-: does not apply to that step"
)


def right_answers(y: Tensor, labels: Tensor) -> Tensor:
    """Whether the right output is strictly the largest, `[trials]`: a silent trial, all outputs equal, is wrong.

    An argmax would give every tie to class 0, and so count silence as right for its trials.
    """
    right = labels[:, None]
    others = y.scatter(1, right, -torch.inf)
    return (y.gather(1, right) > others).all(dim=1)


def is_silenced(given: Spikes, emitted: Spikes) -> bool:
    """Whether a layer got spikes and emitted none in the whole batch, so that no gradient passes through it."""
    return len(given.times) > 0 and emitted.silent() == emitted.size


def silence(steps: int, of: int) -> str:
    """One line for an epoch in which a layer was silenced in some steps: training goes on as if it learned."""
    return (
        f"warning: all neurons of a hidden layer were silent in {steps} of {of} steps: no gradient passed; "
        "take smaller steps, or a seed with other weights"
    )
