"""Rows of arrivals in LLVM's instructions: one arrival per lane, sixteen lanes as one vector.

LLVM finds no vectors in additions to cells at places that depend on data, so these functions
spell them out; `fast.cpu.intrinsics` explains cells.
"""

from functools import partial
from typing import Any

from llvmlite import ir
from numba import types

from delayprop.fast.compiling.compiler import built
from delayprop.fast.cpu.intrinsics import CELL, CELL_I, CELL_LINK, CELL_UP, CELL_V, added, cell_at, float_type
from delayprop.fast.layout.arrays import LANES


def _add_row(typing: Any, cells: Any, address: Any, amount: Any, before: Any, link: Any) -> Any:
    """Add amounts `V, I, up` of all lanes, a row each, to the cells at `address`, four cells as one
    vector; the links before go to `before`, and all become `link`."""
    number, bits, one = float_type(cells.dtype), ir.IntType(cells.dtype.bitwidth), ir.IntType(32)
    row = ir.VectorType(number, 16)
    no_link = ir.VectorType(ir.IntType(1), 16)([n % CELL != CELL_LINK for n in range(16)])

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cells, address, amount, before, link = arguments
        link = link if bits.width == 32 else builder.sext(link, bits)
        links = splat(builder, builder.bitcast(link, number), row)
        for start in range(0, LANES, 16):
            V, I, up = (row_at(builder, amount, n * LANES + start, row) for n in range(3))
            old, four = None, _in_cells(builder, V, I, up)
            for j, amounts in enumerate(four):  # lanes j, j + 4, j + 8, j + 12 of the sixteen
                lanes = (start + j + 4 * k for k in range(4))
                places = [builder.load(builder.gep(address, [one(lane)]), align=4) for lane in lanes]
                wide = [builder.zext(p, ir.IntType(64)) for p in places]
                at = [cell_at(builder, cells, p, signature.args[0].dtype)[0] for p in wide]
                now = _joined(builder, [builder.load(one_cell, align=4) for one_cell in at])
                own = _shuffled(builder, now, now, [n // CELL * CELL + CELL_LINK for n in range(16)])
                here = ir.VectorType(ir.IntType(1), 16)([n % 4 == j for n in range(16)])
                old = own if old is None else builder.select(here, own, old)
                sums = builder.select(no_link, builder.fadd(now, amounts), links)
                for k, one_cell in enumerate(at):
                    builder.store(_shuffled(builder, sums, sums, range(4 * k, 4 * k + 4)), one_cell, align=4)
            whole = builder.bitcast(old, ir.VectorType(bits, 16))
            whole = whole if bits.width == 32 else builder.trunc(whole, ir.VectorType(one, 16))
            target = builder.gep(before, [one(start)])
            builder.store(whole, builder.bitcast(target, whole.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(cells, address, amount, before, types.int32), build


def _unzip_cells(typing: Any, cells: Any, found: Any) -> Any:
    """Read LANES cells, one after the other, and write their numbers `V, I, up` to `found`, as
    three rows of LANES."""
    four = ir.VectorType(float_type(cells.dtype), 4 * CELL)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cells, found = arguments
        loaded = [row_at(builder, cells, n, four) for n in range(0, CELL * LANES, 4 * CELL)]
        for row, number in enumerate((CELL_V, CELL_I, CELL_UP)):
            order = range(number, 8 * CELL, CELL)
            eights = [_shuffled(builder, loaded[n], loaded[n + 1], order) for n in range(0, len(loaded), 2)]
            values, target = _joined(builder, eights), builder.gep(found, [ir.IntType(32)(row * LANES)])
            builder.store(values, builder.bitcast(target, values.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(cells, found), build


def _gather_row(typing: Any, numbers: Any, address: Any, found: Any) -> Any:
    """Gather two numbers of every lane, from its `address` on, into `found`, as two rows of LANES.
    The result has a bit per lane, set where the first number is NaN."""
    return _gathering(2, numbers, address, found)


def _read_pairs(typing: Any, numbers: Any, found: Any) -> Any:
    """Read LANES pairs of numbers that lie one after the other into `found`, as two rows of LANES.
    The result has a bit per lane, set where the first number of its pair is NaN."""
    pairs = ir.VectorType(float_type(numbers.dtype), 2 * LANES)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers, found = arguments
        whole = row_at(builder, numbers, 0, pairs)
        return _as_rows(builder, [_shuffled(builder, whole, whole, range(n, 2 * LANES, 2)) for n in range(2)], found)

    return types.int64(numbers, found), build


def _gather_threes(typing: Any, numbers: Any, address: Any, found: Any) -> Any:
    """Gather the first three of four numbers of every lane, as three rows; see `_gather_row`."""
    return _gathering(3, numbers, address, found)


def _gather_fours(typing: Any, numbers: Any, address: Any, found: Any) -> Any:
    """Gather four numbers of every lane, as four rows; see `_gather_row`."""
    return _gathering(4, numbers, address, found)


def _gather_two_pairs(typing: Any, numbers: Any, address: Any, found: Any) -> Any:
    """Gather four numbers of every lane as four rows, from twice its `address` on: of two pairs
    side by side, where `address` is that of one pair. See `_gather_row`."""
    return _gathering(4, numbers, address, found, 1)


def _gathering(count: int, numbers: Any, address: Any, found: Any, shift: int = 0) -> Any:
    number = float_type(numbers.dtype)
    together = ir.VectorType(number, 2 if count == 2 else 4)

    def rows_of(builder: Any, loaded: list[Any]) -> list[Any]:
        """Row n holds number n of each of the vectors."""
        if count == 2:
            left, right = _joined(builder, loaded[:16]), _joined(builder, loaded[16:])
            return [_shuffled(builder, left, right, range(n, 2 * LANES, 2)) for n in range(2)]
        halves = [_joined(builder, loaded[n : n + 2]) for n in range(0, LANES, 2)]
        pairs = list(zip(halves[::2], halves[1::2], strict=True))
        return [_joined(builder, [_shuffled(builder, *pair, range(n, 16, 4)) for pair in pairs]) for n in range(count)]

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers, address, found = arguments
        loaded = []  # one load for all numbers of a lane, and shuffles after it
        for lane in range(LANES):
            p = builder.load(builder.gep(address, [ir.IntType(32)(lane)]), align=4)
            start = builder.gep(numbers, [builder.shl(builder.zext(p, ir.IntType(64)), ir.IntType(64)(shift))])
            loaded.append(builder.load(builder.bitcast(start, together.as_pointer()), align=4))
        return _as_rows(builder, rows_of(builder, loaded), found)

    return types.int64(numbers, address, found), build


def _as_rows(builder: Any, rows: list[Any], found: Any) -> Any:
    """Store rows; a bit per lane whose number in the first is NaN."""
    for n, values in enumerate(rows):
        target = builder.gep(found, [ir.IntType(32)(n * LANES)])
        builder.store(values, builder.bitcast(target, values.type.as_pointer()), align=4)
    bits: Any = ir.IntType(64)(0)
    for n in range(0, LANES, 8):  # by eight: one instruction for the bits of a vector of AVX
        part = _shuffled(builder, rows[0], rows[0], range(n, n + 8))
        is_nan = builder.bitcast(builder.fcmp_unordered("uno", part, part), ir.IntType(8))
        bits = builder.or_(bits, builder.shl(builder.zext(is_nan, bits.type), bits.type(n)))
    return bits


def _shuffled(builder: Any, a: Any, b: Any, order: Any) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order)))


def splat(builder: Any, value: Any, kind: ir.VectorType) -> Any:
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
    return _shuffled(builder, one, one, [0] * kind.count)


def _joined(builder: Any, parts: list[Any]) -> Any:
    """Vectors of one length, end to end."""
    while len(parts) > 1:
        size = 2 * parts[0].type.count
        parts = [_shuffled(builder, parts[n], parts[n + 1], range(size)) for n in range(0, len(parts), 2)]
    return parts[0]


def row_at(builder: Any, numbers: Any, n: int, kind: ir.VectorType) -> Any:
    start = builder.gep(numbers, [ir.IntType(32)(n)])
    return builder.load(builder.bitcast(start, kind.as_pointer()), align=4)


def _in_cells(builder: Any, V: Any, I: Any, up: Any) -> list[Any]:
    """Rows of sixteen amounts as four vectors of four cells; the first has lanes 0, 4, 8, 12."""
    found, none = [], ir.Constant(V.type, None)
    for half in (0, 2):
        order = [n for k in range(0, 16, 4) for n in (k + half, 16 + k + half, k + half + 1, 17 + k + half)]
        left, right = _shuffled(builder, V, I, order), _shuffled(builder, none, up, order)
        for part in (0, 2):
            order = [n for k in range(0, 16, 4) for n in (k + part, k + part + 1, 16 + k + part, 17 + k + part)]
            found.append(_shuffled(builder, left, right, order))
    return found


# The meanings, for runs without the compiler.


def _added_row(cells: Any, address: Any, amount: Any, before: Any, link: Any) -> None:
    for lane in range(LANES):
        V, I, up = amount[lane : 3 * LANES : LANES]
        before[lane] = added(cells, address[lane], V, I, up, link)


def _unzipped_cells(cells: Any, found: Any) -> None:
    for row, number in enumerate((CELL_V, CELL_I, CELL_UP)):
        found[row * LANES : (row + 1) * LANES] = cells[number : CELL * LANES : CELL]


def _gathered_row(numbers: Any, address: Any, found: Any, count: int = 2, shift: int = 0) -> int:
    for lane in range(LANES):
        start = address[lane] << shift
        found[lane : count * LANES : LANES] = numbers[start : start + count]
    return sum(1 << lane for lane in range(LANES) if found[lane] != found[lane])  # nan-ok: NaN marks special bins


add_row = built(_add_row, _added_row)
unzip_cells = built(_unzip_cells, _unzipped_cells)
gather_row = built(_gather_row, _gathered_row)
read_pairs = built(_read_pairs, lambda numbers, found: _gathered_row(numbers, range(0, 2 * LANES, 2), found))
gather_threes = built(_gather_threes, partial(_gathered_row, count=3))
gather_fours = built(_gather_fours, partial(_gathered_row, count=4))
gather_two_pairs = built(_gather_two_pairs, partial(_gathered_row, count=4, shift=1))
