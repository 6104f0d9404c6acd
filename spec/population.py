"""Populations: neurons of one kind, with their constants."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from delayprop.spec import checks
from delayprop.spec.errors import SpecError, Verbatim
from delayprop.spec.names import by_name
from delayprop.spec.neuron import LI, LIF, Neuron, has_loop, neuron_of

CHECKS = {
    "tau_mem": checks.time_constant,
    "tau_syn": checks.time_constant,
    "v_th": checks.positive_number,
    "v_reset": checks.finite_number,
}
"""The constants of `lif` and `li`, each with the check of one number."""

CONSTANTS = tuple(CHECKS)
KINDS = {"input": (), "lif": LIF.constants, "li": LI.constants, "neuron": ("neuron", "constants")}
"""The kinds of populations, each with the fields that belong to it alone."""

FILE_NAMES = {"v_th": "threshold", "v_reset": "reset", "w": "weights", "d": "delays"}
"""The words of case files, where they differ from the names in this package."""

GROWTH = 1e-6  # rate, in units of the largest entry of A, that rounding of a double eigenvalue explains
SLOWEST = 1 / checks.LONGEST  # entry of A, per ms
STIFFEST = 1e4  # ratio of rates whose exponential, of states that drive each other, keeps 12 digits in float64

# Fields typed `Any` take numbers or lists and hold checked arrays.


@dataclass(frozen=True, eq=False)
class Population:
    """A population of neurons of one kind.

    Args:
        name: unique in its network.
        kind: `input` (its spikes are given), `lif` (leaky integrate-and-fire), `li` (leaky
            integrator, which never spikes) or `neuron` (given by equations).
        size: number of neurons.
        tau_mem, tau_syn: membrane and synaptic time constants of `lif` and `li`, ms; a number, or
            one per neuron.
        v_th, v_reset: threshold and reset of `lif`, with `v_reset < v_th` and `v_th > 0`; a number,
            or one per neuron.
        neuron: equations of `neuron`: a `Neuron`, its fields in a mapping, or a name of `NEURONS`.
        constants: of `neuron`, by name: a number, or one per neuron.

    Attributes:
        tau_mem, tau_syn, v_th, v_reset: read-only float64 arrays `[size]`, or None where the kind
            has no such constant.
        neuron, constants: a `Neuron` and arrays `[size]` by name; None for other kinds.

    Raises:
        SpecError: a constant that is missing, out of range, or that the kind does not have; a
            neuron that is unstable, or at its threshold at rest.
    """

    name: str
    kind: str
    size: int
    tau_mem: Any = None
    tau_syn: Any = None
    v_th: Any = None
    v_reset: Any = None
    neuron: Any = None
    constants: Any = None

    def __post_init__(self) -> None:
        checks.text(self.name, "name")
        checks.one_of(self.kind, "kind", tuple(KINDS))
        checks.whole_number(self.size, "size", 1, checks.MAX_SIZE, "give the number of neurons")
        for field in (*CONSTANTS, *KINDS["neuron"]):
            value = getattr(self, field)
            if field not in KINDS[self.kind]:
                if value is not None:
                    got = value if field in CONSTANTS else checks.described(value)
                    raise SpecError(field, f"absent in a population of kind `{self.kind}`", got, "remove it")
            elif value is None:
                expected = "given" if self.kind == "neuron" else "a number, or one number for each neuron"
                remedy = f"a population of kind `{self.kind}` needs it"
                raise SpecError(field, expected, checks.described(value), remedy)
            elif field in CONSTANTS:
                object.__setattr__(self, field, checks.per_neuron(value, field, self.size, CHECKS[field]))
        if self.kind == "lif":
            for j in np.flatnonzero(self.v_reset >= self.v_th):
                expected = f"below the threshold {self.v_th[j]}"
                raise SpecError(f"v_reset[{j}]", expected, float(self.v_reset[j]), "lower it")
        if self.kind == "neuron":
            object.__setattr__(self, "neuron", neuron_of(self.neuron))
            object.__setattr__(self, "constants", _checked(self.neuron, self.constants, self.size))

    @property
    def equations(self) -> Neuron:
        """The equations of its neurons."""
        return self.neuron or {"lif": LIF, "li": LI}[self.kind]

    @property
    def values(self) -> Mapping[str, np.ndarray]:
        """The constants of its neurons by name, in the order of the equations; none for inputs."""
        if self.kind == "neuron":
            return self.constants
        return {name: getattr(self, name) for name in KINDS[self.kind]}

    @property
    def spikes(self) -> bool:
        """Whether its neurons can spike."""
        return self.kind == "input" or self.equations.spike is not None

    def with_values(self, values: Mapping[str, Any]) -> "Population":
        """The population with other constants."""
        return replace(self, constants=values) if self.kind == "neuron" else replace(self, **values)

    def __repr__(self) -> str:
        return f"Population({self.name}: {self.size} {self.kind})"


def _checked(neuron: Neuron, constants: Any, size: int) -> Mapping[str, np.ndarray]:
    """The constants of `neuron` as arrays, in its order."""
    names = ", ".join(neuron.constants) or "none"
    checks.of_type(constants, "constants", Mapping, "an object of numbers by name", f"the names are {names}")
    constants = by_name(constants, "constants")
    for name in constants:
        if name not in neuron.constants:
            raise SpecError(f"constants.{name}", "", "is no constant of these equations", f"the names are {names}")
    for name in neuron.constants:
        if name not in constants:
            raise SpecError(f"constants.{name}", "given", Verbatim("nothing"), f"the names are {names}")
    values = {
        name: checks.per_neuron(constants[name], f"constants.{name}", size, checks.finite_number)
        for name in neuron.constants
    }
    columns = np.array([*values.values(), np.zeros(size)])
    for column in np.unique(columns, axis=1).T:
        j = int(np.flatnonzero((columns == column[:, None]).all(axis=0))[0])
        _check_numbers(neuron, dict(zip(neuron.constants, column.tolist(), strict=False)), j)
    return MappingProxyType(values)


def _check_numbers(neuron: Neuron, constants: dict[str, float], j: int) -> None:
    """Refuse numbers that give neuron `j` no exact flow, or no spike that has a time."""
    def refusal(reason: str, remedy: str = "change a constant of this neuron") -> SpecError:
        return SpecError("constants", "", f"of neuron {j} {reason}", remedy)

    try:
        m = neuron.matrices(constants)
    except SpecError as error:  # a division by 0
        raise refusal(f"give an equation that {error.got}") from None
    A, c = np.array(m.A), np.array(m.c)
    entries, loop = np.abs(A[A != 0]), has_loop(m.A)
    if not all(np.isfinite(part).all() for part in (A, c, m.v_th, m.R, m.r)):
        raise refusal("give a rate or a jump that float64 cannot hold")
    if entries.size and not (SLOWEST <= entries.min() and entries.max() <= 1 / SLOWEST):
        raise refusal(f"give a rate outside {SLOWEST:g} to {1 / SLOWEST:g} per ms", "choose another unit of time")
    rates = np.linalg.eigvals(A) if loop else np.diag(A)
    if loop and entries.max() > STIFFEST * np.abs(rates[rates != 0]).min(initial=np.inf):
        raise refusal(f"give rates that differ by more than {STIFFEST:g}, beside states that drive each other")
    if (rates.real > GROWTH * entries.max(initial=0.0) * loop).any():
        raise refusal("make it unstable: its state grows without input")
    if np.count_nonzero(rates.imag > GROWTH * entries.max(initial=0.0)) > 1:
        raise refusal("make it oscillate in two ways; at most one is exact here")
    if neuron.spike is not None and not m.v_th > 0:
        raise refusal("put it at its threshold at rest", "raise the threshold")
    if neuron.spike is not None and not (c @ A).any():
        raise refusal("give it a level that never moves")
