"""Cases of one neuron, also one per kind of tie."""

import numpy as np

import delayprop.reference as reference
from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, SpikeTrains


def one_neuron(kind: str, arrivals: list[tuple[float, float]], duration: float) -> Case:
    """A neuron with arrivals `(time, weight)` beside a neuron without; `max_voltage` is read."""
    constants = [np.full(2, value) for value in (20.0, 5.0, 1.0, 0.0)[: 4 if kind == "lif" else 2]]
    populations = (Population("in", "input", len(arrivals)), Population("out", kind, 2, *constants))
    w = np.array([[weight, None] for _, weight in arrivals], dtype=object)
    inputs = SpikeTrains(tuple(np.array([t]) for t, _ in arrivals))
    network = Network(populations, (Connection("in", "out", w, np.zeros(w.shape)),))
    return Case(network, duration, {"in": inputs}, CrossEntropy("max_voltage", "out", 1))


def ties() -> dict[str, Case]:
    """One case per kind of tie, with no other tie."""
    strong = (1.0, 8.0)
    t_post = float(reference.run(one_neuron("lif", [strong], 60.0)).spikes["out"][0][0])
    return {
        "arrival_at_crossing": one_neuron("lif", [strong, (t_post, -6.0)], 60.0),
        "spike_at_end": one_neuron("lif", [strong], t_post),
        "arrival_at_end": one_neuron("li", [(1.0, 2.0), (7.0, 1.0)], 7.0),
        "equal_maxima": one_neuron("li", [(1.0, 2.0), (30_001.0, 2.0)], 30_100.0),
        "simultaneous_arrivals_at_maximum": one_neuron("li", [(1.0, 4.0), (3.0, -2.0), (3.0, -4.0)], 60.0),
    }
