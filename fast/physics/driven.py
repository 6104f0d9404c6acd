"""The adjoint that an integral readout of `lif` and `li` drives.

A readout `(1/T) int exp(-r t) V dt` of `lif` and `li` drives the adjoint with `g = drive exp(-r
t)`, `drive = dL_dy / T`. Long before `T` the two terms of `(A e).p = (p_V - p_I tau_mem / tau_syn)
/ tau_mem`, of which the gradients of delays are sums, are far larger than it is. So two more
numbers flow back: `p_V` beyond `g / (pm + r)`, which decays by itself, and `(A e).p`, as a sum of
terms of one sign where nothing but the readout acts. No small difference of large numbers is taken.
"""

import math

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import reads_integral
from delayprop.fast.layout.rows import FLOW_A_VI
from delayprop.fast.physics.factors import factors_of
from delayprop.fast.physics.polynomials import RAAB, RAB, RABB, RB, polynomial


@inlined
def difference_back(difference, excess, g, vi, ii, rb, rate, pm):
    """[readout] `(A e).p` with an integral readout, from its value at a later time.

    `difference, excess, g`: the rows DIFFERENCE and EXCESS of the adjoint, and the driving term, at
    the later time. `vi, ii`: entries of the flow over the time between. `rb`: the convolution
    `[-r, ps]` over it. `pm, rate`: of the membrane, and of the weight of the readout.
    """
    return ii * difference - pm * vi * excess + pm / (pm + rate) * rate * rb * g


@inlined
def driven_at_arrival(after, h, lane, pack, polynomials, terms):
    """[readout] `(A e).p` and `p_I` at an arrival, with an integral readout.

    `after`: a time `h` later, the rows P_V, P_I, EXCESS and DIFFERENCE of the adjoint, and the
    driving term.
    """
    p_V, p_I, excess, difference, g = after
    pm = pack.flow[FLOW_A_VI + lane]
    _, vi, ii = factors_of(h, lane, polynomials, terms)
    rb, rab = h * polynomial(polynomials, RB, lane, h, terms), h * h * polynomial(polynomials, RAB, lane, h, terms)
    along = difference_back(difference, excess, g, vi, ii, rb, pack.rate, pm)
    return along, ii * p_I + vi * p_V + pm * rab * g


@inlined
def driven_sensitivity(constant, g, h, pm, of_constant, lane, polynomials, terms):
    """The part of `m_I` that an integral readout drives, a time `h` before the driving term is `g`.

    `constant`: 0 for `tau_mem`, 1 for `tau_syn`. `of_constant`: the entry of the lane in row
    OF_TAU_MEM, or OF_TAU_SYN, of the constants.
    """
    if constant == 0:
        rab = h * h * polynomial(polynomials, RAB, lane, h, terms)
        return of_constant * g * (rab - pm * h * h * h * polynomial(polynomials, RAAB, lane, h, terms))
    return of_constant * g * pm * h * h * h * polynomial(polynomials, RABB, lane, h, terms)


@inlined
def excess_at_T(drive, pm, rate, clock):
    """The row EXCESS of an adjoint at `T`, where `p_V` is 0: minus the driving term over `pm + r`;
    0 unless an integral is read."""
    return -drive * math.exp(-rate * (clock.last + float(clock.end))) / (pm + rate) if rate >= 0.0 else 0.0


@inlined
def drive_at(drive, lane, bin_, x, pack):
    """The driving term of a lane's adjoint, `drive exp(-r t)`, at `x` in a bin; 0 unless an
    integral is read."""
    return drive[lane] * math.exp(-pack.rate * (bin_ + x)) if reads_integral(pack) else 0.0
