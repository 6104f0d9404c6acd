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
import torch
from torch import Tensor, nn

from delayprop.fast.nn.joining import check_spikes
from delayprop.fast.nn.layers import LI, LIF
from delayprop.fast.nn.network import Network as Graph
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, SpikeTrains
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
    _check(layers)
    names = _names(names, len(layers))
    populations, connections = [Population(names[0], "input", layers[0].pre)], []
    for n, layer in enumerate(layers):
        values: dict[str, Any] = {name: _numbers(constant) for name, constant in layer.constants.items()}
        kind = _kind(layer)
        of_kind = {"neuron": layer.equations, "constants": values} if kind == "neuron" else values
        with placed(f"layers[{n}]"):
            populations.append(Population(names[n + 1], kind, layer.post, **of_kind))
            given = zip(layer.all_w, layer.delays_of_synapses, layer.masks, _raised(layer), strict=True)
            for source, (w, d, mask, raised) in zip(names[n : n + 2], given, strict=False):
                for state in np.unique(raised).tolist():
                    exists = np.repeat((raised == state)[:, None], w.shape[1], axis=1)
                    exists = exists if mask is None else exists & mask.cpu().numpy()
                    into = layer.equations.arrivals[state] if state else None
                    connections.append(Connection(source, names[n + 1], _numbers(w), _numbers(d), exists, into))
    return Network(tuple(populations), tuple(connections))


def _of_graph(net: Graph) -> Network:
    populations, connections = list(net.network.populations), list(net.network.connections)
    for p, own in enumerate(net.constants):
        if own.equations is not None:
            with placed(f"constants[{p}]"):
                values = {name: _numbers(tensor) for name, tensor in own.constants.items()}
                populations[p] = populations[p].with_values(values)
    for c, synapses in enumerate(net.synapses):
        with placed(f"synapses[{c}]"):
            connections[c] = replace(connections[c], w=_numbers(synapses.w), d=_numbers(synapses.d))
    return Network(tuple(populations), tuple(connections))


def load_into(layers: Sequence[SynapticLayer], network: Network) -> None:
    """Copy weights, delays and constants of a network into layers, bit for bit; all or none.

    Args:
        layers: a chain of the sizes and kinds of the network's populations.
        network: a chain of populations from one input, with the synapses of the layers.

    Raises:
        SpecError: another shape, other synapses, a delay above a layer's `max_delay`, unequal
            delays where a layer shares one, or a number that the layer's dtype would round.
    """
    _check(layers)
    of_type(network, "network", Network, "a `delayprop.NetworkSpec`", "`network_of(net)` makes one of a `Network`")
    new: list[tuple[Tensor, Tensor]] = []
    for n, (layer, (across, population)) in enumerate(zip(layers, _chain(network, len(layers)), strict=True)):
        values = [(f"{population.name}.{key}", key, numbers) for key, numbers in population.values.items()]
        for of, at in (("", across), ("_rec", _loop(network, population, layer, f"layers[{n}]"))):
            if at:
                path, raised = f"connections[{at[0]}]", _raised(layer)[bool(of)]
                connection = _together(network, at, layer.equations.arrivals, raised, f"layers[{n}]")
                _fit(layer, f"layers[{n}]", len(raised), connection, path, population)
                d = _shared(layer, getattr(layer, f"d{of}"), f"layers[{n}]", connection, path)
                values += [(f"{path}.w", f"w{of}", connection.w), (f"{path}.d", f"d{of}", d)]
        new += [(getattr(layer, key), _exact(numbers, getattr(layer, key), name)) for name, key, numbers in values]
    with torch.no_grad():
        for parameter, tensor in new:
            parameter.copy_(tensor)


