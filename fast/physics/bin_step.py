"""One lane across one whole bin: the bound by which a step suffices, the step, the step back.

Most bins need no more than this. The functions have no branch that depends on data, so a loop over
lanes becomes vector instructions on the CPU.
"""

import math

from delayprop.fast.compiling.compiler import compiled, inlined
from delayprop.fast.layout.arrays import reaches_others, reads_integral
from delayprop.fast.layout.neuron_record import MAX_V, RECENT_BIN, RECENT_REST
from delayprop.fast.layout.rows import (
    A_VI,
    FLOW_A_VI,
    FLOW_BEND,
    FLOW_II,
    FLOW_RA,
    FLOW_RAA,
    FLOW_RAAB,
    FLOW_RAB,
    FLOW_RABB,
    FLOW_RB,
    FLOW_RISE_I,
    FLOW_RISE_V,
    FLOW_VI,
    FLOW_VV,
    II,
    OF_TAU_MEM,
    OF_TAU_SYN,
    VI,
    VV,
    flow_by,
    flow_entry,
    flow_o,
    io,
    oi,
    oo,
    ov,
    vo,
)
from delayprop.fast.physics.adjoint import DIFFERENCE, EXCESS, P_I, P_O, P_V, sensitivity_row
from delayprop.fast.physics.driven import difference_back
from delayprop.fast.physics.others import others_in


@inlined
def state_across_bin(V, I, O, lane, flow, others):
    """[flow] The state at the end of a bin without spikes and arrivals, which add to it."""
    V_end, I_end = V * flow[FLOW_VV + lane] + I * flow[FLOW_VI + lane], I * flow[FLOW_II + lane]
    for k in range(len(others.states)):
        V_end += O[k] * flow[flow_entry(vo(k, others), others) + lane]
        I_end += O[k] * flow[flow_entry(io(k, others), others) + lane]
    first = _other_across_bin(0, V, I, O, lane, flow, others) if len(others.states) > 0 else 0.0
    second = _other_across_bin(1, V, I, O, lane, flow, others) if len(others.states) > 1 else 0.0
    return V_end, I_end, (first, second)


@inlined
def _other_across_bin(i, V, I, O, lane, flow, others):
    end = 0.0
    for k in range(len(others.states)):
        end += O[k] * flow[flow_entry(oo(i, k, others), others) + lane]
    if reaches_others(others):
        end += V * flow[flow_entry(ov(i, others), others) + lane] + I * flow[flow_entry(oi(i, others), others) + lane]
    return end


@inlined
def level_may_pass(now, end, up, lane, flow, others, level, slack):
    """Whether a bound allows the level to pass `level` in a bin in which excitation adds `up`.

    `now, end`: the state `V, I, O` at the start and, without arrivals, at the end.

    The bound leaves inhibition out, and the level that excitation adds grows all through the bin,
    so it is at most `up`. Without arrivals the level is at most `bend` above the cubic that meets
    it and its slope at both ends, and this cubic at most the largest of four numbers: its values
    at the ends, the first plus a third of the slope there, and the last less a third of it. At the
    start of the bin the level has not passed.
    """
    (V, I, O), (V_end, I_end, O_end) = now, end
    rise_V, rise_I = flow[FLOW_RISE_V + lane], flow[FLOW_RISE_I + lane]  # a third of the slope
    size, first, last = abs(V) + abs(I), V, V_end
    rise, rise_end = rise_V * V + rise_I * I, rise_V * V_end + rise_I * I_end
    for k in range(len(others.states)):
        c, rise_O = flow[flow_o(0, k, others) + lane], flow[flow_o(1, k, others) + lane]
        first, last, size = first + c * O[k], last + c * O_end[k], size + abs(O[k])
        rise, rise_end = rise + rise_O * O[k], rise_end + rise_O * O_end[k]
    # The value at the start is left out: the level has not passed there.
    most = max(max(first + rise, last - rise_end), last)
    # `slack` is for the rounding of `up`; FLOW_BEND has that of the state (`fast.solving.tables`).
    return most + up + (flow[FLOW_BEND + lane] * size + slack * up) > level


@compiled
def level_for_next_bin(neuron_record, lane, bin_, v_th, read_maximum):
    """The level that a lane must not pass in the next bin without being solved event by event.

    An arrival at the start of the next bin may coincide with a crossing at the end of this one: the
    next bin is then solved in any case.
    """
    if neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] * 1.001 >= 1.0:
        return -math.inf
    # A neuron that has spiked reads its threshold as its maximum: no other maximum matters then.
    if read_maximum and neuron_record[RECENT_BIN, lane] < 0.0:
        return min(v_th, neuron_record[MAX_V, lane])
    return v_th


@inlined
def voltage_integral_across_bin(V, I, deposited, lane, flow):
    """The integral of the voltage over a bin without a spike, weighted as at its end.

    `V, I`: the state at the start. `deposited`: the part that arrivals in the bin add.
    """
    return V * flow[FLOW_RA + lane] + I * flow[FLOW_A_VI + lane] * flow[FLOW_RAB + lane] + deposited


