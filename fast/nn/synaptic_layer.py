"""Synapses onto neurons: the weights, delays and constants that both kinds of layers have."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from delayprop.fast.nn.autograd import Record
from delayprop.fast.nn.constants import LEAST_TAU, Neurons, clamp_, constants_text, is_time_constant, project_constants_
from delayprop.fast.nn.other_tools import answers_foreign_words
from delayprop.fast.nn.units import warn_if_short
from delayprop.fast.solving.matrices import Matrices, matrices
from delayprop.spec import Population, SpecError
from delayprop.spec.checks import finite_number, non_negative_time, whole_number
from delayprop.spec.errors import Verbatim
from delayprop.spec.neuron import Neuron

Constant = float | Sequence[float]
LEAST_RECURRENT_DELAY = 0.1
"""ms: of a recurrent layer's own synapses, since a loop without any delay has no solution."""


def population_of(kind: str, post: int, **constants: Any) -> Population:
    """The neurons of a layer, checked."""
    whole_number(post, "post", 1, 2**31 - 1, "give the number of target neurons")
    return Population("layer", kind, post, **constants)


class SynapticLayer(Neurons):
    """Synapses with weights and delays onto neurons with constants; see `LIF` and `LI`."""

    equations: Neuron
    w_rec: nn.Parameter | None
    d_rec: nn.Parameter | None

    def __init__(
        self, pre: int, population: Population, max_delay: float | None, dtype: torch.dtype
    ) -> None:
        super().__init__()
        if dtype not in (torch.float32, torch.float64):
            raise SpecError("dtype", "torch.float32 or torch.float64", Verbatim(dtype), "choose one of them")
        self.pre = whole_number(pre, "pre", 1, 2**31 - 1, "give the number of source neurons")
        self.post = post = population.size
        self.max_delay = None if max_delay is None else non_negative_time(max_delay, "max_delay")
        self.w = nn.Parameter(torch.zeros(pre, post, dtype=dtype))
        self.d = nn.Parameter(torch.zeros(pre, post, dtype=dtype))
        self.register_parameter("w_rec", None)
        self.register_parameter("d_rec", None)
        self.record: Record | None = None
        self._register(population, dtype)
        for name, values in population.values.items():
            if is_time_constant(name):
                warn_if_short(float(values.min()), name)
        self.initialise_(0.0, pre**-0.5)

    def matrices(self) -> Matrices:
        """The matrices of the neurons, in the order of the kernels, with their constants of now."""
        given = [constant.detach().cpu().double().numpy() for constant in self.constants.values()]
        return matrices(self.equations, np.array(given).reshape(-1, self.post))

    @property
    def recurrent(self) -> bool:
        """Whether the neurons also reach each other."""
        return self.w_rec is not None

    @property
    def weights(self) -> list[Tensor]:
        """`w`, and `w_rec` of a recurrent layer."""
        return [w for w in (self.w, self.w_rec) if w is not None]

    @property
    def delays(self) -> list[Tensor]:
        """`d`, and `d_rec` of a recurrent layer."""
        return [d for d in (self.d, self.d_rec) if d is not None]

    @answers_foreign_words
    @torch.no_grad()
    def initialise_(
        self, w_mean: float, w_std: float, d_max: float = 0.0, generator: torch.Generator | None = None
    ) -> Self:
        """Draw the weights (normal) and the delays (uniform, 0 to `d_max` ms); returns the layer.

        A new layer has `w_mean` 0, `w_std` `1 / sqrt(pre)` and `d_max` 0. Choose values at which
        the neurons spike, or let `LIF.initialise_for_` find them: silent layers pass no gradient.

        Args:
            w_mean, w_std: mean and standard deviation of the weights.
            generator: source of the random numbers; None: torch's default.

        Raises:
            SpecError: `w_std` or `d_max` below 0 or not finite; `d_max` above `max_delay`.
        """
        self._draw(self.w, self.d, w_mean, w_std, d_max, generator)
        return self

    def _draw(
        self, w: Tensor, d: Tensor, w_mean: float, w_std: float, d_max: float, generator: torch.Generator | None,
        d_min: float = 0.0,
    ) -> None:
        """Draw weights from N(w_mean, w_std), and delays uniformly from `d_min` to `d_max` ms."""
        non_negative_time(d_max, "d_max")
        if finite_number(w_std, "w_std") < 0:
            raise SpecError("w_std", "at least 0", w_std, "give a standard deviation")
        if self.max_delay is not None and d_max > self.max_delay:
            raise SpecError("d_max", f"at most max_delay, {self.max_delay} (ms)", d_max, "raise max_delay")
        w.normal_(w_mean, w_std, generator=generator)
        if d_max < d_min:
            raise SpecError("d_max", f"at least {d_min} (ms)", d_max, "a loop needs a delay")
        d.uniform_(d_min, d_max, generator=generator)

    @torch.no_grad()
    def project_(self, least_tau: float = LEAST_TAU) -> int:
        """Clamp the delays to [0, max_delay], after an optimiser step; returns how many changed.

        `d_rec` is kept above LEAST_RECURRENT_DELAY, 0.1 ms. Constants that learn are bounded too:
        time constants stay at least `least_tau` (ms), thresholds at least 0.001, and resets at most
        0.99 of the threshold. `SpecError`: a parametrization without `right_inverse` has left them.
        """
        changed = clamp_(self, "d", 0.0, self.max_delay)
        if self.recurrent:
            changed += clamp_(self, "d_rec", LEAST_RECURRENT_DELAY, self.max_delay)
        return changed + project_constants_(self, least_tau)

    def _check_delays(self) -> None:
        """Refuse a delay above `max_delay`: an optimiser has moved it."""
        if self.max_delay is not None:
            largest = max(float(d.detach().max()) for d in self.delays)
            if largest > float(torch.tensor(self.max_delay, dtype=self.d.dtype)):
                expected = f"at most max_delay, {self.max_delay} (ms)"
                raise SpecError("d", expected, largest, "call `layer.project_()` after each step")

    def extra_repr(self) -> str:
        bound = "None" if self.max_delay is None else f"{self.max_delay:g}"
        parts = f"{self.pre} -> {self.post}", constants_text(self), f"max_delay={bound}"
        return ", ".join(part for part in parts if part)
