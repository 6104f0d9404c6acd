"""Pointers into arrays, for the innermost functions of the kernels.

Numba hands an array on as seven words or more, and looks at every index whether it is negative. A sweep calls its small
functions once a bin with a dozen arrays each: as pointers they are one word each, indexed as they are. A pointer knows
neither its length nor whether its array is still there; so it is made from an array that a sweep owns, and goes no
further than into the function that it is given to.

Without the compiler a pointer is a view of the array from there on, so that NumPy refuses what lies beyond its end (a
test).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from fast.physics.compiling import built
from fast.physics.polynomials import LANES


def _pointer(typing: Any, array: Any) -> Any:
    """The first element of a contiguous array, of any shape."""
    if array.layout != "C":
        return None

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), build


def _moved(typing: Any, pointer: Any, n: Any) -> Any:
    """The pointer to the n-th element from there."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.int64), build


def _copy_pair(typing: Any, values: Any, p: Any, into: Any, k: Any) -> Any:
    """`into[2k], into[2k+1] = values[2p], values[2p+1]`, as one word."""
    pair = ir.IntType(2 * values.dtype.bitwidth)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, p, into, k = arguments
        source, target = (
            builder.bitcast(builder.gep(start, [builder.shl(n, n.type(1))]), pair.as_pointer())
            for start, n in ((values, p), (into, k))
        )
        builder.store(builder.load(source, align=4), target, align=4)
        return context.get_dummy_value()

    return types.void(values, types.int64, into, types.int64), build


def _nan_bits(typing: Any, pairs: Any) -> Any:
    """Bit k is set if `pairs[2k]` is NaN, of `LANES` pairs."""
    number = (ir.FloatType if pairs.dtype.bitwidth == 32 else ir.DoubleType)()
    every, evens = ir.VectorType(number, 2 * LANES), ir.VectorType(ir.IntType(32), LANES)(list(range(0, 2 * LANES, 2)))

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = builder.load(builder.bitcast(arguments[0], every.as_pointer()), align=4)
        firsts = builder.shuffle_vector(values, values, evens)
        return builder.zext(
            builder.bitcast(builder.fcmp_unordered("uno", firsts, firsts), ir.IntType(LANES)), ir.IntType(64)
        )

    return types.int64(pairs), build


def _lowest_bit(typing: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return bits(bits), build


def _flat(array: Any) -> Any:
    assert array.flags.c_contiguous, "a pointer is into an array without gaps"
    return array.reshape(-1)


def _copied(values: Any, p: Any, into: Any, k: Any) -> None:
    into[2 * k : 2 * k + 2] = values[2 * p : 2 * p + 2]


def _bits_of_nan(pairs: Any) -> int:
    return sum(1 << k for k in range(LANES) if pairs[2 * k] != pairs[2 * k])


def _number_of_bit(bits: Any) -> int:
    return (int(bits) & -int(bits)).bit_length() - 1


pointer = built(_pointer, _flat)
moved = built(_moved, lambda pointer, n: pointer[n:])
copy_pair = built(_copy_pair, _copied)
nan_bits = built(_nan_bits, _bits_of_nan)
lowest_bit = built(_lowest_bit, _number_of_bit)
