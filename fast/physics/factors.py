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
    """The factors of an arrival that lies one bin later in its flow: those given, times the flow
    over a whole bin."""
    return vv * flow[FLOW_VV + lane], vv * flow[FLOW_VI + lane] + vi * flow[FLOW_II + lane], ii * flow[FLOW_II + lane]


@inlined
def arrival_factors(time, carried, current, lane, pack, terms):
    """The three factors VV, VI and II of a spike at `time` (ticks), for an arrival at a lane.

    `current`: that the arrival raises, as in `current_of`. `carried`: as `arrival_of` returns it:
    the flow then begins a bin earlier. `terms`: of the polynomials.
    """
    x = left_in_bin(time & pack.ticks.rest, pack.ticks)
    vv, vi, ii = factors_of(x, lane_of_coefficients(current, lane, pack, terms), pack.coefficients, terms)
    if carried:
        vv, vi, ii = a_bin_more(vv, vi, ii, lane_of_flow(current, lane), pack.flow)
    return vv, vi, ii


@inlined
def both_factors(time, current, lane, pack, terms):
    """The factors of a spike at `time` (ticks) for both cases: three for an arrival whose rests do
    not carry into the next bin, then three for one whose rests do."""
    x = left_in_bin(time & pack.ticks.rest, pack.ticks)
    vv, vi, ii = factors_of(x, lane_of_coefficients(current, lane, pack, terms), pack.coefficients, terms)
    vv_more, vi_more, ii_more = a_bin_more(vv, vi, ii, lane_of_flow(current, lane), pack.flow)
    return vv, vi, ii, vv_more, vi_more, ii_more


@inlined
def one_of(carried, both):
    """The three factors of an arrival, from the six of `both_factors`."""
    # All six are read before the choice: a choice between two loads is a gather (LOG, 11-26).
    vv, vi, ii, vv_more, vi_more, ii_more = both
    return vv_more if carried else vv, vi_more if carried else vi, ii_more if carried else ii


@inlined
def driven_factors_of(x, vv, pm, rate, lane, coefficients, terms):
    """The factors of an arrival for an integral readout of rate `r`, over a time `x`.

    Two integrals over `x`, weighted as at its end, of the voltage that follows from 1 of `V` and
    from 1 of `I`: the convolutions `[-r, pm]` and `pm [-r, pm, ps]` (`fast.physics.polynomials`).
    Then the weight `exp(r x)`. `vv`: entry VV of the flow over `x`.
    """
    yv = x * polynomial(coefficients, RA, lane, x, terms)
    return yv, pm * x * x * polynomial(coefficients, RAB, lane, x, terms), vv + (pm + rate) * yv


@inlined
def driven_a_bin_more(vv, vi, ii, yv, yi, e, pm, rate, lane, flow):
    """The factors of an integral readout over one bin more: `yv, yi, e` are those of
    `driven_factors_of`, and `vv, vi, ii` the entries of the flow over the same time."""
    e_bin, yv_bin, yi_bin = math.exp(rate), flow[FLOW_RA + lane], pm * flow[FLOW_RAB + lane]
    return yv * e_bin + vv * yv_bin, yi * e_bin + vi * yv_bin + ii * yi_bin, e * e_bin


@inlined
def arrival_amounts(vv, vi, ii, w_I, w_V):
    """[flow] What an arrival adds to `V` and to its current at the end of its bin: the factors of
    the spike, times the two numbers of the synapse (`fast.layout.arrays.Synapses`)."""
    return vv * w_V + vi * w_I, ii * w_I


@inlined
def integral_amount(yv, yi, e, w_I, w_V, w_y):
    """What an arrival adds to the weighted integral of `V` in its bin."""
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
