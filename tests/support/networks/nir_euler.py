"""The equations of NIR nodes, from NIR's docstrings, in time steps; shares no code with `spec`.

Forward Euler, first order: spike times are off by some steps, and by half of that with half the
step. A spike is a Dirac: a signal of 1/step during one step. Times are in the unit of the graph.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import numpy as np

NEURONS = ("CubaLIF", "CubaLI")


@dataclass
class Activity:
    """Spike times and largest voltage of each neuron of each CubaLIF and CubaLI."""

    spikes: dict[str, list[list[float]]]
    highest: dict[str, np.ndarray]


def integrate(graph: Any, inputs: Mapping[str, Sequence[Sequence[float]]], duration: float, step: float) -> Activity:
    """The activity of a graph, given the spikes of its Input nodes."""
    steps = round(duration / step)
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    before = {name: [a for a, b in graph.edges if b == name] for name in graph.nodes}
    width = {name: int(next(iter(node.output_type.values()))[0]) for name, node in graph.nodes.items()}
    out = {name: np.zeros((steps + 1, width[name])) for name in graph.nodes if kinds[name] != "Output"}
    into = {name: np.zeros_like(out[name]) for name in out if kinds[name] == "Delay"}
    for name, trains in inputs.items():
        for i, train in enumerate(trains):
            np.add.at(out[name][:, i], [round(t / step) for t in train if t <= duration], 1 / step)
    state = {name: (np.zeros(out[name].shape[1]),) * 2 for name in out if kinds[name] in NEURONS}
    found = Activity({n: [[] for _ in I] for n, (I, _) in state.items()}, {n: 0 * I for n, (I, _) in state.items()})
    stateless = {name: before[name] for name in out if kinds[name] not in (*NEURONS, "Input")}
    order = [name for name in TopologicalSorter(stateless).static_order() if name in stateless]
    for k in range(steps):
        for name in order:
            node, x = graph.nodes[name], sum(out[source][k] for source in before[name])
            match kinds[name]:
                case "Linear" | "Affine":
                    out[name][k] = node.weight @ x + getattr(node, "bias", 0.0)
                case "Scale":
                    out[name][k] = node.scale * x
                case "Delay":
                    into[name][k] = x
                    then = k - np.round(node.delay / step).astype(int)
                    out[name][k] = np.where(then < 0, 0.0, into[name][np.maximum(then, 0), np.arange(len(then))])
        for name, (I, v) in state.items():
            node, S = graph.nodes[name], sum(out[source][k] for source in before[name])
            I_dot, v_dot = (-I + node.w_in * S) / node.tau_syn, (node.v_leak - v + node.r * I) / node.tau_mem
            I, v = I + step * I_dot, v + step * v_dot
            found.highest[name] = np.maximum(found.highest[name], v)
            if kinds[name] == "CubaLIF":
                z = v > node.v_threshold
                v = np.where(z, node.v_reset, v)
                out[name][k + 1] = z / step
                for j in np.flatnonzero(z):
                    found.spikes[name][j].append((k + 1) * step)
            state[name] = I, v
    return found
