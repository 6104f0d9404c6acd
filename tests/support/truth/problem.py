"""A case, and its numbers by key."""

from dataclasses import dataclass

import mpmath
import numpy as np

from delayprop.spec import Case

Key = tuple[str | int, ...]
"""The key of a parameter: ("w" or "d", connection, pre, post), (a constant, population, neuron) or
("t_in", population, neuron, k)."""

CONSTANTS = ("tau_mem", "tau_syn", "v_th", "v_reset")


@dataclass
class Problem:
    """A case, and its numbers by key.

    Only the structure of `case` is used. `values`, every parameter of the gradient, may be changed
    in place. `duration`: `T`, ms.
    """

    case: Case
    values: dict[Key, mpmath.mpf]
    duration: mpmath.mpf

    @classmethod
    def from_case(cls, case: Case) -> "Problem":
        """The case with its own numbers, exactly."""
        values: dict[Key, mpmath.mpf] = {}
        for c, connection in enumerate(case.network.connections):
            for i, j in np.argwhere(connection.exists):
                values["w", c, int(i), int(j)] = _exactly(connection.w[i, j])
                values["d", c, int(i), int(j)] = _exactly(connection.d[i, j])
        for population in case.network.populations:
            for constant in CONSTANTS:
                numbers = getattr(population, constant)
                for j, number in enumerate(() if numbers is None else numbers):
                    values[constant, population.name, j] = _exactly(number)
        for name, trains in case.inputs.items():
            for i, train in enumerate(trains):
                for k, t in enumerate(train):
                    values["t_in", name, i, k] = _exactly(t)
        return cls(case, values, _exactly(case.duration))


def _exactly(number: float) -> mpmath.mpf:
    return mpmath.mpf(float(number))
