"""What an implementation returns for a case, and how it is written as JSON.

Arrays may be float64, or objects of a multiprecision type: this module only stores and prints them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spec.network import Network

TIE_KINDS = (
    "arrival_at_crossing",
    "spike_at_end",
    "arrival_at_end",
    "equal_maxima",
    "simultaneous_arrivals_at_maximum",
)


@dataclass(frozen=True, order=True)
class Tie:
    """An instant at which the gradient is one-sided (`SPECIFICATION.md`, section 4), at one neuron."""

    population: str
    neuron: int
    kind: str


@dataclass(frozen=True, eq=False)
class ConnectionGradient:
    """`dL_dw`, `dL_dd`: `[pre, post]`, meaningless where no synapse is."""

    dL_dw: np.ndarray
    dL_dd: np.ndarray


@dataclass(frozen=True, eq=False)
class PopulationGradient:
    """Gradients of the constants, `[size]`; None where the kind has no such constant."""

    dL_dtau_mem: np.ndarray
    dL_dtau_syn: np.ndarray
    dL_dv_th: np.ndarray | None = None
    dL_dv_reset: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Gradients:
    """One entry a connection (in the order of the case), one a population that is no input, one a given spike."""

    connections: tuple[ConnectionGradient, ...]
    populations: Mapping[str, PopulationGradient]
    inputs: Mapping[str, Sequence[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Result:
    """Loss, spikes and exact gradient of one case.

    Attributes:
        loss: the loss.
        spikes: times (ms) of the spikes of every population that is no input, one array a neuron.
        kappa: conditioning `(tau_mem Vdot_minus / v_th)^2` of every spike, in the same layout; 0 is a grazing crossing.
        readout: `y` of the population read, None for a loss of spike times alone.
        gradients: the gradient of the loss.
        ties: the instants at which that gradient is one-sided.
    """

    loss: float
    spikes: Mapping[str, Sequence[np.ndarray]]
    kappa: Mapping[str, Sequence[np.ndarray]]
    readout: np.ndarray | None
    gradients: Gradients
    ties: tuple[Tie, ...]

    @property
    def kappa_min(self) -> float | None:
        """The smallest conditioning of all spikes, None if there is no spike."""
        return min((k for trains in self.kappa.values() for train in trains for k in train), default=None)

    def to_dict(self, network: Network) -> dict:
        """The result as the object that the command lines print; null where no synapse is.

        Raises:
            ArithmeticError: a number in it is infinite or NaN; JSON has no word for it.
        """
        return {
            "loss": _plain(self.loss, "loss"),
            "spikes": {name: _lists(trains, f"spikes.{name}") for name, trains in self.spikes.items()},
            "readout": None if self.readout is None else _list(self.readout, "readout"),
            "kappa_min": None if self.kappa_min is None else _plain(self.kappa_min, "kappa_min"),
            "kappa": {name: _lists(trains, f"kappa.{name}") for name, trains in self.kappa.items()},
            "ties": [{"population": t.population, "neuron": t.neuron, "kind": t.kind} for t in self.ties],
            "gradients": {
                "connections": [
                    {
                        "weights": _synapses(gradient.dL_dw, connection.exists, f"connections[{c}].weights"),
                        "delays": _synapses(gradient.dL_dd, connection.exists, f"connections[{c}].delays"),
                    }
                    for c, (gradient, connection) in enumerate(
                        zip(self.gradients.connections, network.connections, strict=True)
                    )
                ],
                "populations": {
                    name: {
                        key: _list(values, f"{name}.{key}")
                        for key, values in (
                            ("tau_mem", gradient.dL_dtau_mem),
                            ("tau_syn", gradient.dL_dtau_syn),
                            ("threshold", gradient.dL_dv_th),
                            ("reset", gradient.dL_dv_reset),
                        )
                        if values is not None
                    }
                    for name, gradient in self.gradients.populations.items()
                },
                "inputs": {name: _lists(trains, f"inputs.{name}") for name, trains in self.gradients.inputs.items()},
            },
        }


def _plain(value: object, name: str) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ArithmeticError(f"`{name}` of the result is {number}: the case is beyond what this precision can hold")
    return number


def _list(values: np.ndarray, name: str) -> list[float]:
    return [_plain(value, f"{name}[{j}]") for j, value in enumerate(values)]


def _lists(trains: Sequence[np.ndarray], name: str) -> list[list[float]]:
    return [_list(train, f"{name}[{j}]") for j, train in enumerate(trains)]


def _synapses(values: np.ndarray, exists: np.ndarray, name: str) -> list[list[float | None]]:
    return [
        [_plain(values[i, j], f"{name}[{i}][{j}]") if exists[i, j] else None for j in range(values.shape[1])]
        for i in range(values.shape[0])
    ]
