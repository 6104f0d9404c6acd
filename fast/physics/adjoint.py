"""The adjoint of one neuron, exactly: its flow back within a bin, and its jumps at own events.

`p = dL/dx` flows back by the transpose of `F = exp(A x)`. The gradient of a constant in `A` needs
sensitivities `m` beside it, one per state: `dL/dtheta` is the sum over arrivals of the weight times
`m` of the state that it raises, and of what own spikes add. They flow back by `m <- F^T m +
F_theta^T p`, with the derivative of `F` by the constant. So the forward pass stores no state but
those at own spikes.
"""

from typing import NamedTuple

import numpy as np

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import Pack, reaches_others, reads_integral
from delayprop.fast.layout.rows import (
    A_VI,
    II,
    OF_TAU_MEM,
    VI,
    VV,
    io,
    oi,
    oo,
    ov,
    polynomial_by,
    vo,
)
from delayprop.fast.physics.driven import difference_back, driven_sensitivity
from delayprop.fast.physics.factors import adjoint_terms, factors_of
from delayprop.fast.physics.others import lane_anew, others_in
from delayprop.fast.physics.polynomials import EXACT, RA, RAA, RAB, RB, polynomial

# Rows of an adjoint `[rows, LANES]`: from P_O on those of other states; or, of `lif` and `li`,
# which have none, three numbers for an integral readout (DRIVE, the driving term, only in a ring of
# full adjoints). Then `m_V, m_I` and `m` of other states, constant by constant.
P_V, P_I, P_O = range(3)
EXCESS, DIFFERENCE, DRIVE = range(2, 5)


@inlined
def sensitivity_row(constant, others):
    """Row of `m_V` of a constant; that of `m_I`, and of other states, follow."""
    return DRIVE + 1 + constant * (2 + len(others.states))


@inlined
def adjoint_rows(others, learned):
    """Rows of an adjoint."""
    return sensitivity_row(len(learned), others)


@inlined
def ring_numbers(others):
    """Numbers per place of the ring of adjoints: `p_V` and `p` of a current; where arrivals reach
    other states two more, so that a look-up loads a power of two."""
    return 4 if len(others.reached) > 0 else 2


@inlined
def copy_adjoint(source, lane, target, at, pack, want_tau):
    """Copy the rows of an adjoint that are read: column `lane` of `source` to column `at` of
    `target`."""
    # Numbers of rows that the compiler knows; rows that nobody reads are left out (LOG, 11-29).
    for k in range(P_O + len(pack.others.states)):
        target[k, at] = source[k, lane]
    if want_tau or reads_integral(pack):
        for k in range(P_O + len(pack.others.states), adjoint_rows(pack.others, pack.learned)):
            target[k, at] = source[k, lane]


# Rows of `dL_dconstants`: the constants in `A`, then `v_th`, `c` of other states, `r`, and `R`.


@inlined
def gradient_rows(others, learned):
    """Rows of `dL_dconstants`."""
    states = 2 + len(others.states)
    return len(learned) + 1 + len(others.states) + states * (1 + states)


