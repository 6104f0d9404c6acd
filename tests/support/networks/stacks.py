"""Stacks of layers with input and loss, drawn from a seed, in shapes that the families lack."""

import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from delayprop.fast import LI, LIF, Spikes, cross_entropy, first_spike_time
from delayprop.fast.nn.interchange import network_of
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.spec import Case, CrossEntropy, SpecError, SpikeTrains

T_ = TypeVar("T_")
SCALE = 5.0  # ms, of first spikes
CLASSES = 3
BLOCKS = ("w", "d", "w_rec", "d_rec")


@dataclass
class Stack:
    """Layers in order, their input, and the labels of the cross entropy of the last one."""

    layers: list[SynapticLayer]
    spikes: Spikes
    labels: Tensor

    def in_float64(self) -> "Stack":
        return replace(self, layers=[copy.deepcopy(layer).double() for layer in self.layers])

    def gradient(self) -> dict[tuple[int, str], np.ndarray]:
        """The blocks of the gradient, float64, by layer and name."""
        stack = nn.Sequential(*self.layers)
        stack.zero_grad()
        found = stack(self.spikes)
        cross_entropy(first_spike_time(found, SCALE) if isinstance(found, Spikes) else found, self.labels).backward()
        named = {(n, name): getattr(layer, name) for n, layer in enumerate(self.layers) for name in BLOCKS
                 if getattr(layer, name, None) is not None}
        return {at: block.grad.double().numpy() for at, block in named.items()}

    def case(self, trial: int) -> Case:
        """One trial as a case: populations `in`, `hidden1`, ..., `out`."""
        last, one = self.layers[-1], self.spikes[trial].detach()
        of_spikes = CrossEntropy("first_spike_time", "out", int(self.labels[trial]), SCALE)
        loss = CrossEntropy(last.readout, "out", int(self.labels[trial])) if isinstance(last, LI) else of_spikes
        arriving = SpikeTrains(tuple(map(np.array, one.to_lists()[0])))
        return Case(network_of(self.layers), one.duration, {"in": arriving}, loss)


def stack(seed: int, dtype: torch.dtype, small: bool = False) -> Stack:
    """The stack of a seed: one to three hidden layers, recurrent or masked or neither, that spike;
    then a reader, or a layer whose first spikes are read. `small`: few neurons, for many digits."""
    drawn, random = np.random.default_rng(seed), torch.Generator().manual_seed(seed)

    def one(*options: T_) -> T_:
        return options[drawn.integers(len(options))]

    T = one(20.0, 40.0) if small else one(30.0, 100.0, 400.0)
    trials, pre = int(drawn.integers(1, 3 if small else 5)), int(drawn.integers(1, 6 if small else 25))
    end, per_source = T * one(0.4, 0.9), one(1.0, 3.0, T / 10)
    trains = [[np.sort(drawn.uniform(0, end, drawn.poisson(per_source))) for _ in range(pre)] for _ in range(trials)]
    spikes = Spikes.from_trains(trains, T)
    labels = torch.from_numpy(drawn.integers(0, CLASSES, trials))
    reads, layers, arriving = drawn.random() < 0.7, list[SynapticLayer](), spikes
    hidden = int(drawn.integers(1, 3 if small else 4))
    for n in range(hidden):
        last = n == hidden - 1 and not reads
        post = CLASSES if last else int(drawn.integers(1, 7 if small else 41))
        layers.append(_layer(arriving, post, T, small, one, drawn, random, dtype))
        arriving = layers[-1](arriving).detach()
    if reads:
        readout = one("max_voltage", "mean_voltage", "exp_weighted_voltage")
        reader = LI(arriving.size, CLASSES, readout=readout, dtype=dtype)
        layers.append(reader.initialise_(0.0, 2.0 * arriving.size**-0.5, one(0.0, 20.0), random))
    return Stack(layers, spikes, labels)


def _layer(
    arriving: Spikes, post: int, T: float, small: bool, one: Callable[..., Any], drawn: np.random.Generator,
    random: torch.Generator, dtype: torch.dtype,
) -> LIF:
    own = drawn.random() < 0.3  # constants of each neuron

    def constant(low: float, high: float) -> Any:
        return drawn.uniform(low, high, post).tolist() if own else float(drawn.uniform(low, high))

    recurrent, masked = drawn.random() < 0.3, drawn.random() < 0.3
    made = LIF(
        arriving.size, post, tau_mem=constant(5, 25), tau_syn=constant(2, 10), v_reset=one(0.0, -0.5, 0.3),
        recurrent=recurrent, delays=one("synaptic", "synaptic", "axonal", "dendritic"), dtype=dtype,
        mask=torch.rand(arriving.size, post, generator=random) < 0.7 if masked else None,
    )
    made.warns_of_silence = False
    delay, spread = one(0.0, 3.0, T / 4), arriving.size**-0.5
    made.initialise_(spread * one(0.3, 1.0), spread, delay, random)
    made.d.detach().clamp_(min=min(delay, 0.5))  # none that looks like seconds
    with contextlib.suppress(SpecError):  # nothing arrives, or mostly inhibition: it stays as it is
        made.scale_for_(arriving, one(1.0, 2.0) if small else one(1.0, 4.0, T / 25))
    if recurrent:
        made.initialise_recurrent_(0.0, 0.5 * post**-0.5, max(delay, 1.0), random)
    return made
