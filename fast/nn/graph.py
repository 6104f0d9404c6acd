"""The populations of a network in groups that are solved together, and a group's synapses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from delayprop.spec import Network as NetworkSpec


@dataclass(frozen=True)
class Group:
    """Populations that reach each other, or one population.

    Attributes:
        members: indices of the populations.
        outside: indices of the connections from other populations, target by target.
        inside: indices of the connections between members, in layers: a layer holds at most one
            connection per pair of populations, and a source raises one state in it.
    """

    members: tuple[int, ...]
    outside: tuple[int, ...]
    inside: tuple[tuple[int, ...], ...]


def groups(network: NetworkSpec) -> list[Group]:
    """All populations but the inputs, in groups; a group follows the groups that send it spikes."""
    populations = network.populations
    index = {population.name: p for p, population in enumerate(populations)}
    links = [(index[c.source], index[c.target]) for c in network.connections]
    reaches = np.eye(len(populations), dtype=bool)
    for source, target in links:
        reaches[source, target] = True
    for via in range(len(populations)):  # transitive closure (Warshall)
        reaches |= reaches[:, via : via + 1] & reaches[via]
    waiting = [p for p, population in enumerate(populations) if population.kind != "input"]
    found: list[Group] = []
    while waiting:
        # `first` reaches every waiting population that reaches it, so its group is next.
        first = next(p for p in waiting if all(reaches[p, q] for q in waiting if reaches[q, p]))
        members = tuple(q for q in waiting if reaches[first, q] and reaches[q, first])
        waiting = [q for q in waiting if q not in members]
        onto = [c for p in members for c, (_, target) in enumerate(links) if target == p]
        outside = tuple(c for c in onto if links[c][0] not in members)
        within = [c for c in onto if c not in outside]
        found.append(Group(members, outside, _layers(within, links, [_into(network, c) for c in range(len(links))])))
    return found


def _layers(
    connections: Sequence[int], links: Sequence[tuple[int, int]], into: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Distribute connections over layers; no layer holds a pair of populations twice, or a source
    that raises two states."""
    layers: list[list[int]] = []
    for c in connections:
        free = next((layer for layer in layers if all(
            links[other][0] != links[c][0] or (links[other][1] != links[c][1] and into[other] == into[c])
            for other in layer
        )), None)
        if free is None:
            layers.append([c])
        else:
            free.append(c)
    return tuple(map(tuple, layers))


def matrix(network: NetworkSpec, group: Group, of: Mapping[int, Tensor]) -> Tensor:
    """One matrix `[sources, neurons of the group]` from the matrices of the group's connections.

    Its rows: one block per connection from outside, then per layer of `group.inside` one row per
    neuron of the group. `of`: `[pre, post]` of each connection, by its index: weights, delays, or
    the synapse mask.
    """
    sizes = {network.populations[p].name: network.populations[p].size for p in group.members}
    total = sum(sizes.values())
    before = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))

    def across(c: int) -> Tensor:
        """The matrix of a connection, padded with 0 to all columns of the group."""
        left = before[network.connections[c].target]
        return pad(of[c], (left, total - left - of[c].shape[1]))

    like = next(iter(of.values()))
    rows = [across(c) for c in group.outside]
    for layer in group.inside:
        for name, size in sizes.items():
            parts = [across(c) for c in layer if network.connections[c].source == name]
            rows.append(sum(parts[1:], parts[0]) if parts else like.new_zeros(size, total))
    return torch.cat(rows)


def arrival_states(network: NetworkSpec, group: Group) -> Tensor | None:
    """The state that the source of each row of `matrix` raises, as its number in
    `Neuron.arrivals`; None: each raises the first."""
    members = [network.populations[p] for p in group.members]
    found = [np.full(len(network.connections[c].w), _into(network, c)) for c in group.outside]
    for layer in group.inside:
        raised = {network.connections[c].source: _into(network, c) for c in layer}
        found += [np.full(population.size, raised.get(population.name, 0)) for population in members]
    if not any(part.any() for part in found):
        return None
    silent = [] if group.outside else [np.zeros(1, int)]  # the row of a neuron that stands for no source
    return torch.from_numpy(np.concatenate([*silent, *found]))


def _into(network: NetworkSpec, c: int) -> int:
    connection = network.connections[c]
    arrivals = network.population(connection.target).equations.arrivals
    return 0 if connection.into is None else arrivals.index(connection.into)
