"""A layer of neurons that spike: recurrent or not, with weights drawn so that they do spike."""

import math
from typing import Any, Literal, Self, overload

import torch

from delayprop.fast.nn import calibration
from delayprop.fast.nn.autograd import propagate_neurons, propagate_on
from delayprop.fast.nn.joining import check_spikes
from delayprop.fast.nn.layer_checks import warn_of_seconds
from delayprop.fast.nn.other_tools import answers_foreign_words
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.state import LayerState
from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY, SynapticLayer
from delayprop.fast.nn.units import warn
from delayprop.fast.nn.wiring import Wiring, states_raised
from delayprop.spec import Population, SpecError
from delayprop.spec.errors import Verbatim


class SilentLayerWarning(UserWarning):
    """A layer passes no gradient, since none of its neurons spikes."""


class SpikingLayer(SynapticLayer):
    """Synapses onto neurons that spike; see `LIF` and `Spiking`."""

    def __init__(self, pre: int, population: Population, recurrent: bool, wiring: Wiring) -> None:
        super().__init__(pre, population, wiring)
        self.warns_of_silence = True
        if not isinstance(recurrent, bool):
            raise SpecError("recurrent", "True or False", recurrent, "name it: `LIF(pre, post, recurrent=True)`")
        if not recurrent:
            for name, given in (("mask_rec", "a mask"), ("into_rec", "states")):
                if getattr(wiring, name) is not None:
                    raise SpecError(name, "left out", Verbatim(given), "make the layer with `recurrent=True`")
            return
        if self.max_delay is not None and self.max_delay < LEAST_RECURRENT_DELAY:
            expected = f"at least {LEAST_RECURRENT_DELAY} (ms) for a recurrent layer"
            raise SpecError("max_delay", expected, self.max_delay, "a loop needs a delay")
        own = self.post, wiring.mask_rec, "mask_rec", wiring.dtype, LEAST_RECURRENT_DELAY
        self.w_rec, self.d_rec = self._new_synapses(*own)
        self.into_rec = states_raised(wiring.into_rec, "into_rec", self.equations.arrivals, self.post)

    @answers_foreign_words
    @torch.no_grad()
    def initialise_recurrent_(
        self, w_mean: float, w_std: float, d_max: float, generator: torch.Generator | None = None
    ) -> Self:
        """Draw `w_rec` and `d_rec` as `initialise_` draws `w` and `d`, with delays from 0.1 ms on.
        `SpecError`: as `initialise_`; `d_max` below 0.1 ms; the layer is not recurrent."""
        if self.w_rec is None or self.d_rec is None:
            raise SpecError("recurrent", "True", False, "make the layer with `recurrent=True`")
        self._draw(1, w_mean, w_std, d_max, generator, LEAST_RECURRENT_DELAY)
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
        self._check_reached()
        self._draw(0, 1.0, 1.0, d_max, generator)
        return self._scale_for(few, rate, 1.0 if self.mask is None else float(self.mask.double().mean()))

    def _check_reached(self) -> None:
        """Refuse a layer that no weight can make spike."""
        if self.mask is not None and not bool(self.mask.any()):
            raise SpecError("mask", "True for some synapse", Verbatim("False for all"), "let a synapse exist")

    @torch.no_grad()
    def scale_for_(self, spikes: Spikes, rate: float) -> Self:
        """Multiply `w` by the factor at which neurons spike about `rate` times, on these spikes.

        Arguments, result and errors: as `initialise_for_`, which draws weights and delays first.
        """
        few, size = calibration.typical(spikes, rate), float(self.existing_w[0].abs().mean())
        self._check_reached()
        if not size:
            raise SpecError("w", "other than 0", Verbatim("0 everywhere"), "draw them with another mean or deviation")
        return self._scale_for(few, rate, size)

    def _scale_for(self, few: Spikes, rate: float, size: float) -> Self:
        """Scale `w`, of which this is the mean size."""
        pattern = self.w.clone()

        def rate_at(scale: float) -> float:
            self.w.copy_(scale * pattern)
            try:
                return float(self(few).counts().double().mean())
            except ArithmeticError:  # spikes follow too fast
                return math.inf

        neurons = self.matrices()
        current = size * float((-1 / neurons.A[1, 1]).mean()) * len(few.times) / (few.trials * few.duration)  # mean
        self.w.copy_(calibration.scale_for(rate, rate_at, float(neurons.v_th.mean()) / current) * pattern)
        self.record = None
        return self

    @overload
    def forward(self, spikes: Spikes, state: LayerState | None = None) -> Spikes: ...

    @overload
    def forward(
        self, spikes: Spikes, state: LayerState | None = None, *, return_state: Literal[True]
    ) -> tuple[Spikes, LayerState]: ...

    def forward(
        self, spikes: Spikes, state: LayerState | None = None, *, return_state: bool = False
    ) -> Spikes | tuple[Spikes, LayerState]:
        """The spikes of the `post` neurons, given the spikes of the `pre` neurons.

        Args:
            state: the one with which the call before ended, so that this one goes on with the
                recording; None: at rest.
            return_state: whether to return the state at the end too.

        Errors: as `propagate_on`, and `SpecError` for a delay above `max_delay`.
        """
        self._check_synapses()
        w, d, exists = self.synapses
        is_first, carried = self.record is None, None
        of_layer: dict[str, Any] = {"exists": exists, "into": self.states_raised, "recurrent": self.recurrent}
        if state is None and not return_state:
            emitted, _, self.record = propagate_neurons(spikes, w, d, self.equations, self.constants, **of_layer)
        else:
            emitted, _, self.record, carried = propagate_on(
                spikes, w, d, self.equations, self.constants, state=state, **of_layer
            )
        if is_first:
            warn_of_seconds(self.all_d, spikes.duration)
        # A window of a recording may well be silent.
        if carried is None and self.warns_of_silence and self.w.requires_grad and torch.is_grad_enabled():
            self._warn_if_silent(spikes, emitted)
        return (emitted, carried) if return_state and carried is not None else emitted

    def _warn_if_silent(self, spikes: Spikes, emitted: Spikes) -> None:
        """Warn, once, of a layer that receives spikes and emits none: nothing else shows it."""
        if len(spikes.times) and not len(emitted.times):
            self.warns_of_silence = False
            kind = type(self).__name__
            words = f"no neuron of a {kind} layer of {self.post} spikes, so no gradient passes through it"
            remedy = "draw its weights with `layer.initialise_for_(spikes, rate=5)`"
            source = torch.arange(spikes.size, device=spikes.device).repeat(spikes.trials)
            d = self.delays_of_synapses[0].detach()
            d = d if self.mask is None else d.masked_fill(~self.mask, math.inf)
            soonest = d.amin(1)[source.repeat_interleave(spikes.offsets.diff())]
            if not bool((soonest < math.inf).any()):
                words += "; no synapse reaches it from the neurons that spike"
                remedy = "change its `mask`"
            elif not bool((spikes.times.detach() + soonest <= spikes.duration).any()):
                words += f"; the delays carry all spikes beyond `duration`, {spikes.duration:g} ms"
                remedy = "give longer trials, or smaller delays"
            warn(f"{words}; {remedy}", SilentLayerWarning)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}{', recurrent=True' if self.recurrent else ''}"
