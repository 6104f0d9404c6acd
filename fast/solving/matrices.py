"""The matrices of a layer's neurons, and their derivatives by its constants, on the host."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from delayprop.spec.errors import SpecError, UnsupportedError
from delayprop.spec.neuron import Neuron

GROWTH = 1e-6  # rate, in units of the largest entry of A, that rounding of a double eigenvalue explains


@dataclass(frozen=True)
class Matrices:
    """`x' = A x`; a spike where `c.x` reaches `v_th`; then `R x + r`; in ms. Neurons come last.

    States are in the order of the kernels: `V`, `I`, others (`fast.layout.rows`). The level is
    scaled, so that `V` counts once in it.

    Attributes:
        A: `[states, states, post]`. `c` of other states `[others, post]`; `v_th [post]`, infinite
            for neurons that never spike. `R [states, states, post]`, `r [states, post]`.
        learned: names of the constants in `A`, and `A_by [learned, states, states, post]` the
            derivatives by them.
        by: the derivatives of `v_th`, `c`, `r` and `R`, in this order row by row, by each constant
            that has any, `[rows, post]`.
        into: by the states at which spikes arrive, in the order of `Neuron.arrivals`: 0 for `I`, or
            1 + the number of the other state.
        currents: how many other states arrivals raise, if each drives `V` alone, as `I` does; they
            come first. 0 if `reached`: some arrival reaches a further state.
        order: the states as numbers in `Neuron.states`.
    """

    A: np.ndarray
    c: np.ndarray
    v_th: np.ndarray
    R: np.ndarray
    r: np.ndarray
    learned: tuple[str, ...]
    A_by: np.ndarray
    by: dict[str, np.ndarray]
    into: tuple[int, ...]
    currents: int
    reached: bool
    order: tuple[int, ...]

    @cached_property
    def resets(self) -> bool:
        """Whether the derivative by `R`, or by `c` of other states, is read."""
        others = len(self.c)
        read = np.r_[1 : 1 + others, 3 + 2 * others : 3 + 2 * others + (2 + others) ** 2]
        return any(bool(rows[read].any()) for rows in self.by.values())

    @cached_property
    def level(self) -> np.ndarray:
        """`c` of all states, `[states, post]`."""
        return np.concatenate([np.ones((1, *self.v_th.shape)), np.zeros((1, *self.v_th.shape)), self.c])

    @cached_property
    def rise(self) -> np.ndarray:
        """`c A`, the slope of the level by each state, per ms, `[states, post]`."""
        return np.einsum("in,ijn->jn", self.level, self.A)

    @cached_property
    def unit_rate(self) -> np.ndarray:
        """The largest entry of `c A` in size over that of `c`, per ms, `[post]`: the unit of the
        level's slope."""
        return np.abs(self.rise).max(axis=0) / np.abs(self.level).max(axis=0)

    def unsteady(self, width: float) -> np.ndarray:
        """`[states, post]`: 0, or infinite if the level that an arrival at a state adds may turn in
        a bin of `width` ms: if the first term of the series of its slope does not outweigh the
        rest."""
        # The series of `c A exp(A x)` in `x`, term by term, at the end of the bin.
        term, first, rest = self.rise * width, np.zeros_like(self.rise), np.zeros_like(self.rise)
        for m in range(1, 32):
            begins = (first == 0) & (rest == 0)
            first, rest = np.where(begins, np.abs(term), first), rest + np.where(begins, 0.0, np.abs(term))
            term = np.einsum("in,ijn->jn", term, self.A) * (width / m)
        return np.where(first >= (1.0 + 1e-6) * rest, 0.0, np.inf)

    @cached_property
    def fastest(self) -> float:
        """The largest rate, per ms: the spectral radius of `|A|` of the fastest neuron."""
        return float(np.abs(np.linalg.eigvals(np.moveaxis(np.abs(self.A), 2, 0))).max(initial=0.0))


def matrices(neuron: Neuron, constants: np.ndarray) -> Matrices:
    """The matrices of neurons; `constants [constants, post]`: in the order of `neuron.constants`.
    `UnsupportedError`: the kernels cannot run them; `SpecError`: constants that are not finite, or
    that make a neuron unstable, or at rest at its threshold."""
    return _matrices(neuron, constants.tobytes(), constants.shape)


@lru_cache(maxsize=64)
def _matrices(neuron: Neuron, values: bytes, shape: tuple[int, int]) -> Matrices:
    """The checked matrices of neurons, whose constants `values` have the shape `shape`.

    They are cached: they seldom change from step to step, and take as long as a small layer.
    """
    found = read(neuron, np.frombuffer(values).reshape(shape))
    numbers = found.A, found.c, found.R, found.r
    finite = np.all([np.isfinite(part).reshape(-1, shape[1]).all(axis=0) for part in numbers], axis=0)
    A = np.where(finite, found.A, 0.0)  # nan-ok: the others are refused below
    rates = np.linalg.eigvals(np.moveaxis(A, 2, 0)).real.max(axis=1)
    for wrong, reason in (
        (~finite, "give a rate or a jump that is no number"),
        (rates > GROWTH * np.abs(A).max(axis=(0, 1)), "make it unstable: its state grows without input"),
        (~(found.v_th > 0), "put it at its threshold at rest"),
    ):
        if wrong.any():
            got = f"of neuron {int(wrong.argmax())} {reason}"
            raise SpecError("constants", "", got, "bound them, as `project_` does for time constants")
    for state, place in zip(neuron.arrivals, found.into, strict=True):
        if (found.A[1 + place, 1 + place] >= 0).any():
            raise _refusal(f"has a state {state} that does not decay")
    return found


