"""The states of a neuron beside `V` and `I`, as two numbers.

A neuron without them has two zeros, which cost nothing: `others` is a tuple as long as there are
such states, so the compiler knows that no one reads them.
"""

from delayprop.fast.compiling.compiler import inlined, read_anew
from delayprop.fast.layout.arrays import LANES, lane_of, reaches_others
from delayprop.fast.layout.rows import (
    C_O,
    II,
    V_TH,
    VI,
    VV,
    io,
    level_row,
    oi,
    oo,
    ov,
    reset_entry,
    reset_row,
    vo,
)


@inlined
def lane_anew(lane, others):
    """The lane itself, hidden from the compiler where a neuron has other states.

    The numbers at the lane are read anew from here on: all of them at once are more than the
    registers of a GPU hold. On a CPU, steps of `adlif` on `yin-yang` take no longer for it.
    """
    return lane_of(read_anew(lane)) if len(others.states) > 0 else lane


@inlined
def others_of(numbers, others):
    """The other states that `numbers` holds, as two numbers."""
    return (numbers[0] if len(others.states) > 0 else 0.0), (numbers[1] if len(others.states) > 1 else 0.0)


@inlined
def others_in(array, row, lane, others):
    """Other states of a lane in an array `[rows, LANES]`, from a row on."""
    count = len(others.states)
    return (array[row, lane] if count > 0 else 0.0), (array[row + 1, lane] if count > 1 else 0.0)


@inlined
def others_at(numbers, row, lane, others):
    """Other states of a lane in a pointer, or flat array, of rows of LANES, from a row on."""
    first, count = row * LANES + lane, len(others.states)
    return (numbers[first] if count > 0 else 0.0), (numbers[first + LANES] if count > 1 else 0.0)


@inlined
def set_others(numbers, row, lane, O, others):
    """Write other states of a lane to a pointer, from a row on."""
    # A function of its own: in a loop over lanes the variable of this loop would live on from lane
    # to lane, and keep the lanes from becoming vectors (LOG, 11-29).
    for k in range(len(others.states)):
        numbers[(row + k) * LANES + lane] = O[k]


@inlined
def rates_of(V, I, O, lane, numbers, first, others):
    """`A x`: the slopes of `V`, of `I`, and of other states, in the precision of all numbers.

    `first`: where the block of `A` begins in `numbers`, a table of a pack.
    """
    at = first + lane
    dV, dI = numbers[at + VV * LANES] * V + numbers[at + VI * LANES] * I, numbers[at + II * LANES] * I
    for k in range(len(others.states)):
        dV += numbers[at + vo(k, others) * LANES] * O[k]
        dI += numbers[at + io(k, others) * LANES] * O[k]
    return dV, dI, (
        _rate_of_other(0, V, I, O, at, numbers, others) if len(others.states) > 0 else V - V,
        _rate_of_other(1, V, I, O, at, numbers, others) if len(others.states) > 1 else V - V,
    )


@inlined
def _rate_of_other(i, V, I, O, at, numbers, others):
    rate = numbers[at + oo(i, 0, others) * LANES] * O[0]
    if len(others.states) > 1:
        rate += numbers[at + oo(i, 1, others) * LANES] * O[1]
    if reaches_others(others):
        rate += numbers[at + ov(i, others) * LANES] * V + numbers[at + oi(i, others) * LANES] * I
    return rate


@inlined
def raised(I, O, w, into):
    """`I` and other states after an arrival of weight `w`, which raises one of them by `w`.

    `into`: 0 for `I`, else 1 + the number of the other state.
    """
    return I + (w if into == 0 else 0.0), (O[0] + (w if into == 1 else 0.0), O[1] + (w if into == 2 else 0.0))


@inlined
def level_of(V, O, lane, constants, others):
    """`c.x`: the level of a state, or with slopes in place of states its slope."""
    level = V
    for k in range(len(others.states)):
        level += constants[C_O + k, lane] * O[k]
    return level


@inlined
def level_numbers(part, lane, constants, others):
    """A part of the last rows of a lane: a number per state, 0 for those that it lacks."""
    return (
        constants[level_row(part, 0, others), lane], constants[level_row(part, 1, others), lane],
        constants[level_row(part, 2, others), lane] if len(others.states) > 0 else 0.0,
        constants[level_row(part, 3, others), lane] if len(others.states) > 1 else 0.0,
    )


@inlined
def times_state(numbers, V, I, O, others):
    """The sum over states of a number times the state."""
    total = numbers[0] * V + numbers[1] * I
    for k in range(len(others.states)):
        total += numbers[2 + k] * O[k]
    return total


@inlined
def times_size(numbers, V, I, O, others):
    """The sum over states of a number times the size of the state."""
    return times_state(numbers, abs(V), abs(I), (abs(O[0]), abs(O[1])), others)


@inlined
def rise_of(numbers, V, I, O, others):
    """The sum over states of a number times the state, of positive products alone."""
    total = max(numbers[0] * V, 0.0) + max(numbers[1] * I, 0.0)
    for k in range(len(others.states)):
        total += max(numbers[2 + k] * O[k], 0.0)
    return total


@inlined
def voltage_at_threshold(O, lane, constants, others):
    """`V` where the level is `v_th`."""
    return constants[V_TH, lane] - level_of(0.0, O, lane, constants, others)


@inlined
def after_reset(V, I, O, lane, constants, others):
    """`R x + r`: the state just after an own spike."""
    x = V, I, O[0], O[1]
    return (
        _reset_of(0, x, lane, constants, others), _reset_of(1, x, lane, constants, others),
        (
            _reset_of(2, x, lane, constants, others) if len(others.states) > 0 else 0.0,
            _reset_of(3, x, lane, constants, others) if len(others.states) > 1 else 0.0,
        ),
    )


@inlined
def _reset_of(i, x, lane, constants, others):
    value = constants[reset_row(i, others), lane]
    for k in range(2 + len(others.states)):
        value += constants[reset_entry(i, k, others), lane] * x[k]
    return value
