"""Functions in LLVM's instructions for the innermost loops: pointers into arrays, cells, bits.

Numba passes an array as seven words or more, and tests every index for its sign. A sweep calls its
small functions once per bin with a dozen arrays each. A pointer is one word, and its index is not
tested. It has neither a length nor a reference to its array: it is made from an array that a sweep
owns, and is never stored.

A cell holds the arrivals at a neuron in one bin as four numbers that are read and written as one:

    0  V     their part of the voltage at the end of the bin
    1  I     their part of the current there
    2  link  the last spike that arrives, an integer in the bits of the number; -1: none
    3  up    the part of the voltage from excitation alone

So an arrival costs one addition of four numbers, instead of four loads, additions and stores.

Without the compiler each function runs as its Python meaning: a pointer is then a view of the array
from there on, and NumPy refuses an index beyond its end (a test).
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from delayprop.fast.compiling.compiler import built

CELL, CELL_V, CELL_I, CELL_LINK, CELL_UP = 4, 0, 1, 2, 3
NO_LINK = -1


def float_type(number: Any) -> Any:
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
        # On some machines LLVM halves its vectors, for the clock of other programs. Every loop over
        # lanes moves pointers; `llvmlite` lacks the name of this attribute.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.int64), build


def _lowest_bit(typing: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return bits(bits), build


def cell_at(builder: Any, cells: Any, p: Any, number: Any) -> tuple[Any, ir.IntType]:
    """Address of the cell at `p`, counted in numbers, as a vector of four, and the integer type as
    wide as a number."""
    start = builder.gep(cells, [p])
    return builder.bitcast(start, ir.VectorType(float_type(number), CELL).as_pointer()), ir.IntType(number.bitwidth)


def _link_in(builder: Any, vector: Any, bits: ir.IntType) -> Any:
    whole = builder.extract_element(builder.bitcast(vector, ir.VectorType(bits, CELL)), ir.IntType(32)(CELL_LINK))
    return whole if bits.width == 32 else builder.trunc(whole, ir.IntType(32))


def _with_link(builder: Any, vector: Any, link: Any, bits: ir.IntType) -> Any:
    link = link if bits.width == 32 else builder.sext(link, bits)
    whole = builder.bitcast(vector, ir.VectorType(bits, CELL))
    return builder.bitcast(builder.insert_element(whole, link, ir.IntType(32)(CELL_LINK)), vector.type)


def _add(typing: Any, cells: Any, p: Any, V: Any, I: Any, up: Any, link: Any) -> Any:
    """Add amounts to the cell at `p`, and link it to `link`; returns the link before."""
    number = cells.dtype

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, bits = cell_at(builder, arguments[0], arguments[1], number)
        before = builder.load(address, align=4)
        amount = ir.Constant(before.type, None)
        for part, value in zip((CELL_V, CELL_I, CELL_UP), arguments[2:5], strict=True):
            amount = builder.insert_element(amount, value, ir.IntType(32)(part))
        sums = builder.fadd(_with_link(builder, before, ir.IntType(32)(0), bits), amount)
        builder.store(_with_link(builder, sums, arguments[5], bits), address, align=4)
        return _link_in(builder, before, bits)

    return types.int32(cells, types.int64, number, number, number, types.int32), build


def _link(typing: Any, cells: Any, p: Any) -> Any:
    number = cells.dtype

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, bits = cell_at(builder, arguments[0], arguments[1], number)
        return _link_in(builder, builder.load(address, align=4), bits)

    return types.int32(cells, types.int64), build


def _clear(typing: Any, cells: Any, p: Any) -> Any:
    number = cells.dtype

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, bits = cell_at(builder, arguments[0], arguments[1], number)
        empty = ir.VectorType(bits, CELL)([0, 0, NO_LINK, 0])
        builder.store(builder.bitcast(empty, address.type.pointee), address, align=4)
        return context.get_dummy_value()

    return types.void(cells, types.int64), build


# The meanings, for runs without the compiler.


def _flat(array: Any) -> Any:
    assert array.flags.c_contiguous, "a pointer is into an array without gaps"
    return array.reshape(-1)


def _number_of_bit(bits: Any) -> int:
    return (int(bits) & -int(bits)).bit_length() - 1


def _links(cells: Any) -> Any:
    return cells.view(np.int32 if cells.itemsize == 4 else np.int64)


def added(cells: Any, p: Any, V: Any, I: Any, up: Any, link: Any) -> int:
    before = int(_links(cells)[p + CELL_LINK])
    for n, amount in ((CELL_V, V), (CELL_I, I), (CELL_UP, up)):
        cells[p + n] += amount
    _links(cells)[p + CELL_LINK] = link
    return before


def _cleared(cells: Any, p: Any) -> None:
    cells[p : p + CELL] = 0.0
    _links(cells)[p + CELL_LINK] = NO_LINK


pointer = built(_pointer, _flat)
moved = built(_moved, lambda pointer, n: pointer[n:])
lowest_bit = built(_lowest_bit, _number_of_bit)
add_to_cell = built(_add, added)
link_of = built(_link, lambda cells, p: int(_links(cells)[p + CELL_LINK]))
clear_cell = built(_clear, _cleared)
