"""What is not a number stops a run before it reaches a weight."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class NotFiniteError(ArithmeticError):
    """`what` is NaN or infinite."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not finite; nothing was learned from this step")


def check_finite(named: Iterable[tuple[str, Tensor | None]]) -> None:
    """Refuse tensors with an entry that is NaN or infinite.

    Raises:
        NotFiniteError: it names the first.
    """
    for name, tensor in named:
        if tensor is not None and not bool(torch.isfinite(tensor).all()):
            raise NotFiniteError(name)
