"""The flow from an arrival to the end of its bin, as factors of the spike.

An arrival lies `x - r` before the end of its bin: `x` from the spike on (to the end of the bin of
the spike, and one bin more where the rests carry), less the rest `r` of the delay. The flow over
`x - r` is the product of that over `x`, which belongs to the spike, and of that over `-r`, which
the synapse holds (`fast.layout.arrays.Synapses`). An arrival changes `V` and one current, so three
entries of the flow are its factors: VV, VI and II, or those of its current in the place of `I`.
"""

import math

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.instants import left_in_bin
from delayprop.fast.layout.rows import FLOW_A_II, FLOW_A_VI, FLOW_A_VV, FLOW_II, FLOW_RA, FLOW_RAB, FLOW_VI, FLOW_VV
from delayprop.fast.physics.currents import lane_of_coefficients, lane_of_flow
from delayprop.fast.physics.polynomials import F_II, F_VI, F_VV, RA, RAB, polynomial


@inlined
def factors_of(x, lane, coefficients, terms):
    """[flow] Entries VV, VI and II of the flow over `x`."""
    vv, ii = polynomial(coefficients, F_VV, lane, x, terms), polynomial(coefficients, F_II, lane, x, terms)
    return vv, x * polynomial(coefficients, F_VI, lane, x, terms), ii


@inlined
def a_bin_more(vv, vi, ii, lane, flow):
    """`factors_of` a bin later, from the factors now."""
    return vv * flow[FLOW_VV + lane], vv * flow[FLOW_VI + lane] + vi * flow[FLOW_II + lane], ii * flow[FLOW_II + lane]


@inlined
def arrival_factors(time, carried, current, lane, pack, terms):
    """The factors of an arrival at a current of a neuron. `carried`: the fractions of spike time
    and delay sum to more than one bin."""
    x = left_in_bin(time & pack.ticks.rest, pack.ticks)
    vv, vi, ii = factors_of(x, lane_of_coefficients(current, lane, pack, terms), pack.coefficients, terms)
    if carried:
        vv, vi, ii = a_bin_more(vv, vi, ii, lane_of_flow(current, lane), pack.flow)
    return vv, vi, ii


@inlined
def both_factors(time, current, lane, pack, terms):
    """`arrival_factors` not carried, and carried."""
    x = left_in_bin(time & pack.ticks.rest, pack.ticks)
    vv, vi, ii = factors_of(x, lane_of_coefficients(current, lane, pack, terms), pack.coefficients, terms)
    vv_more, vi_more, ii_more = a_bin_more(vv, vi, ii, lane_of_flow(current, lane), pack.flow)
    return vv, vi, ii, vv_more, vi_more, ii_more


@inlined
def one_of(carried, both):
    """The factors of an arrival, without a branch."""
    vv, vi, ii, vv_more, vi_more, ii_more = both
    return vv_more if carried else vv, vi_more if carried else vi, ii_more if carried else ii


@inlined
def driven_factors_of(x, vv, pm, rate, lane, coefficients, terms):
    """The integrals over `x` of the voltage that `V` and `I` give, weighted, and the weight
    `exp(r x)`: `[-r, pm]`, `pm [-r, pm, ps]` and `[-r]`; `vv`: entry VV there."""
    yv = x * polynomial(coefficients, RA, lane, x, terms)
    return yv, pm * x * x * polynomial(coefficients, RAB, lane, x, terms), vv + (pm + rate) * yv


@inlined
def driven_a_bin_more(vv, vi, ii, yv, yi, e, pm, rate, lane, flow):
    """`driven_factors_of` a bin later, from all factors before."""
    e_bin, yv_bin, yi_bin = math.exp(rate), flow[FLOW_RA + lane], pm * flow[FLOW_RAB + lane]
    return yv * e_bin + vv * yv_bin, yi * e_bin + vi * yv_bin + ii * yi_bin, e * e_bin


@inlined
def arrival_amounts(vv, vi, ii, w_I, w_V):
    """[flow] The part of an arrival of `V` and `I` at the end of its bin."""
    return vv * w_V + vi * w_I, ii * w_I


@inlined
def integral_amount(yv, yi, e, w_I, w_V, w_y):
    """The part of an arrival of the weighted integral of `V` in its bin."""
    return e * w_y + yv * w_V + yi * w_I


@inlined
def adjoint_terms(p_V, p_I, vv, vi, ii):
    """[flow-adjoint] `p` at the end of the bin of an arrival, taken back to the spike: the terms
    that a synapse sums.

    Taken on by the rest of the delay, they are the adjoint at the arrival.
    """
    return vv * p_V, ii * p_I + vi * p_V


@inlined
def dL_dt_arrival(of_V, of_I, lane, flow, w_I, w_V):
    """[arrival] `-w (A e).p` at an arrival, from the terms of `adjoint_terms`."""
    return -((flow[FLOW_A_VV + lane] * w_V + flow[FLOW_A_VI + lane] * w_I) * of_V + flow[FLOW_A_II + lane] * w_I * of_I)
