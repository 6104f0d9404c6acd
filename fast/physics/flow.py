"""The flow of the state of one neuron over a time within a bin, without events."""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import reaches_others
from delayprop.fast.layout.rows import II, VI, VV, io, oi, oo, ov, vo
from delayprop.fast.physics.polynomials import F_II, F_VI, F_VV, polynomial


class Block(NamedTuple):
    """Entries of the flow over a time `x`: two numbers for two other states, 0 for those that a
    neuron lacks; `OO` by rows. Entries off the diagonal are without their factor `x`."""

    VV: float
    VI: float
    II: float
    VO: tuple[float, float]
    IO: tuple[float, float]
    OO: tuple[tuple[float, float], tuple[float, float]]
    OV: tuple[float, float]
    OI: tuple[float, float]


@inlined
def block_at(x, lane, coefficients, others, terms):
    """The block of the flow over `x`."""
    states, reached = len(others.states), len(others.reached)
    return Block(
        polynomial(coefficients, F_VV, lane, x, terms), polynomial(coefficients, F_VI, lane, x, terms),
        polynomial(coefficients, F_II, lane, x, terms),
        _pair_at(vo(0, others), states, x, lane, coefficients, terms),
        _pair_at(io(0, others), states, x, lane, coefficients, terms),
        (
            _pair_at(oo(0, 0, others), states, x, lane, coefficients, terms),
            _pair_at(oo(1, 0, others), states if states > 1 else 0, x, lane, coefficients, terms),
        ),
        _pair_at(ov(0, others), reached, x, lane, coefficients, terms),
        _pair_at(oi(0, others), reached, x, lane, coefficients, terms),
    )


@inlined
def _pair_at(entry, count, x, lane, coefficients, terms):
    return (
        polynomial(coefficients, np.int64(entry), lane, x, terms) if count > 0 else 0.0,
        polynomial(coefficients, np.int64(entry + 1), lane, x, terms) if count > 1 else 0.0,
    )


@inlined
def block_in(numbers, n, others):
    """The block in column `n` of `numbers [block_size, ...]`, as a Block has it."""
    states, reached = len(others.states), len(others.reached)
    return Block(
        numbers[VV, n], numbers[VI, n], numbers[II, n],
        _pair_in(numbers, vo(0, others), states, n), _pair_in(numbers, io(0, others), states, n),
        (
            _pair_in(numbers, oo(0, 0, others), states, n),
            _pair_in(numbers, oo(1, 0, others), states if states > 1 else 0, n),
        ),
        _pair_in(numbers, ov(0, others), reached, n), _pair_in(numbers, oi(0, others), reached, n),
    )


@inlined
def _pair_in(numbers, entry, count, n):
    return numbers[entry, n] if count > 0 else 0.0, numbers[entry + 1, n] if count > 1 else 0.0


@inlined
def flowed(block, V, I, O, x, others):
    """[flow] The state after a time `x` without events, over which the flow is `block`."""
    V_x, I_x, first, second = V * block.VV + I * (x * block.VI), I * block.II, 0.0, 0.0
    for k in range(len(others.states)):
        V_x += O[k] * (x * block.VO[k])
        I_x += O[k] * (x * block.IO[k])
        first += O[k] * (block.OO[0][k] if k == 0 else x * block.OO[0][k])
        if len(others.states) > 1:
            second += O[k] * (block.OO[1][k] if k == 1 else x * block.OO[1][k])
    if reaches_others(others):
        first += V * (x * block.OV[0]) + I * (x * block.OI[0])
    if len(others.reached) > 1:
        second += V * (x * block.OV[1]) + I * (x * block.OI[1])
    return V_x, I_x, (first, second)


@inlined
def state_after(V, I, O, x, lane, coefficients, others, terms):
    """[flow] The state after a time `x` without events, at most a bin."""
    V_x, I_x, O_x = flowed(block_at(x, lane, coefficients, others, terms), V, I, O, x, others)
    return V_x, I_x, O_x
