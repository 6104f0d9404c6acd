"""The flow from an arrival to the end of its bin, as factors of the spike.

An arrival lies `x - r` before the end of its bin: `x` from the spike on (to the end of the bin of
the spike, and one bin more where the rests carry), less the rest `r` of the delay. The flow over
`x - r` is the product of that over `x`, which belongs to the spike, and of that over `-r`, which
the synapse holds (`fast.layout.arrays.Synapses`).
"""

import math

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import FLOW_A, FLOW_AB, FLOW_B, FLOW_PS, FLOW_RA, FLOW_RAB
from delayprop.fast.layout.instants import left_in_bin, masked
from delayprop.fast.physics.polynomials import AB, RA, RAB, A, B, polynomial


@inlined
def factors_of(x, lane, coefficients, terms):
    """`[pm]`, `[ps]` and `[pm, ps]` of `fast.physics.polynomials`, at `x`."""
    a, b = polynomial(coefficients, A, lane, x, terms), polynomial(coefficients, B, lane, x, terms)
    return a, b, x * polynomial(coefficients, AB, lane, x, terms)


@inlined
def a_bin_more(a, b, ab, lane, flow):
    """`factors_of` a bin later, from the factors now."""
    return a * flow[FLOW_A + lane], b * flow[FLOW_B + lane], a * flow[FLOW_AB + lane] + ab * flow[FLOW_B + lane]


@inlined
def arrival_factors(time, carried, lane, backward, pack, terms):
    """The factors of an arrival at a neuron. `carried`: the fractions of spike time and delay sum
    to more than one bin. `backward`: `ab` times `ps`, for look-ups."""
    x = left_in_bin(masked(time, pack.ticks.rest), pack.ticks)
    a, b, ab = factors_of(x, lane, pack.coefficients, terms)
    if carried:
        a, b, ab = a_bin_more(a, b, ab, lane, pack.flow)
    return a, b, pack.flow[FLOW_PS + lane] * ab if backward else ab


@inlined
def both_factors(time, lane, backward, pack, terms):
    """`arrival_factors` not carried, and carried."""
    x = left_in_bin(masked(time, pack.ticks.rest), pack.ticks)
    a, b, ab = factors_of(x, lane, pack.coefficients, terms)
    a_more, b_more, ab_more = a_bin_more(a, b, ab, lane, pack.flow)
    scale = pack.flow[FLOW_PS + lane] if backward else 1.0
    return a, b, scale * ab, a_more, b_more, scale * ab_more


@inlined
def one_of(carried, both):
    """The factors of an arrival, without a branch."""
    a, b, ab, a_more, b_more, ab_more = both
    return a_more if carried else a, b_more if carried else b, ab_more if carried else ab


@inlined
def driven_factors_of(x, a, pm, rate, lane, coefficients, terms):
    """`[-r, pm]`, `[-r, pm, ps]` and `[-r]` at `x`, with `a` there."""
    ra = x * polynomial(coefficients, RA, lane, x, terms)
    return ra, x * x * polynomial(coefficients, RAB, lane, x, terms), a + (pm + rate) * ra


@inlined
def driven_a_bin_more(a, b, ab, ra, rab, e, rate, lane, flow):
    """`driven_factors_of` a bin later, from all factors before."""
    e_bin, ra_bin = math.exp(rate), flow[FLOW_RA + lane]
    return ra * e_bin + a * ra_bin, rab * e_bin + ab * ra_bin + b * flow[FLOW_RAB + lane], e * e_bin


@inlined
def arrival_amounts(a, b, ab, w_b, w_ab):
    """[flow-V-I] What an arrival adds to `V` (without its factor `1/tau_mem`) and `I` at the end of
    its bin."""
    return a * w_ab + ab * w_b, b * w_b


@inlined
def integral_amount(ra, rab, e, w_b, w_ab, w_rab):
    """What an arrival adds to the weighted integral of `V` in its bin, without its factor
    `1/tau_mem`."""
    return e * w_rab + ra * w_ab + rab * w_b


@inlined
def adjoint_terms(V, I, a, b, k):
    """[adjoint-flow] `lambda_V, lambda_I` at the end of the bin of an arrival, taken back to the
    spike: the terms that a synapse sums.

    `k`: ps times `[pm, ps]`. Taken on by the rest of the delay, they are the adjoint at the
    arrival.
    """
    return a * V, b * I + k * V


@inlined
def dL_dt_arrival(of_V, of_I, pm, w_b, w_ab):
    """[arrival-time] `w (lambda_V - lambda_I)` at an arrival, from the terms of `adjoint_terms`."""
    return (w_b - pm * w_ab) * of_V - w_b * of_I
