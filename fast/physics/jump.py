"""The jump of an adjoint at an own spike, and what the spike adds to the gradients of constants.

Just before the spike the state is `x`, just after it `R x + r`. With `p` just after it, just before
it `p` is `R^T p - q c`, where `q = (p.(R A x - A (R x + r)) + dL/dt) / (c.A x)`.
"""

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import reads_integral
from delayprop.fast.layout.rows import A_II, A_VI, C_O, flow_a, reset_entry, reset_row
from delayprop.fast.physics.adjoint import DIFFERENCE, EXCESS, P_I, P_O, P_V, sensitivity_row
from delayprop.fast.physics.others import after_reset, level_of, others_in, rates_of, voltage_at_threshold


@inlined
def jump_at_spike(adjoint, lane, I, O, dL_dt, driven, b, want_tau):
    """[spike] Take a lane of an adjoint from just after to just before an own spike.

    Adds to the gradients of the constants.

    `I, O`: the state just before. `dL_dt`: total derivative of the loss with respect to this spike
    time, arrivals included. `driven`: the driving term of an integral readout at the spike.
    """
    constants, found, others, states = b.pack.constants, b.dL_dconstants, b.pack.others, 2 + len(b.pack.others.states)
    p_V, p_I, p_O = adjoint[P_V, lane], adjoint[P_I, lane], others_in(adjoint, P_O, lane, others)
    # the slopes of the state just before, what the reset makes of them, and the slopes just after
    V = voltage_at_threshold(O, lane, constants, others)
    dV, dI, dO = rates_of(V, I, O, lane, b.pack.flow, flow_a(others), others)
    V_plus, I_plus, O_plus = after_reset(V, I, O, lane, constants, others)
    dV_plus, dI_plus, dO_plus = rates_of(V_plus, I_plus, O_plus, lane, b.pack.flow, flow_a(others), others)
    # [spike] q, with the derivative by the spike time, and the step of V that a readout sees
    p, x = (p_V, p_I, p_O[0], p_O[1]), (V, I, O[0], O[1])
    rates, rates_plus = (dV, dI, dO[0], dO[1]), (dV_plus, dI_plus, dO_plus[0], dO_plus[1])
    moved = dL_dt + driven * (V - V_plus)
    for i in range(states):
        change = -rates_plus[i]
        for k in range(states):
            change += constants[reset_entry(i, k, others), lane] * rates[k]
        moved += p[i] * change
    q = moved * (1.0 / level_of(dV, dO, lane, constants, others))
    # p just before: R^T p - q c
    before_V, before_I = _before_reset(0, p, lane, constants, others) - q, _before_reset(1, p, lane, constants, others)
    before_O = _others_before(p, q, lane, constants, others)
    # [spike] gradients by v_th, c, r and R
    threshold = len(b.pack.learned)
    reset = threshold + 1 + len(others.states)
    found[threshold, lane] += q
    for i in range(states):
        found[reset + i, lane] += p[i]
    if b.pack.resets:  # else no constant is in these entries, and no one reads their sums
        for k in range(len(others.states)):
            found[threshold + 1 + k, lane] -= q * O[k]
        for i in range(states):
            for k in range(states):
                found[reset + states * (1 + i) + k, lane] += p[i] * x[k]
    # [flow-theta] m . r, and m just before
    if want_tau:
        for constant in range(len(b.pack.learned)):
            row = sensitivity_row(constant, others)
            m_O = others_in(adjoint, row + 2, lane, others)
            m = adjoint[row, lane], adjoint[row + 1, lane], m_O[0], m_O[1]
            for i in range(states):
                found[constant, lane] += m[i] * constants[reset_row(i, others), lane]
                adjoint[row + i, lane] = _before_reset(i, m, lane, constants, others)
    adjoint[P_V, lane], adjoint[P_I, lane] = before_V, before_I
    for k in range(len(others.states)):
        adjoint[P_O + k, lane] = before_O[k]
    # [readout] the two numbers that replace small differences
    if reads_integral(b.pack):
        adjoint[EXCESS, lane] += before_V - p_V
        adjoint[DIFFERENCE, lane] = constants[A_VI, lane] * before_V + constants[A_II, lane] * before_I


@inlined
def _others_before(p, q, lane, constants, others):
    """`R^T p - q c` of other states."""
    return (
        _before_reset(2, p, lane, constants, others) - q * constants[C_O, lane] if len(others.states) > 0 else 0.0,
        _before_reset(3, p, lane, constants, others) - q * constants[C_O + 1, lane] if len(others.states) > 1 else 0.0,
    )


@inlined
def _before_reset(k, p, lane, constants, others):
    """Row `k` of `R^T p`."""
    value = 0.0
    for i in range(2 + len(others.states)):
        value += constants[reset_entry(i, k, others), lane] * p[i]
    return value
