"""Layers one after the other as a network of the specification, and back; a trained one as a case for `reference`.

    network = network_of([net.hidden, net.out])
    save_case(case_of([net.hidden, net.out], spikes, trial=0, label=3), "case.json")    # python -m reference case.json

Every float32 number is a float64 number, so nothing is rounded on the way out; on the way in a number that a layer's
dtype does not hold is refused. Layers whose input skips one of them, or comes back, are a `fast.Network`, which takes
a network of the specification as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fast.nn.layers import CONSTANTS, LI, LIF
from fast.nn.spikes import Spikes
from spec import Case, Connection, CrossEntropy, Network, Population, SpecError, SpikeTrains
from spec.checks import sequence, text, whole_number
from spec.errors import Verbatim

Layer = LIF | LI


def network_of(layers: Sequence[Layer], names: Sequence[str] | None = None) -> Network:
    """The network that these layers are, one after the other.

    Args:
        layers: `LIF` layers, the last may be an `LI`.
        names: of the input and of each layer's neurons; `in`, `hidden1`, `hidden2`, ..., `out` if not given.

    Raises:
        SpecError: layers that do not follow each other; numbers that the specification refuses, as a delay below 0.
    """
    _check(layers)
    names = _names(names, len(layers))
    populations, connections = [Population(names[0], "input", layers[0].pre)], []
    for n, layer in enumerate(layers):
        kind = "li" if isinstance(layer, LI) else "lif"
        given = (getattr(layer, constant) for constant in CONSTANTS)
        constants = [None if constant is None else _numbers(constant) for constant in given]
        try:
            populations.append(Population(names[n + 1], kind, layer.post, *constants))
            connections.append(Connection(names[n], names[n + 1], _numbers(layer.w), _numbers(layer.d)))
        except SpecError as error:
            raise error.within(f"layers[{n}]") from None
    return Network(tuple(populations), tuple(connections))


def load_into(layers: Sequence[Layer], network: Network) -> None:
    """Give the layers the numbers of a network, bit for bit; all of them, or none if one does not fit.

    Args:
        layers: of the sizes and kinds of the network's populations.
        network: an input and populations one after the other, with every synapse between them.

    Raises:
        SpecError: another shape, a synapse that does not exist, a delay beyond a layer's `max_delay`, or a number that
            the layer's dtype would round.
    """
    _check(layers)
    new: list[tuple[Tensor, Tensor]] = []
    for n, (layer, (c, population)) in enumerate(zip(layers, _row(network, len(layers)), strict=True)):
        connection = network.connections[c]
        _fit(layer, f"layers[{n}]", connection, f"connections[{c}]", population.kind)
        values = [(f"connections[{c}].{key}", key, getattr(connection, key)) for key in ("w", "d")]
        values += [(f"{population.name}.{key}", key, getattr(population, key)) for key in CONSTANTS]
        for name, key, numbers in values:
            if numbers is not None:
                new.append((getattr(layer, key), _held(numbers, getattr(layer, key), name)))
    with torch.no_grad():
        for parameter, tensor in new:
            parameter.copy_(tensor)


def case_of(
    layers: Sequence[Layer], spikes: Spikes, trial: int, label: int, names: Sequence[str] | None = None
) -> Case:
    """One trial of these layers as a case: the cross entropy of what the last layer, an `LI`, reads.

    Args:
        layers, names: as for `network_of`.
        spikes: what goes into the first layer.
        trial: which of the trials of `spikes`.
        label: the right neuron of the last layer.

    Raises:
        SpecError: a last layer without a readout, spikes of another number of neurons, no such trial or label.
    """
    network = network_of(layers, names)
    last = layers[-1]
    if not isinstance(last, LI):
        remedy = "build a `spec.Case` with a loss of spike times from `network_of`"
        raise SpecError(f"layers[{len(layers) - 1}]", "an LI layer, which is read", Verbatim("an LIF layer"), remedy)
    if spikes.size != layers[0].pre:
        expected = f"of {layers[0].pre} neurons, as layers[0].pre"
        raise SpecError("spikes", expected, Verbatim(f"{spikes.size}"), "give what goes into the first layer")
    whole_number(trial, "trial", 0, spikes.trials - 1, "count from 0")
    trains = SpikeTrains(tuple(_numbers(spikes.train(trial, i)) for i in range(spikes.size)))
    loss = CrossEntropy(last.readout, network.populations[-1].name, label)
    return Case(network, spikes.duration, {network.populations[0].name: trains}, loss)


def _check(layers: Sequence[Layer]) -> None:
    """Refuse what is no row of layers."""
    if len(layers) == 0:
        raise SpecError("layers", "a list of at least one layer", Verbatim("none"), "give LIF and LI layers")
    for n, layer in enumerate(layers):
        if not isinstance(layer, LIF | LI):
            got = Verbatim(type(layer).__name__)
            raise SpecError(f"layers[{n}]", "an LIF or LI layer", got, "leave out what is no layer of neurons")
        if isinstance(layer, LI) and n < len(layers) - 1:
            raise SpecError(f"layers[{n}]", "an LIF layer, as it is not the last", Verbatim("an LI layer"), "end in it")
        if n and layer.pre != layers[n - 1].post:
            expected = f"{layers[n - 1].post}, as layers[{n - 1}].post"
            raise SpecError(f"layers[{n}].pre", expected, layer.pre, "give layers that follow each other")


def _fit(layer: Layer, name: str, connection: Connection, path: str, kind: str) -> None:
    """Refuse a connection, onto neurons of that kind, that the layer cannot be."""
    there, wanted = (*connection.w.shape, kind), (layer.pre, layer.post, "li" if isinstance(layer, LI) else "lif")
    if there != wanted:
        expected = f"{wanted[0]} -> {wanted[1]} {wanted[2]} neurons, as {name}"
        got = Verbatim(f"{there[0]} -> {there[1]} {there[2]} neurons")
        raise SpecError(path, expected, got, "build the layer for this network")
    for i, j in np.argwhere(~connection.exists)[:1]:
        remedy = "a layer has every synapse; use `fast.Network`"
        raise SpecError(f"{path}.w[{i}][{j}]", "a synapse", Verbatim("null"), remedy)
    if layer.max_delay is not None:
        for i, j in np.argwhere(connection.d > layer.max_delay)[:1]:
            expected = f"at most max_delay of {name}, {layer.max_delay} (ms)"
            raise SpecError(f"{path}.d[{i}][{j}]", expected, float(connection.d[i, j]), "raise max_delay")


def _names(names: Sequence[str] | None, layers: int) -> list[str]:
    if names is None:
        return ["in", *(f"hidden{n}" for n in range(1, layers)), "out"]
    given = sequence(names, "names", layers + 1, "layer, and the input first")
    return [text(name, f"names[{n}]") for n, name in enumerate(given)]


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def _row(network: Network, layers: int) -> list[tuple[int, Population]]:
    """The connections of a network of one row, by number, and what they lead to, from its input on."""
    inputs = [population.name for population in network.populations if population.kind == "input"]
    others, connections = len(network.populations) - len(inputs), len(network.connections)
    row: list[tuple[int, Population]] = []
    if (len(inputs), others, connections) == (1, layers, layers):
        at, by_source = inputs[0], {connection.source: c for c, connection in enumerate(network.connections)}
        while at in by_source and len(row) < layers:
            row.append((by_source[at], network.population(network.connections[by_source[at]].target)))
            at = row[-1][1].name
    if len({population.name for _, population in row}) < layers:
        expected = f"an input and {layers} populations in a row"
        got = Verbatim(f"{len(inputs)} inputs, {others} others, {connections} connections")
        raise SpecError("network", expected, got, "use `fast.Network` for any other graph")
    return row


def _held(values: np.ndarray, parameter: Tensor, name: str) -> Tensor:
    """The values in the dtype of a parameter, which must hold every one of them."""
    exact = torch.tensor(values, dtype=torch.float64)
    cast = exact.to(parameter.dtype)
    for index in torch.nonzero(cast.double() != exact)[:1].tolist():
        place = "".join(f"[{i}]" for i in index)
        expected = f"a number that {str(parameter.dtype).removeprefix('torch.')} holds"
        raise SpecError(name + place, expected, float(exact[tuple(index)]), "use float64 layers")
    return cast
