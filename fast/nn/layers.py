"""Layers as torch modules, with weights and delays as parameters."""

import math
from typing import Self

import torch
from torch import Tensor, nn

from delayprop.fast.nn import calibration
from delayprop.fast.nn.autograd import propagate
from delayprop.fast.nn.joining import check_spikes
from delayprop.fast.nn.other_tools import answers_foreign_words
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY, Constant, SynapticLayer
from delayprop.fast.nn.units import warn
from delayprop.spec import VOLTAGE_READOUTS, SpecError
from delayprop.spec.checks import of_type, one_of
from delayprop.spec.errors import Verbatim


class SilentLayerWarning(UserWarning):
    """A layer passes no gradient, since none of its neurons spikes."""


class LIF(SynapticLayer):
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
        w_rec, d_rec: the same of a recurrent layer's own synapses, `[post, post]`; else None. The
            weights begin at 0, the delays at 0.1 ms: `initialise_recurrent_` draws both.
        tau_mem, tau_syn, v_th, v_reset: `[post]`, learned after `requires_grad_()`.
        record: the `Record` of the last forward pass: conditioning of each spike, ties.
        warns_of_silence: whether the layer warns, once, if it emits no spike while it learns.

    Raises:
        SpecError: an argument that the specification refuses.

    torch's backward hooks of modules need tensors as inputs and outputs, so they skip this layer;
    `spikes.times.register_hook` works. `torch.compile` works; each layer is a graph break.
    """

    @answers_foreign_words
    def __init__(
        self, pre: int, post: int, *, tau_mem: Constant = 20.0, tau_syn: Constant = 5.0, v_th: Constant = 1.0,
        v_reset: Constant = 0.0, recurrent: bool = False, max_delay: float | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(pre, post, tau_mem, tau_syn, v_th, v_reset, max_delay, dtype)
        self.warns_of_silence = True
        if not isinstance(recurrent, bool):
            raise SpecError("recurrent", "True or False", recurrent, "name it: `LIF(pre, post, recurrent=True)`")
        if recurrent:
            if max_delay is not None and max_delay < LEAST_RECURRENT_DELAY:
                expected = f"at least {LEAST_RECURRENT_DELAY} (ms) for a recurrent layer"
                raise SpecError("max_delay", expected, max_delay, "a loop needs a delay")
            self.w_rec = nn.Parameter(torch.zeros(post, post, dtype=dtype))
            self.d_rec = nn.Parameter(torch.full((post, post), LEAST_RECURRENT_DELAY, dtype=dtype))

    @answers_foreign_words
    @torch.no_grad()
    def initialise_recurrent_(
        self, w_mean: float, w_std: float, d_max: float, generator: torch.Generator | None = None
    ) -> Self:
        """Draw `w_rec` and `d_rec` as `initialise_` draws `w` and `d`, with delays from 0.1 ms on.
        `SpecError`: as `initialise_`; `d_max` below 0.1 ms; the layer is not recurrent."""
        if self.w_rec is None or self.d_rec is None:
            raise SpecError("recurrent", "True", False, "make the layer with `recurrent=True`")
        self._draw(self.w_rec, self.d_rec, w_mean, w_std, d_max, generator, LEAST_RECURRENT_DELAY)
        return self

    @torch.no_grad()
    def initialise_for_(
        self, spikes: Spikes, rate: float, d_max: float = 0.0, generator: torch.Generator | None = None
    ) -> Self:
        """Draw weights at which the neurons spike about `rate` times, on these spikes.

        The delays are drawn uniformly from 0 to `d_max` ms, the weights from N(m, m), so about one
        in six inhibits; a search finds the scale `m` (`fast.nn.calibration`). Returns the layer.

        Args:
            spikes: typical input; the first 8 trials are used.
            rate: mean number of spikes per neuron and trial.
            generator: source of the random numbers; None: torch's default.

        Raises:
            SpecError: `rate` not above 0, above one spike per ms, or reached by no weights; silent
                input; `d_max` as for `initialise_`.
        """
        check_spikes(spikes)
        few = calibration.typical(spikes, rate)
        self._draw(self.w, self.d, 1.0, 1.0, d_max, generator)
        return self._scale_for(few, rate, 1.0)

    @torch.no_grad()
    def scale_for_(self, spikes: Spikes, rate: float) -> Self:
        """Multiply `w` by the factor at which neurons spike about `rate` times, on these spikes.

        Arguments, result and errors: as `initialise_for_`, which draws weights and delays first.
        """
        few, size = calibration.typical(spikes, rate), float(self.w.abs().mean())
        if not size:
            raise SpecError("w", "other than 0", Verbatim("0 everywhere"), "draw weights first")
        return self._scale_for(few, rate, size)

    def _scale_for(self, few: Spikes, rate: float, size: float) -> Self:
        """Scale `w`, whose entries have about this size."""
        pattern = self.w.clone()

        def rate_at(scale: float) -> float:
            self.w.copy_(scale * pattern)
            try:
                return float(self(few).counts().double().mean())
            except ArithmeticError:  # spikes follow too fast
                return math.inf

        assert self.v_th is not None
        current = size * float(self.tau_syn.mean()) * len(few.times) / (few.trials * few.duration)  # mean
        self.w.copy_(calibration.scale_for(rate, rate_at, float(self.v_th.mean()) / current) * pattern)
        self.record = None
        return self

    def forward(self, spikes: Spikes) -> Spikes:
        """The spikes of the `post` neurons, given the spikes of the `pre` neurons. Errors: as
        `propagate`, and `SpecError` for a delay above `max_delay`."""
        self._check_delays()
        constants = (self.tau_mem, self.tau_syn, self.v_th, self.v_reset)
        w, d = (torch.cat(own) if self.recurrent else own[0] for own in (self.weights, self.delays))
        emitted, _, self.record = propagate(spikes, w, d, *constants, recurrent=self.recurrent)
        if self.warns_of_silence and self.w.requires_grad and torch.is_grad_enabled():
            self._warn_if_silent(spikes, emitted)
        return emitted

    def _warn_if_silent(self, spikes: Spikes, emitted: Spikes) -> None:
        """Warn, once, of a layer that receives spikes and emits none: nothing else shows it."""
        if len(spikes.times) and not len(emitted.times):
            self.warns_of_silence = False
            words = f"all {self.post} neurons of a LIF layer are silent, so no gradient passes through it"
            remedy = "draw its weights with `layer.initialise_for_(spikes, rate=5)`"
            source = torch.arange(spikes.size, device=spikes.device).repeat(spikes.trials)
            soonest = self.d.detach().amin(1)[source.repeat_interleave(spikes.offsets.diff())]
            if not bool((spikes.times.detach() + soonest <= spikes.duration).any()):
                words += f"; the delays carry all spikes beyond `duration`, {spikes.duration:g} ms"
                remedy = "give longer trials, or smaller delays"
            warn(f"{words}; {remedy}", SilentLayerWarning)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}{', recurrent=True' if self.recurrent else ''}"


class LI(SynapticLayer):
    """A layer of leaky integrators (LI), which never spike: spikes in, `[trials, post]` out.

    Args:
        readout: `max_voltage`, `mean_voltage` or `exp_weighted_voltage`, per neuron and trial.

    All other arguments, attributes and errors: as `LIF`, without threshold and reset.
    """

    @answers_foreign_words
    def __init__(
        self, pre: int, post: int, *, readout: str, tau_mem: Constant = 20.0, tau_syn: Constant = 5.0,
        max_delay: float | None = None, dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(pre, post, tau_mem, tau_syn, None, None, max_delay, dtype)
        self.readout = one_of(readout, "readout", VOLTAGE_READOUTS)

    def forward(self, spikes: Spikes) -> Tensor:
        """The readout `[trials, post]`, given the spikes of the `pre` neurons; errors as `LIF`."""
        self._check_delays()
        _, y, self.record = propagate(spikes, self.w, self.d, self.tau_mem, self.tau_syn, readout=self.readout)
        assert y is not None
        return y

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, readout={self.readout}"


def check_layer(given: object, reads: bool = False) -> None:
    """Refuse anything but a LIF layer, or an LI layer where one may be read."""
    remedy = "give one layer, such as `net[0]` of a `Sequential`; a `Network` has none (docs/limits.md)"
    kinds = (LIF | LI, "a LIF or LI layer") if reads else (LIF, "a LIF layer")
    of_type(given, "layer", *kinds, remedy)
