"""One bin for all lanes of a pack at once: `fast.physics.bin_step` in loops over lanes.

The loops have no branch, so the compiler handles many lanes with one instruction.
"""

from delayprop.fast.compiling.compiler import compiled, vectorised
from delayprop.fast.cpu.bin_ahead import arrived
from delayprop.fast.cpu.intrinsics import moved
from delayprop.fast.cpu.sensitivities import ring_part
from delayprop.fast.layout.arrays import LANES, reaches_others
from delayprop.fast.physics.adjoint import DRIVE, P_I, P_O, P_V, adjoint_rows, ring_numbers, sensitivity_row
from delayprop.fast.physics.bin_step import (
    adjoint_across_bin,
    full_adjoint_across_bin,
    level_may_pass,
    sensitivity_across_bin,
    state_across_bin,
    voltage_integral_across_bin,
)
from delayprop.fast.physics.currents import currents
from delayprop.fast.physics.others import others_at, set_others


@vectorised
def step(place0, state, flow, others, level, rows, more, places, slack, needs_solve, ahead):
    """Step every lane to the end of its bin, into `ahead`; mark lanes that may pass `level`.

    `place0`: of lane 0 in the bin; `rows, more, places`: see `fast.cpu.bin_ahead`; `needs_solve`:
    the marks. Returns whether any lane is marked. Arrays are pointers.
    """
    found = 0
    for lane in range(LANES):
        V, I, O = state[lane], state[LANES + lane], others_at(state, 2, lane, others)
        V_end, I_end, O_end = state_across_bin(V, I, O, lane, flow, others)
        dV, dI, dO, up = arrived(rows, more, place0, lane, places, others)
        ahead[lane], ahead[LANES + lane] = V_end + dV, I_end + dI
        if len(others.currents) > 0 or reaches_others(others):
            set_others(ahead, 2, lane, (O_end[0] + dO[0], O_end[1] + dO[1]), others)
        else:
            set_others(ahead, 2, lane, O_end, others)
        passes = level_may_pass((V, I, O), (V_end, I_end, O_end), up, lane, flow, others, level[lane], slack)
        needs_solve[lane] = passes
        found |= passes
    return found


@vectorised
def advance(state, others, ahead):
    """Take every lane to the end of the bin: its state becomes `ahead`. Arrays are pointers."""
    for lane in range((2 + len(others.states)) * LANES):
        state[lane] = ahead[lane]


@vectorised
def integrate(place0, state, flow, integral, weight_end, needs_solve, integrals):
    """Add a bin to the integral readout of lanes that are not solved.

    `place0`: of lane 0 in the bin; `integral`: the deposits; `weight_end`: of the readout at the
    end of the bin; `integrals`: in the record of each lane. Arrays are pointers.
    """
    here = moved(integral, place0)
    for lane in range(LANES):
        added = voltage_integral_across_bin(state[lane], state[LANES + lane], here[lane], lane, flow)
        if not needs_solve[lane]:
            integrals[lane] += weight_end * added


@vectorised
def clear_integral(place0, integral, integral_read):
    """Clear the deposits of a bin for an integral readout, if one is read. Pointer."""
    if integral_read:
        for place in range(place0, place0 + LANES):
            integral[place] = 0.0


@vectorised
def publish(place0, adjoint, ring, size, others, first_event):
    """Put the adjoint at the end of a bin into the ring of each current, and begin its list of own
    events anew.

    Each place gets `p_V` and `p` of the current; where arrivals reach further states, `p` of these
    follows. `place0`: of lane 0 in the bin; `size`: numbers of a ring. Arrays are pointers.
    """
    each = ring_numbers(others)
    for current in range(currents(others)):
        here = moved(ring, current * size + each * place0)
        for lane in range(LANES):
            here[each * lane] = adjoint[P_V * LANES + lane]
            here[each * lane + 1] = adjoint[(P_I + current) * LANES + lane]
    here, first = moved(ring, each * place0), moved(first_event, place0)
    for k in range(len(others.reached)):
        for lane in range(LANES):
            here[each * lane + 2 + k] = adjoint[(P_O + k) * LANES + lane]
    for lane in range(LANES):
        first[lane] = -1


