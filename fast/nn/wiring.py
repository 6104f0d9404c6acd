"""Which synapses of a layer exist, which of them share a delay, and which states they raise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.nn.units import BRIEFEST_DELAYS, warn_if_short
from delayprop.spec.checks import described, non_negative_time, one_of, sequence
from delayprop.spec.errors import SpecError, Verbatim
from delayprop.spec.names import same

Mask = Tensor | np.ndarray | Sequence[Sequence[bool]] | None
Into = str | Sequence[str] | None
DELAYS = ("synaptic", "axonal", "dendritic")
"""Each synapse, each source neuron, or each target neuron has a delay."""


@dataclass(frozen=True, eq=False)
class Wiring:
    """How the synapses of a layer are made, by checked arguments of `LIF` and `Spiking`, which
    describe them. `SpecError`: `max_delay` below 0, an unknown kind of delays, or another dtype."""

    max_delay: float | None = None
    delays: str = "synaptic"
    mask: Mask = None
    mask_rec: Mask = None
    into: Into = None
    into_rec: Into = None
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if self.dtype not in (torch.float32, torch.float64):
            raise SpecError("dtype", "torch.float32 or torch.float64", Verbatim(self.dtype), "choose one of them")
        one_of(self.delays, "delays", DELAYS)
        if self.max_delay is not None:
            object.__setattr__(self, "max_delay", non_negative_time(self.max_delay, "max_delay"))
            if self.max_delay > 0:
                warn_if_short(self.max_delay, "max_delay", BRIEFEST_DELAYS)


def boolean(given: object, name: str, shape: tuple[int, int]) -> Tensor:
    """A mask of this shape, as a new tensor; `SpecError`: another shape, or entries that are not
    booleans."""
    got: object = described(given)
    try:
        found = torch.tensor(given.tolist() if isinstance(given, Tensor | np.ndarray) else given)
    except (TypeError, ValueError, RuntimeError):  # torch makes no tensor of it
        found = torch.empty(0)
    else:
        got = Verbatim(f"{str(found.dtype).removeprefix('torch.')}, {list(found.shape)}")
    if found.dtype != torch.bool or found.shape != shape:
        raise SpecError(name, f"bool, {list(shape)}", got, "give True where a synapse exists")
    return found


def states_raised(given: Into, name: str, arrivals: tuple[str, ...], pre: int) -> Tensor | None:
    """The state that each of `pre` sources raises, as its number in `arrivals`; None: the first.
    `SpecError`: a state at which no spikes arrive, or another number of them."""
    if given is None:
        return None
    if isinstance(given, str):
        return torch.full((pre,), arrivals.index(one_of(same(given), name, arrivals)))
    each = map(same, sequence(given, name, pre, "source neuron"))
    return torch.tensor([arrivals.index(one_of(one, f"{name}[{i}]", arrivals)) for i, one in enumerate(each)])
