"""Short notation for cases: populations, connections and losses; small cases; one case per tie."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import delayprop.reference as reference
from delayprop.spec import Case, VoltageMSE, case_from_text


def li(name: str, size: int) -> dict:
    return {"name": name, "kind": "li", "size": size, "tau_mem": 20.0, "tau_syn": 5.0}


def lif(name: str, size: int, **constants: object) -> dict:
    return {**li(name, size), "kind": "lif", "threshold": 1.0, "reset": 0.0, **constants}


def wire(source: str, target: str, weights: Sequence, delays: object) -> dict:
    """A connection; delays: `[source][target]`, or one number for all."""
    return {"source": source, "target": target, "weights": weights, "delays": delays}


def cross_entropy(readout: str, label: int = 0) -> dict:
    """A loss of a readout of `out`."""
    return {"kind": "cross_entropy", "readout": readout, "population": "out", "label": label}


def read(duration: float, inputs: Sequence[Sequence[float]], populations: list, wires: list, loss: dict) -> Case:
    """A case whose inputs are the population `in`."""
    populations = [{"name": "in", "kind": "input", "size": len(inputs)}, *populations]
    return case_from_text(json.dumps({
        "format": "eventprop-case/1", "duration": duration, "populations": populations, "connections": wires,
        "inputs": {"in": inputs}, "loss": loss,
    }))


def one_neuron(kind: str, arrivals: list[tuple[float, float]], duration: float) -> Case:
    """A neuron with arrivals `(time, weight)` beside a neuron without; `max_voltage` is read."""
    out = lif("out", 2) if kind == "lif" else li("out", 2)
    wires = [wire("in", "out", [[weight, None] for _, weight in arrivals], 0.0)]
    return read(duration, [[t] for t, _ in arrivals], [out], wires, cross_entropy("max_voltage", 1))


def two_neurons(out: dict, weights: list, delays: list, inputs: list, loss: dict, T: float) -> Case:
    """Inputs onto two neurons, of 16 and 8 ms unless `out` has other constants."""
    population = {"name": "out", "size": 2, "tau_mem": 16.0, "tau_syn": 8.0, **out}
    return read(T, inputs, [population], [wire("in", "out", weights, delays)], {"population": "out", **loss})


def spiking(**constants: float) -> dict:
    """Constants of two neurons that spike."""
    return {"kind": "lif", "threshold": 1.0, "reset": -0.25, **constants}


def loss_of(readout: str) -> dict:
    """A readout of `li` or `lif`, or the two first spikes of the first neuron (`spikes`)."""
    if readout == "spikes":
        return {"kind": "spike_time_mse", "targets": [[10.0, 20.0], []]}
    return cross_entropy(readout) | ({"time_scale": 5.0} if readout == "first_spike_time" else {})


def one_response(
    readout: str = "spikes", kind: str = "lif", w: float = 15.0, tau_syn: float = 8.0, T: float = 60.0
) -> Case:
    """An input spike, and two neurons of `tau_mem` 16 ms; only the first has a synapse."""
    out = (spiking() if kind == "lif" else {"kind": kind}) | {"tau_syn": tau_syn}
    return two_neurons(out, [[w, None]], [[1.75, None]], [[0.5]], loss_of(readout), T)


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
        "event_at_sample": replace(
            one_neuron("li", [(1.0, 2.0), (3.0, 4.0)], 60.0), loss=VoltageMSE("out", [3.0, 9.0], [[0.0, 0.0]] * 2)
        ),
    }


def crossing_at_the_end_of_a_bin() -> Case:
    """A neuron that crosses its threshold at 4 ms, less a few last digits, where an arrival begins
    the next bin."""
    voltage = (math.exp(-3.0 / 20.0) - math.exp(-3.0 / 5.0)) * 5.0 / 15.0  # 3 ms after an arrival of weight 1
    return one_neuron("lif", [(1.0, (1.0 + 2.0**-51) / voltage), (4.0, -3.0)], 60.0)