@inlined
def adjoint_across_bin(p_V, p_I, p_O, lane, flow, others):
    """[flow-adjoint] `p` at the start of a bin without events, from its end."""
    V, I = p_V * flow[FLOW_VV + lane], p_I * flow[FLOW_II + lane] + p_V * flow[FLOW_VI + lane]
    for k in range(len(others.reached)):
        V += p_O[k] * flow[flow_entry(ov(k, others), others) + lane]
        I += p_O[k] * flow[flow_entry(oi(k, others), others) + lane]
    first = _of_other(0, p_V, p_I, p_O, lane, flow, others) if len(others.states) > 0 else 0.0
    second = _of_other(1, p_V, p_I, p_O, lane, flow, others) if len(others.states) > 1 else 0.0
    return V, I, (first, second)


@inlined
def _of_other(k, p_V, p_I, p_O, lane, flow, others):
    p = p_V * flow[flow_entry(vo(k, others), others) + lane] + p_I * flow[flow_entry(io(k, others), others) + lane]
    for i in range(len(others.states)):
        p += p_O[i] * flow[flow_entry(oo(i, k, others), others) + lane]
    return p


@inlined
def sensitivity_across_bin(constant, m, p, lane, flow, others):
    """[flow-theta] The sensitivities of a constant at the start of a bin without events.

    `m, p`: the sensitivities and the adjoint at the end of the bin, each of `V`, of `I`, and of
    other states.
    """
    (m_V, m_I, m_O), (p_V, p_I, p_O) = m, p
    V, I, O = adjoint_across_bin(m_V, m_I, m_O, lane, flow, others)
    V += flow[flow_by(constant, VV, others) + lane] * p_V
    I += flow[flow_by(constant, VI, others) + lane] * p_V + flow[flow_by(constant, II, others) + lane] * p_I
    for k in range(len(others.reached)):
        V += flow[flow_by(constant, ov(k, others), others) + lane] * p_O[k]
        I += flow[flow_by(constant, oi(k, others), others) + lane] * p_O[k]
    first = O[0] + _by_other(constant, 0, p, lane, flow, others) if len(others.states) > 0 else 0.0
    second = O[1] + _by_other(constant, 1, p, lane, flow, others) if len(others.states) > 1 else 0.0
    return V, I, (first, second)


@inlined
def _by_other(constant, k, p, lane, flow, others):
    p_V, p_I, p_O = p
    m = flow[flow_by(constant, vo(k, others), others) + lane] * p_V
    m += flow[flow_by(constant, io(k, others), others) + lane] * p_I
    for i in range(len(others.states)):
        m += flow[flow_by(constant, oo(i, k, others), others) + lane] * p_O[i]
    return m


@inlined
def full_adjoint_across_bin(adjoint, lane, pack, drive, damping):
    """[flow-adjoint] [flow-theta] Take all rows of an adjoint from the end of a bin without events
    to its start, in place: `p`, the sensitivities of each constant, and the two numbers of an
    integral readout.

    The CPU calls it with an integral readout alone. `drive * damping`: the driving term at the end
    of the bin; it is read only where an integral is.
    """
    flow, others, constants, rate = pack.flow, pack.others, pack.constants, pack.rate
    p_V, p_I, p_O = adjoint[P_V, lane], adjoint[P_I, lane], others_in(adjoint, P_O, lane, others)
    vv, vi, ii = flow[FLOW_VV + lane], flow[FLOW_VI + lane], flow[FLOW_II + lane]
    for constant in range(len(pack.learned)):
        row = sensitivity_row(constant, others)
        m = adjoint[row, lane], adjoint[row + 1, lane], others_in(adjoint, row + 2, lane, others)
        V, I, O = sensitivity_across_bin(constant, m, (p_V, p_I, p_O), lane, flow, others)
        adjoint[row, lane], adjoint[row + 1, lane] = V, I
        for k in range(len(others.states)):
            adjoint[row + 2 + k, lane] = O[k]
    adjoint[P_V, lane], adjoint[P_I, lane], O = adjoint_across_bin(p_V, p_I, p_O, lane, flow, others)
    for k in range(len(others.states)):
        adjoint[P_O + k, lane] = O[k]
    if reads_integral(pack):
        pm, g = constants[A_VI, lane], drive * damping
        of_mem, of_syn = constants[OF_TAU_MEM, lane] * g, constants[OF_TAU_SYN, lane] * g
        # DIFFERENCE before EXCESS, which it reads as it is at the end of the bin.
        adjoint[DIFFERENCE, lane] = difference_back(
            adjoint[DIFFERENCE, lane], adjoint[EXCESS, lane], g, vi, ii, flow[FLOW_RB + lane], rate, pm
        )
        adjoint[EXCESS, lane] *= vv
        adjoint[P_V, lane] += g * flow[FLOW_RA + lane]
        adjoint[P_I, lane] += g * pm * flow[FLOW_RAB + lane]
        row = sensitivity_row(0, others)
        adjoint[row, lane] -= of_mem * flow[FLOW_RAA + lane]
        adjoint[row + 1, lane] += of_mem * (flow[FLOW_RAB + lane] - pm * flow[FLOW_RAAB + lane])
        adjoint[sensitivity_row(1, others) + 1, lane] += of_syn * pm * flow[FLOW_RABB + lane]
