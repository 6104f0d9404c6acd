"""The adjoint of one neuron, exactly: how it flows back within a bin, and how it jumps at the neuron's own events.

Next to `lambda_V` and `lambda_I` three more numbers flow back, for the gradients of the time constants:
`dL/dtau_mem = int lambda_V Vdot dt` and `dL/dtau_syn = int lambda_I Idot dt` are sums over arrivals, of the weight
times what a unit of current from then on adds to the integral. `X` and `Z` are that, for `tau_mem` (up to the next own
spike, since `V` starts anew there) and for `tau_syn`; `Y` is what a unit of voltage adds for `tau_mem`. So no state of
the forward pass has to be kept.

A readout `(1/T) int exp(-r t) V dt` drives the adjoint with `drive exp(-r t)`, `drive = dL_dy / T`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.physics.compiling import inlined
from fast.physics.polynomials import AAB, AB, ABB, PS_AB, RA, RAA, RAAB, RAB, RABB, A, B, polynomial

LAMBDA_V, LAMBDA_I, X, Y, Z = range(5)  # rows of an adjoint `[5, LANES]`
ADJOINT = 5


class Events(NamedTuple):
    """Own events of the lanes of a block in one trial, its spikes in order, then a maximum of each lane.

    Attributes:
        rest: `[events]`, in the bin; `later`: the next event of the lane in that bin, -1: none.
        before: `[events, ADJOINT]`: the adjoint just before an event; `end`: that at the end of the bin.
        first: `[slots * LANES]`: the first event of the lane in a bin under way, -1: none.
        at_T: `[ADJOINT, LANES]`: the adjoint at `T`.
    """

    rest: np.ndarray
    later: np.ndarray
    before: np.ndarray
    end: np.ndarray
    first: np.ndarray
    at_T: np.ndarray


@inlined
def flow_back(adjoint, lane, h, g, constants, coefficients, terms, rate, want_tau):
    """Take a lane of an adjoint a time `h` back, in place, with no own event on the way.

    `g`: what drives it, `drive exp(-r t)`, at the later time.
    """
    pm, ps = constants[0, lane], constants[1, lane]
    V, I = adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane]
    a, b = polynomial(coefficients, A, lane, h, terms), polynomial(coefficients, B, lane, h, terms)
    adjoint[LAMBDA_V, lane] = V * a
    adjoint[LAMBDA_I, lane] = I * b + V * h * polynomial(coefficients, PS_AB, lane, h, terms)
    if want_tau:
        k = pm * h * polynomial(coefficients, AB, lane, h, terms)
        aab = h * h * polynomial(coefficients, AAB, lane, h, terms)
        abb = h * h * polynomial(coefficients, ABB, lane, h, terms)
        adjoint[X, lane] = adjoint[X, lane] * b + adjoint[Y, lane] * k + V * (k - pm * pm * aab)
        adjoint[Y, lane] = a * (adjoint[Y, lane] - pm * h * V)
        adjoint[Z, lane] = b * (adjoint[Z, lane] - ps * h * I) - ps * ps * abb * V
    if rate >= 0.0:
        ra = h * polynomial(coefficients, RA, lane, h, terms)
        rab = h * h * polynomial(coefficients, RAB, lane, h, terms)
        adjoint[LAMBDA_V, lane] -= pm * g * ra
        adjoint[LAMBDA_I, lane] -= ps * pm * g * rab
        if want_tau:
            raa = h * h * polynomial(coefficients, RAA, lane, h, terms)
            raab = h * h * h * polynomial(coefficients, RAAB, lane, h, terms)
            rabb = h * h * h * polynomial(coefficients, RABB, lane, h, terms)
            adjoint[Y, lane] += pm * pm * g * raa
            adjoint[X, lane] -= pm * pm * g * (rab - pm * raab)
            adjoint[Z, lane] += ps * ps * pm * g * rabb


@inlined
def jump_at_spike(adjoint, lane, I_cross, dL_dt, driven, constants, dL_dconstants, want_tau):
    """Take a lane of an adjoint from just after to just before an own spike; add to the gradients of constants.

    `dL_dt`: all that the loss gains by a later spike, through its arrivals too; `driven`: what drives the adjoint then.
    """
    pm, v_th, v_reset = constants[0, lane], constants[2, lane], constants[3, lane]
    if want_tau:
        dL_dconstants[0, lane] += v_reset * adjoint[Y, lane] + I_cross * adjoint[X, lane]
        adjoint[X, lane] = adjoint[Y, lane] = 0.0
    Vdot_minus, Vdot_plus = pm * (I_cross - v_th), pm * (I_cross - v_reset)
    lambda_V_plus = adjoint[LAMBDA_V, lane]
    lambda_V_minus = Vdot_plus / Vdot_minus * lambda_V_plus + (dL_dt + driven * (v_th - v_reset)) * pm / Vdot_minus
    dL_dconstants[2, lane] += lambda_V_minus / pm
    dL_dconstants[3, lane] -= lambda_V_plus / pm
    adjoint[LAMBDA_V, lane] = lambda_V_minus


@inlined
def drive_at(drive, lane, bin_, x, rate):
    """What drives a lane's adjoint at an instant."""
    return drive[lane] * math.exp(-rate * (bin_ + x)) if rate >= 0.0 else 0.0


@inlined
def note_event(e, lane, slot, rest, adjoint, at_end, events):
    """Keep the adjoint just before an own event, for arrivals before it; `at_end`: that at the end of its bin."""
    events.later[e], events.rest[e] = events.first[slot + lane], rest
    events.first[slot + lane] = e
    for k in range(ADJOINT):
        events.before[e, k], events.end[e, k] = adjoint[k, lane], at_end[k, lane]


@inlined
def look_up(adjoint, lane, bin_, slot, rest, events, drive, constants, coefficients, clock, rate, want_tau):
    """The adjoint just after an instant in a bin with own events of the lane; returns the event there, -1: none.

    It comes from the next event, or from the end of the bin; an event at the very instant comes before it.
    """
    e, here, x = events.first[slot + lane], -1, float(clock.end) if bin_ == clock.last else 1.0
    last, size = -1, ADJOINT if want_tau else 2
    while e >= 0 and rest >= events.rest[e]:
        if rest == events.rest[e]:
            here = e
        last, e = e, events.later[e]
    if e >= 0:
        x = events.rest[e]
        for k in range(size):
            adjoint[k, lane] = events.before[e, k]
    elif last >= 0:
        for k in range(size):
            adjoint[k, lane] = events.end[last, k]
    else:  # marked since the bin ends at T; where it does not, the adjoint itself is no number
        for k in range(size):
            adjoint[k, lane] = events.at_T[k, lane] if bin_ == clock.last else math.nan
    flow_back(
        adjoint, lane, x - rest, drive_at(drive, lane, bin_, x, rate), constants, coefficients, clock.terms, rate, want_tau
    )
    return here
