"""The adjoint of one neuron, exactly: its flow back within a bin, and its jumps at own events.

Beside `lambda_V` and `lambda_I` three more numbers flow back, for the gradients of the time
constants. `dL/dtau_mem = int lambda_V Vdot dt` and `dL/dtau_syn = int lambda_I Idot dt` are sums
over arrivals: the weight times a sensitivity, the integral per unit of current from the arrival on.
`X` is this sensitivity for `tau_mem` (up to the next own spike, where `V` starts anew), `Z` the one
for `tau_syn`; `Y` is the sensitivity of the integral for `tau_mem` to voltage. So no state of the
forward pass is stored.

A readout `(1/T) int exp(-r t) V dt` drives the adjoint with `g = drive exp(-r t)`, `drive = dL_dy /
T`. Long before `T`, `lambda_V` and `lambda_I` both follow the driving term, and their difference,
of which the gradients of delays are sums, is far smaller than they are. So two more numbers flow
back: `lambda_V` beyond `-g pm / (pm + r)`, which decays by itself, and the difference, as a sum of
terms of one sign where nothing but the readout acts. No small difference of large numbers is taken.
"""

import math
from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import Pack
from delayprop.fast.physics.polynomials import (
    AAB,
    AB,
    ABB,
    EXACT,
    PS_AB,
    RA,
    RAA,
    RAAB,
    RAB,
    RABB,
    RB,
    A,
    B,
    polynomial,
)

LAMBDA_V, LAMBDA_I, X, Y, Z, EXCESS, DIFFERENCE = range(7)  # rows of an adjoint `[7, LANES]`
ADJOINT = 7
DRIVE = 7  # in a ring of full adjoints: the driving term, after the rows of the adjoint
TAU_MEM, TAU_SYN, V_TH, V_RESET = range(4)  # rows of `dL_dconstants`; of `Pack.constants`: pm, ps, v_th, v_reset


class Events(NamedTuple):
    """Own events of a pack in one trial: the spikes in order, then one maximum per lane.

    Attributes:
        rest: `[events]`: instant within the bin. `later`: next event of the lane in that bin; -1:
            none.
        at_end: `[2 * events, ADJOINT]`: the adjoint just before an event; in the row after it, that
            at the end of the bin. Both are taken to the end of the bin, so that every arrival is
            looked up from there; with an integral readout they stay at the event.
        position: `[2 * events]`: where in the bin each adjoint stands.
        first: `[places]`: first event of the lane in a bin of the ring, -1: none.
    """

    rest: np.ndarray
    later: np.ndarray
    at_end: np.ndarray
    position: np.ndarray
    first: np.ndarray


class PackAdjoint(NamedTuple):
    """The adjoint of one pack in one trial, the ring of bins passed, and the sums of gradients.

    Attributes:
        pack: the neurons and their synapses.
        ring: `lambda_V, lambda_I` in turn, at the ends of the bins of the ring; NaN where the lane
            has an own event in the bin, so that arrivals there are looked up among them; 0 in the
            place of synapses that do not exist.
        full_adjoint_ring: all rows of the adjoint there, and `DRIVE`; read for gradients of time
            constants and integral readouts only (the order of its axes differs on CPU and GPU). On
            the CPU it also is 0 in the place of synapses that do not exist.
        adjoint, solved, other: `[ADJOINT, LANES]`: at the end of the bin; in a lane with own
            events, at `position`; scratch of a look-up.
        drive, position, marked: `[LANES]`: driving term of an integral readout at `t = 0`; where
            `solved` stands in the bin; whether the lane has an own event in it.
        events: own events. `neuron_record`: of the forward pass, `[NEURON_RECORD, LANES]`.
        dL_dy: `[LANES]`: derivative of the loss by the voltage readout.
        sums: `[sources, 2 * LANES]`, float64: sums of `adjoint_terms` (`fast.physics.factors`) over
            the arrivals of each synapse; with an integral readout of `driven_at_arrival`. `piece`:
            of some last arrivals, not yet in `sums`, on the CPU; on a GPU `sums` itself.
        dL_dconstants: `[4, LANES]`: gradients of `tau_mem, tau_syn, v_th, v_reset`.
    """

    pack: Pack
    ring: np.ndarray
    full_adjoint_ring: np.ndarray
    adjoint: np.ndarray
    solved: np.ndarray
    other: np.ndarray
    drive: np.ndarray
    position: np.ndarray
    marked: np.ndarray
    events: Events
    neuron_record: np.ndarray
    dL_dy: np.ndarray
    sums: np.ndarray
    piece: np.ndarray
    dL_dconstants: np.ndarray


@inlined
def flow_back(adjoint, lane, h, g, pack, want_tau):
    """[adjoint-flow] Flow one lane of an adjoint back by a time `h` (forth if negative), in place
    and in float64. No own event may lie between.

    `g`: the driving term, `drive exp(-r t)`, where the lane starts.
    """
    pm, ps, coefficients, terms = pack.constants[0, lane], pack.constants[1, lane], pack.exact, EXACT
    V, I = adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane]
    a, b = polynomial(coefficients, A, lane, h, terms), polynomial(coefficients, B, lane, h, terms)
    adjoint[LAMBDA_V, lane] = V * a
    adjoint[LAMBDA_I, lane] = I * b + V * h * polynomial(coefficients, PS_AB, lane, h, terms)
    if want_tau:
        X_before, Z_before = tau_back(
            (V, I, adjoint[X, lane], adjoint[Y, lane], adjoint[Z, lane]), h, g, pack.rate, pm, ps, lane, coefficients,
            terms,
        )
        adjoint[X, lane], adjoint[Y, lane] = X_before, a * (adjoint[Y, lane] - pm * h * V)
        adjoint[Z, lane] = Z_before
    if pack.rate >= 0.0:
        ra = h * polynomial(coefficients, RA, lane, h, terms)
        rab = h * h * polynomial(coefficients, RAB, lane, h, terms)
        adjoint[LAMBDA_V, lane] -= pm * g * ra
        adjoint[LAMBDA_I, lane] -= ps * pm * g * rab
        ab, rb = h * polynomial(coefficients, AB, lane, h, terms), h * polynomial(coefficients, RB, lane, h, terms)
        adjoint[DIFFERENCE, lane] = difference_back(
            adjoint[DIFFERENCE, lane], adjoint[EXCESS, lane], g, b, ab, rb, pack.rate, pm
        )
        adjoint[EXCESS, lane] *= a
        if want_tau:
            raa = h * h * polynomial(coefficients, RAA, lane, h, terms)
            adjoint[Y, lane] += pm * pm * g * raa


