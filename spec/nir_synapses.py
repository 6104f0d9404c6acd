"""Connections as chains of NIR nodes, and back; conventions: `spec.nir_graph`.

Writing takes the smallest of four forms. Reading follows any chain of Linear, Affine (bias 0),
Scale and Delay path by path. A path leads from one source neuron to one channel; its weight is the
product along the chain and its delay the sum. Paths between two neurons with equal delays are one
synapse. A further delay between these neurons becomes a synapse of a further connection, because a
connection has one synapse per pair of neurons.
"""

from typing import NamedTuple

import numpy as np

from delayprop.spec.checks import refuse
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim, placed
from delayprop.spec.network import Connection
from delayprop.spec.nir_nodes import Node, kind, library, numbers

LIMIT = 2**26
TRANSFORMS = ("Linear", "Affine", "Scale", "Delay")


def nodes_of(connection: Connection, unit: float, limit: int, name: str) -> dict[str, Node]:
    """The nodes of a connection from source to target, by name.

    Args:
        unit: ms per unit of the graph's time.
        limit: maximum number of entries in both matrices of the form with channels, else
            `UnsupportedError`.
        name: name of the connection, for the error.
    """
    nir = library()
    w, d, exists = connection.w, connection.d / unit, connection.exists
    if not d.any():
        return {"weights": _linear(w.T, exists.T)}
    if (of_source := _shared(d, exists)) is not None:
        return {"delays": nir.Delay(of_source), "weights": _linear(w.T, exists.T)}
    if (of_target := _shared(d.T, exists.T)) is not None:
        return {"weights": _linear(w.T, exists.T), "delays": nir.Delay(of_target)}
    i, j = np.nonzero(exists)
    # NIR delays channels: synapses of one source with equal delays share a channel.
    channels, channel = np.unique(np.stack([i, d[i, j]]), axis=1, return_inverse=True)
    count = channels.shape[1]
    if count * sum(w.shape) > limit:
        expected = f"of at most {limit} entries in NIR's matrices"
        got = Verbatim(f"{count} channels from {w.shape[0]} to {w.shape[1]} neurons, {count * sum(w.shape)} entries")
        remedy = "raise `limit` (8 bytes per entry), or round the delays: equal ones of a source share a channel"
        raise UnsupportedError(name, expected, got, remedy)
    spread = np.zeros((count, w.shape[0]))
    spread[np.arange(count), channels[0].astype(np.int64)] = 1.0
    weights, there = np.zeros((w.shape[1], count)), np.zeros((w.shape[1], count), dtype=bool)
    weights[j, channel.reshape(-1)], there[j, channel.reshape(-1)] = w[i, j], True
    return {"spread": nir.Linear(spread), "delays": nir.Delay(channels[1]), "weights": _linear(weights, there)}


def _linear(weight: np.ndarray, exists: np.ndarray) -> Node:
    """A Linear node; it carries `exists` only if a synapse has weight 0."""
    marks = {"exists": exists.copy()} if (exists & (weight == 0)).any() else {}
    return library().Linear(weight.copy(), metadata=marks)


def _shared(d: np.ndarray, exists: np.ndarray) -> np.ndarray | None:
    """The common delay of each row's synapses (0 without any); None if a row has two delays."""
    longest = d.max(axis=1)  # 0 where no synapse is
    return longest if np.all(d == longest[:, None], where=exists) else None


class Paths(NamedTuple):
    """Paths from source neurons to the channels of a node; arrays have one entry per path."""

    source: np.ndarray
    channel: np.ndarray
    w: np.ndarray
    d: np.ndarray
    sources: int
    channels: int


def start(size: int) -> Paths:
    """The neurons of a population themselves."""
    return Paths(np.arange(size), np.arange(size), np.ones(size), np.zeros(size), size, size)


def through(paths: Paths, name: str, node: Node, unit: float) -> Paths:
    """The paths extended through one more node; `SpecError`: sizes that do not fit, a bias, a delay
    below 0, a number that is not finite, or more than `LIMIT` paths."""
    path, which = f"nodes.{name}", kind(node)
    if which not in ("Delay", "Scale"):
        return _through_matrix(paths, path, node)
    key = which.lower()
    values = numbers(getattr(node, key), f"{path}.{key}", 1)
    _fit(len(values), paths.channels, f"{path}.{key}")
    if which == "Scale":
        return paths._replace(w=paths.w * values[paths.channel])
    refuse(values < 0, values, f"{path}.delay", "at least 0", "no signal comes before its cause")
    with np.errstate(over="ignore"):  # an infinite delay is refused with its synapse
        return paths._replace(d=paths.d + unit * values[paths.channel])


