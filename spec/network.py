"""Networks: populations of neurons and the connections between them."""

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from delayprop.spec import checks
from delayprop.spec.errors import SpecError, Verbatim
from delayprop.spec.names import same
from delayprop.spec.population import FILE_NAMES, Population

# Fields typed `Any` take numbers or lists and hold checked arrays.

@dataclass(frozen=True, eq=False)
class Connection:
    """Synapses from population `source` to population `target`.

    Args:
        source, target: names of populations.
        w: weights `[pre, post]`, lists or an array; an entry None means no synapse.
        d: delays `[pre, post]`, ms, at least 0, or one number for all synapses. An entry may be
            None where no synapse is.
        exists: booleans `[pre, post]`, which synapses exist; the other entries of `w` and `d` are
            not read. None: those whose weight is not None.
        into: state of the target that arrivals raise; None: the first of its `arrivals`.

    Attributes:
        w, d: read-only float64 arrays `[pre, post]`, 0 where no synapse is.
        exists: read-only boolean array `[pre, post]`.

    Raises:
        SpecError: matrices of unequal shapes, or an entry out of range.
    """

    source: str
    target: str
    w: Any
    d: Any
    exists: Any = None
    into: str | None = None

    def __post_init__(self) -> None:
        checks.text(self.source, "source")
        checks.text(self.target, "target")
        object.__setattr__(self, "into", same(self.into))
        mask = None if self.exists is None else _mask(self.exists)
        w, exists = _matrix(self.w, "w", checks.finite_number, None if mask is None else mask.shape, mask)
        if checks.is_list(self.d) or getattr(self.d, "ndim", 0) > 0:
            d, has_delay = _matrix(self.d, "d", checks.non_negative_time, w.shape, mask)
            for i, j in np.argwhere(exists & ~has_delay):
                expected = "a finite number of at least 0 (ms)"
                raise SpecError(f"d[{i}][{j}]", expected, Verbatim("null"), "every synapse has a delay")
        else:
            d = np.full(w.shape, checks.non_negative_time(self.d, "d"))
        for name, value in (("w", w), ("d", np.where(exists, d, 0.0) + 0.0), ("exists", exists)):
            object.__setattr__(self, name, checks.frozen(value))

    def rows(self, values: np.ndarray) -> list[list]:
        """Values `[pre, post]` as a list of rows, with None where no synapse is."""
        return np.where(self.exists, values, np.array(None)).tolist()

    def __repr__(self) -> str:
        count = f"{self.exists.sum()} of {self.exists.size}"
        return f"Connection({self.source} -> {self.target}: {count} synapses)"


Connection.__init__ = checks.answering(  # type: ignore[method-assign]
    {word: (f"given as `{name}`", "rename it") for name, word in {**FILE_NAMES, "exists": "mask"}.items()}
)(Connection.__init__)


@dataclass(frozen=True, eq=False)
class Network:
    """Populations and connections: any graph whose loops take time.

    Raises:
        SpecError: a name that is unknown or used twice, a connection into an input or out of
            neurons that never spike, or into a state at which no spikes arrive, matrices of other
            sizes, or a loop of synapses whose delays are all 0.
    """

    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "populations", tuple(self.populations))
        object.__setattr__(self, "connections", tuple(self.connections))
        if not self.populations:
            raise SpecError("populations", "a list of at least one population", Verbatim("none"), "add a population")
        named: dict[str, Population] = {}
        for p, population in enumerate(self.populations):
            if population.name in named:
                raise SpecError(f"populations[{p}].name", "a name that no other has", population.name, "rename it")
            named[population.name] = population
        sources = {name: population for name, population in named.items() if population.spikes}
        targets = {name: population for name, population in named.items() if population.kind != "input"}
        for c, connection in enumerate(self.connections):
            checks.one_of(connection.source, f"connections[{c}].source", sources)
            checks.one_of(connection.target, f"connections[{c}].target", targets)
            source, target = named[connection.source], named[connection.target]
            if connection.into is not None:
                checks.one_of(connection.into, f"connections[{c}].into", target.equations.arrivals)
            shape = (source.size, target.size)
            if connection.w.shape != shape:
                expected = f"a matrix of {shape[0]} rows (source) and {shape[1]} columns (target)"
                got = Verbatim(f"{connection.w.shape[0]} rows and {connection.w.shape[1]} columns")
                raise SpecError(f"connections[{c}].w", expected, got, "one row per source neuron")
        self._refuse_instant_loops()

    def population(self, name: str) -> Population:
        """The population of that name."""
        return next(population for population in self.populations if population.name == name)

    def __repr__(self) -> str:
        return "\n".join(["Network(", *(f"  {one}" for one in (*self.populations, *self.connections)), ")"])

    def _refuse_instant_loops(self) -> None:
        """Put neurons in the order in which synapses of delay 0 lead; a loop has no such order."""
        order: TopologicalSorter[tuple[str, int]] = TopologicalSorter()
        for connection in self.connections:
            for i, j in np.argwhere(connection.exists & (connection.d == 0)).tolist():
                order.add((connection.source, i))  # first, so that a loop is shown from there
                order.add((connection.target, j), (connection.source, i))
        try:
            order.prepare()
        except CycleError as error:
            shown = Verbatim(" -> ".join(f"{name}[{j}]" for name, j in error.args[1]))
            raise SpecError("connections", "without a loop of zero total delay", shown, "delay one of them") from None


def _mask(value: Any) -> np.ndarray:
    try:
        mask = np.asarray(value).copy()
        got = f"{mask.dtype} {list(mask.shape)}"
    except ValueError:
        got = "rows of several lengths"
    if not got.startswith("bool") or mask.ndim != 2:
        raise SpecError("exists", "booleans of shape [pre, post]", Verbatim(got), "give True where a synapse exists")
    return mask


def _matrix(
    value: Any, name: str, check: Any, shape: tuple[int, ...] | None, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """`value` as a float64 matrix of checked numbers, and which of them are given: those of `mask`,
    or without one all but None."""
    if getattr(value, "ndim", 0) == 2:  # arrays and torch's tensors
        value = np.asarray(value)
        if value.dtype.kind in "fiu" and value.size and value.shape == (shape or value.shape):
            given = np.ones(value.shape, dtype=bool) if mask is None else mask
            numbers = np.where(given, value, 0).astype(np.float64)
            for i, j in np.argwhere(~np.isfinite(numbers) | (numbers < 0 if name == "d" else False))[:1]:
                check(value[i, j], f"{name}[{i}][{j}]")  # raises
            return numbers, given
    rows = checks.sequence(value, name, shape[0] if shape else None, "source neuron" if shape else "rows")
    if not rows:
        raise SpecError(name, "a list of rows", Verbatim("an empty list"), "one row per source neuron")
    width = shape[1] if shape else len(checks.sequence(rows[0], f"{name}[0]", None, "numbers, one per target neuron"))
    numbers, given = np.zeros((len(rows), width)), np.ones((len(rows), width), dtype=bool)
    for i, row in enumerate(rows):
        for j, entry in enumerate(checks.sequence(row, f"{name}[{i}]", width, "target neuron")):
            if entry is None if mask is None else not mask[i, j]:
                given[i, j] = False
            else:
                numbers[i, j] = check(entry, f"{name}[{i}][{j}]")
    return numbers, given
