"""Which populations are solved together, and the synapses onto them as one matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from spec import Network as NetworkSpec


@dataclass(frozen=True)
class Group:
    """Populations that reach each other, or a single one.

    Attributes:
        members: numbers of the populations.
        outside: numbers of the connections from other populations, those of one target after those of another.
        inside: numbers of the connections among them, as often as two neurons may be connected: in each entry there is
            at most one from one population to another.
    """

    members: tuple[int, ...]
    outside: tuple[int, ...]
    inside: tuple[tuple[int, ...], ...]


def groups(network: NetworkSpec) -> list[Group]:
    """All populations that are no inputs, in groups, each after all that send spikes to it."""
    populations = network.populations
    number = {population.name: p for p, population in enumerate(populations)}
    links = [(number[c.source], number[c.target]) for c in network.connections]
    reaches = np.eye(len(populations), dtype=bool)
    for source, target in links:
        reaches[source, target] = True
    for via in range(len(populations)):
        reaches |= reaches[:, via : via + 1] & reaches[via]
    waiting = [p for p, population in enumerate(populations) if population.kind != "input"]
    found: list[Group] = []
    while waiting:
        # one that nobody reaches who still waits, but those that it reaches in turn
        first = next(p for p in waiting if all(reaches[p, q] for q in waiting if reaches[q, p]))
        members = tuple(q for q in waiting if reaches[first, q] and reaches[q, first])
        waiting = [q for q in waiting if q not in members]
        onto = [c for p in members for c, (_, target) in enumerate(links) if target == p]
        outside = tuple(c for c in onto if links[c][0] not in members)
        found.append(Group(members, outside, _copies([c for c in onto if c not in outside], links)))
    return found


def _copies(connections: Sequence[int], links: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    copies: list[list[int]] = []
    for c in connections:
        for copy in copies:
            if all(links[other] != links[c] for other in copy):
                copy.append(c)
                break
        else:
            copies.append([c])
    return tuple(map(tuple, copies))


def matrix(network: NetworkSpec, group: Group, of: Mapping[int, Tensor]) -> Tensor:
    """What every connection has a synapse (`of`, by its number), as one matrix `[sources, neurons of the group]`.

    Rows are those of the connections from outside, and then of the neurons of the group themselves, once a copy.
    """
    sizes = {network.populations[p].name: network.populations[p].size for p in group.members}
    total = sum(sizes.values())
    before = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))

    def across(c: int) -> Tensor:
        """The columns of all neurons of the group."""
        left = before[network.connections[c].target]
        return pad(of[c], (left, total - left - of[c].shape[1]))

    rows = [across(c) for c in group.outside]
    for copy in group.inside:
        for name, size in sizes.items():
            parts = [across(c) for c in copy if network.connections[c].source == name]
            empty = torch.zeros(size, total, dtype=next(iter(of.values())).dtype, device=next(iter(of.values())).device)
            rows.append(sum(parts[1:], parts[0]) if parts else empty)
    return torch.cat(rows)