@vectorised
def publish_sensitivities(place0, adjoint, ring, size, places, others, learned):
    """Put the sensitivities of each constant at the end of a bin into its part of each ring.

    Each place gets `m_V` and `m` of the current, and `m` of further states that arrivals reach.
    `place0`: of lane 0 in the bin; `size`: numbers of a ring; `places`: of it. Pointers.
    """
    for constant in range(len(learned)):
        start, each = ring_part(constant, len(learned), others, places)
        of = moved(adjoint, sensitivity_row(constant, others) * LANES)
        for current in range(currents(others)):
            here = moved(ring, current * size + start + each * place0)
            for k in range(2 + len(others.reached)):
                row = k + current if k > 0 else 0  # `m_V` is in each ring; then the current's own
                for lane in range(LANES):
                    here[each * lane + k] = of[row * LANES + lane]


@vectorised
def publish_full(place0, adjoint, rows, drive, damping, full_adjoint_ring):
    """Put all rows of the adjoint at the end of a bin into `full_adjoint_ring`, and the driving
    term `drive * damping` of an integral readout there. `place0`: of lane 0 in the bin."""
    for lane in range(LANES):
        for k in range(rows):
            full_adjoint_ring[place0 + lane, k] = adjoint[k, lane]
        full_adjoint_ring[place0 + lane, DRIVE] = drive[lane] * damping


@vectorised
def retreat(adjoint, flow, others, marked, solved):
    """Step every lane back to the start of its bin; a marked lane takes its solved adjoint.

    Arrays are pointers.
    """
    for lane in range(LANES):
        p_V, p_I, p_O = adjoint[lane], adjoint[LANES + lane], others_at(adjoint, P_O, lane, others)
        V, I, O = adjoint_across_bin(p_V, p_I, p_O, lane, flow, others)
        adjoint[lane] = solved[lane] if marked[lane] else V
        adjoint[LANES + lane] = solved[LANES + lane] if marked[lane] else I
        set_others(adjoint, P_O, lane, others_at(solved, P_O, lane, others) if marked[lane] else O, others)


@vectorised
def retreat_sensitivities(adjoint, flow, others, learned, marked, solved):
    """Step the sensitivities of each constant back to the start of a bin, in every lane.

    To be called before `retreat`, since `p` at the end of the bin drives them. A marked lane takes
    its solved ones. Arrays are pointers.
    """
    for constant in range(len(learned)):
        row = sensitivity_row(constant, others)
        of, done = moved(adjoint, row * LANES), moved(solved, row * LANES)
        for lane in range(LANES):
            m = of[lane], of[LANES + lane], others_at(of, 2, lane, others)
            p = adjoint[lane], adjoint[LANES + lane], others_at(adjoint, P_O, lane, others)
            V, I, O = sensitivity_across_bin(constant, m, p, lane, flow, others)
            of[lane] = done[lane] if marked[lane] else V
            of[LANES + lane] = done[LANES + lane] if marked[lane] else I
            set_others(of, 2, lane, others_at(done, 2, lane, others) if marked[lane] else O, others)


@compiled
def retreat_full(damping, b):
    """Step all rows of an adjoint that an integral readout drives back to the start of a bin, in
    every lane of a pack; a marked lane takes its solved adjoint."""
    for lane in range(LANES):
        if b.marked[lane]:
            for k in range(adjoint_rows(b.pack.others, b.pack.learned)):
                b.adjoint[k, lane] = b.solved[k, lane]
        else:
            full_adjoint_across_bin(b.adjoint, lane, b.pack, b.drive[lane], damping)
