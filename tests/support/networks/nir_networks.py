"""Networks for the tests of interchange, and their comparison to the last bit."""

from itertools import pairwise
from typing import Any

import nir
import numpy as np

from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, SpikeTrains

LIF = {"tau_mem": 20.0, "tau_syn": 5.0, "v_th": 1.0, "v_reset": 0.0}


def bits(network: Network) -> list[tuple]:
    """A network with its numbers as bytes: -0.0 differs from 0.0, a weight of 0 from no synapse."""
    found: list[tuple] = []
    for p in network.populations:
        constants = (p.tau_mem, p.tau_syn, p.v_th, p.v_reset)
        found.append((p.name, p.kind, p.size, *(None if values is None else values.tobytes() for values in constants)))
    for c in network.connections:
        found.append((c.source, c.target, c.w.shape, c.w.tobytes(), c.d.tobytes(), c.exists.tobytes()))
    return found


def awkward() -> Network:
    """Numbers that are easily lost, names out of order, and every form of connections in NIR."""
    third, tiny = 0.1 + 0.2, 5e-324
    populations = (
        Population("z out", "li", 2, [20.0, third], [5.0, 1e-9]),
        Population("später", "lif", 3, [9.0, 20.1, 1 / 3], [4.0, 1e9, 7.7], [1.0, 1.7, 0.3], [-0.0, -1e-300, 0.1]),
        Population("connection0_weights", "input", 2), Population("a", "lif", 1, **LIF),
        Population("unread", "input", 3),
    )
    connections = (
        Connection("connection0_weights", "später", [[0.0, -0.0, 1e300], [None, tiny, -0.1]], [[third, 1, 2], [0] * 3]),
        Connection("später", "a", [[1.0], [0.0], [None]], 0.0),
        Connection("connection0_weights", "a", [[0.7], [-0.3]], [[1 / 3], [tiny]]),
        Connection("später", "später", [[None, 1.0, None], [0.0, 2.0, 3.0], [None, None, None]], 1.1),
        Connection("a", "später", [[None] * 3], [[None] * 3]), Connection("a", "z out", [[0.3, 0.4]], [[1.0, 2.0]]),
        Connection("a", "z out", [[0.3, None]], [[1.0, None]]),
        Connection("später", "z out", [[1.0, 0.0]] * 3, [[0.25, 3.5]] * 3),
    )
    return Network(populations, connections)


def busy() -> Case:
    """Two inputs, a recurrent layer of three neurons, two outputs; delays of every form."""
    hidden = Population("hid", "lif", 3, [9.0, 12.0, 15.0], [4.0, 5.0, 3.0], [1.0, 0.8, 1.1], [0.0, -0.3, 0.2])
    populations = (Population("in", "input", 2), hidden, Population("out", "li", 2, [20.0, 11.0], [5.0, 6.5]))
    connections = (
        Connection("in", "hid", [[5.0, 3.0, 7.0], [2.4, None, -2.0]], [[0.6, 2.3, 1.1], [1.7, None, 0.6]]),
        Connection("hid", "hid", [[None, 1.2, 0.9], [-0.8, None, 1.1], [0.7, 0.6, None]], 2.5),
        Connection("in", "out", [[0.8, 0.0], [1.1, -0.4]], [[0.0, 0.0], [3.0, 3.0]]),
        Connection("hid", "out", [[1.5, -0.6], [0.9, 1.3], [0.4, 0.8]], [[1.0, 4.0]] * 3),
    )
    trains = SpikeTrains(([0.7, 4.1, 9.0, 15.5], [1.9, 6.0, 20.0]))  # type: ignore[arg-type]
    return Case(Network(populations, connections), 40.0, {"in": trains}, CrossEntropy("max_voltage", "out", 0))


def chain(w: object, d: object, sizes: tuple[int, int] = (2, 2)) -> Network:
    """An input and one layer."""
    populations = (Population("in", "input", sizes[0]), Population("out", "lif", sizes[1], **LIF))
    return Network(populations, (Connection("in", "out", w, d),))


def ladder(graph: Any, *steps: tuple[Any, Any]) -> Any:
    """The graph with two nodes per step between its input and the next node, each of which leads to
    both of the next step: 2^steps ways."""
    ((_, target),) = [edge for edge in graph.edges if edge[0] == "input"]
    nodes = {f"step{k}_{side}": node for k, step in enumerate(steps) for side, node in enumerate(step)}
    rungs = [["input"], *([f"step{k}_0", f"step{k}_1"] for k in range(len(steps))), [target]]
    edges = [(a, b) for low, high in pairwise(rungs) for a in low for b in high]
    kept = [edge for edge in graph.edges if edge != ("input", target)]
    return nir.NIRGraph({**graph.nodes, **nodes}, kept + edges)


def numbers_of(network: Network) -> dict[str, np.ndarray]:
    found = {f"{p.name}.{name}": getattr(p, name) for p in network.populations for name in LIF}
    found |= {f"{n}.{name}": getattr(c, name) for n, c in enumerate(network.connections) for name in ("w", "d")}
    return {name: values for name, values in found.items() if values is not None}
