"""A network of the specification loaded into a chain of layers, bit for bit."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.nn.constants import key_of
from delayprop.fast.nn.interchange import check_chain, kind_of, numbers_of, raised_by
from delayprop.fast.nn.synaptic_layer import SynapticLayer
from delayprop.spec import Connection, Network, Population
from delayprop.spec.checks import of_type, refuse
from delayprop.spec.errors import SpecError, Verbatim


def load_into(layers: Sequence[SynapticLayer], network: Network) -> None:
    """Copy weights, delays and constants of a network into layers, bit for bit; all or none.

    Args:
        layers: a chain of the sizes and kinds of the network's populations.
        network: a chain of populations from one input, with the synapses of the layers.

    Raises:
        SpecError: another shape, other synapses, a source that raises another state or stands in
            two connections onto a population, a delay above a layer's `max_delay`, unequal delays
            where a layer shares one, or a number that the layer's dtype would round.
    """
    check_chain(layers)
    of_type(network, "network", Network, "a `delayprop.NetworkSpec`", "`network_of(net)` makes one of a `Network`")
    new: list[tuple[Tensor, Tensor]] = []
    for n, (layer, (across, population)) in enumerate(zip(layers, _chain(network, len(layers)), strict=True)):
        constants = population.values.items()
        values = [(f"{population.name}.{own}", key_of(layer, own), numbers) for own, numbers in constants]
        for of, at in (("", across), ("_rec", _loop(network, population, layer, f"layers[{n}]"))):
            if at:
                path, raised, connection = f"connections[{at[0]}]", raised_by(layer)[bool(of)], _together(network, at)
                _fit(layer, f"layers[{n}]", len(raised), connection, path, population)
                _check_states(network, at, layer.equations.arrivals, raised, f"layers[{n}]")
                d = _shared(layer, getattr(layer, f"d{of}"), f"layers[{n}]", connection, path)
                values += [(f"{path}.w", f"w{of}", connection.w), (f"{path}.d", f"d{of}", d)]
        new += [(getattr(layer, key), _exact(numbers, getattr(layer, key), name)) for name, key, numbers in values]
    with torch.no_grad():
        for parameter, tensor in new:
            parameter.copy_(tensor)


def _loop(network: Network, population: Population, layer: SynapticLayer, name: str) -> list[int]:
    """Indices of the connections of a population onto itself, which a recurrent layer has."""
    own = [c for c, one in enumerate(network.connections) if one.source == one.target == population.name]
    if bool(own) == layer.recurrent:
        return own
    expected = f"with {'one connection' if layer.recurrent else 'no connection'} onto itself, as {name}"
    remedy = "build the layer for this network, or use `delayprop.Network`"
    raise SpecError(f"population {population.name}", expected, Verbatim(f"{len(own)}"), remedy)


def _together(network: Network, connections: list[int]) -> Connection:
    """The connections of one pair of populations as one, if no source is in several of them."""
    parts = [network.connections[c] for c in connections]
    w, d, exists = (np.sum([getattr(one, of) for one in parts], axis=0) for of in ("w", "d", "exists"))
    return Connection(parts[0].source, parts[0].target, w, d, exists.astype(bool))


def _check_states(
    network: Network, connections: list[int], arrivals: tuple[str, ...], raised: np.ndarray, name: str
) -> None:
    """Refuse a source that raises another state than in the layer, or is in several connections."""
    count = np.zeros(len(raised), int)
    for c in connections:
        one = network.connections[c]
        for i in np.flatnonzero(one.exists.any(axis=1)).tolist():
            given, state = one.into or arrivals[0], arrivals[raised[i]]
            if state != given:
                expected, remedy = f"{state} from source {i}, as {name}", "build the layer for this network"
                raise SpecError(f"connections[{c}].into", expected, given, remedy)
            count[i] += 1
    if (count > 1).any():
        got = f"has source {int((count > 1).argmax())}, as another connection of these populations"
        raise SpecError(f"connections[{connections[-1]}]", "", got, "use `delayprop.Network`")


def _fit(layer: SynapticLayer, name: str, pre: int, connection: Connection, path: str, target: Population) -> None:
    """Refuse a connection of `pre` sources onto this target that does not fit the layer."""
    given, wanted = (*connection.w.shape, target.kind), (pre, layer.post, kind_of(layer))
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
        expected = f"at most max_delay of {name}, {layer.max_delay} (ms)"
        refuse(connection.d > layer.max_delay, connection.d, f"{path}.d", expected, "raise max_delay")


def _shared(layer: SynapticLayer, now: Tensor, name: str, connection: Connection, path: str) -> np.ndarray:
    """The delays of a connection in the shape of the layer's, `now`; those of no synapse stay."""
    if layer.delays == "synaptic":
        return connection.d
    axis = 1 if layer.delays == "axonal" else 0
    shared = connection.d.max(axis, keepdims=True)
    for i, j in np.argwhere(connection.exists & (connection.d != shared))[:1]:
        expected = f"{shared.flat[i if axis else j]}, since delays of {name} are {layer.delays}"
        raise SpecError(f"{path}.d[{i}][{j}]", expected, float(connection.d[i, j]), "give the layer synaptic delays")
    return np.where(connection.exists.any(axis, keepdims=True), shared, numbers_of(now))


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
    cast = torch.tensor(values, dtype=torch.float64).to(parameter.dtype)
    expected = f"a number that {str(parameter.dtype).removeprefix('torch.')} holds"
    refuse(cast.double().numpy() != values, values, name, expected, "use float64 layers")
    return cast