def case_of(
    layers: Sequence[SynapticLayer], spikes: Spikes, trial: int, label: int, names: Sequence[str] | None = None
) -> Case:
    """One trial of a chain as a case; its loss is the cross entropy of the last layer's readout.

    Args:
        layers, names: as for `network_of`; the last layer is an `LI` layer.
        spikes: the input of the first layer.
        trial: index of the trial in `spikes`.
        label: index of the correct neuron of the last layer.

    Raises:
        SpecError: a last layer without a readout, spikes of another size, no such trial or label.
    """
    _check(layers)
    network = network_of(layers, names)
    last = layers[-1]
    if not isinstance(last, LI):
        remedy = "build a `delayprop.Case` with a loss of spike times from `network_of`"
        got = Verbatim(type(last).__name__)
        raise SpecError(f"layers[{len(layers) - 1}]", "an LI layer, which is read", got, remedy)
    check_spikes(spikes)
    if spikes.size != layers[0].pre:
        expected = f"of {layers[0].pre} neurons, as layers[0].pre"
        raise SpecError("spikes", expected, Verbatim(f"{spikes.size}"), "give the input of the first layer")
    whole_number(trial, "trial", 0, spikes.trials - 1, "count from 0")
    trains = SpikeTrains(tuple(_numbers(spikes.train(trial, i)) for i in range(spikes.size)))
    loss = CrossEntropy(last.readout, network.populations[-1].name, label)
    return Case(network, spikes.duration, {network.populations[0].name: trains}, loss)


def _check(layers: Sequence[SynapticLayer]) -> None:
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


def _kind(layer: SynapticLayer) -> str:
    return "li" if isinstance(layer, LI) else "lif" if isinstance(layer, LIF) else "neuron"


def _raised(layer: SynapticLayer) -> list[np.ndarray]:
    """The state that each source raises, and each own neuron of a recurrent layer, as its number in
    `Neuron.arrivals`."""
    given = zip((layer.into, layer.into_rec), layer.all_w, strict=False)
    return [np.zeros(len(w), int) if into is None else into.cpu().numpy() for into, w in given]


def _together(
    network: Network, connections: list[int], arrivals: tuple[str, ...], raised: np.ndarray, name: str
) -> Connection:
    """The connections of one pair of populations as one; refuses a source of several of them, or one
    that raises another state than in the layer."""
    parts = [network.connections[c] for c in connections]
    sends = np.stack([one.exists.any(axis=1) for one in parts])
    for c, one, rows in zip(connections, parts, sends, strict=True):
        given, states = one.into or arrivals[0], [arrivals[state] for state in raised]
        for i in np.flatnonzero(rows)[:len(states)]:
            if states[i] != given:
                expected, remedy = f"{states[i]} from source {i}, as {name}", "build the layer for this network"
                raise SpecError(f"connections[{c}].into", expected, given, remedy)
    if (sends.sum(axis=0) > 1).any():
        got = f"leave source {int((sends.sum(axis=0) > 1).argmax())} twice"
        raise SpecError(f"connections[{connections[-1]}]", "", got, "use `delayprop.Network`")
    if len(parts) == 1:
        return parts[0]
    w, d, exists = (np.sum([getattr(one, of) for one in parts], axis=0) for of in ("w", "d", "exists"))
    return Connection(parts[0].source, parts[0].target, w, d, exists.astype(bool))


def _loop(network: Network, population: Population, layer: SynapticLayer, name: str) -> list[int]:
    """Indices of the connections of a population onto itself, which a recurrent layer has."""
    own = [c for c, one in enumerate(network.connections) if one.source == one.target == population.name]
    if bool(own) == layer.recurrent:
        return own
    expected = f"with {'one connection' if layer.recurrent else 'no connection'} onto itself, as {name}"
    remedy = "build the layer for this network, or use `delayprop.Network`"
    raise SpecError(f"population {population.name}", expected, Verbatim(f"{len(own)}"), remedy)


