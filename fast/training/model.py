"""Networks that classify spike trains: hidden layers that spike, and an output layer.

Outputs are LI neurons, whose voltage is read, or LIF neurons, whose first spikes are. LIF: leaky
integrate-and-fire neurons. LI: leaky integrators, which emit no spikes. Dropout: neurons of the
last hidden layer that pass no spikes on, drawn anew for each trial of each step. In earlier layers
a dropped neuron would move spikes of all later ones. A draw follows from the seed, the step and the
trial alone, so it depends neither on the number of processes nor on where a run was resumed. The
gradient is the exact one of the network that is left.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.nn.calibration import TRIALS
from delayprop.fast.nn.layers import LI, LIF
from delayprop.fast.nn.losses import cross_entropy, first_spike_time, relative_spike_time_mse
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.spiking_layer import SpikingLayer
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.fast.solving.bound import bounded_spikes
from delayprop.fast.training.hidden_neurons import hidden_layer
from delayprop.fast.training.settings import Settings
from delayprop.spec.errors import SpecError, Verbatim, placed

DRAWS = 2  # separates these draws from those of the augmentation


class Classifier(nn.Module):
    """Input channels, hidden layers, and one output per class.

    Attributes:
        hidden_layers, out, layers: the hidden layers, the output layer, and all layers in order.
        spiking_layers: the hidden layers, and the output layer if its first spikes are read.
        gain: factor from a readout to its logit.
        time_scale: ms; a first spike that comes earlier by it is read as 1 more.
        margin: ms, of the relative loss of first spike times; None: the loss is the cross entropy.
        dropout: fraction of the last hidden layer's neurons that `kept` of `forward` leaves out.
        name: the size of each layer, as in `700-256-20`.
    """

    def __init__(self, channels: int, classes: int, settings: Settings, dtype: torch.dtype, seed: int) -> None:
        super().__init__()
        random, sizes = torch.Generator().manual_seed(seed), [channels, *settings.hidden]
        wiring: dict[str, Any] = {"max_delay": settings.max_delay, "delays": settings.delays, "dtype": dtype}
        self.gain, self.dropout, self.time_scale = settings.gain, settings.dropout, settings.time_scale
        self.margin = settings.margin if settings.loss == "relative_spike_time_mse" else None
        self.hidden_layers: list[SpikingLayer] = []
        for n, (pre, post) in enumerate(pairwise(sizes)):
            drawn = (settings.inner_mean, settings.inner_sd) if n else (settings.w_mean, settings.w_sd)
            layer = hidden_layer(pre, post, settings, {**wiring, **_masks(pre, post, settings, random)})
            layer.warns_of_silence = False  # a run says so itself, once an epoch
            layer.initialise_(*drawn, settings.delay, random)
            if settings.recurrent:
                layer.initialise_recurrent_(0.0, settings.rec_sd, settings.rec_delay, random)
            self.hidden_layers.append(layer)
        self.hidden = nn.ModuleList(self.hidden_layers)
        self.spiking_layers = [*self.hidden_layers]
        self.out = self._outputs(sizes[-1], classes, settings, wiring)
        self.out.initialise_(settings.out_mean, settings.out_sd, 0.0, random)
        self.layers: list[SynapticLayer] = [*self.hidden_layers, self.out]
        self.name = "-".join(str(size) for size in [*sizes, classes])

    def _outputs(self, pre: int, classes: int, settings: Settings, wiring: dict[str, Any]) -> LI | LIF:
        given = {"tau_mem": settings.tau_mem, "tau_syn": settings.tau_syn, **wiring}
        if settings.readout != "first_spike_time":
            return LI(pre, classes, readout=settings.readout, **given)
        out = LIF(pre, classes, **given)
        out.warns_of_silence = False
        self.spiking_layers.append(out)
        return out

    def forward(
        self, spikes: Spikes, kept: Tensor | None = None,
        seen: Callable[[Spikes], Spikes] = lambda spikes: spikes,
    ) -> tuple[Tensor, list[Spikes]]:
        """The readout, `[trials, classes]`, and the spikes of every layer that spikes.

        `kept`: the neurons of the last hidden layer that pass their spikes on, `[trials, neurons]`.
        Weights onto the outputs are then multiplied by `1 / (1 - dropout)`. None: all neurons.
        `seen`: the spikes that a layer receives, of those that are sent to it.
        """
        emitted: list[Spikes] = []
        for layer in self.hidden_layers:
            spikes = layer(seen(spikes))
            emitted.append(spikes)
        if kept is None:
            found = self.out(seen(spikes))
        else:
            weights = {"w": 1 / (1 - self.dropout) * self.out.w}
            found = functional_call(self.out, weights, (seen(spikes.keep(kept)),))
        if isinstance(found, Tensor):
            return found, emitted
        return first_spike_time(found, self.time_scale), [*emitted, found]

    @property
    def of_first_spikes(self) -> tuple[float | None, float | None]:
        """`time_scale` and `margin` of `case_of`."""
        return (None if isinstance(self.out, LI) or self.margin is not None else self.time_scale), self.margin

    def loss(self, y: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """The loss of readouts, mean over trials: the cross entropy of the scaled readouts, or the
        relative loss of the first spikes."""
        if self.margin is not None:
            return relative_spike_time_mse(-self.time_scale * y, labels, self.margin)
        return cross_entropy(self.gain * y, labels, label_smoothing)


def _masks(pre: int, post: int, settings: Settings, random: torch.Generator) -> dict[str, Tensor]:
    """Masks of a hidden layer, by the name of the argument; none if every synapse exists."""
    sources = {"mask": pre, "mask_rec": post} if settings.recurrent else {"mask": pre}
    if settings.density == 1.0:
        return {}
    found = {name: torch.rand(size, post, generator=random) < settings.density for name, size in sources.items()}
    if not found["mask"].any():
        got = Verbatim(f"{settings.density:g}, which leaves no synapse onto a hidden layer")
        raise SpecError("density", "larger", got, "raise it")
    return found


@torch.no_grad()
def scale_first_weights_(network: Classifier, data: SpikeData, duration: float, rate: float) -> str:
    """Scales the weights onto layers that emit less than `rate` spikes per neuron and trial.

    It simulates trials from all parts of the data, for files that are ordered by class. Returns a
    line with the spikes per neuron and trial that each layer now emits; errors name the options.
    """
    some = np.flatnonzero([len(times) > 0 for times in data.times])
    places = np.linspace(0, max(0, len(some) - 1), min(len(some), TRIALS)).astype(int)
    spikes, _ = data.batch(some[places] if len(some) else np.arange(1), duration)
    spikes, rates = spikes.to(network.out.w.device), []
    for number, layer in enumerate(network.spiking_layers):
        if number > 0 and not len(spikes.times):
            fault = f"is {rate:g}, at which hidden layer {number} is silent, so that the next cannot be scaled"
            raise SpecError("--rate", "", fault, "raise it")
        with bounded_spikes(), placed("", {"rate": "--rate", "spikes": "--data", "w": "--w-sd"}):
            emitted = layer(spikes)
            if scaled := float(emitted.counts().double().mean()) < rate:
                emitted = layer.scale_for_(spikes, rate)(spikes)
        layer.record, spikes = None, emitted
        rates.append(f"{float(spikes.counts().double().mean()):.3g}{' (scaled)' if scaled else ''}")
    return f"first weights: {', '.join(rates)} spikes per neuron and trial, layer by layer"


def kept_neurons(neurons: int, dropout: float, seed: int, step: int, trials: np.ndarray) -> Tensor:
    """The neurons that pass their spikes on, `[trials, neurons]`, boolean."""
    draws = [np.random.default_rng([seed, step, int(trial), DRAWS]).random(neurons) for trial in trials]
    return torch.from_numpy(np.stack(draws)) >= dropout
