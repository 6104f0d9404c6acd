"""One lane across one whole bin: the bound by which a step suffices, the step, the step back.

Most bins need no more than this. The functions have no branch that depends on data, so a loop over
lanes becomes vector instructions on the CPU.
"""

import math

from delayprop.fast.compiling.compiler import compiled, inlined
from delayprop.fast.layout.arrays import (
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
    FLOW_RB,
)
from delayprop.fast.layout.neuron_record import MAX_V, RECENT_BIN, RECENT_REST
from delayprop.fast.physics.adjoint import DIFFERENCE, EXCESS, LAMBDA_I, LAMBDA_V, X, Y, Z, difference_back


@inlined
def state_across_bin(V, I, dV, dI, lane, flow):
    """[flow-V-I] The state at the end of a bin without a spike, in which `dV, dI` are deposited."""
    V_end = V * flow[FLOW_A + lane] + I * flow[FLOW_K + lane] + flow[FLOW_PM + lane] * dV
    return V_end, I * flow[FLOW_B + lane] + dI


@inlined
def voltage_may_pass(V, I, up, lane, flow, level, slack):
    """Whether a bound allows the voltage to pass `level` in a bin in which excitation adds `up`.

    The bound leaves inhibition out. The voltage that excitation adds grows all through the bin, so
    it is at most `up`. Without excitation `V` is largest at the end if it still rises there, and
    moves towards `I` at most as fast as at the start.
    """
    I, a, up = max(I, 0.0), flow[FLOW_A + lane], flow[FLOW_PM + lane] * up
    V_end = V * a + I * flow[FLOW_K + lane]
    alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 - a) * max(I - V, 0.0)
    return alone + up + slack * (abs(V) + I + up) > level


@compiled
def level_for_next_bin(neuron_record, lane, bin_, v_th, read_maximum):
    """The voltage that a lane must not pass in the next bin without being solved event by event.

    An arrival at the start of the next bin may coincide with a crossing at the end of this one: the
    next bin is then solved in any case.
    """
    if neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] * 1.001 >= 1.0:
        return -math.inf
    if read_maximum and neuron_record[RECENT_BIN, lane] < 0.0:
        return min(v_th, neuron_record[MAX_V, lane])
    return v_th


@inlined
def voltage_integral_across_bin(V, I, deposited, lane, flow):
    """Integral of the voltage over a bin without a spike, weighted as at its end.

    `deposited`: the part that arrivals in the bin add, without its factor `1/tau_mem`.
    """
    pm, ra, rab = flow[FLOW_PM + lane], flow[FLOW_RA + lane], flow[FLOW_RAB + lane]
    return V * ra + I * pm * rab + pm * deposited


@inlined
def adjoint_across_bin(V, I, lane, flow):
    """[adjoint-flow] `lambda_V, lambda_I` at the start of a bin without events, from its end."""
    return V * flow[FLOW_A + lane], I * flow[FLOW_B + lane] + V * flow[FLOW_PS + lane] * flow[FLOW_AB + lane]


@inlined
def full_adjoint_across_bin(adjoint, lane, flow, drive, damping, rate):
    """Like `adjoint_across_bin` for all rows of an adjoint, in place, with an integral readout.

    `drive * damping`: the driving term at the end of the bin, read where `rate >= 0`.
    """
    V, I, pm, ps = adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane], flow[FLOW_PM + lane], flow[FLOW_PS + lane]
    a, b, k = flow[FLOW_A + lane], flow[FLOW_B + lane], pm * flow[FLOW_AB + lane]
    adjoint[X, lane] = adjoint[X, lane] * b + adjoint[Y, lane] * k + V * (k - pm * pm * flow[FLOW_AAB + lane])
    adjoint[Y, lane] = a * (adjoint[Y, lane] - pm * V)
    adjoint[Z, lane] = b * (adjoint[Z, lane] - ps * I) - ps * ps * flow[FLOW_ABB + lane] * V
    adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane] = adjoint_across_bin(V, I, lane, flow)
    if rate >= 0.0:
        adjoint[DIFFERENCE, lane] = difference_back(
            adjoint[DIFFERENCE, lane], adjoint[EXCESS, lane], drive * damping, b, flow[FLOW_AB + lane],
            flow[FLOW_RB + lane], rate, pm,
        )
        adjoint[EXCESS, lane] *= a
        g = pm * drive * damping
        adjoint[LAMBDA_V, lane] -= g * flow[FLOW_RA + lane]
        adjoint[LAMBDA_I, lane] -= g * ps * flow[FLOW_RAB + lane]
        adjoint[X, lane] -= g * pm * (flow[FLOW_RAB + lane] - pm * flow[FLOW_RAAB + lane])
        adjoint[Y, lane] += g * pm * flow[FLOW_RAA + lane]
        adjoint[Z, lane] += g * ps * ps * flow[FLOW_RABB + lane]
