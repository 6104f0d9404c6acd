"""The result of a case, and its JSON layout.

Arrays hold float64 or objects of a multiprecision type: this module only stores and prints them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from delayprop.spec.checks import is_list
from delayprop.spec.network import Network
from delayprop.spec.population import FILE_NAMES
from delayprop.spec.state import State, StateGradient

T = TypeVar("T")
TIE_KINDS = (
    "arrival_at_crossing", "spike_at_end", "arrival_at_end", "equal_maxima", "simultaneous_arrivals_at_maximum",
    "event_at_sample",
)


@dataclass(frozen=True, order=True)
class Tie:
    """A tie at one neuron: there the gradient is one-sided (`SPECIFICATION.md`, section 4)."""

    population: str
    neuron: int
    kind: str


@dataclass(frozen=True, eq=False)
class ConnectionGradient:
    """`dL_dw` and `dL_dd`, `[pre, post]`; entries where no synapse is have no meaning."""

    dL_dw: np.ndarray
    dL_dd: np.ndarray

    if not TYPE_CHECKING:  # a type checker shall find wrong names

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(f"ConnectionGradient has no {name!r}; its gradients are `dL_dw` and `dL_dd`")


class _ByName(dict[str, T]):
    """A dictionary that answers a wrong key by its own keys."""

    def __missing__(self, key: object) -> T:
        raise KeyError(f"there is no {key!r}; the keys are {', '.join(self) or 'none'}")


@dataclass(frozen=True, eq=False)
class Gradients:
    """The gradient of a loss.

    Attributes:
        connections: one entry per connection, in the order of the case.
        populations: by name of each population that is no input, the derivatives `[size]` by each
            of its constants, by the plain name: `populations["hid"]["tau_mem"]` is `dL/dtau_mem`.
        inputs: by input population, one array of `dL/dt_in` per neuron, one number per given spike.
        state: by the state at 0; None for a case without one.
    """

    connections: tuple[ConnectionGradient, ...]
    populations: Mapping[str, Mapping[str, np.ndarray]]
    inputs: Mapping[str, Sequence[np.ndarray]]
    state: StateGradient | None = None

    def __post_init__(self) -> None:
        by_name = _ByName({name: _ByName(found) for name, found in self.populations.items()})
        object.__setattr__(self, "populations", by_name)


@dataclass(frozen=True, eq=False)
class Result:
    """Loss, spikes and exact gradient of one case.

    Attributes:
        loss: the loss.
        spikes: spike times (ms) of every population that is no input, one array per neuron.
        kappa: conditioning of every spike (specification, sections 5 and 10), in the layout of
            `spikes`; 0 is a grazing crossing.
        readout: `y` of the population that is read, `[size]`, or `[size, times]` of `voltage_mse`;
            None for losses of spike times.
        gradients: the gradient of the loss.
        ties: the instants at which that gradient is one-sided.
        state: the state at `T`; None for a case without a state.
    """

    loss: float
    spikes: Mapping[str, Sequence[np.ndarray]]
    kappa: Mapping[str, Sequence[np.ndarray]]
    readout: np.ndarray | None
    gradients: Gradients
    ties: tuple[Tie, ...]
    state: State | None = field(default=None, kw_only=True)

    @property
    def kappa_min(self) -> float | None:
        """The smallest conditioning of all spikes; None if nothing spikes."""
        return min((k for trains in self.kappa.values() for train in trains for k in train), default=None)

    def to_dict(self, network: Network) -> dict:
        """The result as the JSON object that the command lines print; None where no synapse is.
        `ArithmeticError`: a number is infinite or NaN, which JSON cannot express."""
        synapses = zip(network.connections, self.gradients.connections, strict=True)
        gradients = {
            "connections": [{"weights": c.rows(g.dL_dw), "delays": c.rows(g.dL_dd)} for c, g in synapses],
            "populations": {
                name: {words(network, name).get(constant, constant): values for constant, values in gradient.items()}
                for name, gradient in self.gradients.populations.items()
            },
            "inputs": self.gradients.inputs,
        }
        if self.gradients.state is not None:
            gradients["state"] = {"x": self.gradients.state.x, "under_way": self.gradients.state.t_arr}
        names = ("loss", "spikes", "readout", "kappa_min", "kappa")
        numbers = {name: _plain(getattr(self, name), name) for name in names}
        ties = [dict(vars(tie)) for tie in self.ties]
        found = {**numbers, "ties": ties, "gradients": _plain(gradients, "gradients")}
        if self.state is None:
            return found
        _plain({"x": self.state.x, "under_way": [one.t_arr for one in self.state.under_way]}, "state")  # all finite
        return {**found, "state": self.state.to_dict()}


def words(network: Network, population: str) -> Mapping[str, str]:
    """The words of files for constants, where they differ: those of equations are as they are."""
    return {} if network.population(population).kind == "neuron" else FILE_NAMES


def _plain(value: Any, name: str) -> Any:
    """`value` in plain lists and dicts, each number as a finite float."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {key: _plain(entry, f"{name}.{key}") for key, entry in value.items()}
    if is_list(value):
        return [_plain(entry, f"{name}[{k}]") for k, entry in enumerate(value)]
    number = float(value)
    if not math.isfinite(number):
        raise ArithmeticError(f"`{name}` of the result is {number}: the case exceeds this precision")
    return number
