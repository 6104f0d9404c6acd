"""A chain of layers as a network of the specification, and back; a trial of it as a case.

    network = network_of([net.hidden, net.out])
    case = case_of([net.hidden, net.out], spikes, trial=0, label=3)
    save_case(case, "case.json")  # then: python -m reference case.json

Nothing is rounded: `network_of` converts float32 to float64, which is exact, and `load_into`
refuses numbers that a layer's dtype cannot hold. For connections that skip a layer or lead back,
use `delayprop.Network`, which takes a network of the specification as it is; `network_of` returns
it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from delayprop.fast.nn.joining import check_spikes
from delayprop.fast.nn.layers import LI, LIF
from delayprop.fast.nn.network import Network as Graph
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.spec import (
    NEURONS,
    Case,
    Connection,
    CrossEntropy,
    Loss,
    Network,
    Population,
    RelativeSpikeTimeMSE,
    SpikeTrains,
)
from delayprop.spec.checks import of_type, sequence, text, whole_number
from delayprop.spec.errors import SpecError, Verbatim, placed


def network_of(layers: Sequence[SynapticLayer] | Graph, names: Sequence[str] | None = None) -> Network:
    """The network of the specification that this chain of layers, or `delayprop.Network`, equals.

    Args:
        layers: layers that spike, of which the last may be an `LI` layer; or a `delayprop.Network`.
        names: of the input and of each layer's neurons; default: `in`, `hidden1`, ..., `out`. The
            populations of a `delayprop.Network` have their names.

    Raises:
        SpecError: layers that do not fit each other, or numbers that the specification refuses.
    """
    if isinstance(layers, Graph):
        if names is not None:
            raise SpecError("names", "left out for a `Network`", names, "its populations have names")
        return _of_graph(layers)
    check_chain(layers)
    if names is None:
        names = ["in", *(f"hidden{n}" for n in range(1, len(layers))), "out"]
    else:
        given = sequence(names, "names", len(layers) + 1, "layer, and the input first")
        names = [text(name, f"names[{n}]") for n, name in enumerate(given)]
    populations, connections = [Population(names[0], "input", layers[0].pre)], []
    for n, layer in enumerate(layers):
        values: dict[str, Any] = {name: numbers_of(constant) for name, constant in layer.constants.items()}
        kind = kind_of(layer)
        of_kind = {"neuron": layer.equations, "constants": values} if kind == "neuron" else values
        with placed(f"layers[{n}]"):
            populations.append(Population(names[n + 1], kind, layer.post, **of_kind))
            of_sources = zip(layer.all_w, layer.delays_of_synapses, layer.masks, raised_by(layer), strict=True)
            for source, (w, d, mask, raised) in zip(names[n : n + 2], of_sources, strict=False):
                for state in np.unique(raised).tolist():
                    exists = np.repeat((raised == state)[:, None], w.shape[1], axis=1)
                    exists = exists if mask is None else exists & mask.cpu().numpy()
                    into = layer.equations.arrivals[state] if state else None
                    connections.append(Connection(source, names[n + 1], numbers_of(w), numbers_of(d), exists, into))
    return Network(tuple(populations), tuple(connections))


def _of_graph(net: Graph) -> Network:
    populations, connections = list(net.network.populations), list(net.network.connections)
    for p, own in enumerate(net.constants):
        if own.equations is not None:
            with placed(f"constants[{p}]"):
                values = {name: numbers_of(tensor) for name, tensor in own.constants.items()}
                populations[p] = populations[p].with_values(values)
    for c, synapses in enumerate(net.synapses):
        with placed(f"synapses[{c}]"):
            connections[c] = replace(connections[c], w=numbers_of(synapses.w), d=numbers_of(synapses.d))
    return Network(tuple(populations), tuple(connections))


def case_of(
    layers: Sequence[SynapticLayer], spikes: Spikes, trial: int, label: int, names: Sequence[str] | None = None,
    *, time_scale: float | None = None, margin: float | None = None,
) -> Case:
    """One trial of a chain as a case; its loss is the cross entropy of the last layer's readout, or
    the relative loss of its first spikes.

    Args:
        layers, names: as for `network_of`.
        spikes: the input of the first layer.
        trial: index of the trial in `spikes`.
        label: index of the correct neuron of the last layer.
        time_scale, margin: ms, one of the two where the last layer spikes: the time scale of the
            readout `first_spike_time`, or the margin of `relative_spike_time_mse`.

    Raises:
        SpecError: a last layer that spikes without one of the two, an `LI` layer with one of them;
            spikes of another size, no such trial or label.
    """
    check_chain(layers)
    network, last = network_of(layers, names), layers[-1]
    if (time_scale is not None) + (margin is not None) != (not isinstance(last, LI)):
        expected = "an LI layer, or one that spikes with either `time_scale` or `margin`"
        remedy = "or build a `delayprop.Case` with a loss of spike times from `network_of`"
        given = Verbatim(f"{type(last).__name__}, time_scale {time_scale}, margin {margin}")
        raise SpecError(f"layers[{len(layers) - 1}]", expected, given, remedy)
    if isinstance(last, LI) and last.times is not None:
        remedy = "build a `delayprop.Case` with a `VoltageMSE` from `network_of`"
        raise SpecError(f"layers[{len(layers) - 1}]", "", "reads samples, for which no loss is given", remedy)
    check_spikes(spikes)
    if spikes.size != layers[0].pre:
        expected = f"of {layers[0].pre} neurons, as layers[0].pre"
        raise SpecError("spikes", expected, Verbatim(f"{spikes.size}"), "give the input of the first layer")
    whole_number(trial, "trial", 0, spikes.trials - 1, "count from 0")
    trains = SpikeTrains(tuple(numbers_of(spikes.train(trial, i)) for i in range(spikes.size)))
    out = network.populations[-1].name
    if margin is not None:
        loss: Loss = RelativeSpikeTimeMSE(out, label, margin)
    else:
        loss = CrossEntropy(last.readout if isinstance(last, LI) else "first_spike_time", out, label, time_scale)
    return Case(network, spikes.duration, {network.populations[0].name: trains}, loss)


def check_chain(layers: Sequence[SynapticLayer]) -> None:
    """Refuse layers that form no chain."""
    kinds, remedy = Sequence | nn.Sequential | nn.ModuleList, "list them; `delayprop.Network(network)` loads any graph"
    of_type(layers, "layers", kinds, "a list of layers", remedy)
    if len(layers) == 0:
        remedy = "give layers that spike, and an LI layer"
        raise SpecError("layers", "a list of at least one layer", Verbatim("none"), remedy)
    for n, layer in enumerate(layers):
        of_type(layer, f"layers[{n}]", SynapticLayer, "a layer that spikes, or an LI layer", "leave it out")
        if isinstance(layer, LI) and n < len(layers) - 1:
            expected = "a layer that spikes, as it is not the last"
            raise SpecError(f"layers[{n}]", expected, Verbatim("an LI layer"), "put it last")
        if n and layer.pre != layers[n - 1].post:
            expected = f"{layers[n - 1].post}, as layers[{n - 1}].post"
            raise SpecError(f"layers[{n}].pre", expected, layer.pre, "give layers that fit each other")


def kind_of(layer: SynapticLayer) -> str:
    plain = isinstance(layer, LIF) and layer.equations == NEURONS["lif"]
    return "li" if isinstance(layer, LI) else "lif" if plain else "neuron"


def raised_by(layer: SynapticLayer) -> list[np.ndarray]:
    """The state that each source raises, and each own neuron of a recurrent layer, as its number in
    `Neuron.arrivals`."""
    given = zip((layer.into, layer.into_rec), layer.all_w, strict=False)
    return [np.zeros(len(w), int) if into is None else into.cpu().numpy() for into, w in given]


def numbers_of(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()
