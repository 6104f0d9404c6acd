"""One bin for all lanes of a pack at once: `fast.physics.bin_step` in loops over lanes.

The loops have no branch, so the compiler handles many lanes with one instruction.
"""

from delayprop.fast.compiling.compiler import compiled, vectorised
from delayprop.fast.cpu.intrinsics import CELL, CELL_I, CELL_UP, CELL_V, clear_cell, moved
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.physics.adjoint import ADJOINT, DRIVE, LAMBDA_I, LAMBDA_V
from delayprop.fast.physics.bin_step import (
    adjoint_across_bin,
    full_adjoint_across_bin,
    state_across_bin,
    voltage_integral_across_bin,
    voltage_may_pass,
)


@vectorised
def step(slot, state, flow, level, cells, slack, needs_solve, ahead):
    """Step every lane to the end of its bin, into `ahead`; mark lanes that may pass `level`.

    `slot`: first cell of the bin. Returns whether any lane is marked. Arrays are pointers.
    """
    found, here = 0, moved(cells, slot * CELL)
    for lane in range(LANES):
        V, I, c = state[lane], state[LANES + lane], CELL * lane
        ahead[lane], ahead[LANES + lane] = state_across_bin(V, I, here[c + CELL_V], here[c + CELL_I], lane, flow)
        passes = voltage_may_pass(V, I, here[c + CELL_UP], lane, flow, level[lane], slack)
        needs_solve[lane] = passes
        found |= passes
    return found


@vectorised
def advance(slot, state, ahead, cells):
    """Take every lane to the end of the bin, and clear its cells. Arrays are pointers."""
    for lane in range(2 * LANES):
        state[lane] = ahead[lane]
    for lane in range(LANES):
        clear_cell(cells, CELL * (slot + lane))


@vectorised
def integrate(slot, state, flow, integral, weight_end, needs_solve, integrals):
    """Add a bin to the integral readout of lanes that are not solved, and clear it.

    Arrays are pointers.
    """
    here = moved(integral, slot)
    for lane in range(LANES):
        added = voltage_integral_across_bin(state[lane], state[LANES + lane], here[lane], lane, flow)
        if not needs_solve[lane]:
            integrals[lane] += weight_end * added
        here[lane] = 0.0


@vectorised
def publish(slot, adjoint, ring, first_event):
    """Put `lambda_V, lambda_I` in turn into the ring, at the end of a bin. Arrays are pointers."""
    here, first = moved(ring, 2 * slot), moved(first_event, slot)
    for lane in range(LANES):
        here[2 * lane] = adjoint[LAMBDA_V * LANES + lane]
        here[2 * lane + 1] = adjoint[LAMBDA_I * LANES + lane]
    for lane in range(LANES):
        first[lane] = -1


@vectorised
def publish_full(slot, adjoint, drive, damping, full_adjoint_ring):
    """Put all rows of the adjoint at the end of a bin into a ring, and its driving term there."""
    for lane in range(LANES):
        for k in range(ADJOINT):
            full_adjoint_ring[slot + lane, k] = adjoint[k, lane]
        full_adjoint_ring[slot + lane, DRIVE] = drive[lane] * damping


@vectorised
def retreat(adjoint, flow, marked, solved):
    """Step every lane back to the start of its bin; a marked lane takes its solved adjoint.

    Arrays are pointers.
    """
    for lane in range(LANES):
        V, I = adjoint_across_bin(adjoint[lane], adjoint[LANES + lane], lane, flow)
        adjoint[lane] = solved[lane] if marked[lane] else V
        adjoint[LANES + lane] = solved[LANES + lane] if marked[lane] else I


@compiled
def retreat_full(damping, b):
    """Like `retreat` for all rows of an adjoint, driven by an integral readout."""
    for lane in range(LANES):
        if b.marked[lane]:
            for k in range(ADJOINT):
                b.adjoint[k, lane] = b.solved[k, lane]
        else:
            full_adjoint_across_bin(b.adjoint, lane, b.pack.flow, b.drive[lane], damping, b.pack.rate)