def _through_matrix(paths: Paths, path: str, node: Node) -> Paths:
    weight = numbers(node.weight, f"{path}.weight", 2)
    _fit(weight.shape[1], paths.channels, f"{path}.weight")
    if kind(node) == "Affine":
        bias = numbers(node.bias, f"{path}.bias", 1)
        refuse(bias != 0, bias, f"{path}.bias", "0", "our neurons have no constant input; remove it")
    exists = _existing(weight, node, path)
    onto, fan_out = np.nonzero(exists.T)[1], exists.sum(axis=0)
    counts = fan_out[paths.channel]
    total = int(counts.sum())
    if total > LIMIT:
        got = Verbatim(f"{total} from {paths.sources} neurons")
        raise SpecError(path, f"the end of at most {LIMIT} paths", got, "split the population before it")
    # Each path continues to all entries of its channel's column, which are contiguous in `onto`.
    old = np.repeat(np.arange(len(counts)), counts)
    first = (np.cumsum(fan_out) - fan_out)[paths.channel] - (np.cumsum(counts) - counts)
    channel = onto[first[old] + np.arange(total)]
    with np.errstate(over="ignore"):  # an infinite weight is refused with its synapse
        w = paths.w[old] * weight[channel, paths.channel[old]]
    return Paths(paths.source[old], channel, w, paths.d[old], paths.sources, weight.shape[0])


def _existing(weight: np.ndarray, node: Node, path: str) -> np.ndarray:
    """Mask of the entries that are synapses: other than 0, or marked by `_linear`."""
    if "exists" not in node.metadata:
        return weight != 0
    exists, name = np.asarray(node.metadata["exists"]), f"{path}.metadata.exists"
    remedy = "remove it: then a weight of 0 is no synapse"
    if exists.dtype != np.bool_ or exists.shape != weight.shape:
        got = Verbatim(f"{exists.dtype} of shape {list(exists.shape)}")
        raise SpecError(name, f"true or false for each weight, {list(weight.shape)}", got, remedy)
    refuse(~exists & (weight != 0), weight, name, "true where the weight is not 0", remedy)
    return exists


def _fit(given: int, channels: int, name: str) -> None:
    if given != channels:
        expected = f"for {channels} channels, as the node before it"
        raise SpecError(name, expected, Verbatim(f"for {given}"), "connect nodes of one size")


def connections_of(paths: Paths, source: str, target: str, gain: np.ndarray) -> list[Connection]:
    """The connections that the paths from one population to another add up to; `SpecError`: a
    number of neurons that does not fit, a weight or delay that is not finite. `gain`: current that
    a spike of weight 1 adds to each target neuron."""
    _fit(len(gain), paths.channels, f"nodes.{target}")
    order = np.lexsort((paths.d, paths.channel, paths.source))
    i, j, d = paths.source[order], paths.channel[order], paths.d[order]
    new_pair = np.ones(len(i), dtype=bool)
    new_pair[1:] = (np.diff(i) != 0) | (np.diff(j) != 0)
    new = new_pair.copy()
    new[1:] |= d[1:] != d[:-1]
    begins = np.flatnonzero(new)
    with np.errstate(over="ignore", invalid="ignore"):  # nan-ok: `Connection` refuses weights that are not finite
        w = np.add.reduceat(paths.w[order], begins) if len(begins) else np.empty(0)
        w = w * gain[j[begins]]
    i, j, d, pair = i[begins], j[begins], d[begins], np.flatnonzero(new_pair[begins])
    rank = np.arange(len(i)) - np.repeat(pair, np.diff(pair, append=len(i)))
    made = []
    for n in range(int(rank.max(initial=0)) + 1):
        own = rank == n
        weights = np.full((paths.sources, paths.channels), None, dtype=object)
        delays = np.zeros(weights.shape)
        weights[i[own], j[own]], delays[i[own], j[own]] = w[own], d[own]
        with placed(f"connections.{source} -> {target}"):
            made.append(Connection(source, target, weights, delays))
    return made
