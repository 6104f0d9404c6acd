"""Connections as chains of NIR nodes, and back; conventions: `spec.nir_graph`.

Writing takes the smallest of four forms. Reading follows the paths through Linear, Affine (bias 0),
Scale and Delay, node by node. A path leads from one source neuron to one channel; its weight is the
product along its nodes and its delay the sum. Paths that begin with one edge and meet with equal
delays add up to one path, so their number grows only with that of delays. Each becomes a synapse.
A further delay between these neurons becomes a synapse of a further connection, because a
connection has one synapse per pair of neurons.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from delayprop.spec.checks import refuse
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim, placed
from delayprop.spec.network import Connection
from delayprop.spec.nir_nodes import Node, kind, library, numbers

LIMIT = 2**26
BYTES = 17  # of an entry of a connection: weight, delay, and whether it exists
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


def _start(size: int) -> Paths:
    """The neurons of a population themselves."""
    return Paths(np.arange(size), np.arange(size), np.ones(size), np.zeros(size), size, size)


def followed(
    size: int, first: str, between: Mapping[str, Node], after: Mapping[str, list[str]], unit: float, limit: int
) -> dict[str, Paths]:
    """The paths of `size` neurons to each end, by way of the edge to the node `first`.

    Args:
        between: the nodes between neurons, each behind those that lead to it: passed once each.
        after: the nodes that follow each node.
        unit: ms per unit of the graph's time.
        limit: maximum number of paths at once, else `SpecError`.
    """
    arriving, held = {first: [_start(size)]}, size
    for name, node in between.items():
        if name in arriving:
            parts = arriving.pop(name)
            found = _through(_joined(parts, name), name, node, unit, limit)
            held += len(found.w) * len(after[name]) - sum(len(part.w) for part in parts)
            _check_count(held, f"nodes.{name}", limit)
            for target in after[name]:
                arriving.setdefault(target, []).append(found)
    return {name: _joined(parts, name) for name, parts in arriving.items()}


def _joined(parts: list[Paths], name: str) -> Paths:
    """The paths that meet at a node; `SpecError`: from nodes of several sizes."""
    first, *others = parts
    for part in others:
        if part.channels != first.channels:
            got = Verbatim(f"{first.channels} and {part.channels} channels")
            raise SpecError(f"nodes.{name}", "behind nodes of one size", got, "connect nodes of one size")
    i, j, w, d = (np.concatenate(each) for each in zip(*(part[:4] for part in parts), strict=True))
    return _summed(Paths(i, j, w, d, first.sources, first.channels)) if others else first


def _summed(paths: Paths) -> Paths:
    """The paths, where those of one source, channel and delay add up to one."""
    order = np.lexsort((paths.d, paths.channel, paths.source))
    i, j, w, d = (values[order] for values in paths[:4])
    new = np.ones(len(i), dtype=bool)
    new[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1]) | (d[1:] != d[:-1])
    begins = np.flatnonzero(new)
    with np.errstate(over="ignore", invalid="ignore"):  # nan-ok: `Connection` refuses weights that are not finite
        w = np.add.reduceat(w, begins) if len(begins) else w
    return Paths(i[begins], j[begins], w, d[begins], paths.sources, paths.channels)


def _through(paths: Paths, name: str, node: Node, unit: float, limit: int) -> Paths:
    """The paths extended through one more node; `SpecError`: sizes that do not fit, a bias, a delay
    below 0, a number that is not finite, or more than `limit` paths."""
    path, which = f"nodes.{name}", kind(node)
    if which not in ("Delay", "Scale"):
        return _through_matrix(paths, path, node, limit)
    key = which.lower()
    values = numbers(getattr(node, key), f"{path}.{key}", 1)
    _fit(len(values), paths.channels, f"{path}.{key}")
    if which == "Scale":
        with np.errstate(over="ignore", invalid="ignore"):  # nan-ok: `Connection` refuses such weights
            return paths._replace(w=paths.w * values[paths.channel])
    refuse(values < 0, values, f"{path}.delay", "at least 0", "no signal comes before its cause")
    with np.errstate(over="ignore"):  # an infinite delay is refused with its synapse
        return paths._replace(d=paths.d + unit * values[paths.channel])


def _through_matrix(paths: Paths, path: str, node: Node, limit: int) -> Paths:
    weight = numbers(node.weight, f"{path}.weight", 2)
    _fit(weight.shape[1], paths.channels, f"{path}.weight")
    if kind(node) == "Affine":
        bias = numbers(node.bias, f"{path}.bias", 1)
        refuse(bias != 0, bias, f"{path}.bias", "0", "our neurons have no constant input; remove it")
    exists = _existing(weight, node, path)
    onto, fan_out = np.nonzero(exists.T)[1], exists.sum(axis=0)
    counts = fan_out[paths.channel]
    total = int(counts.sum())
    _check_count(total, path, limit)
    # Each path continues to all entries of its channel's column, which are contiguous in `onto`.
    old = np.repeat(np.arange(len(counts)), counts)
    first = (np.cumsum(fan_out) - fan_out)[paths.channel] - (np.cumsum(counts) - counts)
    channel = onto[first[old] + np.arange(total)]
    with np.errstate(over="ignore", invalid="ignore"):  # nan-ok: `Connection` refuses weights that are not finite
        w = paths.w[old] * weight[channel, paths.channel[old]]
    return _summed(Paths(paths.source[old], channel, w, paths.d[old], paths.sources, weight.shape[0]))


def _check_count(total: int, path: str, limit: int) -> None:
    """Refuse more than `limit` paths at a node."""
    if total > limit:
        remedy = "raise `limit` (about 130 bytes per path); ways with equal delays share a path"
        raise SpecError(path, f"the end of at most {limit} paths", Verbatim(total), remedy)


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


def connections_of(paths: Paths, source: str, target: str, gain: np.ndarray, limit: int) -> list[Connection]:
    """The connections that the paths from one population to another add up to; `SpecError`: a
    number of neurons that does not fit, a weight or delay that is not finite, or more than `limit`
    entries in all. `gain`: current that a spike of weight 1 adds to each target neuron."""
    _fit(len(gain), paths.channels, f"nodes.{target}")
    i, j, w, d = _summed(paths)[:4]  # a Delay may round two delays to one
    with np.errstate(over="ignore", invalid="ignore"):  # nan-ok: `Connection` refuses weights that are not finite
        w = w * gain[j]
    new_pair = np.ones(len(i), dtype=bool)
    new_pair[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1])
    pair = np.flatnonzero(new_pair)
    rank = np.arange(len(i)) - np.repeat(pair, np.diff(pair, append=len(i)))
    shape, count = (paths.sources, paths.channels), int(rank.max(initial=0)) + 1
    path = f"connections.{source} -> {target}"
    if (entries := count * paths.sources * paths.channels) > limit:
        got = Verbatim(f"{entries} ({entries * BYTES / 1e9:.2g} GB)")
        remedy = "raise `limit`, or connect fewer neurons: a connection holds every pair of them, once per delay"
        raise SpecError(path, f"of at most {limit} entries", got, remedy)
    made = []
    for n in range(count):
        own = rank == n
        weights, delays, exists = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
        weights[i[own], j[own]], delays[i[own], j[own]], exists[i[own], j[own]] = w[own], d[own], True
        with placed(path):
            made.append(Connection(source, target, weights, delays, exists))
    return made
