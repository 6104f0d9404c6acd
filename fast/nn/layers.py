"""Layers as torch modules, with weights and delays as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from fast.nn.autograd import Record, propagate
from fast.nn.spikes import Spikes
from spec import VOLTAGE_READOUTS, Population, SpecError
from spec.checks import finite_number, non_negative_time, one_of, whole_number
from spec.errors import Verbatim

Constant = float | Sequence[float]
CONSTANTS = ("tau_mem", "tau_syn", "v_th", "v_reset")


def register_constants(module: nn.Module, population: Population, dtype: torch.dtype) -> None:
    """Register the constants of a population, None included, as parameters without gradient."""
    for name in CONSTANTS:
        values = getattr(population, name)
        constant = None if values is None else nn.Parameter(torch.tensor(values, dtype=dtype), requires_grad=False)
        module.register_parameter(name, constant)


def constants_text(module: nn.Module) -> str:
    """`tau_mem=20, tau_syn=5, ...` for a `repr`: one number if all neurons share it."""

    def text(values: Tensor) -> str:
        shared = not values.is_meta and bool((values == values[:1]).all())
        return f"{float(values[0]):g}" if shared and len(values) else "per neuron"

    given = {name: getattr(module, name) for name in CONSTANTS}
    return ", ".join(f"{name}={text(values.detach())}" for name, values in given.items() if values is not None)


class _Layer(nn.Module):
    """Synapses with weights and delays onto neurons with constants; see `LIF` and `LI`."""

    tau_mem: nn.Parameter
    tau_syn: nn.Parameter
    w_rec: nn.Parameter | None
    d_rec: nn.Parameter | None
    v_th: nn.Parameter | None
    v_reset: nn.Parameter | None

    def __init__(
        self,
        pre: int,
        post: int,
        tau_mem: Constant,
        tau_syn: Constant,
        v_th: Constant | None,
        v_reset: Constant | None,
        max_delay: float | None,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        if dtype not in (torch.float32, torch.float64):
            raise SpecError("dtype", "torch.float32 or torch.float64", Verbatim(dtype), "choose one of them")
        self.pre = whole_number(pre, "pre", 1, 2**31 - 1, "give the number of source neurons")
        self.post = whole_number(post, "post", 1, 2**31 - 1, "give the number of target neurons")
        self.max_delay = None if max_delay is None else non_negative_time(max_delay, "max_delay")
        self.w = nn.Parameter(torch.zeros(pre, post, dtype=dtype))
        self.d = nn.Parameter(torch.zeros(pre, post, dtype=dtype))
        self.register_parameter("w_rec", None)
        self.register_parameter("d_rec", None)
        self.record: Record | None = None
        checked = Population("layer", "li" if v_th is None else "lif", post, tau_mem, tau_syn, v_th, v_reset)
        register_constants(self, checked, dtype)
        self.initialise_(0.0, pre**-0.5)

    @property
    def weights(self) -> list[Tensor]:
        """`w`, and `w_rec` of a recurrent layer."""
        return [w for w in (self.w, self.w_rec) if w is not None]

    @property
    def delays(self) -> list[Tensor]:
        """`d`, and `d_rec` of a recurrent layer."""
        return [d for d in (self.d, self.d_rec) if d is not None]

    @torch.no_grad()
    def initialise_(
        self, w_mean: float, w_std: float, d_max: float = 0.0, generator: torch.Generator | None = None
    ) -> Self:
        """Draw the weights (normal) and the delays (uniform, 0 to `d_max` ms); returns the layer.

        A new layer has `w_mean` 0, `w_std` `1 / sqrt(pre)` and `d_max` 0. Choose values at which
        the neurons spike: a silent layer passes no gradient.

        Args:
            w_mean, w_std: mean and standard deviation of the weights.
            generator: source of the random numbers; None: torch's default.

        Raises:
            SpecError: `w_std` or `d_max` below 0 or not finite; `d_max` above `max_delay`.
        """
        self._draw(self.w, self.d, w_mean, w_std, d_max, generator)
        return self

    def _draw(
        self, w: Tensor, d: Tensor, w_mean: float, w_std: float, d_max: float, generator: torch.Generator | None
    ) -> None:
        non_negative_time(d_max, "d_max")
        if finite_number(w_std, "w_std") < 0:
            raise SpecError("w_std", "at least 0", w_std, "give a standard deviation")
        if self.max_delay is not None and d_max > self.max_delay:
            raise SpecError("d_max", f"at most max_delay, {self.max_delay} (ms)", d_max, "raise max_delay")
        w.normal_(w_mean, w_std, generator=generator)
        d.uniform_(0.0, d_max, generator=generator)

    @torch.no_grad()
    def project_(self) -> int:
        """Clamp the delays to [0, max_delay], after an optimiser step; returns how many changed."""
        changed = 0
        for d in self.delays:
            outside = d < 0
            if self.max_delay is not None:
                outside |= d > self.max_delay
            d.clamp_(0.0, self.max_delay)
            changed += int(outside.sum())
        return changed

    def extra_repr(self) -> str:
        bound = "None" if self.max_delay is None else f"{self.max_delay:g}"
        return f"{self.pre} -> {self.post}, {constants_text(self)}, max_delay={bound}"


class LIF(_Layer):
    """A layer of leaky integrate-and-fire (LIF) neurons: spikes in, spikes out.

    Args:
        pre, post: number of source and target neurons.
        tau_mem, tau_syn: time constants of membrane and synapse, ms: a number or `post` numbers.
        v_th, v_reset: threshold and reset: a number or `post` numbers.
        recurrent: whether the target neurons also reach each other, and themselves.
        max_delay: ms; upper bound that `project_` enforces, None for no bound.
        dtype: float32 or float64.

    Attributes:
        w, d: weights and delays (ms), `[pre, post]`, learned.
        w_rec, d_rec: the same of a recurrent layer's own synapses, `[post, post]`; else None. They
            begin at 0: `initialise_recurrent_` draws them.
        tau_mem, tau_syn, v_th, v_reset: `[post]`, learned after `requires_grad_()`.
        record: the `Record` of the last forward pass: conditioning of each spike, ties.

    Raises:
        SpecError: an argument that the specification refuses.

    torch's backward hooks of modules need tensors as inputs and outputs, so they skip this layer;
    `spikes.times.register_hook` works. `torch.compile` works; each layer is a graph break.
    """

    def __init__(
        self,
        pre: int,
        post: int,
        *,
        tau_mem: Constant = 20.0,
        tau_syn: Constant = 5.0,
        v_th: Constant = 1.0,
        v_reset: Constant = 0.0,
        recurrent: bool = False,
        max_delay: float | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(pre, post, tau_mem, tau_syn, v_th, v_reset, max_delay, dtype)
        if not isinstance(recurrent, bool):
            raise SpecError("recurrent", "True or False", recurrent, "name it: `LIF(pre, post, recurrent=True)`")
        if recurrent:
            self.w_rec = nn.Parameter(torch.zeros(post, post, dtype=dtype))
            self.d_rec = nn.Parameter(torch.zeros(post, post, dtype=dtype))

    @torch.no_grad()
    def initialise_recurrent_(
        self, w_mean: float, w_std: float, d_max: float = 0.0, generator: torch.Generator | None = None
    ) -> Self:
        """Draw `w_rec` and `d_rec` as `initialise_` draws `w` and `d`; returns the layer.

        Raises:
            SpecError: as `initialise_`, or the layer is not recurrent.
        """
        if self.w_rec is None or self.d_rec is None:
            raise SpecError("recurrent", "True", False, "make the layer with `recurrent=True`")
        self._draw(self.w_rec, self.d_rec, w_mean, w_std, d_max, generator)
        return self

    def forward(self, spikes: Spikes) -> Spikes:
        """The spikes of the `post` neurons, given the spikes of the `pre` neurons.

        Raises:
            SpecError, UnsupportedError, ArithmeticError: as `propagate`.
        """
        constants = (self.tau_mem, self.tau_syn, self.v_th, self.v_reset)
        recurrent = self.w_rec is not None
        w, d = (torch.cat(own) if recurrent else own[0] for own in (self.weights, self.delays))
        emitted, _, self.record = propagate(spikes, w, d, *constants, recurrent=recurrent)
        return emitted

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}{', recurrent=True' if self.w_rec is not None else ''}"


class LI(_Layer):
    """A layer of leaky integrators (LI), which never spike: spikes in, `[trials, post]` out.

    Args:
        readout: `max_voltage`, `mean_voltage` or `exp_weighted_voltage`, per neuron and trial.

    All other arguments, attributes and errors: as `LIF`, without threshold and reset.
    """

    def __init__(
        self,
        pre: int,
        post: int,
        *,
        readout: str,
        tau_mem: Constant = 20.0,
        tau_syn: Constant = 5.0,
        max_delay: float | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(pre, post, tau_mem, tau_syn, None, None, max_delay, dtype)
        self.readout = one_of(readout, "readout", VOLTAGE_READOUTS)

    def forward(self, spikes: Spikes) -> Tensor:
        """The readout `[trials, post]`, given the spikes of the `pre` neurons.

        Raises:
            SpecError, UnsupportedError, ArithmeticError: as `propagate`.
        """
        _, y, self.record = propagate(spikes, self.w, self.d, self.tau_mem, self.tau_syn, readout=self.readout)
        assert y is not None
        return y

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, readout={self.readout}"
