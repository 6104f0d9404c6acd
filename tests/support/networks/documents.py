"""Short notation for case files: populations, connections and losses."""

import json
from collections.abc import Sequence
from typing import Any

from delayprop.spec import Case, case_from_text


def lif(name: str, size: int, **constants: object) -> dict:
    given = {"tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0, "reset": 0.0, **constants}
    return {"name": name, "kind": "lif", "size": size, **given}


def li(name: str, size: int, **constants: object) -> dict:
    return {"name": name, "kind": "li", "size": size, "tau_mem": 20.0, "tau_syn": 5.0, **constants}


def wire(source: str, target: str, weights: Sequence, delays: object) -> dict:
    """A connection; delays: `[source][target]`, or one number for all."""
    return {"source": source, "target": target, "weights": weights, "delays": delays}


def case(duration: float, inputs: Sequence[Sequence[float]], populations: list, wires: list, loss: dict) -> dict:
    """A case whose inputs are the population `in`."""
    return {
        "format": "eventprop-case/1", "duration": duration,
        "populations": [{"name": "in", "kind": "input", "size": len(inputs)}, *populations], "connections": wires,
        "inputs": {"in": inputs}, "loss": loss,
    }


def cross_entropy(readout: str, label: int = 0, **time_scale: float) -> dict:
    """A loss of a readout of `out`."""
    return {"kind": "cross_entropy", "readout": readout, "population": "out", "label": label, **time_scale}


def mse(*targets: Sequence[float]) -> dict:
    """A loss of the spike times of `out`, one list of targets per neuron."""
    return {"kind": "spike_time_mse", "population": "out", "targets": list(targets)}


def read(*document: Any) -> Case:
    """The case of a document, given by the arguments of `case`."""
    return case_from_text(json.dumps(case(*document)))
