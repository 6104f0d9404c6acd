"""Functions in LLVM's instructions for the innermost loops: pointers into arrays, cells, bits.

Numba passes an array as seven words or more, and tests every index for its sign. A sweep calls its
small functions once per bin with a dozen arrays each. A pointer is one word, and its index is not
tested. It has neither a length nor a reference to its array: it is made from an array that a sweep
owns, and is never stored.

A cell holds the arrivals at a neuron in one bin as four numbers that are read and written as one:

    0  V     their part of the voltage at the end of the bin, without its factor `1/tau_mem`
    1  I     their part of the current there
    2  link  the last spike that arrives, an integer in the bits of the number; -1: none
    3  up    the part of the voltage from excitation alone

So an arrival costs one addition of four numbers, instead of four loads, additions and stores.

Without the compiler each function runs as its Python meaning: a pointer is then a view of the array
from there on, and NumPy refuses an index beyond its end (a test).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from fast.physics.compiling import built
from fast.physics.polynomials import LANES

CELL, CELL_V, CELL_I, CELL_LINK, CELL_UP = 4, 0, 1, 2, 3
NO_LINK = -1


def _float_type(number: Any) -> Any:
    return (ir.FloatType if number.bitwidth == 32 else ir.DoubleType)()


def _pointer(typing: Any, array: Any) -> Any:
    """The first element of a contiguous array, of any shape."""
    if array.layout != "C":
        return None

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), build


def _moved(typing: Any, pointer: Any, n: Any) -> Any:
    """The pointer, moved by n elements."""

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
    """Bit k of the result: whether `pairs[2k]` is NaN, for `LANES` pairs."""
    every = ir.VectorType(_float_type(pairs.dtype), 2 * LANES)
    evens = ir.VectorType(ir.IntType(32), LANES)(list(range(0, 2 * LANES, 2)))

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = builder.load(builder.bitcast(arguments[0], every.as_pointer()), align=4)
        firsts = builder.shuffle_vector(values, values, evens)
        is_nan = builder.bitcast(builder.fcmp_unordered("uno", firsts, firsts), ir.IntType(LANES))
        return builder.zext(is_nan, ir.IntType(64))

    return types.int64(pairs), build


def _lowest_bit(typing: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return bits(bits), build


def _cell(builder: Any, cells: Any, p: Any, number: Any) -> tuple[Any, ir.IntType]:
    """Address of cell `p` as a vector of four, and an integer type as wide as its numbers."""
    start = builder.gep(cells, [builder.mul(p, p.type(CELL))])
    return builder.bitcast(start, ir.VectorType(_float_type(number), CELL).as_pointer()), ir.IntType(number.bitwidth)


def _link_in(builder: Any, vector: Any, bits: ir.IntType) -> Any:
    whole = builder.extract_element(builder.bitcast(vector, ir.VectorType(bits, CELL)), ir.IntType(32)(CELL_LINK))
    return whole if bits.width == 32 else builder.trunc(whole, ir.IntType(32))


def _with_link(builder: Any, vector: Any, link: Any, bits: ir.IntType) -> Any:
    link = link if bits.width == 32 else builder.sext(link, bits)
    whole = builder.bitcast(vector, ir.VectorType(bits, CELL))
    return builder.bitcast(builder.insert_element(whole, link, ir.IntType(32)(CELL_LINK)), vector.type)


def _add(typing: Any, cells: Any, p: Any, amounts: Any, k: Any, link: Any) -> Any:
    """Add amounts `k` (0 for the link) to cell `p`; set its link, and return the former link."""
    number = cells.dtype

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, bits = _cell(builder, arguments[0], arguments[1], number)
        amount, _ = _cell(builder, arguments[2], arguments[3], number)
        before = builder.load(address, align=4)
        sums = builder.fadd(_with_link(builder, before, ir.IntType(32)(0), bits), builder.load(amount, align=4))
        builder.store(_with_link(builder, sums, arguments[4], bits), address, align=4)
        return _link_in(builder, before, bits)

    return types.int32(cells, types.int64, amounts, types.int64, types.int32), build


def _link(typing: Any, cells: Any, p: Any) -> Any:
    number = cells.dtype

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, bits = _cell(builder, arguments[0], arguments[1], number)
        return _link_in(builder, builder.load(address, align=4), bits)

    return types.int32(cells, types.int64), build


def _clear(typing: Any, cells: Any, p: Any) -> Any:
    number = cells.dtype

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, bits = _cell(builder, arguments[0], arguments[1], number)
        empty = ir.VectorType(bits, CELL)([0, 0, NO_LINK, 0])
        builder.store(builder.bitcast(empty, address.type.pointee), address, align=4)
        return context.get_dummy_value()

    return types.void(cells, types.int64), build


# The meanings, for runs without the compiler.


def _flat(array: Any) -> Any:
    assert array.flags.c_contiguous, "a pointer is into an array without gaps"
    return array.reshape(-1)


def _copied(values: Any, p: Any, into: Any, k: Any) -> None:
    into[2 * k : 2 * k + 2] = values[2 * p : 2 * p + 2]


def _bits_of_nan(pairs: Any) -> int:
    return sum(1 << k for k in range(LANES) if pairs[2 * k] != pairs[2 * k])  # nan-ok: NaN marks special bins


def _number_of_bit(bits: Any) -> int:
    return (int(bits) & -int(bits)).bit_length() - 1


def _links(cells: Any) -> Any:
    return cells.view(np.int32 if cells.itemsize == 4 else np.int64)[CELL_LINK::CELL]


def _added(cells: Any, p: Any, amounts: Any, k: Any, link: Any) -> int:
    before = int(_links(cells)[p])
    for n in (CELL_V, CELL_I, CELL_UP):
        cells[CELL * p + n] += amounts[CELL * k + n]
    _links(cells)[p] = link
    return before


def _cleared(cells: Any, p: Any) -> None:
    cells[CELL * p : CELL * p + CELL] = 0.0
    _links(cells)[p] = NO_LINK


pointer = built(_pointer, _flat)
moved = built(_moved, lambda pointer, n: pointer[n:])
copy_pair = built(_copy_pair, _copied)
nan_bits = built(_nan_bits, _bits_of_nan)
lowest_bit = built(_lowest_bit, _number_of_bit)
add_to_cell = built(_add, _added)
link_of = built(_link, lambda cells, p: int(_links(cells)[p]))
clear_cell = built(_clear, _cleared)
