"""The numbers of a layer's neurons as kernels read them: `fast.layout.rows`, packed."""

from functools import lru_cache

import numpy as np
import torch

from delayprop.fast.layout.arrays import LANES
from delayprop.fast.layout.rows import V_TH
from delayprop.fast.physics.clock import SLACK
from delayprop.fast.physics.polynomials import EXACT, block_order, flow_coefficients, integral_coefficients
from delayprop.fast.solving.matrices import matrices
from delayprop.spec.neuron import Neuron

LASTING = 2.0**20
_INTEGRALS = 6  # convolutions of an integral readout


@lru_cache(maxsize=64)
def tables(
    neuron: Neuron, constants: bytes, post: int, width: float, rate: float, dtype: type, terms: int
) -> tuple[np.ndarray, ...]:
    """`constants`, `flow`, `coefficients` and `exact` of a layer, see `fast.layout.arrays.Layer`.

    They are cached: they seldom change from step to step, and take as long as a small layer.

    Args:
        constants: `[constants, post]`, float64, in the order of `neuron.constants`.
        width: of a bin, ms. `rate`: of an integral readout, per bin; negative: none.
        dtype, terms: of `coefficients`.
    """
    n = matrices(neuron, np.frombuffer(constants).reshape(len(neuron.constants), post))
    A, A_by = np.moveaxis(n.A * width, -1, 0), np.moveaxis(n.A_by * width, -1, 1)
    states = A.shape[1]
    of_currents = [(_exchanged(A, current), _exchanged(A_by, current)) for current in range(1 + n.currents)]
    polynomials, exact = (
        np.concatenate([flow_coefficients(*of_one, n.reached, length) for of_one in of_currents])
        for length in (terms, len(EXACT))
    )
    # per current: the flow over a bin, and its derivatives
    at_end, *at_end_of_others = np.split(exact.sum(axis=1), len(of_currents))
    integrals = np.zeros((_INTEGRALS, post))
    if rate >= 0:
        added = (integral_coefficients(A[:, 0, 1], -A[:, 1, 1], rate, length) for length in (terms, len(EXACT)))
        polynomials, exact = (np.concatenate(pair) for pair in zip((polynomials, exact), added, strict=True))
        integrals = exact[-_INTEGRALS:].sum(axis=1)
    level = np.ascontiguousarray(n.level.T)
    rise = _times(level, A)
    bend, twist = _bounds(level, A)
    of_time_constants = [A_by[0, :, 0, 1], A_by[1, :, 1, 1]] if len(A_by) > 1 else [np.zeros(post)] * 2
    of_A = [A[:, i, k] for i, k in block_order(states, n.reached)]
    of_A += [*n.c, *n.unsteady(width)[1:]] if n.reached else []
    rows = [
        A[:, 0, 0], A[:, 0, 1], A[:, 1, 1], n.v_th, n.unit_rate * width, *of_time_constants, *n.c,
        *n.r, *n.R.reshape(-1, post), *rise.T, *_times(rise, A).T, *bend.T, *twist.T,
        *_push(level, A, rise).T,
    ]
    third, most_bend = rise.T / 3.0, bend.max(axis=1) + SLACK * np.finfo(dtype).eps / 2 * np.abs(level).max(axis=1)
    block = len(block_order(states, n.reached))
    pairs = [
        (*end[:3], B[:, 0, 0], B[:, 0, 1], B[:, 1, 1])
        for end, (B, _) in zip((at_end, *at_end_of_others), of_currents, strict=True)
    ]
    flow = [
        *pairs[0], *third[:2], most_bend, *integrals, *(row for pair in pairs[1:] for row in pair), *n.c, *third[2:],
        *at_end[3:block], *of_A, *at_end[block:],
    ]
    packed = _in_packs(np.array(rows))
    # A lane without a neuron takes every step, and never spikes.
    without = np.arange(packed.shape[0] * LANES).reshape(-1, LANES) >= post
    packed[:, V_TH][without] = np.inf
    coefficients: np.ndarray = np.concatenate([polynomials.reshape(-1, post), np.array(of_A)]).astype(dtype)
    tables_: tuple[np.ndarray, ...] = np.array(flow), coefficients, exact
    others = (_in_packs(table.reshape(-1, post)) for table in tables_)
    # torch, unlike NumPy, begins an array at a cache line: a load across two is slower.
    return packed, *(torch.from_numpy(table.reshape(len(packed), -1)).clone().numpy() for table in others)


def _exchanged(A: np.ndarray, current: int) -> np.ndarray:
    """Matrices `[..., states, states]` with a current (0: `I`) and `I` in each other's place."""
    order = np.arange(A.shape[-1])
    order[[1, 1 + current]] = 1 + current, 1
    return A[..., order, :][..., order]


def _times(row: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A row per neuron, times its matrix."""
    return np.einsum("nj,njk->nk", row, matrix)


def _push(level: np.ndarray, A: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """How far each state raises the level in all time, while the states that the level reads stay:
    the rows `PUSH` of `fast.layout.rows`, `[post, states]`.

    It is the integral of the level's slope over all time, with `A` of the states that the level
    does not read: a solution of linear equations. Where such a state lasts for ever, that has no
    end: the slope is then taken over `LASTING` bins.
    """
    found = np.zeros_like(level)
    for n in range(len(A)):
        free = np.flatnonzero(level[n] == 0)
        block = A[n][np.ix_(free, free)]
        if np.linalg.matrix_rank(block) < len(free):
            found[n, free] = LASTING * rise[n, free]
        else:
            found[n, free] = np.linalg.solve(-block.T, rise[n, free])
    return found


def _bounds(level: np.ndarray, A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`bend` and `twist`, `[post, states]`: times `|x|` at the start of a bin they bound the fourth
    derivative of the level in it, over 384, and its third one."""
    third = _times(_times(_times(level, A), A), A)
    growth, power = np.broadcast_to(np.eye(A.shape[1]), A.shape), np.broadcast_to(np.eye(A.shape[1]), A.shape)
    for m in range(1, 18):  # the series of `exp(|A|)`, which bounds every flow within the bin
        power = np.abs(A) @ power / m
        growth = growth + power
    return _times(np.abs(_times(third, A)), growth) / 384.0, _times(np.abs(third), growth)


def _in_packs(rows: np.ndarray) -> np.ndarray:
    """`[rows, post]` as `[packs, rows, LANES]`; lanes without a neuron repeat the last one."""
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % LANES)), mode="edge")
    return np.ascontiguousarray(np.moveaxis(padded.reshape(len(rows), -1, LANES), 1, 0))
