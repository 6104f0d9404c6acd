"""Bins with own events of a neuron (spikes, its maximum), and the arrivals among these events."""

import math

from delayprop.fast.compiling.compiler import inlined
from delayprop.fast.layout.arrays import LANES, reaches_others, reads_integral
from delayprop.fast.layout.instants import bin_of, in_bins
from delayprop.fast.layout.neuron_record import MAX_BIN, MAX_GROUP, MAX_REST, MAX_SLOPE
from delayprop.fast.layout.rows import A_VI, OF_TAU_MEM, flow_a
from delayprop.fast.physics.adjoint import (
    DIFFERENCE,
    EXCESS,
    P_I,
    P_O,
    P_V,
    copy_adjoint,
    flow_back,
    ring_numbers,
    sensitivity_at_arrival,
    sensitivity_row,
)
from delayprop.fast.physics.clock import end_of
from delayprop.fast.physics.currents import current_of, currents, lane_of_coefficients, lane_of_flow, state_of
from delayprop.fast.physics.driven import drive_at, driven_at_arrival, driven_sensitivity
from delayprop.fast.physics.factors import adjoint_terms, dL_dt_arrival, factors_of
from delayprop.fast.physics.jump import jump_at_spike
from delayprop.fast.physics.others import lane_anew, others_in
from delayprop.fast.physics.polynomials import EXACT
from delayprop.fast.physics.response import gradients_at_arrival, sensitivity_of_arrival

NEVER = 2.0  # as the rest of an event: after all arrivals of its bin


