"""Synapses onto neurons: the weights, delays and constants that both kinds of layers have."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from delayprop.fast.nn.autograd import Record
from delayprop.fast.nn.constants import LEAST_TAU, Neurons, clamp_, constants_text, is_time_constant, project_constants_
from delayprop.fast.nn.layer_checks import TRANSPOSED, check_shapes
from delayprop.fast.nn.other_tools import answers_foreign_words
from delayprop.fast.nn.units import BRIEFEST_DELAYS, warn_if_short
from delayprop.fast.nn.wiring import Mask, Wiring, boolean, states_raised
from delayprop.fast.solving.matrices import Matrices, matrices
from delayprop.spec import Population, SpecError
from delayprop.spec.checks import described, finite_number, non_negative_time, of_type, whole_number
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
    mask: Tensor | None
    mask_rec: Tensor | None
    into: Tensor | None
    into_rec: Tensor | None

    def __init__(self, pre: int, population: Population, wiring: Wiring) -> None:
        super().__init__()
        self.pre = whole_number(pre, "pre", 1, 2**31 - 1, "give the number of source neurons")
        self.post, self.max_delay, self.delays = population.size, wiring.max_delay, wiring.delays
        self.w, self.d = self._new_synapses(self.pre, wiring.mask, "mask", wiring.dtype, 0.0)
        for name in ("w_rec", "d_rec"):
            self.register_parameter(name, None)
        self.record: Record | None = None
        self._register(population, wiring.dtype)
        self.register_buffer("into", states_raised(wiring.into, "into", self.equations.arrivals, self.pre))
        for name in ("mask_rec", "into_rec"):
            self.register_buffer(name, None)
        for name, values in population.values.items():
            if is_time_constant(name):
                warn_if_short(float(values.min()), name)
        self.initialise_(0.0, pre**-0.5)

    def _new_synapses(
        self, pre: int, mask: Mask, name: str, dtype: torch.dtype, delay: float
    ) -> tuple[nn.Parameter, nn.Parameter]:
        """Weights and delays of `pre` sources; their mask becomes the buffer `name`."""
        shape = 1 if self.delays == "dendritic" else pre, 1 if self.delays == "axonal" else self.post
        self.register_buffer(name, None if mask is None else boolean(mask, name, (pre, self.post)))
        w, d = torch.zeros(pre, self.post, dtype=dtype), torch.full(shape, delay, dtype=dtype)
        return nn.Parameter(w), nn.Parameter(d)

    def matrices(self) -> Matrices:
        """The matrices of the neurons, in the order of the kernels, with their constants of now."""
        given = [constant.detach().cpu().double().numpy() for constant in self.constants.values()]
        return matrices(self.equations, np.array(given).reshape(-1, self.post))

    @property
    def recurrent(self) -> bool:
        """Whether the neurons also reach each other."""
        return self.w_rec is not None

    @property
    def all_w(self) -> list[Tensor]:
        """`w`, and `w_rec` of a recurrent layer."""
        return [w for w in (self.w, self.w_rec) if w is not None]

    @property
    def all_d(self) -> list[Tensor]:
        """`d`, and `d_rec` of a recurrent layer."""
        return [d for d in (self.d, self.d_rec) if d is not None]

    @property
    def masks(self) -> list[Tensor | None]:
        """`mask`, and `mask_rec` of a recurrent layer."""
        return [self.mask, self.mask_rec] if self.recurrent else [self.mask]

    @property
    def existing_w(self) -> list[Tensor]:
        """`all_w`, 0 where no synapse is."""
        return [w if mask is None else w * mask for w, mask in zip(self.all_w, self.masks, strict=True)]

    @property
    def delays_of_synapses(self) -> list[Tensor]:
        """`all_d`, of each synapse, `[pre, post]`."""
        return [d.expand_as(w) for w, d in zip(self.all_w, self.all_d, strict=True)]

    @property
    def synapses(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """`w, d, exists` as `propagate` takes them: a row per source, own neurons last."""
        w, d = (own[0] if len(own) == 1 else torch.cat(own) for own in (self.all_w, self.delays_of_synapses))
        if all(mask is None for mask in self.masks):
            return w, d, None
        exist = [torch.ones_like(w, dtype=torch.bool) if m is None else m for w, m in zip(self.all_w, self.masks)]
        return w, d, torch.cat(exist)

    @property
    def states_raised(self) -> Tensor | None:
        """The state that each source raises as `propagate_neurons` takes it, own neurons last."""
        given = [self.into, self.into_rec] if self.recurrent else [self.into]
        if all(into is None for into in given):
            return None
        zeros = (self.w.new_zeros(len(w), dtype=torch.int64) for w in self.all_w)
        return torch.cat([zero if into is None else into for into, zero in zip(given, zeros, strict=True)])

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
        self._draw(0, w_mean, w_std, d_max, generator)
        return self

    def _draw(
        self, which: int, w_mean: float, w_std: float, d_max: float, generator: torch.Generator | None,
        d_min: float = 0.0,
    ) -> None:
        """Draw weights from N(w_mean, w_std), 0 where no synapse is, and delays uniformly from
        `d_min` to `d_max` ms; `which`: 0, or 1 for own synapses."""
        non_negative_time(d_max, "d_max")
        if finite_number(w_std, "w_std") < 0:
            raise SpecError("w_std", "at least 0", w_std, "give a standard deviation")
        if self.max_delay is not None and d_max > self.max_delay:
            raise SpecError("d_max", f"at most max_delay, {self.max_delay} (ms)", d_max, "raise max_delay")
        if d_max < d_min:
            raise SpecError("d_max", f"at least {d_min} (ms)", d_max, "a loop needs a delay")
        if d_max > d_min:
            warn_if_short(d_max, "d_max", BRIEFEST_DELAYS)
        w, d, mask = self.all_w[which], self.all_d[which], self.masks[which]
        w.normal_(w_mean, w_std, generator=generator)
        d.uniform_(d_min, d_max, generator=generator)
        if mask is not None:
            w.mul_(mask)

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

    def _check_synapses(self) -> None:
        """Refuse weights and delays of another shape, which a user has set, and a delay above
        `max_delay`: an optimiser has moved it, or it was set or loaded."""
        for n, (w, d) in enumerate(zip(self.all_w, self.all_d, strict=True)):
            check_shapes(w, d, self.post if n else self.pre, self.post, "_rec" * n)
        if self.max_delay is not None:
            largest = max(float(d.detach().max()) for d in self.all_d)
            if largest > max(self.max_delay, float(torch.tensor(self.max_delay, dtype=torch.float32))):
                expected = f"at most max_delay, {self.max_delay} (ms)"
                remedy = "call `layer.project_()` after each optimiser step; for loaded delays, raise `layer.max_delay`"
                raise SpecError("d", expected, largest, remedy)

    def _load_from_state_dict(self, state_dict: Mapping[str, Tensor], prefix: str, *others: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *others)
        for name in ("w", "w_rec"):
            given, own = state_dict.get(f"{prefix}{name}"), getattr(self, name)
            if isinstance(given, Tensor) and own is not None and given.shape != own.shape == given.shape[::-1]:
                others[-1].append(f"`{prefix}{name}` must be [pre, post]; {TRANSPOSED}")

    def extra_repr(self) -> str:
        bound = "None" if self.max_delay is None else f"{self.max_delay:g}"
        parts = [f"{self.pre} -> {self.post}", constants_text(self), f"max_delay={bound}"]
        if self.delays != "synaptic":
            parts.append(f"delays={self.delays}")
        for name in ("mask", "mask_rec"):
            if (mask := getattr(self, name)) is not None:
                parts.append(name if mask.is_meta else f"{name} of {int(mask.sum())} synapses")
        for name in ("into", "into_rec"):
            if (into := getattr(self, name)) is not None and not into.is_meta:
                counts = zip(self.equations.arrivals, into.bincount().tolist(), strict=False)
                parts.append(f"{name}: {' and '.join(f'{state} from {n}' for state, n in counts if n)}")
        return ", ".join(part for part in parts if part)


def used(values: Tensor, mask: Tensor | None) -> Tensor:
    """Which weights, or delays, belong to an existing synapse; synapses may share a delay."""
    if mask is None:
        return torch.ones_like(values, dtype=torch.bool)
    for axis in (0, 1):
        if values.shape[axis] == 1:
            mask = mask.any(axis, keepdim=True)
    return mask


def check_layers(layers: Any) -> list[SynapticLayer]:
    """The layers of a network, in order; `SpecError`: none, or something else."""
    expected, remedy = "layers in order", "give a list, such as `[net.hidden, net.out]`"
    if isinstance(layers, SynapticLayer) or not isinstance(layers, Iterable):
        raise SpecError("layers", expected, described(layers), remedy)
    given = list(layers)
    if not given:
        raise SpecError("layers", expected, Verbatim("none"), remedy)
    for n, layer in enumerate(given):
        of_type(layer, f"layers[{n}]", SynapticLayer, "a layer such as `LIF`", remedy)
    return given
