"""Networks as graphs of NIR, the Neuromorphic Intermediate Representation (PyPI `nir`), and back.

    nir.write("network.nir", to_nir(network))
    network = from_nir(nir.read("network.nir"))

Conventions:

- **Neurons.** `lif` (leaky integrate-and-fire) is CubaLIF, `li` (leaky integrator) is CubaLI,
  `input` is Input; `v_th` is `v_threshold`, `r = 1`, `v_leak = 0`.
- **Spikes.** NIR states `tau_syn dI/dt = -I + w_in S`, with a Dirac of area 1 in `S` per spike. So
  an arrival of weight `W` adds `W w_in / tau_syn` to `I`; ours adds `w`. We write `w_in = tau_syn`
  and `W = w`, and read `w = W (w_in / tau_syn)`, which is `W` itself where both are equal. Two
  other kinds of tools need a change before `from_nir`: where a tool means `I := I + W` whatever
  `w_in` is, set `w_in` to `tau_syn`; where a spike is 1 during a step `dt` (`r = tau_mem / dt`,
  which is refused), set `w_in` to `w_in r dt` and `r` to 1.
- **Time.** ms, as in NIR's table of primitives; the graph's metadata name the unit, `time_unit`.
  Many tools count in s, so a graph without this entry is read with `unit="s"` or `unit="ms"`, and
  `to_nir(network, unit="s")` writes for such tools. Only ms keep every number bit for bit.
- **Synapses.** Linear, `[post, pre]`. An entry of 0 is no synapse, unless the node's metadata mark
  it as one (`exists`).
- **Delays.** NIR's Delay delays a channel. It is left out where all delays are 0. If all synapses
  of each source share a delay: Delay -> Linear; if all synapses onto each target do: Linear ->
  Delay. Otherwise: Linear (a 1 per channel) -> Delay -> Linear (weights), with one channel for each
  source and delay.
- **Order.** Connections follow the order of the edges. Populations follow the graph's metadata
  `populations` (one name per line; files do not keep the order), then the edges.

Known limits: NIR requires an Input, and feeds input to every node that no edge leads to. So
`to_nir` refuses networks without inputs and populations without an incoming connection (they are
silent). Trials, losses and readouts have no place in NIR.
"""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from delayprop.spec.checks import MAX_SIZE, of_type, one_of, whole_number
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim
from delayprop.spec.network import Connection, Network
from delayprop.spec.nir_nodes import NEURONS, Node, gain, kind, library, node_of, population_of
from delayprop.spec.nir_synapses import LIMIT, TRANSFORMS, connections_of, followed, nodes_of

Graph = Any  # `nir.NIRGraph`
UNITS = {"ms": 1.0, "s": 1e3}
MORE = 2**24
_KINDS = (*NEURONS, *TRANSFORMS, "Output")


def to_nir(network: Network, unit: str = "ms", limit: int = LIMIT) -> Graph:
    """The network as a `nir.NIRGraph`.

    Args:
        network: any network that has inputs.
        unit: unit of times in the graph, `ms` (exact) or `s`.
        limit: maximum number of entries in the two matrices of a connection that needs channels.

    Raises:
        UnsupportedError: `nir` is not installed, or NIR cannot express the network.
    """
    ms = UNITS[one_of(unit, "unit", tuple(UNITS))]
    whole_number(limit, "limit", 1, MAX_SIZE**2, "give a number of entries")
    _check(network)
    nodes = {population.name: node_of(population, ms) for population in network.populations}
    edges: list[tuple[str, str]] = []
    for c, connection in enumerate(network.connections):
        way = [connection.source]
        for part, node in nodes_of(connection, ms, limit, f"connections[{c}]").items():
            way.append(_free(f"connection{c}_{part}", nodes))
            nodes[way[-1]] = node
        edges += zip(way, [*way[1:], connection.target])
    sources = {connection.source for connection in network.connections}
    ends = [population for population in network.populations if population.name not in sources]
    for population in ends or network.populations[-1:]:
        name = _free(f"output_{population.name}", nodes)
        nodes[name] = library().Output(output_type={"output": np.array([population.size])})
        edges.append((population.name, name))
    order = "\n".join(population.name for population in network.populations)
    return library().NIRGraph(nodes, edges, metadata={"time_unit": unit, "populations": order})


def _check(network: Network) -> None:
    """Refuse networks that NIR cannot express."""
    targets = {connection.target for connection in network.connections}
    for p, population in enumerate(network.populations):
        name = population.name
        if not name.isprintable() or "/" in name or name == ".":
            remedy = "rename it: NIR's files name groups by it"
            raise UnsupportedError(f"populations[{p}].name", "printable and without a slash", name, remedy)
        if population.kind == "neuron":
            remedy = "NIR has no such neuron; send the case file"
            raise UnsupportedError(f"populations[{p}].kind", "lif, li or input", Verbatim("neuron"), remedy)
        if population.kind != "input" and name not in targets:
            expected, got = "the target of a connection", Verbatim(f"none onto `{name}`")
            remedy = "leave it out, or connect it, if only by a connection without synapses"
            raise UnsupportedError(f"populations[{p}]", expected, got, remedy)
    if all(population.kind != "input" for population in network.populations):
        raise UnsupportedError("populations", "with an input", Verbatim("none"), "add one; without it nothing spikes")


