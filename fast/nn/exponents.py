"""The powers of the units of voltage and of time in the constants of a neuron, from its equations.

If all weights and all constants are multiplied by the powers of a factor, spike times stay; so the
gradient obeys an identity (`fast.nn.certificate`). The powers solve a linear system: each entry of
the matrices has the power of its row's state less that of its column's state, and `A` one unit of
time less. The powers hold for all constants, so they are solved for some sets of them at once.
"""

from functools import lru_cache

import numpy as np

from delayprop.fast.solving.matrices import read
from delayprop.spec.neuron import Neuron

SOME = 0.7390851332151607  # constants without a relation among each other
SETS = 3  # of constants
NEAR = 1e-9  # of the largest entry: a residual that rounding leaves


@lru_cache(maxsize=64)
def exponents(neuron: Neuron) -> tuple[dict[str, float] | None, dict[str, float] | None]:
    """The powers of the unit of voltage, and of time, by the name of each constant that has one.
    None: the equations have no such powers, since they add numbers of several units."""
    names = neuron.constants
    systems = [_system(neuron, first) for first in range(1, SETS * len(names) + 2, len(names) + 1)]
    of_constants, of_raised, of_states, of_A = (np.concatenate(parts) for parts in zip(*systems, strict=True))
    # of voltage: states that spikes raise have power 1, as weights have it
    # of time: A has power -1, and no state has any
    voltage = _solved(np.concatenate([of_constants, -of_states], axis=1), of_raised)
    return _named(names, voltage), _named(names, _solved(of_constants, -of_A))


def _system(neuron: Neuron, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """How each entry of the matrices changes with the logarithm of each constant; its coefficient
    of the power of states that spikes raise, of each other state's, and of that of `A`; for some
    constants."""
    names = neuron.constants
    values = np.array([[1.0 + (n * SOME) % 1.0] for n in range(first, first + len(names))]).reshape(len(names), 1)
    found = read(neuron, values)
    # rows in the order of `Matrices.by`, after those of A: the level `v_th, c`, then `r, R`
    entries = np.concatenate([found.A.ravel(), found.v_th, found.c[:, 0], found.r[:, 0], found.R.ravel()])
    states, count = len(found.A), found.A.size
    of_constants = np.zeros((len(entries), len(names)))
    for n, name in enumerate(names):
        if name in found.learned:
            of_constants[:count, n] += found.A_by[found.learned.index(name)].ravel()
        if name in found.by:
            of_constants[count:, n] += found.by[name][:, 0]
    of_constants *= values[:, 0]
    if neuron.spike is None:
        entries[count] = 0.0  # `v_th`, which is infinite
    each = np.eye(states)
    of_pairs = (each[:, None] - each).reshape(-1, states)  # of a matrix: its row's state less that of its column
    of_states = entries[:, None] * np.concatenate([of_pairs, each[:1], each[0] - each[2:], each, of_pairs])
    raised = sorted({1 + place for place in found.into})
    of_A = np.concatenate([entries[:count], np.zeros(len(entries) - count)])
    return of_constants, of_states[:, raised].sum(axis=1), np.delete(of_states, raised, axis=1), of_A


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    found = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return found if np.abs(matrix @ found - right).max(initial=0.0) <= NEAR * np.abs(right).max(initial=1.0) else None


def _named(names: tuple[str, ...], powers: np.ndarray | None) -> dict[str, float] | None:
    if powers is None:
        return None
    rounded = np.round(powers, 9).tolist()
    return {name: power for name, power in zip(names, rounded, strict=False) if power}