class Events(NamedTuple):
    """Own events of a pack in one trial: the spikes in order, then one maximum per lane.

    Attributes:
        rest: `[events]`: instant within the bin. `later`: next event of the lane in that bin; -1:
            none.
        at_end: `[2 * events, rows]`: the adjoint just before an event; in the row after it, that
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
        ring: `p` at the ends of the bins that the sweep has passed, a ring for each current, one
            after the other. Each place holds `p_V` and `p` of the current, and `p` of other states
            where arrivals reach them (`ring_numbers`). It holds NaN where the lane has an own
            event in the bin: arrivals there are looked up among its events. It holds 0 for synapses
            that do not exist. On the CPU, parts with `m` of each constant follow, which are laid
            out as that of `p` (`fast.cpu.sensitivities`).
        full_adjoint_ring: all rows of the adjoint there, and `DRIVE`; read for integral readouts,
            and on the GPU for gradients of constants in `A` (the order of its axes differs on CPU
            and GPU). On the CPU it is 0, too, for synapses that do not exist.
        adjoint, solved, other: `[rows, LANES]`: at the end of the bin; in a lane with own
            events, at `position`; scratch of a look-up.
        drive, position, marked: `[LANES]`: driving term of an integral readout at `t = 0`; where
            `solved` stands in the bin; whether the lane has an own event in it.
        events: own events. `neuron_record`: of the forward pass, `[NEURON_RECORD, LANES]`.
        dL_dy: `[LANES]`: derivative of the loss by the voltage readout.
        sums: `[sources, 2 * LANES]`, float64: sums of `adjoint_terms` (`fast.physics.factors`) over
            the arrivals of each synapse; with an integral readout of `driven_at_arrival`, and where
            arrivals reach other states of `gradients_at_arrival`. `piece`: of some last arrivals,
            not yet in `sums`, on the CPU; on a GPU `sums` itself.
        dL_dconstants: `[gradient_rows, LANES]`.
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
    """[flow-adjoint] Flow one lane of an adjoint back by a time `h` (forth if negative), in place
    and in float64. No own event may lie between.

    `g`: the driving term, `drive exp(-r t)`, where the lane starts.
    """
    constants, polynomials, terms, others = pack.constants, pack.exact, EXACT, pack.others
    lane = lane_anew(lane, others)
    p_V, p_I, p_O = adjoint[P_V, lane], adjoint[P_I, lane], others_in(adjoint, P_O, lane, others)
    vv, vi, ii = factors_of(h, lane, polynomials, terms)
    if want_tau:
        for constant in range(len(pack.learned)):
            row, lane = sensitivity_row(constant, others), lane_anew(lane, others)
            m_V, m_I = adjoint[row, lane], adjoint[row + 1, lane]
            m_O = others_in(adjoint, row + 2, lane, others)
            for k in range(len(others.states)):
                moved = _other_back(k, m_V, m_I, m_O, h, lane, polynomials, terms, others)
                first = polynomial_by(constant, 0, others)
                of_p = h * polynomial(polynomials, first + vo(k, others), lane, h, terms) * p_V
                of_p += h * polynomial(polynomials, first + io(k, others), lane, h, terms) * p_I
                for i in range(len(others.states)):
                    of_p += h * polynomial(polynomials, first + oo(i, k, others), lane, h, terms) * p_O[i]
                adjoint[row + 2 + k, lane] = moved + of_p
            of_V = h * polynomial(polynomials, polynomial_by(constant, VV, others), lane, h, terms) * p_V
            to_V, to_I = _reached_back(m_O, h, lane, polynomials, terms, others)
            for k in range(len(others.reached)):
                first = polynomial_by(constant, 0, others)
                to_V += h * polynomial(polynomials, first + ov(k, others), lane, h, terms) * p_O[k]
                to_I += h * polynomial(polynomials, first + oi(k, others), lane, h, terms) * p_O[k]
            adjoint[row, lane] = vv * m_V + of_V + to_V
            adjoint[row + 1, lane] = to_I + sensitivity_at_arrival(
                constant, (p_V, p_I), (m_V, m_I), h, lane, others, polynomials, terms
            )
    lane = lane_anew(lane, others)
    for k in range(len(others.states)):
        adjoint[P_O + k, lane] = _other_back(k, p_V, p_I, p_O, h, lane, polynomials, terms, others)
    adjoint[P_V, lane], adjoint[P_I, lane] = adjoint_terms(p_V, p_I, vv, vi, ii)
    if reaches_others(others):
        to_V, to_I = _reached_back(p_O, h, lane, polynomials, terms, others)
        adjoint[P_V, lane] += to_V
        adjoint[P_I, lane] += to_I
    if reads_integral(pack):
        pm = constants[A_VI, lane]
        adjoint[P_V, lane] += g * h * polynomial(polynomials, RA, lane, h, terms)
        adjoint[P_I, lane] += g * pm * h * h * polynomial(polynomials, RAB, lane, h, terms)
        rb = h * polynomial(polynomials, RB, lane, h, terms)
        # DIFFERENCE before EXCESS, which it reads as it was at the start.
        adjoint[DIFFERENCE, lane] = difference_back(
            adjoint[DIFFERENCE, lane], adjoint[EXCESS, lane], g, vi, ii, rb, pack.rate, pm
        )
        adjoint[EXCESS, lane] *= vv
        if want_tau:
            raa = h * h * polynomial(polynomials, RAA, lane, h, terms)
            adjoint[sensitivity_row(0, others), lane] -= constants[OF_TAU_MEM, lane] * g * raa
            for constant in range(len(pack.learned)):
                of_constant = constants[OF_TAU_MEM + constant, lane]
                adjoint[sensitivity_row(constant, others) + 1, lane] += driven_sensitivity(
                    constant, g, h, pm, of_constant, lane, polynomials, terms
                )


@inlined
def _reached_back(O, h, lane, polynomials, terms, others):
    """What other states `O` of an adjoint add to its `V` and `I`, a time `h` earlier; 0 unless
    arrivals reach other states, since these entries of `F` are then 0."""
    V, I = 0.0, 0.0
    for k in range(len(others.reached)):
        V += h * polynomial(polynomials, np.int64(ov(k, others)), lane, h, terms) * O[k]
        I += h * polynomial(polynomials, np.int64(oi(k, others)), lane, h, terms) * O[k]
    return V, I


@inlined
def _other_back(k, V, I, O, h, lane, polynomials, terms, others):
    """Other state `k` of an adjoint, a time `h` before it was `V, I, O`: a row of `F^T` times
    these."""
    value = h * polynomial(polynomials, np.int64(vo(k, others)), lane, h, terms) * V
    value += h * polynomial(polynomials, np.int64(io(k, others)), lane, h, terms) * I
    for i in range(len(others.states)):
        entry = polynomial(polynomials, np.int64(oo(i, k, others)), lane, h, terms)
        value += (entry if i == k else h * entry) * O[i]
    return value


@inlined
def sensitivity_at_arrival(constant, p, m, h, lane, others, polynomials, terms):
    """[flow-theta] The sensitivity `m` of a constant that belongs to a current, at an arrival.

    `p, m`: the adjoint and the sensitivities, each of `V` and of the current, a time `h` after the
    arrival. `lane`: moved to the numbers of the current (`lane_of_coefficients`).
    """
    _, vi, ii = factors_of(h, lane, polynomials, terms)
    return sensitivity_with_flow(constant, p, m, vi, ii, h, lane, others, polynomials, terms)


@inlined
def sensitivity_with_flow(constant, p, m, vi, ii, h, lane, others, polynomials, terms):
    """[flow-theta] The sensitivity of `sensitivity_at_arrival`, for a caller that has the entries
    VI and II of the flow over `h` (`vi, ii`) already."""
    of_V = polynomial(polynomials, polynomial_by(constant, VI, others), lane, h, terms)
    of_I = polynomial(polynomials, polynomial_by(constant, II, others), lane, h, terms)
    return ii * m[1] + vi * m[0] + h * (of_V * p[0] + of_I * p[1])
