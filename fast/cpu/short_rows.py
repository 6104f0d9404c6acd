"""Rows of 8 or 16 numbers in LLVM's instructions.

LLVM unrolls so short a loop before it looks for vectors.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from delayprop.fast.compiling.compiler import built
from delayprop.fast.cpu.intrinsics import float_type
from delayprop.fast.cpu.rows import row_at, splat
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.physics.polynomials import polynomial

FEW = 16  # instants that are ranked side by side
GAPS = 8  # times at which a polynomial is computed side by side
_I32 = ir.IntType(32)


def _count_before(typing: Any, found: Any, other: Any, rank: Any) -> Any:
    """`rank[n] += 1` wherever instant `other` of FEW precedes instant n; of equal ones, the last
    goes first."""
    number, whole = ir.VectorType(float_type(found.dtype), FEW), ir.VectorType(_I32, FEW)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found, other, rank = arguments
        row = row_at(builder, found, 0, number)
        this = splat(builder, builder.load(builder.gep(found, [other])), number)
        index = splat(builder, builder.trunc(other, _I32), whole)
        later = builder.icmp_signed(">", index, whole(list(range(FEW))))
        equal = builder.and_(builder.fcmp_ordered("==", this, row), later)
        before = builder.or_(builder.fcmp_ordered("<", this, row), equal)
        sums = builder.add(row_at(builder, rank, 0, whole), builder.zext(before, whole))
        builder.store(sums, builder.bitcast(rank, whole.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(found, types.int64, rank), build


def _polynomial_row(typing: Any, coefficients: Any, which: Any, lane: Any, x: Any, terms: Any, row: Any) -> Any:
    """Polynomial `which` of a lane at GAPS numbers `x`, written to `row`, in float64; as
    `fast.physics.polynomials.polynomial`, which is of one number."""
    kind, double = ir.VectorType(ir.DoubleType(), GAPS), ir.DoubleType()

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        coefficients, which, lane, x, _, row = arguments
        first = builder.add(builder.mul(which, ir.IntType(64)(len(terms) * LANES)), lane)
        value, at = None, row_at(builder, x, 0, kind)
        for n in range(len(terms) - 1, -1, -1):
            one = builder.load(builder.gep(coefficients, [builder.add(first, ir.IntType(64)(n * LANES))]))
            one = splat(builder, one if one.type == double else builder.fpext(one, double), kind)
            product = None if value is None else builder.fmul(value, at, flags=("contract",))
            value = one if product is None else builder.fadd(product, one, flags=("contract",))
        builder.store(value, builder.bitcast(row, kind.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(coefficients, types.int64, types.int64, x, terms, row), build


# The meanings, for runs without the compiler.


def counted_before(found: Any, other: Any, rank: Any) -> None:
    r = found[other]
    for n in range(FEW):
        rank[n] += np.int32(r < found[n] or (r == found[n] and other > n))


def _polynomials(coefficients: Any, which: Any, lane: Any, x: Any, terms: Any, row: Any) -> None:
    for n in range(GAPS):
        row[n] = polynomial(coefficients, which, lane, x[n], terms)


count_before = built(_count_before, counted_before)
polynomial_row = built(_polynomial_row, _polynomials)