@inlined
def difference_back(difference, excess, g, b, ab, rb, rate, pm):
    """[readout-adjoint] `lambda_V - lambda_I` with an integral readout, from that at a later time.

    `b, ab, rb`: the convolutions `[ps]`, `[pm, ps]` and `[-r, ps]` over the time between.
    """
    return b * difference - pm * ab * excess - pm / (pm + rate) * rate * rb * g


@inlined
def driven_at_arrival(after, h, rate, pm, ps, lane, coefficients, terms):
    """[readout-adjoint] `lambda_V - lambda_I` and `lambda_I` at an arrival, a time `h` before
    `after`: the rows LAMBDA_V, LAMBDA_I, EXCESS, DIFFERENCE of an adjoint, and the driving term."""
    V, I, excess, difference, g = after
    b = polynomial(coefficients, B, lane, h, terms)
    ab, rb = h * polynomial(coefficients, AB, lane, h, terms), h * polynomial(coefficients, RB, lane, h, terms)
    rab = h * h * polynomial(coefficients, RAB, lane, h, terms)
    return difference_back(difference, excess, g, b, ab, rb, rate, pm), b * I + ps * (ab * V - pm * rab * g)


@inlined
def tau_back(after, h, g, rate, pm, ps, lane, coefficients, terms):
    """[tau-flow] The sensitivities `X, Z` of a lane, a time `h` before `after`, the rows of an
    adjoint; `g`: as in `flow_back`."""
    V, I, X_after, Y_after, Z_after = after
    b = polynomial(coefficients, B, lane, h, terms)
    k = pm * h * polynomial(coefficients, AB, lane, h, terms)
    aab = h * h * polynomial(coefficients, AAB, lane, h, terms)
    abb = h * h * polynomial(coefficients, ABB, lane, h, terms)
    X_before = X_after * b + Y_after * k + V * (k - pm * pm * aab)
    Z_before = b * (Z_after - ps * h * I) - ps * ps * abb * V
    if rate >= 0.0:
        rab = h * h * polynomial(coefficients, RAB, lane, h, terms)
        raab = h * h * h * polynomial(coefficients, RAAB, lane, h, terms)
        rabb = h * h * h * polynomial(coefficients, RABB, lane, h, terms)
        X_before -= pm * pm * g * (rab - pm * raab)
        Z_before += ps * ps * pm * g * rabb
    return X_before, Z_before


@inlined
def jump_at_spike(adjoint, lane, I_cross, dL_dt, driven, b, want_tau):
    """[spike-jump] Take a lane of an adjoint from just after to just before an own spike.

    Adds to the gradients of the constants.

    `dL_dt`: total derivative of the loss with respect to this spike time, arrivals included.
    `driven`: the driving term of an integral readout at the spike.
    """
    constants, dL_dconstants = b.pack.constants, b.dL_dconstants
    pm, v_th, v_reset = constants[0, lane], constants[2, lane], constants[3, lane]
    # [tau-flow] up to this spike, where V starts anew
    if want_tau:
        dL_dconstants[TAU_MEM, lane] += v_reset * adjoint[Y, lane] + I_cross * adjoint[X, lane]
        adjoint[X, lane] = adjoint[Y, lane] = 0.0
    Vdot_minus, Vdot_plus = pm * (I_cross - v_th), pm * (I_cross - v_reset)
    lambda_V_plus = adjoint[LAMBDA_V, lane]
    # [spike-jump] with the derivative by the spike time, and the step of V that a readout sees
    lambda_V_minus = Vdot_plus / Vdot_minus * lambda_V_plus + (dL_dt + driven * (v_th - v_reset)) * pm / Vdot_minus
    # [spike-v_th] [spike-v_reset]
    dL_dconstants[V_TH, lane] += lambda_V_minus / pm
    dL_dconstants[V_RESET, lane] -= lambda_V_plus / pm
    adjoint[LAMBDA_V, lane] = lambda_V_minus
    # [readout-adjoint] the two numbers that replace small differences
    if b.pack.rate >= 0.0:
        adjoint[EXCESS, lane] += lambda_V_minus - lambda_V_plus
        adjoint[DIFFERENCE, lane] = lambda_V_minus - adjoint[LAMBDA_I, lane]


@inlined
def excess_at_T(drive, pm, rate, clock):
    """`EXCESS` of an adjoint that begins at `T`, as 0."""
    return pm / (pm + rate) * drive * math.exp(-rate * (clock.last + float(clock.end))) if rate >= 0.0 else 0.0


@inlined
def drive_at(drive, lane, bin_, x, rate):
    """The driving term of a lane's adjoint at an instant."""
    return drive[lane] * math.exp(-rate * (bin_ + x)) if rate >= 0.0 else 0.0
