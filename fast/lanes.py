"""One bin for all lanes of a block at once: the bound, the step, and the step back.

Most bins need no more than this. The loops have no branch, so that the compiler does many lanes with one instruction.
"""

from __future__ import annotations

from fast.adjoint import ADJOINT, LAMBDA_I, LAMBDA_V, X, Y, Z
from fast.compiling import compiled, vectorised
from fast.gather import DRIVE
from fast.polynomials import LANES
from fast.solve import INTEGRAL
from fast.synapses import (
    FLOW_A,
    FLOW_AAB,
    FLOW_AB,
    FLOW_ABB,
    FLOW_B,
    FLOW_GROWTH,
    FLOW_K,
    FLOW_PM,
    FLOW_PS,
    FLOW_RA,
    FLOW_RAA,
    FLOW_RAAB,
    FLOW_RAB,
    FLOW_RABB,
)


@vectorised
def step(slot, state, flow, level, deposits, slack, risky, ahead):
    """Take every lane to the end of its bin in one step, into `ahead`; mark those for which that may not be all.

    A lane is risky if its voltage may pass `level` on the way. Two bounds tell, both without inhibition. `V` moves at
    most towards the largest current there can be. And what excitation adds to `V` grows all through a bin, so it is at
    most what was deposited; without it `V` is largest at the end, if it still rises there. Returns whether any is.
    """
    found, here = 0, deposits[4 * slot : 4 * (slot + LANES)]
    for lane in range(LANES):
        V, I, d = state[lane], state[LANES + lane], 4 * lane
        V_left, I_left = V * flow[FLOW_A + lane], I * flow[FLOW_B + lane]
        excited = flow[FLOW_PM + lane] * here[d]
        ahead[lane] = V_left + I * flow[FLOW_K + lane] + (excited + flow[FLOW_PM + lane] * here[d + 2])
        ahead[LANES + lane] = I_left + (here[d + 1] + here[d + 3])
        I, I_left = max(I, 0.0), max(I_left, 0.0)
        I_max = I + here[d + 1] * flow[FLOW_GROWTH + lane]
        share = 1.0 - flow[FLOW_A + lane]
        V_end = V_left + I * flow[FLOW_K + lane]
        alone = V_end if I_left >= V_end else V + share * max(I - V, 0.0)
        V_max = min(V + share * max(I_max - V, 0.0), alone + excited) + slack * (abs(V) + I_max)
        risky[lane] = V_max > level[lane]
        found |= V_max > level[lane]
    return found


@vectorised
def advance(slot, state, ahead, deposits, chain):
    """Go on to the end of the bin, and clear it."""
    here, chain_here = deposits[4 * slot : 4 * (slot + LANES)], chain[slot : slot + LANES]
    for lane in range(2 * LANES):
        state[lane] = ahead[lane]
    for d in range(4 * LANES):
        here[d] = 0.0
    for lane in range(LANES):
        chain_here[lane] = -1


@vectorised
def integrate(slot, state, flow, integral, weight_end, risky, kept):
    """Add the voltage of this bin to the integral readout of the lanes that are not solved, and clear the bin."""
    here = integral[slot : slot + LANES]
    for lane in range(LANES):
        added = (
            state[lane] * flow[FLOW_RA + lane]
            + state[LANES + lane] * flow[FLOW_PM + lane] * flow[FLOW_RAB + lane]
            + flow[FLOW_PM + lane] * here[lane]
        )
        if not risky[lane]:
            kept[INTEGRAL, lane] += weight_end * added
        here[lane] = 0.0


@vectorised
def publish(slot, adjoint, ring, first_event):
    """Put the adjoint at the end of a bin into the ring: V and I in turn."""
    here, first = ring[2 * slot : 2 * (slot + LANES)], first_event[slot : slot + LANES]
    flat = adjoint.reshape(ADJOINT * LANES)
    for lane in range(LANES):
        here[2 * lane] = flat[LAMBDA_V * LANES + lane]
        here[2 * lane + 1] = flat[LAMBDA_I * LANES + lane]
    for lane in range(LANES):
        first[lane] = -1


@vectorised
def publish_whole(slot, adjoint, drive, damping, whole_ring):
    """Put all of the adjoint at the end of a bin into a ring, with what drives it there."""
    for lane in range(LANES):
        for k in range(ADJOINT):
            whole_ring[slot + lane, k] = adjoint[k, lane]
        whole_ring[slot + lane, DRIVE] = drive[lane] * damping


@vectorised
def retreat(adjoint, flow, marked, solved):
    """Take every lane to the start of its bin, in one step unless it is marked, and so solved."""
    flat, flat_solved = adjoint.reshape(ADJOINT * LANES), solved.reshape(ADJOINT * LANES)
    for lane in range(LANES):
        V, I = flat[lane], flat[LANES + lane]
        I = I * flow[FLOW_B + lane] + V * flow[FLOW_PS + lane] * flow[FLOW_AB + lane]
        V = V * flow[FLOW_A + lane]
        flat[lane] = flat_solved[lane] if marked[lane] else V
        flat[LANES + lane] = flat_solved[LANES + lane] if marked[lane] else I


@compiled
def retreat_whole(adjoint, flow, drive, damping, rate, marked, solved):
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