@inlined
def mark(lane, bin_, place0, clock, want_tau, b):
    """Mark a lane with an own event in this bin: solve it from the end, and look its arrivals up
    among its events."""
    if not b.marked[lane]:
        b.marked[lane], b.position[lane] = 1, end_of(bin_, clock)
        for current in range(currents(b.pack.others)):
            start = current * (b.ring.size // currents(b.pack.others))
            # NaN, so that a look-up learns of the events from a number that it reads in any case.
            b.ring[start + ring_numbers(b.pack.others) * (place0 + lane)] = math.nan
        copy_adjoint(b.adjoint, lane, b.solved, lane, b.pack, want_tau)


@inlined
def back_to(x, lane, bin_, want_tau, b):
    """Take the solved adjoint of a lane back from its `position` in the bin to `x`."""
    h, g = b.position[lane] - x, drive_at(b.drive, lane, bin_, b.position[lane], b.pack)
    flow_back(b.solved, lane, h, g, b.pack, want_tau)
    b.position[lane] = x


@inlined
def note_event(event, lane, bin_, place0, rest, x, adjoint, clock, want_tau, b):
    """Store the adjoint just before an own event at `x`, for arrivals before `rest` in the bin.
    With the last event of the bin also store the adjoint at its end, for later arrivals.

    Each is taken to the end of the bin. With an integral readout it stays where it is: the adjoint
    that the readout drives just before `T` is of second order in the time to `T`, and would be lost
    in the rounding of a whole bin.
    """
    # The sweep goes back in time, so the first event that it notes in a bin is the last one.
    events, is_last = b.events, b.events.first[place0 + lane] < 0
    for after in range(2 if is_last else 1):
        row, position = 2 * event + after, end_of(bin_, clock) if after else x
        copy_adjoint(b.adjoint if after else adjoint, lane, b.other, lane, b.pack, want_tau)
        if not reads_integral(b.pack) and position < 1.0:
            flow_back(b.other, lane, position - 1.0, 0.0, b.pack, want_tau)
            position = 1.0
        events.position[row] = position
        copy_adjoint(b.other, lane, events.at_end.T, row, b.pack, want_tau)
    events.later[event], events.rest[event] = events.first[place0 + lane], rest
    events.first[place0 + lane] = event


@inlined
def start_at_T(event, lane, bin_, place0, clock, want_tau, b):
    """Mark a lane in the last bin, whose adjoint begins at `T`: later arrivals are left out."""
    mark(lane, bin_, place0, clock, want_tau, b)
    note_event(event, lane, bin_, place0, NEVER, float(clock.end), b.adjoint, clock, want_tau, b)


@inlined
def take_maximum(event, lane, bin_, place0, clock, want_tau, b):
    """[max-interior] Let the largest voltage of a lane, reached in this bin, kick its adjoint."""
    x = b.neuron_record[MAX_REST, lane]
    mark(lane, bin_, place0, clock, want_tau, b)
    back_to(x, lane, bin_, want_tau, b)
    b.solved[P_V, lane] += b.dL_dy[lane]
    at_T = bin_ == clock.last and x == clock.end and b.neuron_record[MAX_GROUP, lane] == 0.0  # after all arrivals
    note_event(event, lane, bin_, place0, NEVER if at_T else x, x, b.solved, clock, want_tau, b)


@inlined
def take_spike(event, lane, bin_, place0, x, I, O, dL_dt, clock, want_tau, b):
    """[spike] Let an own spike at `x` in this bin jump the adjoint of its lane.

    `I, O`: the state just before. `dL_dt`: total derivative of the loss with respect to this spike
    time, arrivals included.
    """
    mark(lane, bin_, place0, clock, want_tau, b)
    back_to(x, lane, bin_, want_tau, b)
    jump_at_spike(b.solved, lane, I, O, dL_dt, drive_at(b.drive, lane, bin_, x, b.pack), b, want_tau)
    note_event(event, lane, bin_, place0, x, x, b.solved, clock, want_tau, b)


@inlined
def events_around(lane, place0, rest, b):
    """The adjoint that an arrival in a bin with own events reads, as a row of `at_end`; -1: the bin
    has no events. And the event at the very instant of the arrival; -1: none.

    The row is that of the next event after the arrival. An event at its instant comes before it.
    `place0`: of lane 0 in the bin. `rest`: of the arrival, in bins.
    """
    events = b.events
    e, last, here = events.first[place0 + lane], -1, -1
    while e >= 0 and rest >= events.rest[e]:
        if rest == events.rest[e]:
            here = e
        last, e = e, events.later[e]
    return 2 * e if e >= 0 else 2 * last + 1, here


@inlined
def row_around_one_event(slot, rest, lane, events):
    """The row of `at_end` that an arrival reads in a bin with one own event, at another instant; -1
    in any other case, which `events_around` decides.

    `slot`: of the bin; `rest`: of the arrival, in bins; `events`: pointers. In a recurrent layer an
    event at NEVER follows, which stands for the end of the bin.
    """
    # No branch on whether the arrival is first: the processor would often predict it wrong.
    e = events.first[slot * LANES + lane]
    if e < 0 or events.rest[e] == rest:
        return -1
    later = events.later[e]
    if later < 0:
        return 2 * e + int(rest > events.rest[e])
    if events.later[later] >= 0 or events.rest[later] != NEVER:
        return -1
    return 2 * (later if rest > events.rest[e] else e)


@inlined
def add_pinned_kick(arrival, source, lane, bin_, clock, b):
    """[max-pinned] Add the term of an arrival that pins the largest voltage to the sums of its
    synapse.

    Returns its part of `dL/dt_arr`, without the kink of the voltage; 0 if the largest voltage is
    elsewhere. `arrival`: as `arrival_of` returns it, of a spike emitted in bin `bin_`.
    """
    record, pack = b.neuron_record, b.pack
    w, target = pack.synapses.w[source, lane], bin_of(arrival[0], bin_, pack.ticks)
    if record[MAX_BIN, lane] != target or record[MAX_GROUP, lane] == 0.0 or w == 0.0:
        return 0.0
    r = in_bins(pack.synapses.delay[source, lane] & pack.ticks.rest, pack.ticks)
    A_entry = pack.constants[A_VI, lane]
    # The gradient of a delay is `-w (A e).p` of the sums, so `p_V` here is the kick over that.
    kick = b.dL_dy[lane] * max(0.0, record[MAX_SLOPE, lane] - A_entry * w)
    of_V, of_I = adjoint_terms(-kick / (w * A_entry), 0.0, *factors_of(r, lane, pack.coefficients, clock.terms))
    b.piece[source, lane] += of_V
    b.piece[source, LANES + lane] += of_I
    return kick


@inlined
def add_sensitivities(source, lane, p, sensitivities, at, h, g, b):
    """[flow-theta] Add the terms of an arrival to the gradients of the constants in `A`.

    `p`: `p_V`, and `p` of the current, a time `h` after the arrival. `sensitivities [rows, at]`:
    the adjoint there. `g`: as in `flow_back`.
    """
    pack, w = b.pack, b.pack.synapses.w[source, lane]
    for constant in range(len(pack.learned)):
        row, lane = sensitivity_row(constant, pack.others), lane_anew(lane, pack.others)
        m_V, m_I = sensitivities[row, at], sensitivities[row + 1 + current_of(source, pack), at]
        if reaches_others(pack.others):
            p_O = others_in(sensitivities, P_O, at, pack.others)
            m_O = others_in(sensitivities, row + 2, at, pack.others)
            p_all, m_all = (p[0], p[1], p_O[0], p_O[1]), (m_V, m_I, m_O[0], m_O[1])
            m = sensitivity_of_arrival(
                constant, p_all, m_all, h, state_of(source, pack), lane, pack.others, pack.exact, EXACT, 1.0
            )
        else:
            first = lane_of_coefficients(current_of(source, pack), lane, pack, EXACT)
            m = sensitivity_at_arrival(constant, p, (m_V, m_I), h, first, pack.others, pack.exact, EXACT)
        if reads_integral(pack):
            pm, of_constant = pack.constants[A_VI, lane], pack.constants[OF_TAU_MEM + constant, lane]
            m += driven_sensitivity(constant, g, h, pm, of_constant, lane, pack.exact, EXACT)
        b.dL_dconstants[constant, lane] += w * m


@inlined
def add_terms(factors, source, lane, p_V, p_I, want_dt, b):
    """[arrival] Add the terms of an arrival to the sums of its synapse.

    `factors`: of the arrival; `p_V, p_I`: adjoint of `V` and its current at the end of the bin.
    Returns [arrival], the derivative by the time of the arrival, if wanted.
    """
    pack, synapses = b.pack, b.pack.synapses
    of_V, of_I = adjoint_terms(p_V, p_I, *factors)
    b.piece[source, lane] += of_V
    b.piece[source, LANES + lane] += of_I
    if not want_dt:
        return 0.0
    at = lane_of_flow(current_of(source, pack), lane)
    return dL_dt_arrival(of_V, of_I, at, pack.flow, synapses.w_I[source, lane], synapses.w_V[source, lane])


@inlined
def adjoint_among_events(arrival, source, lane, bin_, clock, want_tau, b):
    """The adjoint for an arrival in a bin with own events, as `add_at_arrival` takes it: at the end
    of the bin; with an integral readout, at the next event; `p` of the current that the arrival
    raises stands for `p_I`. The spike is emitted in bin `bin_`; `arrival`: see
    `arrival_of`.

    It is 0 where the arrival is after `T`, or at `T` and an integral is read. Returns as well the
    time from the arrival to there, and the event at the very instant of the arrival, -1: none. Adds
    to the gradients of the constants in `A`, if wanted.
    """
    pack, (slot, ticks_after, _) = b.pack, arrival
    target, rest = bin_of(slot, bin_, pack.ticks), in_bins(ticks_after, pack.ticks)
    if target == clock.last and (rest > clock.until or (rest == clock.end and reads_integral(pack))):
        return (0.0, 0.0, 0.0, 0.0, 0.0), 0.0, -1
    row, event = events_around(lane, slot * LANES, rest, b)
    if row < 0:  # the adjoint itself is NaN, and must show
        b.other[:, lane] = math.nan
    else:
        copy_adjoint(b.events.at_end.T, row, b.other, lane, pack, want_tau)
    p = b.other[P_V, lane], b.other[P_I + current_of(source, pack), lane]
    x = b.events.position[row] if row >= 0 else 1.0
    h, g = x - rest, drive_at(b.drive, lane, target, x, pack)
    more = (b.other[EXCESS, lane], b.other[DIFFERENCE, lane]) if reads_integral(pack) else (0.0, 0.0)
    if reaches_others(pack.others):
        more = others_in(b.other, P_O, lane, pack.others)
    there = p[0], p[1], more[0], more[1], g
    if want_tau:
        add_sensitivities(source, lane, p, b.other, lane, h, g, b)
    return there, h, event


@inlined
def add_at_arrival(source, lane, there, h, clock, b):
    """[arrival] Add `(A e).p` and `e.p` at an arrival to the sums of its synapse, where an integral
    is read or arrivals reach other states.

    `there`: a time `h` later, the adjoint of all states, or the five numbers that
    `driven_at_arrival` takes. Returns [arrival], the derivative by the time of the arrival.
    """
    pack, terms = b.pack, clock.terms
    if reaches_others(pack.others):
        along, p = gradients_at_arrival(
            there, h, state_of(source, pack), lane, pack.flow, flow_a(pack.others), pack.others, pack.coefficients,
            terms, clock.one,
        )
    else:
        along, p = driven_at_arrival(there, h, lane, pack, pack.coefficients, terms)
    b.sums[source, lane] += along
    b.sums[source, LANES + lane] += p
    return -pack.synapses.w[source, lane] * along
