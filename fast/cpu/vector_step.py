"""One bin for all lanes of a block at once: the bound, the step, and the step back.

Most bins need no more than this. The loops have no branch, so that the compiler does many lanes with one instruction.
"""

from __future__ import annotations

from fast.cpu.cells import CELL, CELL_I, CELL_UP, CELL_V, clear
from fast.cpu.lookup import DRIVE
from fast.cpu.pointers import moved
from fast.physics.adjoint import ADJOINT, LAMBDA_I, LAMBDA_V, X, Y, Z
from fast.physics.compiling import compiled, inlined, vectorised
from fast.physics.layout import (
    FLOW_A,
    FLOW_AAB,
    FLOW_AB,
    FLOW_ABB,
    FLOW_B,
    FLOW_K,
    FLOW_PM,
    FLOW_PS,
    FLOW_RA,
    FLOW_RAA,
    FLOW_RAAB,
    FLOW_RAB,
    FLOW_RABB,
)
from fast.physics.polynomials import LANES


@inlined
def across(V, I, dV, dI, lane, flow):
    """The state at the end of a bin without a spike, in which `dV, dI` are deposited."""
    V_end = V * flow[FLOW_A + lane] + I * flow[FLOW_K + lane] + flow[FLOW_PM + lane] * dV
    return V_end, I * flow[FLOW_B + lane] + dI


@inlined
def may_pass(V, I, up, lane, flow, level, slack):
    """Whether the voltage may pass `level` in a bin in which excitation adds `up`, as far as a bound tells.

    The bound leaves out inhibition. What excitation adds to `V` grows all through the bin, so it is at most `up`.
    Without it `V` is largest at the end, if it still rises there, and moves towards `I` at most as fast as at first.
    """
    I, a, up = max(I, 0.0), flow[FLOW_A + lane], flow[FLOW_PM + lane] * up
    V_end = V * a + I * flow[FLOW_K + lane]
    alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 - a) * max(I - V, 0.0)
    return alone + up + slack * (abs(V) + I + up) > level


@vectorised
def step(slot, state, flow, level, cells, slack, needs_solve, ahead):
    """Take every lane to the end of its bin in one step, into `ahead`; mark those for which that may not be all.

    `slot` is the first cell of the bin, `level` what a voltage may not pass unseen. Returns whether any lane is risky.
    Arrays come as pointers.
    """
    found, here = 0, moved(cells, slot * CELL)
    for lane in range(LANES):
        V, I, c = state[lane], state[LANES + lane], CELL * lane
        ahead[lane], ahead[LANES + lane] = across(V, I, here[c + CELL_V], here[c + CELL_I], lane, flow)
        passes = may_pass(V, I, here[c + CELL_UP], lane, flow, level[lane], slack)
        needs_solve[lane] = passes
        found |= passes
    return found


@vectorised
def advance(slot, state, ahead, cells):
    """Go on to the end of the bin, and clear it; arrays come as pointers."""
    for lane in range(2 * LANES):
        state[lane] = ahead[lane]
    for lane in range(LANES):
        clear(cells, slot + lane)


@vectorised
def integrate(slot, state, flow, integral, weight_end, needs_solve, integrals):
    """Add the voltage of this bin to the integral readout of the lanes that are not solved, and clear the bin.

    Arrays come as pointers.
    """
    here = moved(integral, slot)
    for lane in range(LANES):
        added = (
            state[lane] * flow[FLOW_RA + lane]
            + state[LANES + lane] * flow[FLOW_PM + lane] * flow[FLOW_RAB + lane]
            + flow[FLOW_PM + lane] * here[lane]
        )
        if not needs_solve[lane]:
            integrals[lane] += weight_end * added
        here[lane] = 0.0


@vectorised
def publish(slot, adjoint, ring, first_event):
    """Put the adjoint at the end of a bin into the ring: V and I in turn; arrays come as pointers."""
    here, first = moved(ring, 2 * slot), moved(first_event, slot)
    for lane in range(LANES):
        here[2 * lane] = adjoint[LAMBDA_V * LANES + lane]
        here[2 * lane + 1] = adjoint[LAMBDA_I * LANES + lane]
    for lane in range(LANES):
        first[lane] = -1


@vectorised
def publish_full(slot, adjoint, drive, damping, full_adjoint_ring):
    """Put all of the adjoint at the end of a bin into a ring, with what drives it there."""
    for lane in range(LANES):
        for k in range(ADJOINT):
            full_adjoint_ring[slot + lane, k] = adjoint[k, lane]
        full_adjoint_ring[slot + lane, DRIVE] = drive[lane] * damping


@vectorised
def retreat(adjoint, flow, marked, solved):
    """Take every lane to the start of its bin, in one step unless it is marked, and so solved; pointers."""
    for lane in range(LANES):
        V, I = adjoint[lane], adjoint[LANES + lane]
        I = I * flow[FLOW_B + lane] + V * flow[FLOW_PS + lane] * flow[FLOW_AB + lane]
        V = V * flow[FLOW_A + lane]
        adjoint[lane] = solved[lane] if marked[lane] else V
        adjoint[LANES + lane] = solved[LANES + lane] if marked[lane] else I


@compiled
def retreat_full(adjoint, flow, drive, damping, rate, marked, solved):
    """The same for all of the adjoint, driven."""
    for lane in range(LANES):
        if marked[lane]:
            for k in range(ADJOINT):
                adjoint[k, lane] = solved[k, lane]
            continue
        V, I, pm, ps = adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane], flow[FLOW_PM + lane], flow[FLOW_PS + lane]
        a, b, k = flow[FLOW_A + lane], flow[FLOW_B + lane], pm * flow[FLOW_AB + lane]
        adjoint[X, lane] = adjoint[X, lane] * b + adjoint[Y, lane] * k + V * (k - pm * pm * flow[FLOW_AAB + lane])
        adjoint[Y, lane] = a * (adjoint[Y, lane] - pm * V)
        adjoint[Z, lane] = b * (adjoint[Z, lane] - ps * I) - ps * ps * flow[FLOW_ABB + lane] * V
        adjoint[LAMBDA_V, lane] = V * a
        adjoint[LAMBDA_I, lane] = I * b + V * ps * flow[FLOW_AB + lane]
        if rate >= 0.0:
            g = pm * drive[lane] * damping
            adjoint[LAMBDA_V, lane] -= g * flow[FLOW_RA + lane]
            adjoint[LAMBDA_I, lane] -= g * ps * flow[FLOW_RAB + lane]
            adjoint[X, lane] -= g * pm * (flow[FLOW_RAB + lane] - pm * flow[FLOW_RAAB + lane])
            adjoint[Y, lane] += g * pm * flow[FLOW_RAA + lane]
            adjoint[Z, lane] += g * ps * ps * flow[FLOW_RABB + lane]
