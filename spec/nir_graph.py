"""Networks as graphs of NIR, the Neuromorphic Intermediate Representation (PyPI `nir`), and back.

    nir.write("network.nir", to_nir(network))
    network = from_nir(nir.read("network.nir"))

What means what:

- **Neurons.** `lif` is CubaLIF, `li` is CubaLI, `input` is Input; `v_th` is `v_threshold`, `r = 1`, `v_leak = 0`.
- **Spikes.** NIR writes `tau_syn dI/dt = -I + w_in S`. A spike is a Dirac in `S`, of area 1, so an arrival of weight
  `W` adds `W w_in / tau_syn` to `I`. Ours adds `w`; therefore `w_in = tau_syn` is written and `W = w`, and `w` is read
  as `W (w_in / tau_syn)`, which is `W` itself where the two are equal. To read the graph of a tool that means
  `I := I + W` whatever `w_in` is, set `w_in` to `tau_syn` first. To read that of a tool in which a spike is 1 during a
  step `dt` (it writes `r = tau_mem / dt`, which is refused), set `w_in` to `w_in r dt` and `r` to 1.
- **Time.** ms, as NIR's table of primitives has it, and the graph's metadata says so: `time_unit`. Many tools count in
  s, so a graph that does not say it must be read with `unit="s"` or `unit="ms"`, and `to_nir(network, unit="s")` writes
  for them. Only ms keep every number bit for bit: `x / 1000 * 1000` need not be `x`.
- **Synapses.** Linear, `[post, pre]`. An entry of 0 is no synapse, unless the node's metadata mark it (`exists`).
- **Delays.** NIR's Delay delays a channel. Without delays there is none; where the synapses of each source have one
  delay it is Delay -> Linear, where those onto each target have, Linear -> Delay. Otherwise Linear (a row of one 1 a
  channel) -> Delay -> Linear (weights), with a channel for each source and delay that is there.
- **Order.** Connections are in the order of the edges. Populations are in that of the graph's metadata `populations`,
  a name a line, since files do not keep it; those it does not name follow as edges name them.

Known limits: NIR wants an Input, and feeds each node that nothing leads to; so `to_nir` refuses networks without inputs
and populations without a connection onto them, which are silent. Trials, losses and readouts have no place in NIR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from spec.checks import MAX_SIZE, one_of, whole_number
from spec.errors import SpecError, UnsupportedError, Verbatim
from spec.network import Network, Population
from spec.nir_nodes import NEURONS, Node, gain, kind, library, node_of, population_of
from spec.nir_synapses import LIMIT, TRANSFORMS, connections_of, nodes_of, start, through

Graph = Any  # `nir.NIRGraph`
UNITS = {"ms": 1.0, "s": 1e3}
_KINDS = (*NEURONS, *TRANSFORMS, "Output")


def to_nir(network: Network, unit: str = "ms", limit: int = LIMIT) -> Graph:
    """The network as a `nir.NIRGraph`.

    Args:
        network: any that has inputs.
        unit: of times in the graph, `ms` (exact) or `s`.
        limit: the most entries that the two matrices of a connection may have that needs channels.

    Raises:
        UnsupportedError: `nir` is not installed; the network is one that NIR cannot say.
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
    for population in _ends(network):
        name = _free(f"output_{population.name}", nodes)
        nodes[name] = library().Output(output_type={"output": np.array([population.size])})
        edges.append((population.name, name))
    order = "\n".join(population.name for population in network.populations)
    return library().NIRGraph(nodes, edges, metadata={"time_unit": unit, "populations": order})


def _check(network: Network) -> None:
    """Refuse what NIR cannot say."""
    targets = {connection.target for connection in network.connections}
    for p, population in enumerate(network.populations):
        name = population.name
        if not name.isprintable() or "/" in name or name == ".":
            remedy = "rename it: NIR's files name groups by it"
            raise UnsupportedError(f"populations[{p}].name", "printable and without a slash", name, remedy)
        if population.kind != "input" and name not in targets:
            expected, got = "the target of a connection", Verbatim(f"none onto `{name}`")
            remedy = "leave it out, or connect it, if only by a connection without synapses"
            raise UnsupportedError(f"populations[{p}]", expected, got, remedy)
    if all(population.kind != "input" for population in network.populations):
        raise UnsupportedError("populations", "with an input", Verbatim("none"), "add one; without it all is silent")


def _ends(network: Network) -> list[Population]:
    """The populations that nothing follows, which NIR wants to end in an Output; the last one if there is none."""
    sources = {connection.source for connection in network.connections}
    ends = [population for population in network.populations if population.name not in sources]
    return ends or [network.populations[-1]]