def _fit(layer: SynapticLayer, name: str, pre: int, connection: Connection, path: str, target: Population) -> None:
    """Refuse a connection of `pre` sources onto this target that does not fit the layer."""
    given, wanted = (*connection.w.shape, target.kind), (pre, layer.post, _kind(layer))
    if given != wanted:
        expected = f"{wanted[0]} -> {wanted[1]} {wanted[2]} neurons, as {name}"
        got = Verbatim(f"{given[0]} -> {given[1]} {given[2]} neurons")
        raise SpecError(path, expected, got, "build the layer for this network")
    if target.equations != layer.equations:
        raise SpecError(target.name, f"of the equations of {name}", Verbatim("others"), "build the layer for them")
    mask = layer.masks[connection.source == connection.target]
    wanted_here = np.ones_like(connection.exists) if mask is None else mask.cpu().numpy()
    for i, j in np.argwhere(connection.exists != wanted_here)[:1]:
        one, none = "a synapse", "null"
        expected, found = (one, none) if wanted_here[i, j] else (none, one)
        remedy = f"give {name} the mask of this network, or use `delayprop.Network`"
        raise SpecError(f"{path}.w[{i}][{j}]", expected, Verbatim(found), remedy)
    if layer.max_delay is not None:
        for i, j in np.argwhere(connection.d > layer.max_delay)[:1]:
            expected = f"at most max_delay of {name}, {layer.max_delay} (ms)"
            raise SpecError(f"{path}.d[{i}][{j}]", expected, float(connection.d[i, j]), "raise max_delay")


def _shared(layer: SynapticLayer, now: Tensor, name: str, connection: Connection, path: str) -> np.ndarray:
    """The delays of a connection in the shape of the layer's, `now`; those of no synapse stay."""
    if layer.delays == "synaptic":
        return connection.d
    axis = 1 if layer.delays == "axonal" else 0
    shared = connection.d.max(axis, keepdims=True)
    for i, j in np.argwhere(connection.exists & (connection.d != shared))[:1]:
        expected = f"{shared.flat[i if axis else j]}, since delays of {name} are {layer.delays}"
        raise SpecError(f"{path}.d[{i}][{j}]", expected, float(connection.d[i, j]), "give the layer synaptic delays")
    return np.where(connection.exists.any(axis, keepdims=True), shared, _numbers(now))


def _names(names: Sequence[str] | None, layers: int) -> list[str]:
    if names is None:
        return ["in", *(f"hidden{n}" for n in range(1, layers)), "out"]
    given = sequence(names, "names", layers + 1, "layer, and the input first")
    return [text(name, f"names[{n}]") for n, name in enumerate(given)]


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def _chain(network: Network, layers: int) -> list[tuple[list[int], Population]]:
    """Connections, by their indices, from each population of a chain to the next, which is given;
    from the input on, without loops."""
    inputs = [population.name for population in network.populations if population.kind == "input"]
    across = [(c, one) for c, one in enumerate(network.connections) if one.source != one.target]
    others = len(network.populations) - len(inputs)
    chain: list[tuple[list[int], Population]] = []
    if (len(inputs), others, len({(one.source, one.target) for _, one in across})) == (1, layers, layers):
        name, targets = inputs[0], {connection.source: connection.target for _, connection in across}
        while name in targets and len(chain) < layers:
            onto = [c for c, connection in across if connection.source == name]
            chain.append((onto, network.population(targets[name])))
            name = targets[name]
    if len({population.name for _, population in chain}) < layers:
        expected = f"an input and {layers} populations in a chain"
        got = Verbatim(f"{len(inputs)} inputs, {others} others, {len(network.connections)} connections")
        raise SpecError("network", expected, got, "use `delayprop.Network` for any other graph")
    return chain


def _exact(values: np.ndarray, parameter: Tensor, name: str) -> Tensor:
    """The values in the dtype of a parameter; refuses a value that would be rounded."""
    given = torch.tensor(values, dtype=torch.float64)
    cast = given.to(parameter.dtype)
    for index in torch.nonzero(cast.double() != given)[:1].tolist():
        place = "".join(f"[{i}]" for i in index)
        expected = f"a number that {str(parameter.dtype).removeprefix('torch.')} holds"
        raise SpecError(name + place, expected, float(given[tuple(index)]), "use float64 layers")
    return cast