def read(neuron: Neuron, constants: np.ndarray) -> Matrices:
    """The matrices, also for constants that no neuron may have."""
    shape = constants.shape
    names, post = neuron.constants, shape[1]
    moving = {n: _Moving(constants[k], {n: np.ones(post)}) for k, n in enumerate(names)}
    found = neuron.matrices(moving, lambda number: _Moving(np.full(post, float(number)), {}))
    V, reached = _driven(neuron, found.A, found.c)
    raised = [neuron.states.index(state) for state in neuron.arrivals]
    order = list(dict.fromkeys((V, *raised, *range(len(neuron.states)))))
    A, R = ([[matrix[i][k] for k in order] for i in order] for matrix in (found.A, found.R))
    c, v_th, r = [found.c[k] for k in order], found.v_th, [found.r[i] for i in order]
    if neuron.spike is None:
        c[0], v_th = _Moving(np.ones(post), {}), _Moving(np.full(post, np.inf), {})
    elif (c[0].value <= 0).any():
        raise _refusal(f"has a level that does not rise with {neuron.states[V]}, which arrivals reach")
    learned = tuple(n for n in names if any(n in entry.by for row in A for entry in row))
    level = [part / c[0] for part in (v_th, *c[2:])] if (c[0].value != 1).any() or c[0].by else [v_th, *c[2:]]
    rows = [*level, *r, *(entry for row in R for entry in row)]
    by = {n: np.stack([row.along(n) for row in rows]) for n in names if any(n in row.by for row in rows)}
    A_by = [[[entry.along(n) for entry in row] for row in A] for n in learned]
    states, others = len(order), len(order) - 2
    return Matrices(
        _values(A).reshape(states, states, post), np.array([part.value for part in level[1:]]).reshape(others, post),
        level[0].value, _values(R), np.array([part.value for part in r]), learned,
        np.array(A_by).reshape(len(learned), states, states, post), by,
        tuple(order.index(state) - 1 for state in raised), 0 if reached else len(raised) - 1, reached, tuple(order),
    )


def _values(entries: list[list["_Moving"]]) -> np.ndarray:
    return np.array([[entry.value for entry in row] for row in entries])


def _refusal(reason: str) -> UnsupportedError:
    return UnsupportedError("neuron", "", reason, "`python -m reference` runs any neuron")


def _driven(neuron: Neuron, A: list[list["_Moving"]], c: list["_Moving"]) -> tuple[int, bool]:
    """The state `V` of a neuron: the first one that arrivals reach, and with which the level rises;
    and whether an arrival reaches more than `V` and the state that it raises."""
    arrivals = [neuron.states.index(state) for state in neuron.arrivals]
    # Which state drives which, as 0 and 1; a power of it, which one reaches in the end.
    drives = np.array([[bool(entry.by) or bool(entry.value.any()) for entry in row] for row in A]).astype(int)
    reaches = np.linalg.matrix_power(drives + np.eye(len(A), dtype=int), len(A)) > 0
    reached = [k for k in range(len(A)) if k not in arrivals and reaches[k, arrivals].any()]
    unread = [neuron.states[k] for k in arrivals if not reached or not np.delete(reaches[:, k], k).any()]
    if unread:
        raise _refusal(f"has arrivals at {' and at '.join(unread)} that reach no other state")
    read = [k for k in reached if neuron.spike is None or neuron.states[k] in neuron.level]
    if not read:
        named = " or ".join(neuron.states[k] for k in reached)
        raise _refusal(f"has a level that does not read {named}, which arrivals reach")
    V = next((k for k in read if (c[k].value > 0).all()), read[0])
    if reaches[arrivals[0], V]:
        raise _refusal(f"has a state {neuron.states[V]} that drives {neuron.arrivals[0]}, which spikes raise")
    others = reaches[np.ix_(arrivals, arrivals)] & ~np.eye(len(arrivals), dtype=bool)
    return V, bool(len(reached) > 1 or others.any())


@dataclass(frozen=True)
class _Moving:
    """Dual numbers: `value [post]`, and by name of a constant the derivative of each by it."""

    value: np.ndarray
    by: dict[str, np.ndarray]

    def along(self, name: str) -> np.ndarray:
        return self.by.get(name, np.zeros_like(self.value))

    def _with(self, other: "_Moving", value: np.ndarray, of_this: Any, of_other: Any) -> "_Moving":
        names = dict.fromkeys((*self.by, *other.by))
        return _Moving(value, {n: of_this * self.along(n) + of_other * other.along(n) for n in names})

    def __neg__(self) -> "_Moving":
        return _Moving(-self.value, {n: -slope for n, slope in self.by.items()})

    def __add__(self, other: "_Moving") -> "_Moving":
        return self._with(other, self.value + other.value, 1.0, 1.0)

    def __sub__(self, other: "_Moving") -> "_Moving":
        return self + -other

    def __mul__(self, other: "_Moving") -> "_Moving":
        return self._with(other, self.value * other.value, other.value, self.value)

    def __truediv__(self, other: "_Moving") -> "_Moving":
        ratio = self.value / other.value
        return self._with(other, ratio, 1.0 / other.value, -ratio / other.value)
