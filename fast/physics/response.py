"""Arrivals that reach more than `V` and the state that they raise: the state one gives in its bin.

A time `h` after an arrival of weight `w` at state `e` its part of the state is `w f`, with `f =
exp(A h) e`, a column of the flow. Backwards, with `p` at that time, the adjoint at the arrival
gives `e.p = f.p`, the gradient of the weight, and `(A e).p = (A f).p`, since `A` and its
exponential commute. So a deposit and a look-up read one column, and no factors of synapse and
spike (`fast.physics.factors`).
"""

import numpy as np

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.rows import II, VI, VO, c_after_a, oi, polynomial_by, unsteady_after_a
from delayprop.fast.physics.others import rates_of
from delayprop.fast.physics.polynomials import polynomial


@inlined
def column_entry(i, into, others):
    """The number of an entry in a block (`fast.layout.rows`): row `i` (0: V, 1: I, then other
    states), and the column of the state that an arrival raises.

    `into`: as in `fast.layout.arrays.Layer`.
    """
    of_I = np.int64(VI if i == 0 else II if i == 1 else oi(i - 2, others))
    return of_I if into == 0 else np.int64(VO + i * len(others.states) + into - 1)


@inlined
def response(h, into, lane, others, coefficients, terms, one):
    """[flow] The state `V, I, O` a time `h` after an arrival of weight 1; `one`: 1 in the
    precision of the weights."""
    V = h * polynomial(coefficients, column_entry(0, into, others), lane, h, terms)
    I = _with_power(1, h, into, lane, others, coefficients, terms, one)
    first = _with_power(2, h, into, lane, others, coefficients, terms, one)
    # `h - h` is 0 in the precision of `h`: with 0.0 all numbers would be float64 (LOG, 11-29).
    second = _with_power(3, h, into, lane, others, coefficients, terms, one) if len(others.states) > 1 else h - h
    return V, I, (first, second)


@inlined
def _with_power(i, h, into, lane, others, coefficients, terms, one):
    """Row `i` of `response`. Polynomials of entries off the diagonal lack their factor `h`, which
    is given back here."""
    # A number, not a choice between two results: LLVM would make a branch of that.
    diagonal = one if i == 1 + into else one - one
    return polynomial(coefficients, column_entry(i, into, others), lane, h, terms) * (h * (one - diagonal) + diagonal)


@inlined
def excitation(V, O, into, lane, numbers, first, others, zero):
    """The most that an arrival adds to the level at any time in its bin.

    It is the part at the end of the bin, or 0 if that is negative; infinite where the level that
    the arrival adds may turn within the bin. `V, O`: the part of the arrival at the end.
    `numbers, first`: as for `rates_of`; `zero`: in the precision of the numbers.
    """
    level, at = V, first + lane
    for k in range(len(others.reached)):
        level += numbers[at + c_after_a(k, others)] * O[k]
    return max(level, zero) + numbers[at + unsteady_after_a(into, others)]


@inlined
def gradients_at_arrival(p, h, into, lane, numbers, first, others, coefficients, terms, one):
    """[arrival] `(A e).p` and `e.p` at an arrival, a time `h` before `p`, the adjoint
    of `V`, `I` and two other states. `numbers, first`: as for `rates_of`; `one`: see `response`."""
    V, I, O = response(h, into, lane, others, coefficients, terms, one)
    dV, dI, dO = rates_of(V, I, O, lane, numbers, first, others)
    along, of_w = p[0] * dV + p[1] * dI + p[2] * dO[0], p[0] * V + p[1] * I + p[2] * O[0]
    if len(others.states) > 1:
        return along + p[3] * dO[1], of_w + p[3] * O[1]
    return along, of_w


@inlined
def sensitivity_of_arrival(constant, p, m, h, into, lane, others, coefficients, terms, one):
    """[flow-theta] The sensitivity of a constant that belongs to the state that an arrival raises,
    a time `h` before the adjoint `p` and the sensitivities `m`; `one`: see `response`."""
    V, I, O = response(h, into, lane, others, coefficients, terms, one)
    found = m[0] * V + m[1] * I + m[2] * O[0] + m[3] * O[1]
    for i in range(2 + len(others.states)):
        which = polynomial_by(constant, column_entry(i, into, others), others)
        found += h * polynomial(coefficients, which, lane, h, terms) * p[i]
    return found