def _free(name: str, taken: Mapping[str, Node]) -> str:
    while name in taken:
        name += "_"
    return name


def from_nir(graph: Graph, unit: str | None = None, limit: int = MORE) -> Network:
    """The network that a `nir.NIRGraph` describes, whichever tool wrote it.

    Args:
        graph: of Input, CubaLIF, CubaLI, Linear, Affine (bias 0), Scale, Delay and Output nodes.
        unit: unit of its times, `s` or `ms`; only for a graph whose metadata do not name it.
        limit: by how much the number of entries in the network's matrices (17 bytes each) may be
            above that in the graph's own, and the number of paths that are followed at once.

    Raises:
        SpecError: a node or property that our model lacks; a network that the types refuse; more
            entries or paths than `limit` allows.
    """
    of_type(graph, "graph", library().NIRGraph, "a nir.NIRGraph", "give a result of `nir.read`")
    ms = UNITS[_unit(graph.metadata.get("time_unit"), unit)]
    room = whole_number(limit, "limit", 1, MAX_SIZE**2, "give a number of entries")
    for name, node in graph.nodes.items():
        if kind(node) not in _KINDS:
            nested = kind(node) == "NIRGraph"
            remedy = "put its nodes into the graph itself" if nested else "our model has no such node"
            raise SpecError(f"nodes.{name}", "one of " + ", ".join(_KINDS), Verbatim(kind(node)), remedy)
    populations = {name: population_of(name, graph.nodes[name], ms) for name in _order(graph)}
    edges = [(str(source), str(target)) for source, target in graph.edges]
    after = _after(graph.nodes, edges)
    between = {name: graph.nodes[name] for name in _in_order(graph.nodes, after)}
    room += sum(np.size(node.weight) for node in between.values() if hasattr(node, "weight"))
    connections: list[Connection] = []
    for source, first in edges:
        if source in populations:
            ends = followed(populations[source].size, first, between, after, ms, room)
            for target, found in ends.items():
                if target in populations:
                    made = connections_of(found, source, target, gain(target, graph.nodes[target]), room)
                    room -= sum(connection.w.size for connection in made)
                    connections += made
    return Network(tuple(populations.values()), tuple(connections))


def _unit(written: object, given: str | None) -> str:
    """The unit that the metadata name; else the one that is given."""
    if given is not None:
        one_of(given, "unit", tuple(UNITS))
    if written is not None:
        written = one_of(written, "metadata.time_unit", tuple(UNITS))
        if given not in (None, written):
            raise SpecError("unit", f"{written}, as in the graph's metadata", given, "leave it out")
    unit = written or given
    if unit is None:
        remedy = "the graph does not name the unit of its times: give it"
        raise SpecError("unit", "one of ms, s", Verbatim("nothing"), remedy)
    return unit


def _order(graph: Graph) -> list[str]:
    """The names of the populations, in order."""
    written = str(graph.metadata.get("populations", "")).split("\n")
    every = [*written, *(str(name) for edge in graph.edges for name in edge), *graph.nodes]
    return [name for name in dict.fromkeys(every) if name in graph.nodes and kind(graph.nodes[name]) in NEURONS]


def _after(nodes: Mapping[str, Node], edges: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The nodes that follow each node; refuses edges that NIR or our model does not have."""
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        for name in (source, target):
            if name not in nodes:
                fault = f"has the end {name!r}, which is no node"
                raise SpecError("edges", "", fault, "add the node, or remove the edge")
        wrong = _wrong_edge(kind(nodes[source]), kind(nodes[target]))
        if wrong:
            raise SpecError("edges", wrong[0], Verbatim(f"{source} -> {target}"), wrong[1])
        after[source].append(target)
    return after


def _in_order(nodes: Mapping[str, Node], after: Mapping[str, list[str]]) -> list[str]:
    """The nodes between neurons, each behind all that lead to it; refuses loops, and nodes that are
    on no path."""
    inner = [name for name in nodes if kind(nodes[name]) in TRANSFORMS]
    sorter: TopologicalSorter[str] = TopologicalSorter({name: () for name in inner})
    for name in inner:
        for target in after[name]:
            if kind(nodes[target]) in TRANSFORMS:
                sorter.add(target, name)
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        loop = error.args[1][1:]
        begin = loop.index(min(loop, key=inner.index))
        shown = Verbatim(" -> ".join([*loop[begin:], *loop[: begin + 1]]))
        raise SpecError("edges", "without a loop that passes no neuron", shown, "put neurons into it") from None
    reached = {target for name in nodes if kind(nodes[name]) in NEURONS for target in after[name]}
    for name in order:
        reached.update(after[name] if name in reached else ())
    for name in inner:
        if not (name in reached and after[name]):
            expected = "on a path from neurons to neurons"
            raise SpecError(f"nodes.{name}", expected, Verbatim("on none"), "remove it, or connect it")
    return order


def _wrong_edge(source: str, target: str) -> tuple[str, str] | None:
    """The rule that an edge breaks, and the remedy; None for a legal edge."""
    if target == "Input" or source == "Output":
        return "none into an Input or out of an Output", "remove it"
    if source == "CubaLI" and target != "Output":
        return "from neurons that spike, or into an Output", "a CubaLI is read and never spikes; use a CubaLIF"
    if target == "Output" and source not in NEURONS:
        return "into an Output from neurons", "end in a CubaLI, which is read, or a CubaLIF"
    return None