def _free(name: str, taken: Mapping[str, Node]) -> str:
    while name in taken:
        name += "_"
    return name


def from_nir(graph: Graph, unit: str | None = None) -> Network:
    """The network that a `nir.NIRGraph` is, by this or another tool.

    Args:
        graph: of Input, CubaLIF, CubaLI, Linear, Affine (bias 0), Scale, Delay and Output nodes.
        unit: of its times, `s` or `ms`; only for a graph that does not say it.

    Raises:
        SpecError: what our model does not have, by node and property; or a network that the specification refuses.
    """
    if not isinstance(graph, library().NIRGraph):
        raise SpecError("graph", "a nir.NIRGraph", Verbatim(type(graph).__name__), "give what `nir.read` returns")
    ms = UNITS[_unit(graph.metadata.get("time_unit"), unit)]
    for name, node in graph.nodes.items():
        if kind(node) not in _KINDS:
            nested = kind(node) == "NIRGraph"
            remedy = "put its nodes into the graph itself" if nested else "our model has no such thing"
            raise SpecError(f"nodes.{name}", "one of " + ", ".join(_KINDS), Verbatim(kind(node)), remedy)
    populations = {name: population_of(name, graph.nodes[name], ms) for name in _order(graph)}
    edges = [(str(source), str(target)) for source, target in graph.edges]
    connections = []
    for source, *inner, target in _ways(graph.nodes, edges):
        paths = start(populations[source].size)
        for name in inner:
            paths = through(paths, name, graph.nodes[name], ms)
        connections += connections_of(paths, source, target, gain(target, graph.nodes[target]))
    return Network(tuple(populations.values()), tuple(connections))


def _unit(said: object, given: str | None) -> str:
    if given is not None:
        one_of(given, "unit", tuple(UNITS))
    if said is None:
        if given is None:
            remedy = "the graph does not say what its times are in: give it"
            raise SpecError("unit", "one of ms, s", Verbatim("nothing"), remedy)
        return given
    said = one_of(said, "metadata.time_unit", tuple(UNITS))
    if given not in (None, said):
        raise SpecError("unit", f"{said}, as the graph's metadata say", given, "leave it out")
    return said


def _order(graph: Graph) -> list[str]:
    """The names of the populations, in order."""
    said = str(graph.metadata.get("populations", "")).split("\n")
    met = [*said, *(str(name) for edge in graph.edges for name in edge), *graph.nodes]
    return [name for name in dict.fromkeys(met) if name in graph.nodes and kind(graph.nodes[name]) in NEURONS]


def _ways(nodes: Mapping[str, Node], edges: list[tuple[str, str]]) -> Iterator[list[str]]:
    """Every way from neurons to neurons through nodes that are none, in the order of its first edge."""
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        for name in (source, target):
            if name not in nodes:
                raise SpecError("edges", "between nodes of the graph", name, "add the node, or remove the edge")
        wrong = _wrong_edge(kind(nodes[source]), kind(nodes[target]))
        if wrong:
            raise SpecError("edges", wrong[0], Verbatim(f"{source} -> {target}"), wrong[1])
        after[source].append(target)
    used: set[str] = set()

    def onward(way: list[str], target: str) -> Iterator[list[str]]:
        if kind(nodes[target]) in NEURONS:
            yield [*way, target]
        elif target in way:
            shown = Verbatim(" -> ".join([*way[way.index(target) :], target]))
            raise SpecError("edges", "without a loop that passes no neuron", shown, "put neurons into it")
        elif kind(nodes[target]) != "Output":
            used.add(target)
            for name in after[target]:
                yield from onward([*way, target], name)

    for source, target in edges:
        if kind(nodes[source]) in NEURONS:
            yield from onward([source], target)
    for name, node in nodes.items():
        if kind(node) in TRANSFORMS and not (name in used and after[name]):
            expected = "on a way from neurons to neurons"
            raise SpecError(f"nodes.{name}", expected, Verbatim("outside of any"), "remove it, or connect it")


def _wrong_edge(source: str, target: str) -> tuple[str, str] | None:
    """Why there is no such edge, and what to do."""
    if target == "Input" or source == "Output":
        return "none into an Input or out of an Output", "remove it"
    if source == "CubaLI" and target != "Output":
        return "from what spikes, or into an Output", "a CubaLI is read and never spikes; use a CubaLIF"
    if target == "Output" and source not in NEURONS:
        return "into an Output from neurons", "end in a CubaLI, which is read, or a CubaLIF"
    return None
