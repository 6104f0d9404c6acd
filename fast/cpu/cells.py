"""Cells: what arrives at a neuron in one bin, in four numbers that are read and written as one.

    0  V     what the arrivals add to the voltage at the end of the bin, without its factor `1/tau_mem`
    1  I     what they add to the current there
    2  link  the last spike that arrives, an integer kept in the bits of the number; -1: none
    3  up    what excitation alone adds to the voltage

An arrival then costs one addition of four numbers side by side, instead of four loads, additions and stores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from fast.physics.compiling import built

CELL, CELL_V, CELL_I, CELL_LINK, CELL_UP = 4, 0, 1, 2, 3
NO_LINK = -1


def _cell(builder: Any, cells: Any, p: Any, number: Any) -> tuple[Any, ir.IntType]:
    """Where cell `p` is, as a vector of four, and the integer as wide as one of its numbers."""
    kind = (ir.FloatType if number.bitwidth == 32 else ir.DoubleType)()
    start = builder.gep(cells, [builder.mul(p, p.type(CELL))])
    return builder.bitcast(start, ir.VectorType(kind, CELL).as_pointer()), ir.IntType(number.bitwidth)


def _link_of(builder: Any, vector: Any, bits: ir.IntType) -> Any:
    whole = builder.extract_element(builder.bitcast(vector, ir.VectorType(bits, CELL)), ir.IntType(32)(CELL_LINK))
    return whole if bits.width == 32 else builder.trunc(whole, ir.IntType(32))


def _with_link(builder: Any, vector: Any, link: Any, bits: ir.IntType) -> Any:
    link = link if bits.width == 32 else builder.sext(link, bits)
    whole = builder.bitcast(vector, ir.VectorType(bits, CELL))
    return builder.bitcast(builder.insert_element(whole, link, ir.IntType(32)(CELL_LINK)), vector.type)


def _add(typing: Any, cells: Any, p: Any, amounts: Any, k: Any, link: Any) -> Any:
    """Add amounts `k`, 0 for the link, to cell `p`, which links to `link` then; returns what it linked to."""
    number = cells.dtype

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at, bits = _cell(builder, arguments[0], arguments[1], number)
        amount, _ = _cell(builder, arguments[2], arguments[3], number)
        before = builder.load(at, align=4)
        sums = builder.fadd(_with_link(builder, before, ir.IntType(32)(0), bits), builder.load(amount, align=4))
        builder.store(_with_link(builder, sums, arguments[4], bits), at, align=4)
        return _link_of(builder, before, bits)

    return types.int32(cells, types.int64, amounts, types.int64, types.int32), build


def _link(typing: Any, cells: Any, p: Any) -> Any:
    """What cell `p` links to."""
    number = cells.dtype

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at, bits = _cell(builder, arguments[0], arguments[1], number)
        return _link_of(builder, builder.load(at, align=4), bits)

    return types.int32(cells, types.int64), build


def _clear(typing: Any, cells: Any, p: Any) -> Any:
    """Nothing arrives in cell `p`."""
    number = cells.dtype

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at, bits = _cell(builder, arguments[0], arguments[1], number)
        empty = ir.VectorType(bits, CELL)([0, 0, NO_LINK, 0])
        builder.store(builder.bitcast(empty, at.type.pointee), at, align=4)
        return context.get_dummy_value()

    return types.void(cells, types.int64), build


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


add = built(_add, _added)
link_of = built(_link, lambda cells, p: int(_links(cells)[p]))
clear = built(_clear, _cleared)
