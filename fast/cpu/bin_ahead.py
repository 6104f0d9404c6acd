"""One bin of the rings ahead: what arrives in it, over all currents and other states."""

from delayprop.fast.compiling.compiler import compiled, inlined, vectorised
from delayprop.fast.cpu.in_step import collect_in_step
from delayprop.fast.cpu.intrinsics import CELL, clear_cell, link_of, moved
from delayprop.fast.cpu.rows import unzip_cells
from delayprop.fast.layout.arrays import LANES, reaches_others
from delayprop.fast.physics.currents import currents
from delayprop.fast.physics.within_bin import collect


@inlined
def unzip(cells, place0, places, others, rows):
    """Write the numbers `V, I, up` of the cells of a bin to `rows`, current by current, a row of
    LANES each: `[currents * 3 * LANES]`.

    `place0`: of lane 0 in the bin; `places`: of the ring; `cells`: of all currents. Pointers.
    """
    for current in range(currents(others)):
        unzip_cells(moved(cells, CELL * (current * places + place0)), moved(rows, current * 3 * LANES))


@inlined
def arrived(rows, more, place0, lane, places, others):
    """What the arrivals of a bin add to a lane: to its state `V, I, O` at the end of the bin, and
    the most that they add to the level in it.

    `rows`: as `unzip` writes them; `more`: of `fast.cpu.deposit.Ring`. Pointers.
    """
    V, I, up = rows[lane], rows[LANES + lane], rows[2 * LANES + lane]
    first = more[place0 + lane] if reaches_others(others) else 0.0
    second = more[places + place0 + lane] if len(others.reached) > 1 else 0.0
    if len(others.currents) > 0:
        V, first, up = V + rows[3 * LANES + lane], rows[4 * LANES + lane], up + rows[5 * LANES + lane]
    if len(others.currents) > 1:
        V, second, up = V + rows[6 * LANES + lane], rows[7 * LANES + lane], up + rows[8 * LANES + lane]
    return V, I, (first, second), up


@vectorised
def clear_rows(others, rows):
    """Write 0 to the rows of `unzip`, where nothing is ever deposited. Pointer."""
    for n in range(currents(others) * 3 * LANES):
        rows[n] = 0.0


@vectorised
def clear_bin(place0, cells, more, places, others):
    """Empty a bin of all rings; `place0`: the place of its lane 0. Pointers."""
    for place in range(place0, place0 + LANES):
        for current in range(currents(others)):
            clear_cell(cells, CELL * (current * places + place))
        for k in range(len(others.reached)):
            more[k * places + place] = 0.0


@inlined
def any_arrival(cells, in_step, place, places, others):
    """Whether any spike arrives at a place. Pointers."""
    found = in_step.last[place // LANES] >= 0
    for current in range(currents(others)):
        found |= link_of(cells, CELL * (current * places + place)) >= 0
    return found


@compiled
def collect_all(cells, place, places, lane, time, source, next_, in_step, pack, clock, is_last, gaps):
    """Write all arrivals at a place into `gaps.rest, gaps.weight`, and return their count.

    First come those in step, then those of the chain of each current; `put_in_order` sorts them.
    `next_, time, source`: of spikes by number; `cells, in_step`: pointers.
    """
    rest, weight, mask = gaps.rest, gaps.weight, next_.shape[0] - 1
    count = collect_in_step(place // LANES, lane, source, mask, in_step, pack, clock, is_last, rest, weight)
    for current in range(currents(pack.others)):
        link = link_of(cells, CELL * (current * places + place))
        count = collect(count, link, lane, time, source, next_, pack, clock, is_last, rest, weight)
    return count
